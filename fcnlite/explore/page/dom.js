// Makes elements, and runs what the user starts.

import { Refusal } from "./server.js";
import { store } from "./store.js";
import { t } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") {
      element.dataset.t = value;
      element.textContent = t(value);
    } else if (name === "label") {
      element.dataset.tLabel = value;
      element.setAttribute("aria-label", t(value));
    } else if (name === "style") {
      for (const [property, each] of Object.entries(value)) element.style.setProperty(property, each);
    } else if (name in element && typeof value !== "string" && !(element instanceof SVGElement)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((each) => each !== null && each !== undefined));
  return element;
}

/** An HTML element. `text` and `label` are keys of the table of texts; `on...` are listeners. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Put the texts of the chosen language into all elements under `root`. */
export function translate(root = document) {
  for (const each of root.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of root.querySelectorAll("[data-t-label]")) each.setAttribute("aria-label", t(each.dataset.tLabel));
}

/** A labelled control. */
export function field(key, control) {
  return h("label", { class: "field" }, h("span", { text: key }), control);
}

/** A select element whose options are [value, text]. */
export function select(options, chosen, onchange, attributes = {}) {
  const made = h("select", { onchange: () => onchange(made.value), ...attributes });
  made.append(...options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  return made;
}

/** Say something to screen readers and sighted users, without a dialogue. */
export function tell(text) {
  document.getElementById("status").textContent = text;
}

/** Show what was wrong, in one sentence; an empty text removes it. */
export function complain(text) {
  const place = document.getElementById("error");
  place.replaceChildren();
  if (!text) return;
  place.append(h("p", {}, text), h("button", { type: "button", label: "dismiss", onclick: () => complain("") }, "×"));
}

/** Run an asynchronous action: shows that the page waits, and what was wrong. Returns undefined if it failed. */
export async function act(action) {
  store.busy += 1;
  document.body.setAttribute("aria-busy", "true");
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Refusal)) console.error(error);
    complain(error.message);
    return undefined;
  } finally {
    store.busy -= 1;
    if (!store.busy) document.body.removeAttribute("aria-busy");
  }
}

/** A function that runs `action` so that only the newest of several quick calls takes effect. */
export function newest(action) {
  let running = false;
  let waiting = null;
  return async function run(...args) {
    if (running) {
      waiting = args;
      return;
    }
    running = true;
    try {
      await action(...args);
    } finally {
      running = false;
      if (waiting) {
        const next = waiting;
        waiting = null;
        run(...next);
      }
    }
  };
}

/** A list of tabs with their panels; `tabs` are {id, text, panel, shown}. Arrow keys move between them. */
export function tabs(list) {
  const buttons = list.map((tab) =>
    h("button", {
      type: "button", role: "tab", id: `tab-${tab.id}`, "aria-controls": `panel-${tab.id}`, text: tab.text,
      onclick: () => choose(tab.id),
    }));
  const panels = list.map((tab) =>
    h("div", { role: "tabpanel", id: `panel-${tab.id}`, "aria-labelledby": `tab-${tab.id}`, hidden: true }, tab.panel));
  const bar = h("div", { role: "tablist", label: "views" }, buttons);
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = buttons.indexOf(document.activeElement);
    const next = (at + step + buttons.length) % buttons.length;
    choose(list[next].id);
    buttons[next].focus();
    event.preventDefault();
  });
  function choose(id) {
    list.forEach((tab, i) => {
      const chosen = tab.id === id;
      buttons[i].setAttribute("aria-selected", String(chosen));
      buttons[i].tabIndex = chosen ? 0 : -1;
      panels[i].hidden = !chosen;
      if (chosen) tab.shown?.();
    });
    chosenTab = id;
  }
  let chosenTab = null;
  return { bar, panels, choose, chosen: () => chosenTab };
}

/** A number as text, with about `digits` significant digits. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value).replace("-", "−");
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(Math.max(0, digits - 2)).replaceAll("-", "−");
  return value.toPrecision(digits).replace("-", "−");
}

/** A share as text in percent. */
export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)} %`;
}
