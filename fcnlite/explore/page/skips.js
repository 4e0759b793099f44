// The scores cut after each skip, side by side with a slider, and the kernels of the upsampling.

import { cells } from "./charts.js";
import { act, field, h, number, percent } from "./dom.js";
import { labelImage, put } from "./draw.js";
import { localized } from "./sentences.js";
import { call } from "./server.js";
import { on, store } from "./store.js";
import { t } from "./texts.js";

/** The view for the tabs. */
export function skipsView() {
  let cuts = null;
  let images = [];
  const left = h("select", { id: "cut-left", onchange: () => compare() });
  const right = h("select", { id: "cut-right", onchange: () => compare() });
  const border = h("input", { type: "range", id: "border", min: "0", max: "1000", value: "500", oninput: () => compare() });
  const canvas = h("canvas", { class: "large", id: "cuts", role: "img", label: "cutsTitle" });
  const list = h("div", { class: "cuts" });
  const kernels = h("div", { id: "kernels" });
  const body = h("div", {}, h("p", { class: "note", text: "cutsText" }),
    h("div", { class: "controls" }, field("left", left), field("border", border), field("right", right)), canvas, list);
  const none = h("p", { class: "note" });
  const panel = h("div", {}, h("h3", { text: "cutsTitle" }), none, body, h("h3", { text: "kernelsTitle" }), kernels);

  const visible = () => panel.offsetParent !== null;
  on("segmentation language", () => visible() && load());

  const load = () => act(async () => {
    if (!store.segmentation) return;
    body.hidden = !store.model.segments;
    none.textContent = store.model.segments ? "" : t("noSegments", { reason: localized(store.model.reason) });
    drawKernels((await call("kernels")).kernels);
    if (!store.model.segments) return;
    cuts = await call("cuts");
    const [count, height, width] = cuts.labels.shape;
    none.textContent = count < 2 ? t("noSkips") : "";
    const size = height * width;
    images = Array.from({ length: count }, (_, i) =>
      labelImage(cuts.labels.subarray(i * size, (i + 1) * size), height, width, store.model.colors));
    const options = () => cuts.skips.map((each, i) => h("option", { value: String(i) }, name(i)));
    left.replaceChildren(...options());
    right.replaceChildren(...options());
    left.value = "0";
    right.value = String(count - 1);
    list.replaceChildren(...images.map((image, i) => {
      const small = h("canvas", { "aria-hidden": "true" });
      put(small, image);
      const found = cuts.metrics[i];
      const words = [
        ...(found ? [t("metricsText", { accuracy: number(found.pixel_accuracy, 4), iu: number(found.mean_iu, 4) })] : []),
        ...(i ? [t("changed", { share: percent(cuts.changed[i]) })] : []),
      ];
      return h("figure", { "data-cut": String(i) }, small, h("figcaption", {}, name(i), ...words.flatMap((each) => [h("br"), each])));
    }));
    compare();
  });

  function name(i) {
    const blobs = cuts.skips.slice(0, i + 1).map((each) => each.blob).join(" + ");
    return t("cutName", { stride: cuts.skips[i].stride, blobs });
  }

  function compare() {
    if (!images.length) return;
    const one = images[Number(left.value)];
    put(canvas, images[Number(right.value)]);
    const at = Math.round((border.value / 1000) * one.width);
    const context = canvas.getContext("2d");
    if (at) context.putImageData(one, 0, 0, 0, 0, at, one.height);
    context.fillStyle = "#fff";
    if (at > 0 && at < one.width) context.fillRect(at - 1, 0, 2, one.height);
  }

  function drawKernels(found) {
    kernels.replaceChildren(...found.map((each) => h("div", { class: "kernel", "data-layer": each.layer }, h("h4", {}, each.layer),
      h("p", { class: "note" }, t("kernelText", {
        stride: each.stride, how: t(each.lr_mult ? "learned" : "fixed"), difference: number(each.difference), others: number(each.others),
      })),
      h("div", { class: "pair" }, cells(each.kernel, ...each.kernel.shape, t("own")),
        ...(each.bilinear ? [cells(each.bilinear, ...each.bilinear.shape, t("bilinear"))] : [])))));
    if (!found.length) kernels.append(h("p", { class: "note" }, "–"));
  }

  return {
    id: "skips", text: "skips", panel,
    shown: () => load(),
  };
}
