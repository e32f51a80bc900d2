/** The input as a picture of numbers: what the network gets of the drawing. */
import { makeBigMap, paintBig } from "./bench.js";
import { make } from "./dom.js";
import { say } from "./language.js";
import { beginAt, firstInk, go, makeStepper, placeOf, steer, stop } from "./stepper.js";

/** Numbers in a row of the part that is shown. */
const SHOWN = 9;
/** Grey levels from here on are light: dark letters on them. */
const LIGHT = 128;

/** The view of the input: the picture, the numbers around a pixel of it, and what becomes of one. */
export function makeInput(session, layer) {
  const view = { session, layer };
  const start = () => firstInk(session.pixels, layer.size);
  view.stepper = makeStepper(layer.size, () => paintNumbers(view), start);
  view.picture = makeBigMap("input_numbers", "steered");
  steer(view.stepper, view.picture.element);
  if (session.outputs) beginAt(view.stepper, session.pixels);
  view.numbers = make("div", { class: "products numbers-of-input" });
  view.numbers.style.setProperty("--across", String(SHOWN));
  view.total = make("p", { class: "equation total", "data-role": "total" });
  return {
    element: make(
      "div",
      {},
      view.stepper.element,
      make("figure", { class: "input-picture" }, view.picture.element),
      view.numbers,
      view.total,
    ),
    update: () => go(view.stepper, view.stepper.index),
    leave: () => stop(view.stepper),
  };
}

function paintNumbers(view) {
  const { session, layer, stepper, picture, numbers, total } = view;
  const { card, pixels } = session;
  if (!pixels) return;
  const { size } = layer;
  const at = placeOf(stepper);
  // The pixel in the middle, but nothing beyond the edges.
  const start = (place) => Math.min(size - SHOWN, Math.max(0, place - Math.floor(SHOWN / 2)));
  const [top, left] = [start(at.y), start(at.x)];
  paintBig(picture, pixels, size, 255, { top, left, height: SHOWN, width: SHOWN }, { grey: pixels });
  const cells = Array.from({ length: SHOWN * SHOWN }, (_, index) => {
    const [y, x] = [top + Math.floor(index / SHOWN), left + (index % SHOWN)];
    const pixel = pixels[y * size + x];
    const cell = make("span", {
      class: y === at.y && x === at.x ? "product taken" : "product",
      plain: String(pixel),
    });
    cell.style.setProperty("--tint", `rgb(${pixel} ${pixel} ${pixel})`);
    cell.style.color = pixel < LIGHT ? "#fff" : "#000";
    return cell;
  });
  numbers.replaceChildren(...cells);
  const { mean, std } = card;
  const pixel = pixels[stepper.index];
  const values = { pixel, mean, std, result: (pixel / 255 - mean) / std };
  say(total, "input_formula", { ...values, row: at.y + 1, column: at.x + 1 });
  picture.element.setAttribute("aria-valuenow", String(stepper.index + 1));
  picture.element.setAttribute("aria-valuetext", `${at.y + 1}, ${at.x + 1}: ${pixel}`);
}
