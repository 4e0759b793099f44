// One layer: activations, filters, histograms, gradients, formula, options and source.

import { histogramChart, mapGrid } from "./charts.js";
import { act, field, h, newest, number } from "./dom.js";
import { extremes, mapImage, put, scaleFor } from "./draw.js";
import { localized } from "./sentences.js";
import { call } from "./server.js";
import { on, set, store } from "./store.js";
import { has, t } from "./texts.js";

/** The names of all layers of the drawn graph, in its order. */
export function layerNames() {
  return store.graph ? store.graph.nodes.flatMap((node) => node.layers) : [];
}

/** The view for the tabs. */
export function layerView({ show }) {
  const choice = h("select", { id: "layer", onchange: () => set("layer", choice.value) });
  const apart = h("button", { type: "button", text: "takeApart", onclick: () => show("number") });
  const body = h("div", {});
  const panel = h("div", {}, h("div", { class: "controls" }, field("chooseLayer", choice), apart), body);

  const visible = () => panel.offsetParent !== null;
  on("graph", () => {
    const names = layerNames();
    if (!names.includes(store.layer)) store.layer = names[1] ?? names[0];
    choice.replaceChildren(...names.map((name) => h("option", { value: name, selected: name === store.layer }, name)));
    if (visible()) load();
  });
  on("layer", () => {
    choice.value = store.layer;
  });
  on("layer segmentation language", () => visible() && load());

  const load = newest(() => act(async () => {
    if (!store.graph || !store.segmentation) return;
    const layer = store.layer;
    const input = layer === store.graph.nodes[0].id;
    const described = input ? null : await call("describe", { layer });
    const found = await call("activations", { layer });
    body.replaceChildren(
      ...(described ? [heading("formula"), h("pre", { class: "formula", tabindex: "0" }, described.formula)] : []),
      heading("activations"), activationPart(layer, found),
      heading("histogram"), histogramChart(found.histogram),
      ...(described ? [
        heading("filters"), await filterPart(described),
        heading("gradients"), gradientPart(layer),
        ...(described.options.length ? [heading("options"), optionTable(described)] : []),
        ...(described.parameters.length ? [heading("parametersTitle"), parameterPart(described)] : []),
        ...(described.source ? [heading("source"), sourcePart(described.source)] : []),
      ] : []));
    body.querySelector(".code")?.showFirst();
    body.dataset.layer = layer;
  }));

  function heading(key) {
    return h("h3", { text: key });
  }

  function activationPart(layer, found) {
    const large = h("div", { class: "large-map" });
    const choose = (channel) => act(async () => {
      const { values } = await call("plane", { layer, channel });
      const [low, high] = extremes(values);
      const canvas = h("canvas", { role: "img", "aria-label": t("mapOf", { channel, low: number(low), high: number(high) }) });
      put(canvas, mapImage(values, ...values.shape, scaleFor(low, high)));
      large.replaceChildren(canvas, h("p", {}, t("mapOf", { channel, low: number(low), high: number(high) })));
    });
    const text = t("mapsText", { shape: found.shape.join("×") }) + (found.step > 1 ? t("every", { step: found.step }) : "");
    return h("div", {}, h("p", { class: "note" }, text), mapGrid(found, choose), large);
  }

  async function filterPart(described) {
    const first = await call("filters", { layer: described.name, output: 0 }).catch(() => ({ maps: null }));
    if (!first.maps) return h("p", { class: "note", text: "noFilters" });
    const outputs = Number(described.options.find((each) => each.name === "num_output").value);
    const place = h("div", {});
    const drawFilters = (found) => {
      const high = [];
      for (let i = 0; i < found.index.length; i += 1) high.push(1);
      place.replaceChildren(h("p", { class: "note" }, t("filtersText", { bias: number(found.bias) })),
        mapGrid({ ...found, low: high.map(() => 0), high }, null, true));
    };
    drawFilters(first);
    const input = h("input", { type: "number", min: "0", max: String(outputs - 1), value: "0", onchange: () =>
      act(async () => drawFilters(await call("filters", { layer: described.name, output: Number(input.value) }))) });
    return h("div", { class: "filters" }, field("filterOf", input), place);
  }

  function gradientPart(layer) {
    const place = h("div", { id: "gradients" });
    if (!store.model.segments) return h("p", { class: "note" }, t("noSegments", { reason: localized(store.model.reason) }));
    const options = store.model.classes.map((name, i) => h("option", { value: String(i) }, t("scoresOf", { name })));
    if (store.picture.truth) options.unshift(h("option", { value: "" }, t("lossOfTruth")));
    const of = h("select", { id: "gradient-of" }, options);
    const run = h("button", { type: "button", id: "run-gradients", text: "compute", onclick: () => act(async () => {
      const found = await call("gradients", { layer, of: of.value === "" ? null : Number(of.value) });
      const norms = found.parameters.map((each) => number(each)).join(", ");
      place.replaceChildren(mapGrid(found), histogramChart(found.histogram),
        ...(norms ? [h("p", {}, t("parameterNorms", { norms }))] : []));
    }) });
    return h("div", {}, h("div", { class: "controls" }, field("gradientOf", of), run), place);
  }

  function optionTable({ options }) {
    return h("div", { class: "scroll" }, h("table", { class: "options" }, h("thead", {}, h("tr", {},
      h("th", { scope: "col", text: "option" }), h("th", { scope: "col", text: "value" }), h("th", { scope: "col", text: "meaning" }))),
    h("tbody", {}, options.map((each) => h("tr", { class: each.given ? "given" : "" },
      h("th", { scope: "row" }, each.name), h("td", {}, each.value + (each.given ? "" : ` (${t("standard")})`)),
      h("td", {}, has(`opt_${each.name}`) ? t(`opt_${each.name}`) : ""))))));
  }

  function parameterPart({ parameters }) {
    return h("div", {}, parameters.map((each) => h("div", {},
      h("p", {}, t("parameterText", { shape: each.shape, lr: each.lr_mult, decay: each.decay_mult })),
      histogramChart(each.histogram))));
  }

  function sourcePart({ file, lines, text }) {
    const marked = new Set(Object.values(lines));
    const code = h("ol", { class: "code", tabindex: "0", role: "region", label: "source" });
    text.trimEnd().split("\n").forEach((line, i) => code.append(h("li", { class: marked.has(i + 1) ? "marked" : "", "data-line": String(i + 1) }, line || " ")));
    const at = h("span", { class: "at" }, t("sourceAt", { file, line: lines.class }));
    const go = (name) => {
      const line = code.querySelector(`[data-line="${lines[name]}"]`);
      code.scrollTop = line.offsetTop - 12;
      at.textContent = t("sourceAt", { file, line: lines[name] });
    };
    const buttons = Object.keys(lines).map((name) => h("button", { type: "button", onclick: () => go(name) }, `${t("goTo")} ${name}`));
    code.showFirst = () => go("forward" in lines ? "forward" : "class");
    return h("div", { class: "source" }, h("div", { class: "controls" }, at, buttons), code);
  }

  return {
    id: "layer", text: "layer", panel,
    shown: () => load(),
  };
}
