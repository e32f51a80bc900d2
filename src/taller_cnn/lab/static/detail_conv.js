/** A convolution at work: the kernel slides, the products are written out, the sum appears. */
import { greyOf, makeBench, paintBig, paintOutput } from "./bench.js";
import { colourOf, maxAbs, paintGrey, paintMap } from "./colours.js";
import { canvas, make, unseen } from "./dom.js";
import { decimalsThatHold, number, say, sumInWords } from "./language.js";
import { go, placeOf, stop } from "./stepper.js";

/** Input maps listed with their partial sums. */
const MOST_INPUTS = 64;

/**
 * The products under the kernel at one output pixel, computed from weights and inputs alone.
 *
 * @param {import("./network.js").Layer} layer a convolution
 * @param {Float32Array} input what comes into the layer
 * @returns {{x: number, w: number, inside: boolean}[]} row by row; outside of the map x is 0
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

/** What one input map adds at every output pixel: its map under its kernel. */
function partOf(layer, input, unit, channel) {
  const { kernel, stride, padding, inputSize, inputs, size, weight } = layer;
  const part = new Float32Array(size * size);
  const inside = (place) => place >= 0 && place < inputSize;
  let w = (unit * inputs + channel) * kernel * kernel;
  for (let ky = 0; ky < kernel; ky += 1) {
    for (let kx = 0; kx < kernel; kx += 1, w += 1) {
      for (let y = 0, to = 0; y < size; y += 1) {
        const row = y * stride + ky - padding;
        for (let x = 0; x < size; x += 1, to += 1) {
          const column = x * stride + kx - padding;
          if (!inside(row) || !inside(column)) continue;
          part[to] += weight[w] * input[(channel * inputSize + row) * inputSize + column];
        }
      }
    }
  }
  return part;
}

/** The view of one filter. */
export function makeConvolution(session, layer, unit) {
  const view = { session, layer, unit, channel: 0, parts: [] };
  view.table = make("div", { class: "products" });
  view.table.style.setProperty("--across", String(layer.kernel));
  view.sum = make("p", { class: "equation" });
  view.total = make("p", { class: "equation total", "data-role": "total" });
  const title = make("h4", { text: ["products_title", { side: layer.kernel }] });
  const middle = [title, view.table, view.sum];
  view.bench = makeBench(session, layer, unit, middle, () => paintPlace(view));
  view.inputs = make("div", { class: "inputs", role: "group", label: "input_maps" });
  view.channels = [];
  for (let c = 0; c < Math.min(layer.inputs, MOST_INPUTS); c += 1) addChannel(view, c);
  if (session.outputs) selectStrongest(view);
  const { stepper, element } = view.bench;
  return {
    element: make(
      "div",
      {},
      stepper.element,
      element,
      view.total,
      make("h4", { text: "partial_sums" }),
      make("p", { class: "hint", text: "channel_hint" }),
      view.inputs,
    ),
    update() {
      paintDrawing(view);
      go(stepper, stepper.index);
    },
    leave: () => stop(stepper),
  };
}

/** Of the input maps that are listed, the one that counts most for the present pixel. */
function selectStrongest(view) {
  const { session, layer, unit, bench } = view;
  const input = session.outputs[layer.index - 1];
  const place = placeOf(bench.stepper);
  const strength = (c) => Math.abs(sumOf(productsAt(layer, input, unit, c, place)));
  view.channels.forEach((_, c) => {
    if (strength(c) > strength(view.channel)) view.channel = c;
  });
}

/** One input map, its kernel, what they make together, and what that adds to the pixel. */
function addChannel(view, channel) {
  const small = (side, props = {}) => canvas(side, side, { "aria-hidden": "true", ...props });
  const sign = (plain) => make("span", { plain, "aria-hidden": "true" });
  const [map, kernel] = [small(28), small(view.layer.kernel, { class: "kernel" })];
  const product = small(view.layer.size, { class: "product-map" });
  const part = make("span", { class: "part" });
  const click = () => {
    view.channel = channel;
    paintPlace(view);
  };
  const element = make(
    "button",
    { type: "button", class: "channel", on: { click } },
    unseen(["channel_label", { channel: channel + 1 }]),
    " ",
    map,
    sign("∗"),
    kernel,
    sign("="),
    product,
    part,
  );
  view.inputs.append(element);
  view.channels.push({ element, map, kernel, product, part });
}

