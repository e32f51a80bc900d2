/** What one digit would teach the network: the way back of its loss, and steps against it. */
import { backwardBatch, forwardBatch, lossOf, makeTraining, pageTensors } from "./training.js";

/** Points of a slice through the loss. */
const SLICE_POINTS = 16;
/** A slice ends where the loss on the other digits has grown by so much, or at the last rate. */
const FORGOTTEN = 1;
const FIRST_RATE = 1e-3;
const LAST_RATE = 100;
const RATE_FACTOR = 3;

/**
 * @typedef {{image: Float32Array, label: number}} Digit 28 x 28 pixels, normalised, and the class
 *   that it should be
 */

/**
 * A network that a digit is sent through, there and back: the one on the page, so without dropout
 * and with every batch normalisation in its convolution. Its layers are those of `session.layers`
 * up to the logits.
 *
 * @param {{card: {config: Object}, tensors: Object<string, {data: Float32Array}>}} model
 * @param {number} most digits at once
 */
export function makeBackprop({ card, tensors }, most) {
  const config = { ...card.config, batch_norm: false, dropout: 0 };
  const classes = tensors["fc2.bias"].data.length;
  return makeTraining(config, classes, most, 0, { tensors, wantsInput: true });
}

/** Send digits through the network; the mean loss, in nats, and the logits of the first. */
function lossOn(network, digits) {
  const { layers } = network;
  digits.forEach(({ image }, place) => layers[0].output.set(image, place * image.length));
  forwardBatch(network, digits.length, false);
  const labels = digits.map(({ label }) => label);
  const { loss } = lossOf(network, labels, digits.length);
  const { output, layer } = layers.at(-1);
  return { loss: loss / digits.length, logits: output.slice(0, layer.channels) };
}

/**
 * Send a digit through the network and its loss back. Then each of `network.layers` has its output
 * and the gradient of the loss by it, and each of `network.parameters` its gradient.
 *
 * @param {Digit} digit
 * @returns {{loss: number, logits: Float32Array, gradient: Float32Array}} `gradient`: by the
 *   logits, which is p - y
 */
export function lookBack(network, digit) {
  const seen = lossOn(network, [digit]);
  backwardBatch(network, 1);
  const { gradient, layer } = network.layers.at(-1);
  return { ...seen, gradient: gradient.slice(0, layer.channels) };
}

/**
 * The network one step against the gradient that `lookBack` left.
 *
 * @param {Digit} digit
 * @param {Digit[]} others what else it should still know
 * @param {number} rate
 * @returns {{loss: number, logits: Float32Array, others: number}} `others`: their mean loss
 */
export function afterStep(network, digit, others, rate) {
  return stepped(network, rate, () => {
    const forgotten = others.length ? lossOn(network, others).loss : NaN;
    return { ...lossOn(network, [digit]), others: forgotten };
  });
}

/** The weights after that step, as `buildNetwork` takes them. */
export function steppedTensors(network, rate) {
  return stepped(network, rate, () => pageTensors(network));
}

/** What `look` tells of the network one step further; it comes back from there. */
function stepped({ parameters: { values, gradients } }, rate, look) {
  const start = values.slice();
  for (let at = 0; at < values.length; at += 1) values[at] -= rate * gradients[at];
  const seen = look();
  values.set(start);
  return seen;
}

/**
 * A slice through the loss along its gradient, so far that a step can be too long: one digit alone
 * can be learned at any rate, but what the network knows of the others is forgotten.
 *
 * @param {Digit} digit
 * @param {Digit[]} others
 * @returns {{rate: number, loss: number, others: number}[]} from rate 0
 */
export function lossSlice(network, digit, others) {
  const at = (rate) => ({ rate, ...afterStep(network, digit, others, rate) });
  const worst = at(0).others + FORGOTTEN;
  let most = FIRST_RATE;
  while (most < LAST_RATE && !(at(most).others > worst)) most *= RATE_FACTOR;
  return Array.from({ length: SLICE_POINTS + 1 }, (_, k) => at((k * most) / SLICE_POINTS));
}

/**
 * The products whose sum is the gradient of one weight of a kernel: at each place of the kernel,
 * the pixel that the weight met times the gradient of what came out there.
 *
 * @param {import("./network.js").Layer} layer a convolution
 * @param {{input: Float32Array, gradient: Float32Array}} values what came in, and the loss's
 *   gradient by what came out
 * @param {{unit: number, channel: number, ky: number, kx: number}} weight
 * @returns {{row: number, column: number, x: number, g: number}[]} those not outside of the map
 */
export function weightTerms(layer, { input, gradient }, { unit, channel, ky, kx }) {
  const { stride, padding, inputSize, size } = layer;
  const terms = [];
  for (let y = 0; y < size; y += 1) {
    const row = y * stride + ky - padding;
    if (row < 0 || row >= inputSize) continue;
    for (let x = 0; x < size; x += 1) {
      const column = x * stride + kx - padding;
      if (column < 0 || column >= inputSize) continue;
      const pixel = input[(channel * inputSize + row) * inputSize + column];
      terms.push({ row: y, column: x, x: pixel, g: gradient[(unit * size + y) * size + x] });
    }
  }
  return terms;
}
