/** Numbers as colours: zero is the page's own neutral, blue is above, orange below. */
import { number } from "./language.js";

/** RGB of -1, 0 and +1, blue for what is positive as in the report's pictures. */
const SCALES = {
  light: { below: [196, 74, 0], zero: [243, 242, 238], above: [0, 84, 166] },
  dark: { below: [255, 152, 56], zero: [26, 30, 36], above: [86, 168, 255] },
};
const STEPS = 255;

let scale = shades("light");

function shades(theme) {
  const { below, zero, above } = SCALES[theme];
  return Uint32Array.from({ length: 2 * STEPS + 1 }, (_, index) => {
    const share = Math.abs(index - STEPS) / STEPS;
    const end = index < STEPS ? below : above;
    const [r, g, b] = zero.map((from, k) => Math.round(from + (end[k] - from) * share));
    // Canvas pixels are bytes r, g, b, a: in a little-endian number the last comes first.
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

/** Use the colours of the `light` or the `dark` page from now on. */
export function setScale(theme) {
  scale = shades(theme);
}

function shade(value, range) {
  const share = range > 0 ? Math.max(-1, Math.min(1, value / range)) : 0;
  return scale[STEPS + Math.round(share * STEPS)];
}

/** A number's colour for a style, of a scale from -range to range. */
export function colourOf(value, range) {
  const packed = shade(value, range);
  return `rgb(${packed & 255} ${(packed >> 8) & 255} ${(packed >> 16) & 255})`;
}

/** The largest distance from zero. */
export function maxAbs(values) {
  const [low, high] = extremes(values);
  return Math.max(0, high, -low);
}

/** Smallest and largest number. */
export function extremes(values) {
  let low = Infinity;
  let high = -Infinity;
  // Counted, because walking over an iterator takes three times as long.
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** Paint a map, one point a value; the style sheet enlarges the canvas. */
export function paintMap(target, values, side, range) {
  const { context, picture, packed } = surfaceOf(target, side, Math.round(values.length / side));
  const steps = range > 0 ? STEPS / range : 0;
  for (let index = 0; index < packed.length; index += 1) {
    const step = Math.round(values[index] * steps);
    packed[index] = scale[STEPS + Math.max(-STEPS, Math.min(STEPS, step))];
  }
  context.putImageData(picture, 0, 0);
}

/** Paint grey levels 0 to 255, white ink on black as in MNIST. */
export function paintGrey(target, pixels, width = 28, height = width) {
  const { context, picture, packed } = surfaceOf(target, width, height);
  for (let index = 0; index < packed.length; index += 1) {
    packed[index] = 0xff000000 + pixels[index] * 0x010101;
  }
  context.putImageData(picture, 0, 0);
}

/** A canvas's context and its pixels, which are made once for each size and painted over. */
const surfaces = new WeakMap();

function surfaceOf(target, width, height) {
  const known = surfaces.get(target);
  if (known?.picture.width === width && known.picture.height === height) return known;
  target.width = width;
  target.height = height;
  const context = target.getContext("2d");
  const picture = context.createImageData(width, height);
  const packed = new Uint32Array(picture.data.buffer);
  surfaces.set(target, { context, picture, packed });
  return surfaces.get(target);
}

export function blank(target) {
  target.getContext("2d").clearRect(0, 0, target.width, target.height);
}

/** As many decimals as tell the numbers of a scale apart. */
export function shortNumber(value) {
  const size = Math.abs(value);
  return number(value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** Paint the scale itself, from `least` (-1 or 0) to 1, into a canvas one point high. */
export function paintScale(target, least = -1) {
  const values = Float32Array.from({ length: 64 }, (_, k) => least + ((1 - least) * k) / 63);
  paintMap(target, values, 64, 1);
}
