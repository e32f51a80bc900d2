/** Pooling and activation at work, pixel by pixel. */
import { makeBigMap, paintBig } from "./big_map.js";
import { colourOf, maxAbs } from "./colours.js";
import { make } from "./dom.js";
import { number, say } from "./language.js";
import { ACTIVATIONS, poolSpan } from "./network.js";
import { beginAt, go, makeStepper, placeOf, steer, stop } from "./stepper.js";

/** The view of one map of a pooling or an activation. */
export function makeWindowView(session, layer, unit) {
  const view = { session, layer, unit };
  view.stepper = makeStepper(layer.size, () => paintWindow(view));
  view.input = makeBigMap(["input_map_label", { name: layer.name }]);
  view.output = makeBigMap(["output_map_label", { name: layer.name, unit: unit + 1 }], "steered");
  steer(view.stepper, view.output.element);
  if (session.outputs) beginAt(view.stepper, session.mapOf(layer.index, unit));
  view.table = make("div", { class: "products" });
  view.total = make("p", { class: "equation total", "data-role": "total" });
  const element = make(
    "div",
    { class: "bench" },
    make("figure", {}, make("figcaption", { text: "input_caption" }), view.input.element),
    make("div", { class: "bench-middle" }, view.table, view.total),
    make("figure", {}, make("figcaption", { text: "output_caption" }), view.output.element),
  );
  return {
    element: make("div", {}, view.stepper.element, element),
    update: () => go(view.stepper, view.stepper.index),
    leave: () => stop(view.stepper),
  };
}

/** The part of the input that output pixel (y, x) comes from. */
function windowOf(layer, { y, x }) {
  if (layer.kind === "activation") return { top: y, left: x, height: 1, width: 1 };
  const [top, bottom] = poolSpan(layer, y);
  const [left, right] = poolSpan(layer, x);
  return { top, left, height: bottom - top, width: right - left };
}

function paintWindow(view) {
  const { session, layer, unit, stepper } = view;
  const input = session.mapOf(layer.index - 1, unit);
  const output = session.mapOf(layer.index, unit);
  if (!input) return;
  const at = placeOf(stepper);
  const window = windowOf(layer, at);
  const values = [];
  for (let y = window.top; y < window.top + window.height; y += 1) {
    for (let x = window.left; x < window.left + window.width; x += 1) {
      values.push(input[y * layer.inputSize + x]);
    }
  }
  const range = maxAbs(input);
  paintBig(view.input, input, layer.inputSize, range, window);
  const one = { top: at.y, left: at.x, height: 1, width: 1 };
  const until = stepper.timer ? stepper.index + 1 : undefined;
  paintBig(view.output, output, layer.size, maxAbs(output), one, { until });
  paintValues(view, values, window.width, range);
  const result = output[stepper.index];
  view.total.dataset.map = result;
  sayResult(view, values, result);
  view.output.element.setAttribute("aria-valuenow", String(stepper.index + 1));
  const words = `${at.y + 1}, ${at.x + 1}: ${number(result, 3)}`;
  view.output.element.setAttribute("aria-valuetext", words);
}

/** The values in the window; of a maximum, the one that is taken stands out. */
function paintValues(view, values, across, range) {
  const { layer, table } = view;
  const taken = layer.kind === "pool" && !layer.mean ? values.indexOf(Math.max(...values)) : -1;
  table.style.setProperty("--across", across);
  table.replaceChildren(
    ...values.map((value, index) => {
      const cell = make("span", { class: index === taken ? "product taken" : "product" });
      cell.append(make("b", { plain: number(value, 2) }));
      cell.style.setProperty("--tint", colourOf(value, 2 * (range || 1)));
      return cell;
    }),
  );
}

function sayResult(view, values, result) {
  const { session, layer, unit } = view;
  if (layer.kind === "activation") {
    sayActivation(session, view.total, layer, unit, values[0], result);
    return;
  }
  const list = values.map((value) => number(value, 2)).join("; ");
  const key = layer.mean ? "formula_mean" : "formula_max";
  say(view.total, key, { list, y: result, n: values.length });
}

/** The formula with its numbers; a unit that is switched off gives 0 whatever comes in. */
function sayActivation(session, total, layer, unit, x, y) {
  if (session.isOff(layer.index, unit)) {
    say(total, "formula_off", { x, y: ACTIVATIONS[layer.activation].value(x) });
  } else {
    say(total, `formula_${layer.activation}`, { x, y });
  }
}

/** The view of one unit's activation: no map, one number. */
export function makeUnitActivation(session, layer, unit) {
  const total = make("p", { class: "equation total", "data-role": "total" });
  return {
    element: total,
    update() {
      if (!session.outputs) return;
      const [x, y] = [session.mapOf(layer.index - 1, unit)[0], session.mapOf(layer.index, unit)[0]];
      sayActivation(session, total, layer, unit, x, y);
    },
    leave() {},
  };
}
