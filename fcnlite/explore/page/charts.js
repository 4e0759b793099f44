// Small charts that several views use.

import { h, number, percent, s } from "./dom.js";
import { extremes, mapImage, put, scaleFor } from "./draw.js";
import { t } from "./texts.js";

/** A histogram with its figures in words. */
export function histogramChart(found) {
  const most = Math.max(...found.counts, 1);
  const width = 480 / found.counts.length;
  const text = t("histogramText", {
    count: found.count.toLocaleString("en"), low: number(found.low), high: number(found.high), mean: number(found.mean),
    std: number(found.std), zeros: percent(found.zeros),
  }) + (found.not_finite ? ` ${t("notFiniteCount", { count: found.not_finite.toLocaleString("en") })}` : "");
  // The height is the logarithm of the count, since most values of a layer are near zero.
  const bars = [...found.counts].map((count, i) => {
    const high = count ? (78 * Math.log1p(count)) / Math.log1p(most) + 2 : 0;
    return s("rect", { x: i * width, y: 80 - high, width: width - 1, height: high });
  });
  return h("figure", { class: "histogram" },
    s("svg", { viewBox: "0 0 480 80", role: "img", "aria-label": text, preserveAspectRatio: "none" }, bars),
    h("figcaption", {}, text));
}

/** The small maps of an answer, each with its channel and strength; a click calls `choose(channel)`. */
export function mapGrid(found, choose = null, common = false) {
  const [count, height, width] = found.maps.shape;
  const size = height * width;
  let limits = null;
  if (common) {
    let low = 0;
    let high = 0;
    for (const each of found.maps) {
      low = Math.min(low, each);
      high = Math.max(high, each);
    }
    limits = scaleFor(low, high);
  }
  const grid = h("div", { class: "maps" });
  for (let i = 0; i < count; i += 1) {
    const canvas = h("canvas", { "aria-hidden": "true" });
    put(canvas, mapImage(found.maps.subarray(i * size, (i + 1) * size), height, width, limits ?? scaleFor(found.low[i], found.high[i])));
    const caption = `${found.index[i]} · ${number(found.strength[i], 3)}`;
    grid.append(choose
      ? h("button", { type: "button", class: "map", "data-channel": String(found.index[i]), onclick: () => choose(found.index[i]) }, canvas, h("span", {}, caption))
      : h("div", { class: "map", "data-channel": String(found.index[i]) }, canvas, h("span", {}, caption)));
  }
  return grid;
}

const MOST_CELLS = 144;

/**
 * A table of numbers (rows×columns) on coloured cells; `mark(i)` gives a class to a cell. Many numbers become a picture.
 */
export function cells(values, rows, columns, caption, mark = () => "", digits = 3) {
  if (rows * columns > MOST_CELLS) {
    const [least, largest] = extremes(values);
    const text = `${caption}: ${rows}×${columns}, ${number(least)} … ${number(largest)}`;
    const canvas = h("canvas", { role: "img", "aria-label": text });
    put(canvas, mapImage(values, rows, columns, scaleFor(least, largest)));
    return h("figure", { class: "cells" }, h("figcaption", {}, text), canvas);
  }
  let low = 0;
  let high = 0;
  for (const each of values) {
    low = Math.min(low, each);
    high = Math.max(high, each);
  }
  const most = Math.max(-low, high) || 1;
  const body = [];
  for (let y = 0; y < rows; y += 1) {
    const line = [];
    for (let x = 0; x < columns; x += 1) {
      const value = values[y * columns + x];
      const share = Math.round((70 * Math.abs(value)) / most);
      line.push(h("td", {
        class: `${value < 0 ? "negative" : "positive"} ${mark(y * columns + x)}`, style: { "--share": `${share}%` },
      }, number(value, digits)));
    }
    body.push(h("tr", {}, line));
  }
  return h("div", { class: "cells" }, h("table", {}, h("caption", {}, caption), h("tbody", {}, body)));
}
