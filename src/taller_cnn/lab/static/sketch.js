/** Kernel, stride and padding by hand: which size comes out, and why. */
import { canvas, make } from "./dom.js";
import { say } from "./language.js";
import { EVENTS } from "./session.js";

const FIELDS = [
  ["size", 3, 28, 8],
  ["kernel", 1, 9, 3],
  ["stride", 1, 5, 1],
  ["padding", 0, 4, 1],
  ["position", 1, 1, 1],
];
const SKETCH_SIDE = 320;

/**
 * Side of what a convolution makes: floor((n + 2p - k) / s) + 1; 0 where the kernel does not fit.
 */
function outputSize({ size, kernel, stride, padding }) {
  const room = size + 2 * padding - kernel;
  return room < 0 ? 0 : Math.floor(room / stride) + 1;
}

/** The section with the sliders and the drawing. */
export function makeSketch(session) {
  const sketch = { values: {}, inputs: {} };
  const fields = FIELDS.map((field) => makeSlider(sketch, ...field));
  sketch.input = canvas(SKETCH_SIDE, SKETCH_SIDE, {
    class: "sketch",
    role: "img",
    label: "sketch_input",
  });
  sketch.output = canvas(SKETCH_SIDE, SKETCH_SIDE, {
    class: "sketch",
    role: "img",
    label: "sketch_output",
  });
  sketch.formula = make("p", { class: "equation", role: "status", id: "sketch-formula" });
  sketch.left = make("p", { class: "hint" });
  for (const event of [EVENTS.theme, EVENTS.tab]) session.on(event, () => paintSketch(sketch));
  sketch.element = make(
    "section",
    { class: "card sketch-card" },
    make("h3", { text: "sketch_title" }),
    make("p", { text: "sketch_text" }),
    make("div", { class: "sliders" }, ...fields),
    sketch.formula,
    sketch.left,
    make(
      "div",
      { class: "sketches" },
      make("figure", {}, make("figcaption", { text: "sketch_input" }), sketch.input),
      make("figure", {}, make("figcaption", { text: "sketch_output" }), sketch.output),
    ),
  );
  return sketch.element;
}

function makeSlider(sketch, name, least, most, value) {
  const shown = make("output", { plain: String(value) });
  const input = make("input", {
    type: "range",
    min: least,
    max: most,
    value,
    name: `sketch-${name}`,
  });
  sketch.values[name] = value;
  sketch.inputs[name] = input;
  input.addEventListener("input", () => {
    sketch.values[name] = Number(input.value);
    shown.textContent = input.value;
    paintSketch(sketch);
  });
  return make("label", { class: "slider" }, make("span", { text: `sketch_${name}` }), input, shown);
}

function paintSketch(sketch) {
  if (sketch.element.offsetParent === null) return;
  const { values, inputs } = sketch;
  const { size, kernel, stride, padding } = values;
  const side = outputSize(values);
  inputs.position.max = String(Math.max(1, side * side));
  values.position = Math.min(values.position, Math.max(1, side * side));
  sketch.formula.classList.toggle("impossible", side === 0);
  const room = size + 2 * padding - kernel;
  say(sketch.formula, side ? "sketch_formula" : "sketch_impossible", { ...values, side, room });
  const rest = side ? room % stride : 0;
  sketch.left.hidden = rest === 0;
  say(sketch.left, "sketch_rest", { rest });
  const at = {
    y: Math.floor((values.position - 1) / Math.max(1, side)),
    x: (values.position - 1) % Math.max(1, side),
  };
  paintInputGrid(sketch.input, values, side, at);
  paintGrid(sketch.output, side, () => "--card");
  if (side) frameCells(sketch.output, side, at.y, at.x, 1);
}

function paintInputGrid(target, { size, kernel, stride, padding }, side, at) {
  const whole = size + 2 * padding;
  const border = (k) => k < padding || k >= size + padding;
  paintGrid(target, whole, (y, x) => (border(y) || border(x) ? "--padding" : "--card"));
  if (side) frameCells(target, whole, at.y * stride, at.x * stride, kernel);
}

/** A grid of `side` x `side` cells; `fill` names the style's colour of each. */
function paintGrid(target, side, fill) {
  const context = target.getContext("2d");
  const style = getComputedStyle(target);
  context.clearRect(0, 0, SKETCH_SIDE, SKETCH_SIDE);
  const cell = SKETCH_SIDE / Math.max(side, 8);
  context.strokeStyle = style.getPropertyValue("--line");
  context.lineWidth = 1;
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      context.fillStyle = style.getPropertyValue(fill(y, x));
      context.fillRect(x * cell, y * cell, cell, cell);
      context.strokeRect(x * cell + 0.5, y * cell + 0.5, cell - 1, cell - 1);
    }
  }
}

function frameCells(target, side, top, left, count) {
  const context = target.getContext("2d");
  const style = getComputedStyle(target);
  const cell = SKETCH_SIDE / Math.max(side, 8);
  context.globalAlpha = 0.25;
  context.fillStyle = style.getPropertyValue("--accent");
  context.fillRect(left * cell, top * cell, count * cell, count * cell);
  context.globalAlpha = 1;
  context.lineWidth = 3;
  context.strokeStyle = style.getPropertyValue("--accent");
  context.strokeRect(left * cell, top * cell, count * cell, count * cell);
}
