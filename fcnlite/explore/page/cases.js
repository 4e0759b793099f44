// "Why does my net not learn?": trainings with one fault, the doctor's findings as hints, and the answer.

import { act, field, h, tell } from "./dom.js";
import { localized } from "./sentences.js";
import { t } from "./texts.js";

/** The elements; `ask` calls the worker, `open` opens settings, `current` is what is open. */
export function casesView({ ask, open, current }) {
  const chosen = h("select", { id: "case", onchange: () => act(() => open(chosen.value === "0" ? {} : { case: chosen.value })) });
  const cause = h("select", { id: "cause" });
  const result = h("div", { id: "result", role: "status" });
  const findings = h("div", { id: "findings", role: "status" });
  const hints = h("button", { type: "button", id: "hints", text: "hints", onclick: () => act(showHints) });
  const reply = h("button", { type: "button", id: "answer", text: "answer", onclick: () => act(showAnswer) });
  const question = h("div", { class: "controls", hidden: true }, field("causeLabel", cause), reply);
  const elements = [h("h3", { text: "casesTitle" }), h("p", { class: "note", text: "casesText" }),
    h("div", { class: "controls" }, field("caseLabel", chosen), hints), findings, question, result];
  let shown = null;

  function make({ cases, causes }) {
    chosen.append(...Array.from({ length: cases + 1 }, (_, i) => h("option", { value: String(i) }, i ? String(i) : "–")));
    cause.append(...causes.map((each) => h("option", { value: each, text: `cause_${each}` })));
  }

  function show(opened) {
    if (shown === opened) return;
    shown = opened;
    chosen.value = String(opened.case);
    question.hidden = !opened.case;
    result.replaceChildren();
    findings.replaceChildren();
  }

  async function showHints() {
    tell(t("computing"));
    const found = await ask("hints");
    tell("");
    findings.replaceChildren(found.length
      ? h("ul", { class: "findings" }, found.map((each) => h("li", { "data-id": each.id },
        h("strong", {}, `${t(`severity_${each.severity}`)}: ${each.id}`), h("p", {}, localized(each.what)),
        h("p", { class: "note" }, localized(each.mend)))))
      : h("p", { class: "note", text: "noFindings" }));
  }

  async function showAnswer() {
    const given = cause.value;
    const { right, mended } = await ask("answer", { cause: given });
    if (!current()) return;
    result.replaceChildren(...(right
      ? [h("p", { class: "solved" }, h("strong", { text: "isRight" }), " ", h("span", { text: `why_${given}` })),
        h("button", { type: "button", id: "mend", text: "mend", onclick: () => act(() => open(changes(mended))) })]
      : [h("p", { class: "alarm", text: "notThis" })]));
  }

  function changes(mended) {
    return Object.fromEntries(Object.entries(mended).filter(([name, value]) => value !== defaults[name]));
  }
  let defaults = {};
  return { elements, make: (choices) => {
    defaults = choices.defaults;
    make(choices);
  }, show };
}
