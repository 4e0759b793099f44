// Calls of the functions that run in a worker process of the server.

import { pack, unpack } from "./messages.js";
import { localized } from "./sentences.js";
import { t } from "./texts.js";

export const LARGEST_UPLOAD = 32 * 1024 * 1024;

/** An answer that says in one sentence what was wrong. */
export class Refusal extends Error {}

/** Call a function of a worker with named arguments; returns its value, and gives warnings to `onWarning`. */
export async function call(name, args = {}, { worker = "inference", onWarning = () => {} } = {}) {
  let answer;
  try {
    const response = await fetch(`call/${worker}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: pack({ name, arguments: args }),
    });
    answer = unpack(await response.arrayBuffer());
  } catch {
    throw new Refusal(t("serverGone"));
  }
  if (answer.error !== undefined) throw new Refusal(localized(answer.error));
  answer.warnings.map(localized).forEach(onWarning);
  return answer.value;
}

/**
 * Call a function of a worker again and again, and give each value to `onValue`, until it returns null. Returns a
 * function that stops it; `done` is called at the end, with a Refusal if something was wrong.
 */
export function stream(name, args, worker, onValue, done = () => {}) {
  const stop = new AbortController();
  const run = async () => {
    const response = await fetch(`stream/${worker}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: pack({ name, arguments: args }),
      signal: stop.signal,
    });
    const reader = response.body.getReader();
    let bytes = new Uint8Array(0);
    for (;;) {
      const { value, done: ended } = await reader.read();
      if (ended) return;
      const joined = new Uint8Array(bytes.length + value.length);
      joined.set(bytes);
      joined.set(value, bytes.length);
      bytes = joined;
      while (bytes.length >= 4) {
        const end = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
        if (bytes.length < end) break;
        const answer = unpack(bytes.slice(4, end).buffer);
        bytes = bytes.slice(end);
        if (answer.error !== undefined) throw new Refusal(localized(answer.error));
        if (answer.value !== null) onValue(answer.value);
      }
    }
  };
  run().then(() => done(null), (error) =>
    done(stop.signal.aborted ? null : error instanceof Refusal ? error : new Refusal(t("serverGone"))));
  return () => stop.abort();
}

/** The bytes of a file that the user chose, as an argument of a call. */
export async function bytesOf(file) {
  if (file.size > LARGEST_UPLOAD) throw new Refusal(t("fileTooLarge", { name: file.name, most: LARGEST_UPLOAD >> 20 }));
  return new Uint8Array(await file.arrayBuffer());
}
