// The settings of a training: the form, and the part of the address after #, which a lecturer can pass on.

import { act, complain, field, h, select, tell } from "./dom.js";
import { t } from "./texts.js";

// Settings in the order of the form: those of a list, numbers with their step, and text.
const LISTS = ["net", "trunk", "upsampling", "scores", "batch_norm", "normalization"];
const NUMBERS = { rate: "any", momentum: "any", batch: "1", pad: "1", size: "1", seed: "1" };
const LABELS = {
  net: "setNet", trunk: "setTrunk", batch_norm: "setBatchNorm", upsampling: "setUpsampling", scores: "setScores",
  normalization: "setNormalization", rate: "setRate", momentum: "setMomentum", batch: "setBatch", pad: "setPad",
  size: "setSize", seed: "setSeed", augment: "setAugment",
};
const WORDS = {
  trunk: { random: "trunkRandom", classifier: "trunkClassifier" },
  upsampling: { fixed: "upFixed", learned: "upLearned", random: "upRandom", "random-fixed": "upRandomFixed" },
  scores: { zero: "scoresZero", random: "scoresRandom" },
  batch_norm: { yes: "yes", no: "no" },
};

/** The settings in the address. */
export function fromAddress() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/** Put settings in the address, without a new entry in the history. */
export function toAddress(values) {
  const text = new URLSearchParams(values).toString();
  history.replaceState(null, "", text ? `#${text}` : location.pathname);
}

/** The form; `open` opens changed settings. */
export function setupView(open) {
  const form = h("form", { class: "controls", id: "form", onsubmit: (event) => event.preventDefault() });
  const link = h("input", { type: "text", id: "link", size: "30" });
  const share = h("div", { class: "controls" },
    field("shareText", link),
    h("button", { type: "button", id: "copy", text: "copy", onclick: () => act(async () => {
      link.select();
      await navigator.clipboard.writeText(link.value);
      tell(t("copied"));
    }) }),
    h("button", { type: "button", id: "use", text: "use", onclick: () => {
      const given = link.value.slice(link.value.indexOf("#") + 1).trim();
      open(Object.fromEntries(new URLSearchParams(given)));
    } }));
  const facts = h("p", { class: "facts" });
  const controls = {};
  let defaults = {};
  let current = {};

  function changed(name, value) {
    const values = { ...current };
    if (!("case" in values) && String(value) === String(defaults[name])) delete values[name];
    else values[name] = value;
    open(values);
  }

  function make({ defaults: given, choices, ranges }) {
    defaults = given;
    for (const name of LISTS) {
      controls[name] = select(choices[name].map((each) => [each, each]), defaults[name], (value) => changed(name, value), { id: `set-${name}` });
    }
    for (const [name, step] of Object.entries(NUMBERS)) {
      const [min, max] = ranges[name];
      controls[name] = h("input", { type: "number", id: `set-${name}`, step, min: String(min), max: String(max),
        onchange: () => changed(name, controls[name].value) });
    }
    controls.augment = h("input", { type: "text", id: "set-augment", size: "24", placeholder: "flip scale=0.7:1.4",
      onchange: () => changed("augment", controls.augment.value) });
    form.append(...Object.entries(controls).map(([name, control]) => field(LABELS[name], control)));
  }

  function show(opened, values) {
    current = values;
    for (const [name, control] of Object.entries(controls)) control.value = String(opened.settings[name]);
    for (const [name, words] of Object.entries(WORDS)) {
      for (const option of controls[name].options) option.textContent = t(words[option.value]);
    }
    link.value = `#${new URLSearchParams(values)}`;
    facts.textContent = t("parameters", { count: opened.parameters.toLocaleString("en") });
  }

  form.addEventListener("input", () => complain(""));
  return { elements: [form, facts, share], make, show };
}
