// Calls and answers: JSON that may hold arrays. fcnlite/explore/messages.py describes the form.

const TYPES = { u1: Uint8Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };
const UNIT = 8;

/** A value, with Uint8Arrays in it, as bytes. */
export function pack(value) {
  const arrays = [];
  let size = 0;
  const text = JSON.stringify(value, (key, each) => {
    if (!(each instanceof Uint8Array)) return each;
    const entry = { at: size, type: "u1", shape: [each.length] };
    arrays.push([size, each]);
    size += Math.ceil(each.length / UNIT) * UNIT;
    return { $array: entry };
  });
  let head = new TextEncoder().encode(text);
  const padded = new Uint8Array(Math.ceil((4 + head.length) / UNIT) * UNIT - 4).fill(32);
  padded.set(head);
  head = padded;
  const bytes = new Uint8Array(4 + head.length + size);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 4);
  for (const [at, array] of arrays) bytes.set(array, 4 + head.length + at);
  return bytes;
}

/** The value in an ArrayBuffer. Arrays are typed arrays with a `shape`. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(buffer, 4, length));
  return JSON.parse(text, (key, each) => {
    if (each === null || typeof each !== "object" || !("$array" in each)) return each;
    const { at, type, shape } = each.$array;
    const count = shape.reduce((product, size) => product * size, 1);
    const array = new TYPES[type](buffer, 4 + length + at, count);
    array.shape = shape;
    return array;
  });
}
