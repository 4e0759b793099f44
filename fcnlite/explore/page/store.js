// What is open and chosen, and the events that tell the panels of changes.

const listeners = new Map();

export const store = {
  model: null, // the answer of `state`
  picture: null, // the answer of `sample`, `upload`, `truth` or `resize`
  segmentation: null, // the answer of `segment`
  graph: null,
  layer: null, // the name of the chosen layer
  pixel: null, // [row, column] of the chosen pixel
  busy: 0,
};

/** Call `listener` at each event of these names: model, picture, segmentation, graph, layer, pixel, language. */
export function on(names, listener) {
  for (const name of names.split(" ")) {
    if (!listeners.has(name)) listeners.set(name, []);
    listeners.get(name).push(listener);
  }
}

/** Tell that something changed. */
export function emit(name) {
  for (const listener of listeners.get(name) ?? []) listener();
}

/** Set one part of the store and tell so. */
export function set(name, value) {
  store[name] = value;
  emit(name);
}