/** What only another drawing changes: every input map, and its map under its kernel. */
function paintDrawing(view) {
  const { session, layer, unit, channels } = view;
  const input = session.outputs?.[layer.index - 1];
  if (!input) return;
  view.parts = channels.map((_, c) => partOf(layer, input, unit, c));
  const range = Math.max(...view.parts.map(maxAbs));
  const count = layer.kernel ** 2;
  const all = layer.weight.subarray(unit * layer.inputs * count, (unit + 1) * layer.inputs * count);
  const before = session.layers[layer.index - 1];
  const grey = greyOf(session, before);
  channels.forEach(({ map, kernel, product }, c) => {
    const values = session.mapOf(before.index, c);
    if (grey) paintGrey(map, grey);
    else paintMap(map, values, before.size, maxAbs(values));
    paintMap(kernel, all.subarray(c * count, (c + 1) * count), layer.kernel, maxAbs(all));
    paintMap(product, view.parts[c], layer.size, range);
  });
}

/** What another pixel changes: the numbers, and where the kernel lies. */
function paintPlace(view) {
  const { session, layer, unit, bench } = view;
  const input = session.outputs?.[layer.index - 1];
  const output = session.mapOf(layer.index, unit);
  if (!input) return;
  const { stepper } = bench;
  const at = placeOf(stepper);
  let products = 0;
  for (let c = 0; c < layer.inputs; c += 1) {
    products += view.parts[c]?.[stepper.index] ?? sumOf(productsAt(layer, input, unit, c, at));
  }
  view.channels.forEach(({ element, part }, c) => {
    part.textContent = number(view.parts[c][stepper.index], 2);
    element.setAttribute("aria-pressed", String(c === view.channel));
  });
  paintInput(view, at);
  paintProducts(view, productsAt(layer, input, unit, view.channel, at));
  const total = products + layer.bias[unit];
  paintOutput(bench, output, layer.size, at, total);
  view.total.dataset.total = String(total);
  view.total.dataset.map = String(output[stepper.index]);
  sayTotal(view, at, products);
}

function sayTotal({ total: element, layer, unit }, { y, x }, products) {
  const where = { name: layer.name, unit: unit + 1, row: y + 1, column: x + 1 };
  say(element, "conv_total", { ...sumInWords(products, layer.bias[unit]), ...where });
}

function paintInput({ session, layer, channel, bench }, { y, x }) {
  const before = session.layers[layer.index - 1];
  const values = session.mapOf(before.index, channel);
  const { kernel, stride, padding } = layer;
  const window = {
    top: y * stride - padding,
    left: x * stride - padding,
    height: kernel,
    width: kernel,
  };
  const options = { border: padding, grey: greyOf(session, before) };
  paintBig(bench.input, values, before.size, maxAbs(values), window, options);
}

/**
 * Two factors with decimals that give their product, told with two. A weight of 0.004 would else be
 * 0.00, and its product with 2.15 yet 0.01.
 */
function factorsInWords(x, w) {
  const hundredth = (value) => Math.round(100 * value) / 100;
  const holds = (round) => hundredth(round(x) * round(w)) === hundredth(x * w);
  const decimals = decimalsThatHold(holds, 2);
  return `${number(x, decimals)} × ${number(w, decimals)}`;
}

/** The kernel's cells: input times weight, coloured by the product. */
function paintProducts(view, products) {
  const most = maxAbs(products.map(({ x, w }) => x * w)) || 1;
  view.table.replaceChildren(
    ...products.map(({ x, w, inside }) => {
      const cell = make(
        "span",
        { class: inside ? "product" : "product outside" },
        make("span", { plain: factorsInWords(x, w) }),
        make("b", { plain: number(x * w, 2) }),
      );
      cell.style.setProperty("--tint", colourOf(x * w, 2 * most));
      return cell;
    }),
  );
  say(view.sum, "products_sum", { channel: view.channel + 1, sum: sumOf(products) });
}
