// The picture: choosing it, its segmentation, the legend, the probabilities of a pixel, the time of each layer.

import { act, complain, field, h, newest, number, percent, select } from "./dom.js";
import { borders, cssColor, errorImage, heat, labelImage, mapImage, overlayImage, put, rgbImage } from "./draw.js";
import { bytesOf, call } from "./server.js";
import { on, set, store } from "./store.js";
import { localized } from "./sentences.js";
import { t } from "./texts.js";

const VIEWS = ["overlay", "labels", "plain", "entropy", "errors", "truthView"];

/** The elements of the panel; `segment` segments the open picture. */
export function pictureView(segment) {
  let samples = 0;
  let entropy = null; // the answer of `entropy` for the open picture

  const open = (action) => act(async () => {
    complain("");
    const opened = await action();
    entropy = null;
    store.segmentation = null;
    set("picture", opened);
    set("pixel", null);
    await segment();
  });

  const weights = h("select", { id: "weights", onchange: () => open(async () => {
    const chosen = await call("choose", { model: weights.value }, { onWarning: complain });
    store.graph = null; // that of the net before
    set("model", chosen);
    return (await call("current")) ?? (await call("sample", { index: samples }));
  }).then(() => {
    weights.value = store.model.model;
  }) });
  const sample = h("button", { type: "button", id: "sample", text: "sample", onclick: () => open(async () => {
    samples = (samples + 1) % store.model.samples;
    return call("sample", { index: samples });
  }) });
  const chooser = (id, key, action) => {
    const input = h("input", { type: "file", id, class: "visually-hidden", onchange: () => {
      if (input.files.length) action(input.files[0]);
      input.value = "";
    } });
    return h("label", { class: "button", for: id }, h("span", { text: key }), input);
  };
  const openFile = (file) => open(async () =>
    call("upload", { name: file.name, content: await bytesOf(file) }, { onWarning: complain }));
  const openTruth = (file) => open(() =>
    bytesOf(file).then((content) => call("truth", { name: file.name, content }, { onWarning: complain })));
  const sizes = h("input", { type: "range", id: "size", min: "25", max: "200", step: "5", value: "100",
    onchange: () => {
      const [height, width] = store.picture.whole.map((each) => Math.max(8, Math.round((each * sizes.value) / 100)));
      open(() => call("resize", { height, width }));
    } });

  const view = h("select", { id: "view", onchange: () => act(draw) });
  const opacity = h("input", { type: "range", id: "opacity", min: "0", max: "100", value: "55", oninput: () => draw() });
  const lines = h("input", { type: "checkbox", id: "borders", checked: true, onchange: () => draw() });
  const canvas = h("canvas", { id: "segmented", tabindex: "0", role: "img", label: "canvasHelp" });
  const cursor = h("div", { class: "cursor", hidden: true });
  const stage = h("div", { class: "stage", id: "drop" }, canvas, cursor, h("p", { class: "hint", text: "dropHere" }));
  const legend = h("ul", { class: "legend", label: "legend" });
  const facts = h("p", { class: "facts", id: "facts" });
  const net = h("p", { class: "facts", id: "net" });
  const probe = h("div", { class: "probe", id: "probe", "aria-live": "off" });
  const times = h("div", { class: "bars" });
  const timing = h("details", { id: "times" }, h("summary", { text: "times" }), times);

  on("model", () => {
    const { choices, model } = store.model;
    weights.replaceChildren(...choices.map((each) => h("option", { value: each, selected: each === model }, each)));
    weights.disabled = choices.length < 2;
    sizes.disabled = store.model.fixed !== null;
  });
  on("model segmentation language", () => {
    if (!store.model) return;
    const { net: name, parameters, preprocessing } = store.model;
    const count = parameters?.toLocaleString("en");
    net.textContent = t(count ? "netText" : "netTextOpen", { name, count, how: preprocessing });
  });
  on("picture", () => {
    sizes.value = Math.round((100 * store.picture.pixels.shape[0]) / store.picture.whole[0]);
    const [height, width] = store.picture.pixels.shape;
    put(canvas, rgbImage(store.picture.pixels, height, width));
  });
  on("segmentation", () => {
    const possible = VIEWS.filter((each) => store.model.segments || each === "plain")
      .filter((each) => store.picture.truth || !["errors", "truthView"].includes(each));
    const before = possible.includes(view.value) ? view.value : possible[0];
    view.replaceChildren(...possible.map((each) => h("option", { value: each, selected: each === before, text: each })));
  });
  on("segmentation language", () => act(draw));
  on("segmentation language", drawTimes);
  on("picture", () => probe.replaceChildren());
  on("picture language", () => {
    probe.dataset.hint = t("probeHint");
  });
  on("pixel", () => {
    moveCursor(store.pixel);
    act(async () => showProbe(store.pixel, true));
  });

  async function draw() {
    const { picture, segmentation, model } = store;
    if (!picture || !segmentation) return;
    const [height, width] = picture.pixels.shape;
    const untinted = new Set([255, ...model.untinted]);
    const labels = segmentation.labels;
    const kind = view.value;
    let image = null;
    let text = "";
    if (kind === "overlay") {
      const edge = lines.checked ? borders(labels, height, width, untinted) : null;
      image = overlayImage(picture.pixels, labels, height, width, model.colors, untinted, opacity.value / 100, edge);
    } else if (kind === "labels") image = labelImage(labels, height, width, model.colors);
    else if (kind === "truthView") image = labelImage(picture.truth, height, width, model.colors);
    else if (kind === "errors") image = errorImage(picture.pixels, labels, picture.truth, height, width);
    else if (kind === "entropy") {
      entropy ??= await call("entropy");
      image = mapImage(entropy.entropy, height, width, { colors: heat, low: 0, high: 1 });
      text = t("entropyText", { mean: number(entropy.mean, 3) });
    }
    put(canvas, image ?? rgbImage(picture.pixels, height, width));
    const found = segmentation.metrics;
    if (found && kind !== "entropy") {
      text = t("metricsText", { accuracy: number(found.pixel_accuracy, 4), iu: number(found.mean_iu, 4) });
    }
    if (picture.other_classes) text = `${t("otherClasses")} ${text}`;
    if (!model.segments) text = t("noSegments", { reason: localized(model.reason) });
    const [, sampled] = /^sample (\d+)$/.exec(picture.name) ?? [];
    const name = sampled ? t("sampleName", { number: sampled }) : picture.name;
    facts.textContent = `${name}, ${width}×${height}. ${text}`;
    drawLegend(kind);
  }

  function drawLegend(kind) {
    const { model, segmentation, picture } = store;
    const entry = (color, name, share) => h("li", {},
      h("span", { class: "swatch", style: { "background-color": color } }), `${name}${share ? ` ${share}` : ""}`);
    if (kind === "errors") {
      legend.replaceChildren(entry("rgb(255 92 56)", t("wrong")), entry("rgb(128 128 128)", t("notScored")));
    } else if (segmentation.labels) {
      const total = segmentation.labels.length;
      const counts = kind === "truthView" ? countsOf(picture.truth) : segmentation.counts;
      legend.replaceChildren(...model.classes
        .map((name, i) => [name, i])
        .filter(([, i]) => counts[i])
        .map(([name, i]) => entry(cssColor(model.colors, i), name, percent(counts[i] / total))));
    } else {
      legend.replaceChildren(...segmentation.top.flatMap(({ blob, index, value }) =>
        index.map((i, k) => h("li", {}, `${blob}[${i}] ${number(value[k])}`))));
    }
  }

  function countsOf(labels) {
    const counts = new Uint32Array(256);
    for (const each of labels) counts[each] += 1;
    return counts;
  }

  function drawTimes() {
    if (!store.segmentation) return;
    const { steps, seconds } = store.segmentation;
    const most = Math.max(...steps.map((each) => each.ms), 1e-9);
    times.replaceChildren(h("p", {}, t("timesText", { seconds: seconds.toFixed(3) })), h("table", {}, h("tbody", {},
      steps.map(({ layers, ms }) => h("tr", {},
        h("td", { class: "names", title: layers.join(" ") }, layers.length > 4 ? `${layers[0]} … ${layers.at(-1)}` : layers.join(" ")),
        h("td", { class: "bar" }, h("span", { style: { width: `${(100 * ms) / most}%` } })),
        h("td", { class: "figure" }, `${ms.toFixed(2)} ms`))))));
  }

  const ask = newest(async (pixel, chosen) => {
    if (!store.model?.segments || !store.segmentation || !pixel) return;
    const [row, column] = pixel;
    const found = await call("probabilities", { row, column });
    const order = [...found.probabilities.keys()].sort((a, b) => found.probabilities[b] - found.probabilities[a]);
    const { classes, colors } = store.model;
    const title = t("pixelAt", { row, column }) + (chosen ? ` (${t("chosen")})` : "");
    const truth = found.truth === null ? "" : `; ${t("trueClass", { name: classes[found.truth] ?? t("void") })}`;
    probe.replaceChildren(h("table", {}, h("caption", {}, title + truth), h("thead", {}, h("tr", {},
      h("th", { scope: "col", text: "class" }), h("th", { scope: "col", text: "probability", colspan: "2" }), h("th", { scope: "col", text: "score" }))),
    h("tbody", {}, order.slice(0, 6).map((i) => h("tr", { "data-class": String(i) },
      h("th", { scope: "row" }, h("span", { class: "swatch", style: { "background-color": cssColor(colors, i) } }), classes[i]),
      h("td", { class: "bar" }, h("span", { style: { width: percent(found.probabilities[i]) .replace(" ", "") } })),
      h("td", { class: "figure" }, percent(found.probabilities[i], 2)),
      h("td", { class: "figure" }, number(found.scores[i])))))));
    probe.dataset.pixel = `${row},${column}`;
  });
  const showProbe = (pixel, chosen = false) => ask(pixel, chosen);

  function pixelOf(event) {
    const box = canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * canvas.height);
    const column = Math.floor(((event.clientX - box.left) / box.width) * canvas.width);
    return [Math.max(0, Math.min(canvas.height - 1, row)), Math.max(0, Math.min(canvas.width - 1, column))];
  }

  function moveCursor(pixel) {
    cursor.hidden = !pixel;
    if (!pixel) return;
    cursor.style.setProperty("left", `${(100 * (pixel[1] + 0.5)) / canvas.width}%`);
    cursor.style.setProperty("top", `${(100 * (pixel[0] + 0.5)) / canvas.height}%`);
  }

  canvas.addEventListener("pointermove", (event) => showProbe(pixelOf(event)));
  canvas.addEventListener("pointerleave", () => store.pixel && showProbe(store.pixel, true));
  canvas.addEventListener("click", (event) => set("pixel", pixelOf(event)));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [row, column] = store.pixel ?? [canvas.height >> 1, canvas.width >> 1];
    const far = event.shiftKey ? 16 : 1;
    set("pixel", [
      Math.max(0, Math.min(canvas.height - 1, row + far * step[0])),
      Math.max(0, Math.min(canvas.width - 1, column + far * step[1])),
    ]);
  });
  // The browser would open a file that is dropped beside the picture.
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("over");
    const files = [...event.dataTransfer.files];
    if (!files.length) return;
    if (event.target.closest?.("[for=truth-file]")) openTruth(files[0]);
    else openFile(files[0]).then(() => files[1] && openTruth(files[1]));
  });
  stage.addEventListener("dragenter", () => stage.classList.add("over"));
  stage.addEventListener("dragleave", () => stage.classList.remove("over"));

  return [
    h("div", { class: "controls" }, field("weights", weights), sample,
      chooser("file", "choosePicture", openFile), chooser("truth-file", "chooseTruth", openTruth)),
    h("div", { class: "controls" }, field("show", view), field("opacity", opacity), field("borders", lines), field("size", sizes)),
    h("div", { class: "frame" }, stage), facts, legend, probe, timing, net,
  ];
}
