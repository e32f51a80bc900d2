/** Where a map is computed before one's eyes: what comes in, the numbers, what comes out. */
import { maxAbs, paintGrey, paintMap } from "./colours.js";
import { canvas, make } from "./dom.js";
import { number } from "./language.js";
import { beginAt, firstInk, makeStepper, steer } from "./stepper.js";

/** Points of an enlarged map. */
const BIG = 336;

/**
 * Both maps with the stepper that moves over the outgoing one.
 *
 * @param {HTMLElement[]} middle what stands between them
 * @param {() => void} moved called at another place
 */
export function makeBench(session, layer, unit, middle, moved) {
  const start = () => firstInk(session.pixels, layer.size);
  const bench = { stepper: makeStepper(layer.size, moved, start) };
  bench.input = makeBigMap(["input_map_label", { name: layer.name }]);
  bench.output = makeBigMap(["output_map_label", { name: layer.name, unit: unit + 1 }], "steered");
  steer(bench.stepper, bench.output.element);
  if (session.outputs) beginAt(bench.stepper, session.mapOf(layer.index, unit));
  const framed = (caption, big) =>
    make("figure", {}, make("figcaption", { text: caption }), big.element);
  bench.element = make(
    "div",
    { class: "bench" },
    framed("input_caption", bench.input),
    framed("output_caption", bench.output),
    make("div", { class: "bench-middle" }, ...middle),
  );
  return bench;
}

/** Paint the outgoing map with the present pixel, and say it to screen readers. */
export function paintOutput({ stepper, output }, map, size, { y, x }, value) {
  const window = { top: y, left: x, height: 1, width: 1 };
  const until = stepper.timer ? stepper.index + 1 : undefined;
  paintBig(output, map, size, maxAbs(map), window, { until });
  output.element.setAttribute("aria-valuenow", String(stepper.index + 1));
  output.element.setAttribute("aria-valuetext", `${y + 1}, ${x + 1}: ${number(value, 3)}`);
}

/**
 * A large picture of a map.
 *
 * @param {*} label text key (with values) for screen readers
 * @param {string} className
 */
export function makeBigMap(label, className = "") {
  const element = canvas(BIG, BIG, { class: `big ${className}`, label, role: "img" });
  return { element, small: document.createElement("canvas") };
}

/**
 * Paint an enlarged map.
 *
 * @param {Object} big what `makeBigMap` gave
 * @param {Float32Array} values side x side numbers, borders included
 * @param {number} side
 * @param {number} range of the colours
 * @param {?{top: number, left: number, height: number, width: number}} window what is framed
 * @param {{border?: number, until?: number, grey?: ?Uint8Array}} [options] `border`: pixels of
 *   padding around the map; `until`: only the pixels before this one are painted; `grey`: paint
 *   these grey levels in place of the values
 */
export function paintBig(big, values, side, range, window, options = {}) {
  const { border = 0, until = side * side, grey = null } = options;
  if (grey) paintGrey(big.small, grey, side);
  else paintMap(big.small, values, side, range);
  const context = big.element.getContext("2d");
  const style = getComputedStyle(big.element);
  const cell = BIG / (side + 2 * border);
  context.imageSmoothingEnabled = false;
  context.fillStyle = style.getPropertyValue("--padding");
  context.fillRect(0, 0, BIG, BIG);
  context.drawImage(big.small, border * cell, border * cell, side * cell, side * cell);
  if (until < side * side) hideRest(context, side, cell, until, style);
  if (window) frame(context, cell, border, window, style);
}

/** Veil the pixels that are not yet computed. */
function hideRest(context, side, cell, until, style) {
  context.fillStyle = style.getPropertyValue("--veil");
  const [row, column] = [Math.floor(until / side), until % side];
  context.fillRect(column * cell, row * cell, BIG, cell);
  context.fillRect(0, (row + 1) * cell, BIG, BIG);
}

function frame(context, cell, border, { top, left, height, width }, style) {
  const box = [(left + border) * cell, (top + border) * cell, width * cell, height * cell];
  context.lineWidth = 6;
  context.strokeStyle = style.getPropertyValue("--card");
  context.strokeRect(...box);
  context.lineWidth = 3;
  context.strokeStyle = style.getPropertyValue("--accent");
  context.strokeRect(...box);
}

/** The grey levels of the input's map; other maps have none. */
export function greyOf(session, layer) {
  return layer.kind === "input" ? session.pixels : null;
}
