// What all pages share: the links between them, the language, light or dark, and the frame of their content.

import { h, select, tell, translate } from "./dom.js";
import { emit } from "./store.js";
import { LANGUAGES, language, setLanguage, t } from "./texts.js";

/** The pages: the key of their name, and their address. */
const PAGES = [["explorer", "./"], ["playground", "playground.html"]];

function remembered(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Without storage, the choice lasts as long as the page.
  }
}

function applyTheme(theme) {
  if (theme === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = theme;
}

/** Fill the header of the page called `here`. */
export function startShell(here) {
  const wanted = remembered("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
  setLanguage(wanted in LANGUAGES ? wanted : "en");
  const theme = remembered("theme") ?? "system";
  applyTheme(theme);
  document.getElementById("pages").append(
    ...PAGES.map(([name, href]) => h("a", { href, text: name, "aria-current": name === here ? "page" : null })),
  );
  const languages = select(Object.entries(LANGUAGES), language(), (value) => {
    setLanguage(value);
    remember("language", value);
    translate();
    names();
    tell("");
    emit("language");
  }, { label: "language", id: "language" });
  const themes = h("select", { label: "theme", id: "theme", onchange: () => {
    applyTheme(themes.value);
    remember("theme", themes.value);
  } });
  themes.append(...["system", "light", "dark"].map((each) =>
    h("option", { value: each, selected: each === theme, text: each })));
  document.getElementById("settings").append(languages, themes);
  translate();
  names();

  function names() {
    document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
    document.title = `fcnlite · ${t(here)}`;
  }
}

/** A section of the page with these elements, under a heading if it has one. */
export function section(id, elements, heading = null) {
  const title = heading && h("h2", { id: `${id}-title`, text: heading });
  const labels = heading ? { "aria-labelledby": `${id}-title` } : { label: id };
  document.getElementById("main").append(h("section", { id, ...labels }, title, elements));
}
