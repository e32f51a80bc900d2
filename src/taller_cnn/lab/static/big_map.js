/** A map enlarged, with a window on it. */
import { paintGrey, paintMap } from "./colours.js";
import { canvas } from "./dom.js";

/** Points of an enlarged map. */
const BIG = 336;

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
