// What is live: the figures, the curves, the held-out pictures and the gradients of the layers.

import { h, number, percent, s } from "./dom.js";
import { cssColor, errorImage, labelImage, put, rgbImage } from "./draw.js";
import { localized } from "./sentences.js";
import { t } from "./texts.js";

const WIDE = 480;
const HIGH = 130;
const COLUMNS = ["plain", "truthView", "prediction", "errors"];
const MESSAGES = { unwatched: "unwatched", longest: "longest", memory: "noMemory", failed: "trainingFailed" };

/** The elements and those of the gradients, with `open` for another training and `show` for another frame. */
export function liveView() {
  const figures = h("dl", { class: "figures", id: "figures" });
  const message = h("p", { class: "alarm", id: "message", role: "alert", hidden: true });
  const loss = curve("lossCurve");
  const score = curve("scoreCurve", 1);
  const pictures = h("div", { class: "held" });
  const legend = h("ul", { class: "legend", label: "legend" });
  const table = h("div", { id: "gradients", class: "scroll" });
  const elements = [message, figures, h("div", { class: "pair" }, loss.element, score.element),
    h("h3", { text: "heldOut" }), legend, pictures];
  const gradients = [h("p", { class: "note", text: "gradientNormsText" }), table];
  let opened = null;
  let rows = [];
  let bars = [];
  const values = {};

  for (const key of ["iteration", "lossNow", "meanIu", "accuracyNow", "speed"]) {
    values[key] = h("dd", { id: `now-${key}` });
    figures.append(h("div", {}, h("dt", { text: key }), values[key]));
  }

  function open(answer) {
    opened = answer;
    legend.replaceChildren(...opened.classes.map((name, i) => h("li", {},
      h("span", { class: "swatch", style: { "background-color": cssColor(opened.colors, i) } }), name)));
    const [count, height, width] = opened.truths.shape;
    const size = height * width;
    pictures.replaceChildren(...COLUMNS.map((key) => h("span", { class: "head", text: key })));
    rows = Array.from({ length: count }, (_, i) => {
      const canvases = COLUMNS.map((key) => h("canvas", { role: "img", "aria-label": `${t(key)} ${i + 1}` }));
      const row = { rgb: opened.pictures.subarray(3 * i * size, 3 * (i + 1) * size), truth: opened.truths.subarray(i * size, (i + 1) * size), canvases };
      put(canvases[0], rgbImage(row.rgb, height, width));
      put(canvases[1], labelImage(row.truth, height, width, opened.colors));
      pictures.append(...canvases);
      return row;
    });
    bars = opened.layers.map((name) => {
      const bar = h("span");
      const gradient = h("td", { class: "figure" });
      const weight = h("td", { class: "figure" });
      return { name, bar, gradient, weight, row: h("tr", { "data-layer": name }, h("th", { scope: "row" }, name), h("td", { class: "bar" }, bar), gradient, weight) };
    });
    table.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "layer" }), h("td"),
      h("th", { scope: "col", class: "figure", text: "gradientNorm" }), h("th", { scope: "col", class: "figure", text: "weightNorm" }))),
    h("tbody", {}, bars.map((each) => each.row))));
  }

  function show(frame) {
    const told = MESSAGES[frame.message];
    message.textContent = told ? t(told) : localized(frame.message);
    message.hidden = !frame.message;
    figures.dataset.iteration = String(frame.iteration);
    figures.dataset.loss = String(frame.loss);
    figures.dataset.meanIu = String(frame.mean_iu);
    figures.dataset.evaluated = String(frame.evaluated);
    figures.dataset.status = frame.status;
    figures.dataset.version = String(frame.version);
    values.iteration.textContent = String(frame.iteration);
    values.lossNow.textContent = number(frame.loss);
    values.meanIu.textContent = number(frame.mean_iu, 3);
    values.accuracyNow.textContent = frame.accuracy === null ? "–" : percent(frame.accuracy);
    values.speed.textContent = frame.status === "running" && frame.rate ? t("perSecond", { count: frame.rate.toFixed(1) }) : "–";
    loss.show(frame.losses, number(frame.loss));
    score.show(frame.scores, number(frame.mean_iu, 3));
    showPictures(frame.predictions);
    showGradients(frame);
  }

  function showPictures(predictions) {
    const [, height, width] = predictions.shape;
    const size = height * width;
    rows.forEach((row, i) => {
      const labels = predictions.subarray(i * size, (i + 1) * size);
      put(row.canvases[2], labelImage(labels, height, width, opened.colors));
      put(row.canvases[3], errorImage(row.rgb, labels, row.truth, height, width));
    });
  }

  function showGradients({ gradients: norms, weights }) {
    bars.forEach((each, i) => {
      // The length is the logarithm, from 1e-6 to 1e2.
      const share = norms[i] > 0 ? Math.min(1, Math.max(0.01, (Math.log10(norms[i]) + 6) / 8)) : 0;
      each.bar.style.setProperty("width", `${100 * share}%`);
      each.gradient.textContent = norms[i] < 0 ? t("notFinite") : number(norms[i], 3);
      each.gradient.dataset.value = String(norms[i]);
      each.weight.textContent = weights[i] < 0 ? t("notFinite") : number(weights[i], 3);
    });
  }

  return { elements, gradients, open, show };
}

/** A line chart of points (iteration, value); `top` is the largest value of the axis, by default that of the points. */
function curve(key, top = null) {
  const line = s("polyline", { class: "curve" });
  const svg = s("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", class: "chart", id: key }, line);
  const high = h("span");
  const last = h("span");
  const element = h("figure", { class: "chart-box" }, h("figcaption", { text: key }), svg, h("p", { class: "axis" }, high, last));
  return {
    element,
    show: (points, now) => {
      const count = points.shape[0];
      let most = top ?? 0;
      for (let i = 0; i < count; i += 1) most = Math.max(most, points[2 * i + 1]);
      const until = count ? points[2 * count - 2] : 1;
      const text = [];
      for (let i = 0; i < count; i += 1) {
        const x = (WIDE * points[2 * i]) / (until || 1);
        text.push(`${x.toFixed(1)},${(HIGH - 2 - ((HIGH - 4) * points[2 * i + 1]) / (most || 1)).toFixed(1)}`);
      }
      line.setAttribute("points", text.join(" "));
      svg.setAttribute("aria-label", t("curveText", { name: t(key), value: now, iteration: Math.round(until) }));
      high.textContent = `0 … ${number(most, 3)}`;
      last.textContent = t("until", { iteration: Math.round(until) });
    },
  };
}
