/** A convolution at work: the kernel slides, the products are written out, the sum appears. */
import { greyOf, makeBigMap, paintBig } from "./big_map.js";
import { colourOf, maxAbs, paintGrey, paintMap } from "./colours.js";
import { canvas, make, unseen } from "./dom.js";
import { number, say } from "./language.js";
import { beginAt, go, makeStepper, placeOf, steer, stop } from "./stepper.js";

/** Input maps listed with their partial sums before the reader asks for all. */
const MOST_INPUTS = 64;

/**
 * The products under the kernel at one output pixel, computed from weights and inputs alone.
 *
 * @param {import("./network.js").Layer} layer a convolution
 * @param {Float32Array} input what comes into the layer
 * @returns {{x: number, w: number}[]} row by row; outside of the map x is 0
 */
function productsAt(layer, input, unit, channel, { y, x }) {
  const { kernel, stride, padding, inputSize, inputs, weight } = layer;
  const products = [];
  for (let ky = 0; ky < kernel; ky += 1) {
    for (let kx = 0; kx < kernel; kx += 1) {
      const [row, column] = [y * stride + ky - padding, x * stride + kx - padding];
      const inside = row >= 0 && row < inputSize && column >= 0 && column < inputSize;
      const w = weight[((unit * inputs + channel) * kernel + ky) * kernel + kx];
      const value = inside ? input[(channel * inputSize + row) * inputSize + column] : 0;
      products.push({ x: value, w, inside });
    }
  }
  return products;
}

/** The sum of the products of one input map. */
function sumOf(products) {
  return products.reduce((sum, { x, w }) => sum + x * w, 0);
}

/** The view of one filter. */
export function makeConvolution(session, layer, unit) {
  const view = { session, layer, unit, channel: 0 };
  view.stepper = makeStepper(layer.size, () => paintConvolution(view));
  view.input = makeBigMap(["input_map_label", { name: layer.name }]);
  view.output = makeBigMap(["output_map_label", { name: layer.name, unit: unit + 1 }], "steered");
  steer(view.stepper, view.output.element);
  if (session.outputs) beginWhereItCounts(view);
  view.table = make("div", { class: "products" });
  view.table.style.setProperty("--across", layer.kernel);
  view.sum = make("p", { class: "equation" });
  view.total = make("p", { class: "equation total", "data-role": "total" });
  view.inputs = make("div", { class: "inputs", role: "group", label: "input_maps" });
  view.channels = [];
  for (let c = 0; c < Math.min(layer.inputs, MOST_INPUTS); c += 1) addChannel(view, c);
  const element = make(
    "div",
    { class: "bench" },
    make("figure", {}, make("figcaption", { text: "input_caption" }), view.input.element),
    make(
      "div",
      { class: "bench-middle" },
      make("h4", { text: ["products_title", { side: layer.kernel }] }),
      view.table,
      view.sum,
    ),
    make("figure", {}, make("figcaption", { text: "output_caption" }), view.output.element),
  );
  const strip =
    layer.inputs > 1
      ? make("div", { class: "strip" }, make("h4", { text: "partial_sums" }), view.inputs)
      : null;
  return {
    element: make("div", {}, view.stepper.element, element, view.total, ...(strip ? [strip] : [])),
    update: () => go(view.stepper, view.stepper.index),
    leave: () => stop(view.stepper),
  };
}

/** The strongest pixel, and the input map that counts most for it. */
function beginWhereItCounts(view) {
  const { session, layer, unit, stepper } = view;
  beginAt(stepper, session.mapOf(layer.index, unit));
  const input = session.outputs[layer.index - 1];
  const part = (c) => Math.abs(sumOf(productsAt(layer, input, unit, c, placeOf(stepper))));
  for (let c = 1; c < layer.inputs; c += 1) if (part(c) > part(view.channel)) view.channel = c;
}

