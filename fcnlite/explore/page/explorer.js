// The explorer page: the picture on one side, and the views of the net on the other.

import { act, complain, h, tabs, tell } from "./dom.js";
import { graphView } from "./graph.js";
import { layerView } from "./layer.js";
import { numberView } from "./number.js";
import { pictureView } from "./picture.js";
import { pixelView } from "./pixel.js";
import { call } from "./server.js";
import { section, startShell } from "./shell.js";
import { skipsView } from "./skips.js";
import { set, store } from "./store.js";
import { t } from "./texts.js";

startShell("explorer");
section("picture", pictureView(segment), "picture");
const views = [graphView, layerView, pixelView, numberView, skipsView].map((make) => make({ show: (id) => list.choose(id) }));
const list = tabs(views);
section("views", [list.bar, ...list.panels]);
list.choose("graph");

/** Segment the open picture, and tell all views. */
async function segment() {
  tell(t("computing"));
  const found = await call("segment", {}, { onWarning: complain });
  store.model.segments = found.labels !== null;
  store.model.reason = found.problem;
  set("segmentation", found);
  tell(t("segmented", { seconds: found.seconds.toFixed(3) }));
}

await act(async () => {
  set("model", await call("state", {}, { onWarning: complain }));
  set("picture", (await call("current")) ?? (await call("sample")));
  store.pixel = null;
  await segment();
});
document.body.dataset.ready = "true";
