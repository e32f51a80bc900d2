/** The gradient of a kernel's weight, written out as the sum that it is. */
import { weightTerms } from "./backprop.js";
import { colourOf, maxAbs } from "./colours.js";
import { labelled, make } from "./dom.js";
import { number, say } from "./language.js";
import { layerTitle } from "./layers.js";

/** Products written out, the largest first. */
const WRITTEN = 6;

/** The section; `show(network, look)` shows what `look` leaves in the network, a `lookBack`. */
export function makeWeightSection() {
  const view = { network: null, look: null, weight: { unit: 0, channel: 0, ky: 0, kx: 0 }, built: null };
  const repaint = () => paintWeight(view);
  view.layer = make("select", { id: "back-layer", on: { change: repaint } });
  view.unit = make("select", { id: "back-unit", on: { change: repaint } });
  view.channel = make("select", { id: "back-channel", on: { change: repaint } });
  view.kernel = make("div", { class: "products", role: "group", label: "back_kernel_label" });
  view.terms = make("ol", { class: "back-terms" });
  view.total = make("p", { class: "equation total", "data-role": "weight" });
  const element = make(
    "section",
    { class: "card" },
    make("h3", { text: "back_weight_title" }),
    make("p", { class: "sentence", text: "back_weight_text" }),
    make(
      "div",
      { class: "pair" },
      labelled("back_layer", view.layer),
      labelled("back_unit", view.unit),
      labelled("back_channel", view.channel),
    ),
    view.kernel,
    view.terms,
    view.total,
  );
  return {
    element,
    show(network, look) {
      Object.assign(view, { network, look });
      if (view.built !== network) listLayers(view);
      paintWeight(view);
    },
  };
}

function listLayers(view) {
  view.built = view.network;
  const convolutions = view.network.layers.filter(({ layer }) => layer.kind === "conv");
  view.layer.replaceChildren(
    ...convolutions.map(({ layer }) =>
      make("option", { value: layer.index, text: layerTitle(layer) }),
    ),
  );
}

/** As many options as there are, the chosen one kept where it still exists. */
function listNumbers(select, count) {
  if (select.options.length === count) return;
  const numbers = Array.from({ length: count }, (_, value) => value);
  select.replaceChildren(
    ...numbers.map((value) => make("option", { value, plain: String(value + 1) })),
  );
}

function paintWeight(view) {
  // Steps that were tried since have left other numbers in the layers.
  view.look();
  const { layers, parameters } = view.network;
  const index = Number(view.layer.value);
  const { layer, gradient } = layers[index];
  listNumbers(view.unit, layer.channels);
  listNumbers(view.channel, layer.inputs);
  const [unit, channel] = [Number(view.unit.value), Number(view.channel.value)];
  const side = layer.kernel;
  const start = (unit * layer.inputs + channel) * side * side;
  const { value, gradient: slopes } = parameters.named[`${layer.name}.weight`];
  const cells = { weights: value.subarray(start), slopes: slopes.subarray(start) };
  Object.assign(view.weight, { unit, channel });
  view.weight.ky = Math.min(view.weight.ky, side - 1);
  view.weight.kx = Math.min(view.weight.kx, side - 1);
  paintKernel(view, side, cells);
  const terms = weightTerms(layer, { input: layers[index - 1].output, gradient }, view.weight);
  writeSum(view, terms, cells.slopes[view.weight.ky * side + view.weight.kx]);
}

/** A button for each weight: its value, and under it the loss's gradient by it. */
function paintKernel(view, side, { weights, slopes }) {
  view.kernel.style.setProperty("--across", side);
  const most = maxAbs(slopes.subarray(0, side * side)) || 1;
  const chosen = view.weight.ky * side + view.weight.kx;
  const cells = Array.from({ length: side * side }, (_, at) => {
    const cell = make(
      "button",
      {
        type: "button",
        class: "product",
        "aria-pressed": String(at === chosen),
        on: {
          click: () => {
            Object.assign(view.weight, { ky: Math.floor(at / side), kx: at % side });
            paintWeight(view);
            view.kernel.querySelectorAll("button")[at].focus();
          },
        },
      },
      make("span", { plain: number(weights[at], 2) }),
      make("b", { plain: number(slopes[at], 4) }),
    );
    cell.style.setProperty("--tint", colourOf(slopes[at], 2 * most));
    return cell;
  });
  view.kernel.replaceChildren(...cells);
}

function writeSum(view, terms, slope) {
  const products = terms.map((term) => ({ ...term, product: term.x * term.g }));
  const total = products.reduce((sum, { product }) => sum + product, 0);
  const largest = products
    .toSorted((a, b) => Math.abs(b.product) - Math.abs(a.product))
    .slice(0, WRITTEN);
  view.terms.replaceChildren(
    ...largest.map(({ row, column, x, g, product }) =>
      make("li", { text: ["back_term", { row: row + 1, column: column + 1, x, g, product }] }),
    ),
  );
  const written = largest.reduce((sum, { product }) => sum + product, 0);
  view.total.dataset.total = String(total);
  view.total.dataset.gradient = String(slope);
  say(view.total, "back_sum", {
    shown: largest.length,
    written,
    n: terms.length - largest.length,
    rest: total - written,
    total,
  });
}