/** One input map with its kernel and what they add to the sum. */
function addChannel(view, channel) {
  const map = canvas(28, 28, { "aria-hidden": "true" });
  const kernel = canvas(view.layer.kernel, view.layer.kernel, { "aria-hidden": "true" });
  const part = make("span", { class: "part" });
  const pick = () => {
    view.channel = channel;
    paintConvolution(view);
  };
  const element = make(
    "button",
    {
      type: "button",
      class: "channel",
      on: { click: pick },
    },
    unseen(["channel_label", { channel: channel + 1 }]),
    " ",
    map,
    make("span", { plain: "∗", "aria-hidden": "true" }),
    kernel,
    part,
  );
  view.inputs.append(element);
  view.channels.push({ element, map, kernel, part });
}

function paintConvolution(view) {
  const { session, layer, unit, stepper } = view;
  const input = session.outputs?.[layer.index - 1];
  const output = session.mapOf(layer.index, unit);
  if (!input) return;
  const at = placeOf(stepper);
  let products = 0;
  for (let c = 0; c < layer.inputs; c += 1) {
    const part = sumOf(productsAt(layer, input, unit, c, at));
    products += part;
    if (c < view.channels.length) paintChannel(view, c, part);
  }
  paintInput(view, at);
  paintProducts(view, productsAt(layer, input, unit, view.channel, at));
  const { y, x } = at;
  const range = maxAbs(output);
  const window = { top: y, left: x, height: 1, width: 1 };
  const until = stepper.timer ? stepper.index + 1 : undefined;
  paintBig(view.output, output, layer.size, range, window, { until });
  const total = products + layer.bias[unit];
  view.total.dataset.total = total;
  view.total.dataset.map = output[stepper.index];
  const where = { name: layer.name, unit: unit + 1, row: y + 1, column: x + 1 };
  say(view.total, "conv_total", { products, bias: layer.bias[unit], total, ...where });
  const words = `${where.row}, ${where.column}: ${number(total, 3)}`;
  view.output.element.setAttribute("aria-valuenow", String(stepper.index + 1));
  view.output.element.setAttribute("aria-valuetext", words);
}

function paintChannel(view, channel, part) {
  const { session, layer, unit } = view;
  const { element, map, kernel, part: place } = view.channels[channel];
  const before = session.layers[layer.index - 1];
  const values = session.mapOf(before.index, channel);
  const grey = greyOf(session, before);
  if (grey) paintGrey(map, grey);
  else paintMap(map, values, before.size, maxAbs(values));
  const count = layer.kernel ** 2;
  const start = (unit * layer.inputs + channel) * count;
  const all = layer.weight.subarray(unit * layer.inputs * count, (unit + 1) * layer.inputs * count);
  paintMap(kernel, layer.weight.subarray(start, start + count), layer.kernel, maxAbs(all));
  place.textContent = number(part, 2);
  element.setAttribute("aria-pressed", String(channel === view.channel));
}

function paintInput(view, { y, x }) {
  const { session, layer } = view;
  const before = session.layers[layer.index - 1];
  const values = session.mapOf(before.index, view.channel);
  const { kernel, stride, padding } = layer;
  const window = {
    top: y * stride - padding,
    left: x * stride - padding,
    height: kernel,
    width: kernel,
  };
  const options = { border: padding, grey: greyOf(session, before) };
  paintBig(view.input, values, before.size, maxAbs(values), window, options);
}

/** The kernel's cells: input times weight, coloured by the product. */
function paintProducts(view, products) {
  const most = maxAbs(products.map(({ x, w }) => x * w)) || 1;
  view.table.replaceChildren(
    ...products.map(({ x, w, inside }) => {
      const cell = make(
        "span",
        { class: inside ? "product" : "product outside" },
        make("span", { plain: number(x, 2) }),
        make("span", { plain: `× ${number(w, 2)}` }),
        make("b", { plain: number(x * w, 2) }),
      );
      cell.style.setProperty("--tint", colourOf(x * w, 2 * most));
      return cell;
    }),
  );
  say(view.sum, "products_sum", { channel: view.channel + 1, sum: sumOf(products) });
}
