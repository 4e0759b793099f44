// One value of a layer, taken apart: the patch, the kernel, the products and the sum.

import { cells } from "./charts.js";
import { act, field, h, newest, number, s } from "./dom.js";
import { extremes, mapImage, put, scaleFor } from "./draw.js";
import { call } from "./server.js";
import { on, set, store } from "./store.js";
import { t } from "./texts.js";

const TYPES = ["Convolution", "Deconvolution", "Pooling", "Crop"];
const DIGITS = 5;

/** The view for the tabs. */
export function numberView() {
  let found = null; // the answer of `number`
  let planes = new Map(); // maps of this layer, by "top channel" and "bottom channel"

  const layer = h("select", { id: "number-layer", onchange: () => set("layer", layer.value) });
  const at = ["channel", "row", "column"].map((name) =>
    h("input", { type: "number", id: `number-${name}`, min: "0", value: "0", onchange: () => load() }));
  const [channel, row, column] = at;
  const source = h("select", { id: "number-source", onchange: () => load() });
  const none = h("p", { class: "note", text: "notTakenApart" });
  const bottom = h("canvas", { class: "map-view", id: "number-bottom", role: "img", label: "bottomMap" });
  const top = h("canvas", { class: "map-view", id: "number-top", tabindex: "0", role: "img", label: "topMap" });
  const bottomText = h("p", { class: "note" });
  const topText = h("p", { class: "note" });
  const result = h("div", { id: "number-result", "aria-live": "polite" });
  const body = h("div", {},
    h("div", { class: "controls" }, field("channel", channel), field("row", row), field("column", column), field("sourceChannel", source)),
    h("div", { class: "pair" },
      h("figure", {}, h("figcaption", { text: "bottomMap" }), bottom, bottomText),
      h("figure", {}, h("figcaption", { text: "topMap" }), top, topText)),
    result);
  const panel = h("div", {}, h("div", { class: "controls" }, field("chooseLayer", layer)), none, body);

  const possible = () => store.graph.nodes
    .flatMap((node) => node.layers.map((name, i) => [name, node.types[i]]))
    .filter(([, type]) => TYPES.includes(type))
    .map(([name]) => name);

  const visible = () => panel.offsetParent !== null;
  on("graph", () => {
    const names = possible();
    layer.replaceChildren(...names.map((name) => h("option", { value: name, selected: name === store.layer }, name)));
    if (visible()) load(!found);
  });
  on("layer segmentation", () => {
    planes = new Map();
    found = null;
    source.replaceChildren(h("option", { value: "", text: "largest" }));
    if (visible()) load(true);
  });
  on("language", () => visible() && load());

  const load = newest((first = false) => act(async () => {
    if (!store.graph || !store.segmentation) return;
    const here = possible().includes(store.layer);
    none.hidden = here;
    body.hidden = !here;
    if (!here) {
      layer.value = "";
      return;
    }
    layer.value = store.layer;
    if (first) at.forEach((each) => {
      each.value = 0;
    });
    const [c, y, x] = at.map((each) => Number(each.value));
    const asked = { layer: store.layer, channel: c, row: y, column: x };
    const of = store.layer;
    found = await call("number", { ...asked, source: source.value === "" ? null : Number(source.value) });
    if (first) {
      // The middle of the map says more than its corner.
      row.value = found.top[1] >> 1;
      column.value = found.top[2] >> 1;
      found = await call("number", { layer: store.layer, channel: c, row: Number(row.value), column: Number(column.value), source: null });
    }
    found.layer = of;
    at.forEach((each, i) => {
      each.max = found.top[i] - 1;
    });
    await drawMaps();
    drawResult();
  }));

  async function plane(which, index) {
    const key = `${which} ${index}`;
    if (!planes.has(key)) {
      if (planes.size > 8) planes.clear();
      planes.set(key, (await call("plane", { layer: store.layer, channel: index, bottom: which === "bottom" ? 0 : null })).values);
    }
    return planes.get(key);
  }

  async function drawMaps() {
    const [c, y, x] = found.position;
    drawMap(top, await plane("top", c), [0, 0], [[y, x, 1, 1]]);
    topText.textContent = `${found.top.join("×")}: [${c}, ${y}, ${x}] = ${number(found.value, 6)}`;
    const values = await plane("bottom", found.source);
    const [height, width] = found.type === "Crop" ? found.reference.slice(-2) : [0, 0];
    const pad = found.windows && found.type !== "Deconvolution" ? found.windows.pad : [0, 0];
    const [rows, columns] = [found.rows, found.columns];
    const frames = rows.length && columns.length
      ? [[rows[0], columns[0], rows[rows.length - 1] - rows[0] + 1, columns[columns.length - 1] - columns[0] + 1]] : [];
    if (found.type === "Crop") frames.push([found.offset.at(-2) ?? 0, found.offset.at(-1) ?? 0, height, width]);
    drawMap(bottom, values, pad, frames);
    bottomText.textContent = `${found.bottom.join("×")}, ${t("channel")} ${found.source}. ${
      pad[0] || pad[1] ? t("padText", { pad: pad[0] === pad[1] ? pad[0] : pad.join("×") }) : ""}`;
  }

  /** A map with its pad, hatched, and frames around [row, column, height, width]. */
  function drawMap(canvas, values, pad, frames) {
    const [height, width] = values.shape;
    const rows = height + 2 * pad[0];
    const columns = width + 2 * pad[1];
    const room = Math.max(360, Math.min(1000, canvas.parentElement.clientWidth));
    const zoom = Math.max(1, Math.min(16, Math.floor(room / Math.max(rows, columns))));
    const small = document.createElement("canvas");
    put(small, mapImage(values, height, width, scaleFor(...extremes(values))));
    canvas.width = columns * zoom;
    canvas.height = rows * zoom;
    canvas.zoom = zoom;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.fillStyle = "#777";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.strokeStyle = "#bbb";
    context.lineWidth = 1;
    for (let k = -canvas.height; pad[0] + pad[1] && k < canvas.width; k += 8) {
      context.beginPath();
      context.moveTo(k, 0);
      context.lineTo(k + canvas.height, canvas.height);
      context.stroke();
    }
    context.drawImage(small, pad[1] * zoom, pad[0] * zoom, width * zoom, height * zoom);
    for (const [y, x, h0, w0] of frames) {
      const grow = Math.max(0, 5 - h0 * zoom) / 2; // a frame around one value of a large map stays visible
      const box = [(x + pad[1]) * zoom - grow, (y + pad[0]) * zoom - grow, w0 * zoom + 2 * grow, h0 * zoom + 2 * grow];
      context.strokeStyle = "#000";
      context.lineWidth = 4;
      context.strokeRect(...box);
      context.strokeStyle = "#4df";
      context.lineWidth = 2;
      context.strokeRect(...box);
    }
  }

  function drawResult() {
    const parts = [];
    const inside = found.inside;
    const outside = (i) => (inside && !inside[i] ? "outside" : "");
    if (found.type === "Crop") {
      parts.push(h("p", {}, t("cropText", {
        offset: found.offset.join(", "), row: found.rows[0], column: found.columns[0],
        bottom: found.bottom.join("×"), reference: found.reference.slice(-2).join("×"),
      })));
    } else {
      const [rows, columns] = found.patch.shape;
      const tables = [cells(found.patch, rows, columns, t("patch"), (i) => `${outside(i)} ${i === found.best ? "best" : ""}`)];
      if (found.kernel) {
        tables.push(h("span", { class: "sign" }, "×"), cells(found.kernel, rows, columns, t("kernel"), outside),
          h("span", { class: "sign" }, "="), cells(found.products, rows, columns, t("products"), outside));
      }
      if (found.type === "Deconvolution") {
        parts.push(h("p", {}, t("deconvolutionText", { count: rows * columns, stride: found.windows.stride[0] })), overlaps());
      }
      parts.push(h("div", { class: "pair products" }, tables));
      if (found.best !== undefined) parts.push(h("p", {}, t("maxText", { value: number(found.sum, 6) })));
      if (found.divisor !== undefined) parts.push(h("p", {}, t("aveText", { divisor: found.divisor })));
    }
    if (found.parts) parts.push(channelSums());
    const difference = Math.abs(found.sum - found.value);
    parts.push(h("p", { class: "sum" }, t("sumIs", { sum: number(found.sum, 6), value: number(found.value, 6) }),
      difference ? ` ${t("difference", { difference: number(difference, 2) })}` : ""));
    result.replaceChildren(...parts);
    result.dataset.sum = String(found.sum);
    result.dataset.value = String(found.value);
    fillSources();
  }

  function channelSums() {
    const rows = [...found.index].slice(0, 12).map((index, i) => [`${t("channel")} ${index}`, found.parts[i]]);
    const shown = rows.reduce((sum, [, value]) => sum + value, 0);
    const all = found.sum - (found.bias ?? 0);
    if (found.channels > rows.length) rows.push([`${found.channels - rows.length} ${t("restChannels")}`, all - shown]);
    if (found.bias !== null) rows.push([t("bias"), found.bias]);
    return h("table", { class: "sums" }, h("caption", { text: "sumsByChannel" }), h("tbody", {},
      rows.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "figure" }, number(value, DIGITS))))));
  }

  function fillSources() {
    if (!found.index || source.options.length > 1) return;
    source.append(...[...found.index].map((i) => h("option", { value: String(i) }, String(i))));
  }

  /** The frames of the kernels that cover the position, over the grid of the top around it. */
  function overlaps() {
    const { size, stride, pad } = found.windows;
    const [, y, x] = found.position;
    const boxes = [...found.rows].flatMap((i) => [...found.columns].map((j) => [i * stride[0] - pad[0], j * stride[1] - pad[1]]));
    if (!boxes.length) return h("p", {}, "–");
    const y0 = Math.min(...boxes.map((box) => box[0])) - 1;
    const x0 = Math.min(...boxes.map((box) => box[1])) - 1;
    const rows = Math.max(...boxes.map((box) => box[0])) + size[0] + 1 - y0;
    const columns = Math.max(...boxes.map((box) => box[1])) + size[1] + 1 - x0;
    const lines = [];
    for (let i = 0; i <= rows; i += 1) lines.push(s("path", { class: "grid", d: `M0 ${i}H${columns}` }));
    for (let j = 0; j <= columns; j += 1) lines.push(s("path", { class: "grid", d: `M${j} 0V${rows}` }));
    const frames = boxes.map(([top0, left0], k) => s("rect", {
      class: `kernel-frame frame-${k % 4}`, x: left0 - x0 + 0.08 * (k % 4), y: top0 - y0 + 0.08 * (k % 4), width: size[1], height: size[0],
    }));
    const unit = Math.max(6, Math.min(24, Math.floor(420 / columns)));
    return h("figure", { class: "overlaps" }, h("figcaption", { text: "kernelsOverlap" }), s("svg", {
      viewBox: `-0.2 -0.2 ${columns + 0.4} ${rows + 0.4}`, width: columns * unit, height: rows * unit, role: "img", "aria-label": t("kernelsOverlap"),
    }, lines, frames, s("rect", { class: "here", x: x - x0, y: y - y0, width: 1, height: 1 })));
  }

  function move(y, x) {
    row.value = Math.max(0, Math.min(found.top[1] - 1, y));
    column.value = Math.max(0, Math.min(found.top[2] - 1, x));
    load();
  }

  top.addEventListener("click", (event) => {
    const box = top.getBoundingClientRect();
    move(Math.floor(((event.clientY - box.top) / box.height) * found.top[1]), Math.floor(((event.clientX - box.left) / box.width) * found.top[2]));
  });
  top.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step || !found) return;
    event.preventDefault();
    move(Number(row.value) + step[0], Number(column.value) + step[1]);
  });

  return {
    id: "number", text: "number", panel,
    shown: () => load(!found || found.layer !== store.layer),
  };
}
