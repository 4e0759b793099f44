// The graph of the net, drawn in SVG with shapes and strides for a size of picture.

import { act, field, h, newest, s, tell } from "./dom.js";
import { call } from "./server.js";
import { on, set, store } from "./store.js";
import { t } from "./texts.js";

const ROLES = ["input", "convolution", "pooling", "upsampling", "crop", "sum", "concat", "stage", "other"];

/** The view for the tabs; `show(id)` opens another tab. */
export function graphView({ show }) {
  let zoom = null; // null: fits the width, within limits
  let matches = [];
  let match = -1;

  const height = h("input", { type: "number", id: "graph-height", min: "1", max: "8192", onchange: () => redraw() });
  const width = h("input", { type: "number", id: "graph-width", min: "1", max: "8192", onchange: () => redraw() });
  const stages = h("input", { type: "checkbox", id: "stages", checked: true, onchange: () => redraw() });
  const zooms = h("input", { type: "range", id: "zoom", min: "20", max: "200", step: "5", oninput: () => {
    zoom = zooms.value / 100;
    scale();
  } });
  const count = h("output", { for: "search" });
  const search = h("input", { type: "search", id: "search", oninput: () => find(), onkeydown: (event) => {
    if (event.key === "Enter" && matches.length) {
      match = (match + 1) % matches.length;
      const node = matches[match];
      node.scrollIntoView({ block: "center", inline: "center" });
      node.focus();
    }
  } });
  const svg = s("svg", { class: "graph", id: "graph" });
  const box = h("div", { class: "graph-box", tabindex: "0", role: "region", label: "graphHelp" }, svg);
  const key = h("ul", { class: "legend" }, ROLES.map((role) =>
    h("li", {}, h("span", { class: `swatch role-${role}` }), h("span", { text: `role_${role}` }))));
  const panel = h("div", {},
    h("div", { class: "controls" }, field("search", search), count, field("collapse", stages), field("zoom", zooms),
      field("height", height), field("width", width)),
    box, h("p", { class: "note", text: "graphKey" }), key);

  const fetchGraph = newest(async () => act(async () => {
    const size = height.value && width.value ? { height: Number(height.value), width: Number(width.value) } : {};
    set("graph", await call("graph", { ...size, stages: stages.checked }));
    draw();
  }));
  const redraw = () => fetchGraph();

  on("model", () => {
    zoom = null;
    height.value = width.value = "";
    height.disabled = width.disabled = store.model.fixed !== null;
  });
  // The picture is shown first, because calls take turns.
  on("segmentation", () => {
    if (!store.segmentation) return;
    [height.value, width.value] = store.picture.pixels.shape;
    redraw();
  });
  on("layer", mark);
  on("language", () => store.graph && draw());

  function draw() {
    const { nodes, edges, height: rows, width: columns } = store.graph;
    height.value = rows;
    width.value = columns;
    const arrow = s("marker", { id: "arrow", viewBox: "0 0 8 8", refX: "7", refY: "4", markerWidth: "7", markerHeight: "7", orient: "auto" },
      s("path", { d: "M0 0 8 4 0 8z" }));
    svg.replaceChildren(s("defs", {}, arrow),
      s("g", { "aria-hidden": "true" }, edges.map((edge) => s("path", {
        class: edge.reference ? "edge reference" : "edge", d: path(edge.points), "marker-end": "url(#arrow)",
        "data-from": edge.from, "data-to": edge.to,
      }))),
      s("g", {}, nodes.map(nodeElement)));
    scale();
    find();
    mark();
  }

  function nodeElement(node) {
    const title = node.role === "stage" ? node.type : node.id;
    const kind = node.role === "stage" ? t("role_stage") : node.type;
    const lines = node.role === "stage"
      ? [...node.lines.slice(0, -1), t("layersInside", { count: node.layers.length })] : node.lines;
    const open = () => {
      set("layer", node.layers[0]);
      show("layer");
    };
    const element = s("g", {
      class: `node role-${node.role}`, transform: `translate(${node.x} ${node.y})`, tabindex: "0", role: "button",
      "aria-label": `${title}, ${kind}, ${lines.join(", ")}`, "data-id": node.id, onclick: open,
      onkeydown: (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          open();
        }
      },
    },
    s("title", {}, `${title} (${kind})`),
    s("rect", { width: node.w, height: node.h, rx: 5 }),
    s("text", { class: "title", x: 8, y: 16 }, title),
    lines.map((line, i) => s("text", { x: 8, y: 32 + 15 * i }, line)));
    element.layers = node.layers;
    element.words = `${title} ${kind} ${node.layers.join(" ")}`.toLowerCase();
    return element;
  }

  /** A line through the points; an edge with four points runs level between the inner two. */
  function path(points) {
    const [[x0, y0], ...rest] = points;
    if (rest.length === 1) {
      const [[x1, y1]] = rest;
      const middle = (x0 + x1) / 2;
      return `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`;
    }
    const [[x1, y1], [x2, y2], [x3, y3]] = rest;
    return `M${x0} ${y0}Q${x1} ${y0} ${x1} ${(y0 + y1) / 2}T${x1 + 14} ${y1}H${x2 - 14}Q${x2} ${y2} ${x2} ${(y2 + y3) / 2}T${x3} ${y3}`;
  }

  function scale() {
    if (!store.graph) return;
    const [w, hgt] = store.graph.size;
    const fit = Math.max(0.75, Math.min(1.5, (box.clientWidth || 800) / w));
    const factor = zoom ?? fit;
    zooms.value = Math.round(100 * factor);
    svg.setAttribute("viewBox", `0 0 ${w} ${hgt}`);
    svg.setAttribute("width", w * factor);
    svg.setAttribute("height", hgt * factor);
  }

  function find() {
    const wanted = search.value.trim().toLowerCase();
    match = -1;
    matches = [];
    for (const node of svg.querySelectorAll(".node")) {
      const hit = wanted !== "" && node.words.includes(wanted);
      node.classList.toggle("match", hit);
      node.classList.toggle("dim", wanted !== "" && !hit);
      if (hit) matches.push(node);
    }
    count.textContent = wanted ? t("found", { count: matches.length }) : "";
    if (wanted) tell(count.textContent);
    matches[0]?.scrollIntoView({ block: "nearest", inline: "center" });
  }

  function mark() {
    for (const node of svg.querySelectorAll(".node")) {
      const here = node.layers.includes(store.layer);
      node.classList.toggle("chosen", here);
      if (here) node.setAttribute("aria-current", "true");
      else node.removeAttribute("aria-current");
    }
  }

  return { id: "graph", text: "graph", panel, shown: () => scale() };
}
