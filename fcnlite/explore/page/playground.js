// The playground page: the settings on one side, and the training that goes on with them on the other.

import { casesView } from "./cases.js";
import { act, complain, h, tell } from "./dom.js";
import { liveView } from "./live.js";
import { call, stream } from "./server.js";
import { fromAddress, setupView, toAddress } from "./setup.js";
import { section, startShell } from "./shell.js";
import { on } from "./store.js";
import { t } from "./texts.js";

const WORKER = { worker: "playground", onWarning: complain };

startShell("playground");
const ask = (name, args = {}) => call(name, args, WORKER);
let opened = null; // the answer of `open`
let frame = null; // the newest frame
let values = fromAddress();
let stopWatching = null;
let opening = 0; // calls of `open` without an answer

const control = (id, action) => h("button", { type: "button", id, text: id, onclick: () => act(action) });
const buttons = [
  control("start", async () => {
    if (!opened) await open(values, true);
    await ask("start");
    tell(t("statusRunning"));
  }),
  control("pause", async () => {
    show(await ask("pause"));
    tell(t("statusPaused", { iteration: frame.iteration }));
  }),
  control("step", async () => {
    show(await ask("step"));
    tell(t("statusPaused", { iteration: frame.iteration }));
  }),
  control("restart", () => open(values, true)),
];
const live = liveView();
const setup = setupView((changed) => act(async () => {
  const going = frame?.status === "running";
  await open(changed, true);
  if (going) await ask("start");
}));
const cases = casesView({ ask, open: (changed) => open(changed, true), current: () => opened });
const code = h("pre", { class: "formula", id: "script", tabindex: "0", label: "script" });
const script = h("details", { id: "script-box", ontoggle: () => script.open && act(writeScript) },
  h("summary", { text: "script" }), h("p", { class: "note", text: "scriptText" }), code);
section("live", [h("div", { class: "controls" }, buttons), ...live.elements], "training");
section("setup", [...setup.elements, ...cases.elements], "setup");
section("more", [...live.gradients, script], "gradientNorms");

async function writeScript() {
  code.textContent = await ask("script");
}

/** Open a training of these settings and show it. A refusal leaves the one that is open. */
async function open(wanted, fresh) {
  complain("");
  opening += 1;
  const found = await ask("open", { values: wanted, fresh }).finally(() => {
    opening -= 1;
  });
  values = wanted;
  opened = found;
  toAddress(values);
  setup.show(opened, values);
  cases.show(opened);
  live.open(opened);
  show(opened.frame);
  if (script.open) await writeScript();
  if (!stopWatching) watch();
}

function show(newest) {
  if (!opened) return;
  if (newest.run !== opened.frame.run) {
    // A frame may be older than what was opened, or newer than what is being opened.
    if (newest.run > opened.frame.run && !opening) lose(t("otherPage"));
    return;
  }
  if (frame && opened && newest.version === frame.version && frame.of === opened) return;
  frame = newest;
  frame.of = opened;
  live.show(frame);
  buttons[0].disabled = frame.status !== "paused";
  buttons[1].disabled = frame.status !== "running";
  buttons[2].disabled = frame.status === "stopped";
}

/** Look at the training as it goes on; after a failure, the next start opens it again. */
function watch() {
  const stop = stream("watch", {}, "playground", show, (refusal) => {
    if (stopWatching === stop) stopWatching = null;
    if (refusal) lose(refusal.message);
  });
  stopWatching = stop;
}

/** Say why the training is not there any more; the buttons that open it again stay. */
function lose(why) {
  opened = null;
  stopWatching?.();
  stopWatching = null;
  complain(why);
  buttons.forEach((each, i) => {
    each.disabled = i === 1 || i === 2;
  });
}

on("language", () => {
  if (!opened) return;
  setup.show(opened, values);
  cases.show(opened);
  live.open(opened);
  live.show(frame);
});
addEventListener("hashchange", () => act(() => open(fromAddress(), false)));

await act(async () => {
  const choices = await ask("choices");
  setup.make(choices);
  cases.make(choices);
  await open(values, false).catch(async (error) => {
    await open({}, false); // the address has settings that cannot be
    complain(error.message);
  });
});
document.body.dataset.ready = "true";
