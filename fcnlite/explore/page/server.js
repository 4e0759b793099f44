// Calls of the functions that run in a worker process of the server.

import { pack, unpack } from "./messages.js";
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
  if (answer.error !== undefined) throw new Refusal(answer.error);
  answer.warnings.forEach(onWarning);
  return answer.value;
}

/** The bytes of a file that the user chose, as an argument of a call. */
export async function bytesOf(file) {
  if (file.size > LARGEST_UPLOAD) throw new Refusal(t("fileTooLarge", { name: file.name, most: LARGEST_UPLOAD >> 20 }));
  return new Uint8Array(await file.arrayBuffer());
}
