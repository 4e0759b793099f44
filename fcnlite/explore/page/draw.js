// Draws arrays of values on canvases.

// Points of two colour scales, equal steps in brightness: for magnitudes, and for signed values around zero.
const HEAT = [[13, 8, 40], [66, 15, 110], [130, 38, 115], [196, 62, 88], [240, 110, 50], [252, 178, 48], [250, 250, 180]];
const SIGNED = [[20, 60, 150], [70, 130, 200], [165, 200, 230], [245, 245, 245], [240, 180, 150], [205, 90, 70], [140, 20, 35]];

function table(points) {
  const colors = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i += 1) {
    const at = (i / 255) * (points.length - 1);
    const k = Math.min(Math.floor(at), points.length - 2);
    for (let c = 0; c < 3; c += 1) colors[3 * i + c] = points[k][c] + (at - k) * (points[k + 1][c] - points[k][c]);
  }
  return colors;
}

export const heat = table(HEAT);
export const signed = table(SIGNED);

/** The colour table and range for values from `low` to `high`: signed around zero if there are negative ones. */
export function scaleFor(low, high) {
  if (low < 0) {
    const most = Math.max(-low, high) || 1;
    return { colors: signed, low: -most, high: most };
  }
  return { colors: heat, low: 0, high: high || 1 };
}

/** Values (H×W) as ImageData in the colours of a scale. */
export function mapImage(values, height, width, scale) {
  const image = new ImageData(width, height);
  const pixels = image.data;
  const factor = 255 / (scale.high - scale.low);
  for (let i = 0; i < height * width; i += 1) {
    const k = 3 * Math.max(0, Math.min(255, Math.round((values[i] - scale.low) * factor)));
    pixels[4 * i] = scale.colors[k];
    pixels[4 * i + 1] = scale.colors[k + 1];
    pixels[4 * i + 2] = scale.colors[k + 2];
    pixels[4 * i + 3] = 255;
  }
  return image;
}

/** Put ImageData on a canvas of its size. */
export function put(canvas, image) {
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** The extremes of an array. */
export function extremes(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const each of values) {
    if (each < low) low = each;
    if (each > high) high = each;
  }
  return [low, high];
}

/** RGB bytes (H×W×3) as ImageData. */
export function rgbImage(rgb, height, width) {
  const image = new ImageData(width, height);
  const pixels = image.data;
  for (let i = 0; i < height * width; i += 1) {
    pixels[4 * i] = rgb[3 * i];
    pixels[4 * i + 1] = rgb[3 * i + 1];
    pixels[4 * i + 2] = rgb[3 * i + 2];
    pixels[4 * i + 3] = 255;
  }
  return image;
}

/**
 * Whether each pixel's right or lower neighbour has another label; lines are wider on large pictures. The overlays of
 * `fcnlite predict` have the same lines.
 */
export function borders(labels, height, width, untinted) {
  const edge = new Uint8Array(height * width);
  const same = Uint8Array.from({ length: 256 }, (_, label) => (untinted.has(label) ? 255 : label));
  const of = (i) => same[labels[i]];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const i = y * width + x;
      if ((x + 1 < width && of(i) !== of(i + 1)) || (y + 1 < height && of(i) !== of(i + width))) edge[i] = 1;
    }
  }
  for (let wider = Math.floor(Math.min(height, width) / 600); wider > 0; wider -= 1) {
    // From the end, so that each pass widens by one pixel.
    for (let i = edge.length - 1; i > 0; i -= 1) if (i % width && edge[i - 1]) edge[i] = 1;
    for (let i = edge.length - 1; i >= width; i -= 1) if (edge[i - width]) edge[i] = 1;
  }
  return edge;
}

/**
 * A picture tinted with the colours of its labels, as `fcnlite.plots.overlay` does: void and background stay untinted.
 * `opacity` is the weight of the colours, `edge` the pixels of borders or null.
 */
export function overlayImage(rgb, labels, height, width, colors, untinted, opacity, edge) {
  const image = new ImageData(width, height);
  const pixels = image.data;
  const weights = Float32Array.from({ length: 256 }, (_, label) => (untinted.has(label) ? 0 : opacity));
  for (let i = 0; i < height * width; i += 1) {
    const label = labels[i];
    const weight = weights[label];
    for (let c = 0; c < 3; c += 1) {
      pixels[4 * i + c] = edge !== null && edge[i] ? 255 : Math.round(rgb[3 * i + c] * (1 - weight) + colors[3 * label + c] * weight);
    }
    pixels[4 * i + 3] = 255;
  }
  return image;
}

/** Labels in their colours. */
export function labelImage(labels, height, width, colors) {
  const rgb = new Uint8Array(3 * height * width);
  for (let i = 0; i < height * width; i += 1) {
    for (let c = 0; c < 3; c += 1) rgb[3 * i + c] = colors[3 * labels[i] + c];
  }
  return rgbImage(rgb, height, width);
}

const WRONG = [255, 92, 56];
const UNSCORED = [128, 128, 128];

/** Wrong pixels in one colour, void in gray, others as a dim picture, as `fcnlite.plots.errors` does. */
export function errorImage(rgb, labels, truth, height, width) {
  const image = new ImageData(width, height);
  const pixels = image.data;
  const dim = [0, 0, 0]; // one array for all pixels: an array for each would be garbage of half a megabyte a frame
  for (let i = 0; i < height * width; i += 1) {
    dim.fill(Math.round(((rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2]) / 3) * 0.35));
    const color = truth[i] === 255 ? UNSCORED : truth[i] !== labels[i] ? WRONG : dim;
    for (let c = 0; c < 3; c += 1) pixels[4 * i + c] = color[c];
    pixels[4 * i + 3] = 255;
  }
  return image;
}

/** A CSS colour of a class. */
export function cssColor(colors, label) {
  return `rgb(${colors[3 * label]} ${colors[3 * label + 1]} ${colors[3 * label + 2]})`;
}
