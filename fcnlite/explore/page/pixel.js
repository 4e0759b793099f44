// One pixel: its receptive fields, what each skip adds to its scores, and why a class has its score.

import { act, field, h, number, percent } from "./dom.js";
import { cssColor, extremes, heat, mapImage, put, rgbImage, scaleFor } from "./draw.js";
import { layerNames } from "./layer.js";
import { call } from "./server.js";
import { on, store } from "./store.js";
import { t } from "./texts.js";

/** The view for the tabs. */
export function pixelView() {
  const where = h("p", { class: "facts" });
  const layer = h("select", { id: "field-layer" });
  const fields = h("div", { id: "field" });
  const parts = h("div", { id: "parts" });
  const of = h("select", { id: "why-class" });
  const kind = h("select", { id: "why-kind" });
  kind.append(h("option", { value: "magnitude", text: "magnitude" }), h("option", { value: "effect", text: "effect" }));
  const whys = h("div", { id: "why" });
  const button = (id, action) => h("button", { type: "button", id, text: "compute", onclick: () => act(action) });
  const panel = h("div", {}, where,
    h("h3", { text: "skipsAdd" }), h("p", { class: "note", text: "skipsAddText" }), parts,
    h("h3", { text: "fieldTitle" }), h("div", { class: "controls" }, field("layer", layer), button("run-field", showField)), fields,
    h("h3", { text: "whyTitle" }), h("div", { class: "controls" }, field("class", of), field("show", kind), button("run-why", showWhy)), whys);

  const visible = () => panel.offsetParent !== null;
  on("graph", () => {
    const names = layerNames();
    const before = names.includes(layer.value) ? layer.value : names.at(-1);
    layer.replaceChildren(...names.slice(1).map((name) => h("option", { value: name, selected: name === before }, name)));
  });
  on("model", () => of.replaceChildren(...store.model.classes.map((name, i) => h("option", { value: String(i) }, name))));
  on("pixel segmentation language", () => {
    if (visible()) load();
  });

  function load() {
    where.textContent = store.pixel ? t("pixelAt", { row: store.pixel[0], column: store.pixel[1] }) : t("choosePixel");
    for (const each of panel.querySelectorAll("button")) each.disabled = !store.pixel;
    fields.replaceChildren();
    whys.replaceChildren();
    parts.replaceChildren();
    if (store.pixel && store.segmentation && store.model.segments) act(showParts);
  }

  async function showParts() {
    const [row, column] = store.pixel;
    const found = await call("contributions", { row, column }).catch((error) => ({ error: error.message }));
    if (found.error) {
      parts.replaceChildren(h("p", { class: "note" }, found.error));
      return;
    }
    const { classes, colors } = store.model;
    const [skips, count] = found.parts.shape;
    const order = [...classes.keys()].sort((a, b) => found.scores[b] - found.scores[a]);
    const [low, high] = extremes(found.parts);
    const most = Math.max(-low, high) || 1;
    of.value = String(order[0]);
    parts.replaceChildren(h("div", { class: "scroll" }, h("table", { class: "parts" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "class" }),
        found.skips.map(({ blob, stride }) => h("th", { scope: "col" }, `${blob} (${stride}s)`)), h("th", { scope: "col", text: "sum" }))),
      h("tbody", {}, order.map((i) => h("tr", { "data-class": String(i) },
        h("th", { scope: "row" }, h("span", { class: "swatch", style: { "background-color": cssColor(colors, i) } }), classes[i]),
        Array.from({ length: skips }, (_, k) => {
          const value = found.parts[k * count + i];
          return h("td", { class: `signed ${value < 0 ? "negative" : "positive"}`, style: { "--share": `${(70 * Math.abs(value)) / most}%` } }, number(value));
        }),
        h("td", { class: "figure" }, number(found.scores[i])))))) ));
  }

  /** The picture, dark, with values from 0 to `high` over it in colour. */
  function overPicture(values, frame) {
    const [height, width] = values.shape;
    const canvas = h("canvas", { class: "large", role: "img", "aria-label": t("fieldCanvas") });
    const [low, high] = extremes(values);
    // A square root shows the small values at the border of the field too.
    const roots = low < 0 ? values : Float32Array.from(values, (each) => Math.sqrt(each / (high || 1)));
    const scale = low < 0 ? scaleFor(low, high) : { colors: heat, low: 0, high: 1 };
    const colored = mapImage(roots, height, width, scale);
    const below = rgbImage(store.picture.pixels, height, width);
    for (let i = 0; i < height * width; i += 1) {
      const weight = low < 0 ? 0.85 : Math.min(0.9, 0.25 + roots[i]);
      for (let c = 0; c < 3; c += 1) {
        const k = 4 * i + c;
        below.data[k] = (1 - weight) * 0.6 * below.data[k] + weight * colored.data[k];
      }
    }
    put(canvas, below);
    const context = canvas.getContext("2d");
    context.lineWidth = Math.max(1, width / 400);
    context.strokeStyle = "#fff";
    if (frame) context.strokeRect(frame[2], frame[0], frame[3] - frame[2] + 1, frame[1] - frame[0] + 1);
    const [row, column] = store.pixel;
    context.strokeStyle = "#4df";
    const arm = Math.max(4, width / 60);
    context.beginPath();
    context.moveTo(column - arm, row);
    context.lineTo(column + arm, row);
    context.moveTo(column, row - arm);
    context.lineTo(column, row + arm);
    context.stroke();
    return canvas;
  }

  async function showField() {
    const [row, column] = store.pixel;
    const found = await call("field", { layer: layer.value, row, column });
    fields.replaceChildren(overPicture(found.effective, found.nominal), h("p", { class: "note" }, t("fieldText", {
      position: `(${found.position.join(", ")})`, blob: found.blob, size: found.size.join("×"), stride: number(found.stride),
      field: number(found.field), nominal: found.nominal_pixels.toLocaleString("en"), share: percent(found.share, 0),
      effective: found.effective_pixels.toLocaleString("en"),
    })));
    fields.dataset.nominal = found.nominal ? found.nominal.join(",") : "";
  }

  async function showWhy() {
    const [row, column] = store.pixel;
    const found = await call("why", { row, column, of: Number(of.value) });
    const text = t(kind.value === "effect" ? "effectText" : "whyText", { score: number(found.score), name: store.model.classes[of.value] });
    whys.replaceChildren(overPicture(found[kind.value], null), h("p", { class: "note" }, text));
  }

  return {
    id: "pixel", text: "pixel", panel,
    shown: () => load(),
  };
}
