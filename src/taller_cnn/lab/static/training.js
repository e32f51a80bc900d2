/**
 * Training in the page: forward on a batch, the loss, its gradient by every weight (Rumelhart et
 * al. 1986), and a step of Adam (Kingma & Ba 2015) with PyTorch's defaults.
 */
import { makeChance, STREAMS } from "./chance.js";
import { buildNetwork } from "./network.js";
import {
  activationLayer,
  convolutionLayer,
  dropoutLayer,
  inputLayer,
  linearLayer,
  normLayer,
  poolLayer,
  NORM_EPSILON,
} from "./train_layers.js";

/** @typedef {import("./train_layers.js").TrainLayer} TrainLayer */

const BETA_MEAN = 0.9;
const BETA_SQUARE = 0.999;
const EPSILON = 1e-8;

/**
 * A network that can be trained.
 *
 * @param {Object} config the fields of `ModelConfig`
 * @param {number} classes
 * @param {number} batch images at once, at most
 * @param {number} seed of the initial weights and the dropout, 0 to 2^31 - 1
 * @param {{tensors?: Object<string, {data: Float32Array}>, wantsInput?: boolean}} [options]
 *   `tensors`: start from these weights instead; `wantsInput`: the gradient by the image too
 */
export function makeTraining(config, classes, batch, seed, { tensors, wantsInput } = {}) {
  const plan = buildNetwork(config, null, classes);
  const parameters = makeParameters(plan, config);
  const training = { config, parameters, steps: 0, running: {} };
  if (tensors) setWeights(parameters, tensors);
  else drawWeights(parameters, makeChance(seed, STREAMS.weights));
  training.layers = makeLayers(plan, batch, training, seed, wantsInput);
  training.means = new Float32Array(parameters.values.length);
  training.squares = new Float32Array(parameters.values.length);
  return training;
}

/** All weights in one array and their gradients in another, with a view of each by its name. */
function makeParameters(plan, config) {
  const shapes = plan.flatMap((layer) => shapesOf(layer, config));
  const count = shapes.reduce((sum, { shape }) => sum + product(shape), 0);
  const [values, gradients] = [new Float32Array(count), new Float32Array(count)];
  const named = {};
  let start = 0;
  for (const { name, shape, inputs } of shapes) {
    const end = start + product(shape);
    const value = values.subarray(start, end);
    named[name] = { shape, inputs, value, gradient: gradients.subarray(start, end) };
    start = end;
  }
  return { values, gradients, named };
}

const product = (numbers) => numbers.reduce((result, number) => result * number, 1);

/** Names and shapes of a layer's weights; `inputs`: how many numbers each of its sums has. */
function shapesOf({ name, kind, channels, inputs, kernel }, { batch_norm: normalised }) {
  if (kind === "linear") {
    return [
      { name: `${name}.weight`, shape: [channels, inputs], inputs },
      { name: `${name}.bias`, shape: [channels], inputs },
    ];
  }
  if (kind !== "conv") return [];
  const depth = inputs * kernel * kernel;
  const shapes = [
    { name: `${name}.weight`, shape: [channels, inputs, kernel, kernel], inputs: depth },
    { name: `${name}.bias`, shape: [channels], inputs: depth },
  ];
  const norm = normName(name);
  return normalised
    ? [
        ...shapes,
        { name: `${norm}.weight`, shape: [channels], fill: 1 },
        { name: `${norm}.bias`, shape: [channels], fill: 0 },
      ]
    : shapes;
}

/** The normalisation after `conv2` is `norm2`. */
const normName = (convolution) => convolution.replace("conv", "norm");

function setWeights({ named }, tensors) {
  for (const [name, { value }] of Object.entries(named)) value.set(tensors[name].data);
}

/**
 * PyTorch's default initial weights (He et al. 2015, uniform): up to 1 / sqrt(inputs) from zero.
 * A normalisation starts with factor 1 and offset 0.
 */
function drawWeights({ named }, chance) {
  for (const [name, { inputs, value }] of Object.entries(named)) {
    if (!inputs) {
      value.fill(name.endsWith("weight") ? 1 : 0);
      continue;
    }
    const bound = 1 / Math.sqrt(inputs);
    for (let at = 0; at < value.length; at += 1) value[at] = (2 * chance() - 1) * bound;
  }
}

function makeLayers(plan, batch, { config, parameters: { named }, running }, seed, wantsInput) {
  const weightsOf = (name) => ({ weight: named[`${name}.weight`], bias: named[`${name}.bias`] });
  const chance = makeChance(seed, STREAMS.dropout);
  const layers = [];
  for (const layer of plan) {
    if (layer.kind === "input") layers.push(inputLayer(layer, batch, wantsInput));
    if (layer.kind === "conv") {
      layers.push(convolutionLayer(layer, batch, weightsOf(layer.name)));
      if (config.batch_norm) {
        const name = normName(layer.name);
        running[name] = {
          mean: new Float32Array(layer.channels),
          variance: new Float32Array(layer.channels).fill(1),
        };
        layers.push(normLayer(layer, batch, weightsOf(name), running[name]));
      }
    }
    if (layer.kind === "activation") layers.push(activationLayer(layer, batch));
    if (layer.kind === "pool") layers.push(poolLayer(layer, batch));
    if (layer.kind === "linear") layers.push(linearLayer(layer, batch, weightsOf(layer.name)));
    if (layer.dropout) layers.push(dropoutLayer(layer, batch, layer.dropout, chance));
  }
  return layers;
}

/**
 * Run the first `count` images of the input layer through the network.
 *
 * @param {{layers: TrainLayer[]}} network of `makeTraining`
 * @param {number} count
 * @param {boolean} training whether dropout and the batch's own mean and variance are on
 * @returns {Float32Array} logits, image after image
 */
export function forwardBatch({ layers }, count, training) {
  for (let index = 1; index < layers.length; index += 1) {
    layers[index].forward(layers[index - 1].output, count, training);
  }
  return layers.at(-1).output;
}

/**
 * Cross-entropy of what `forwardBatch` gave, and its gradient by the logits: (p - y) / count.
 *
 * @param {{layers: TrainLayer[]}} network
 * @param {ArrayLike<number>} labels classes from 0
 * @param {number} count images
 * @returns {{loss: number, correct: number}} the sum in nats, and how many were right
 */
export function lossOf({ layers }, labels, count) {
  const { output: logits, gradient, layer } = layers.at(-1);
  const classes = layer.channels;
  let [loss, correct] = [0, 0];
  for (let image = 0, start = 0; image < count; image += 1, start += classes) {
    let best = start;
    for (let at = start; at < start + classes; at += 1) if (logits[at] > logits[best]) best = at;
    const most = logits[best];
    let total = 0;
    for (let at = start; at < start + classes; at += 1) total += Math.exp(logits[at] - most);
    for (let at = start; at < start + classes; at += 1) {
      gradient[at] = Math.exp(logits[at] - most) / total / count;
    }
    const answer = start + labels[image];
    gradient[answer] -= 1 / count;
    loss += most + Math.log(total) - logits[answer];
    if (best === answer) correct += 1;
  }
  return { loss, correct };
}

/** From the gradient by the logits to those by all weights and all numbers in between. */
export function backwardBatch({ layers, parameters }, count) {
  parameters.gradients.fill(0);
  for (let index = layers.length - 1; index > 0; index -= 1) {
    layers[index].backward(layers[index - 1], count);
  }
}

/** Move every weight against its gradient, as `torch.optim.Adam`. */
export function adamStep(training, rate) {
  const { parameters, means, squares } = training;
  const { values, gradients } = parameters;
  training.steps += 1;
  const step = rate / (1 - BETA_MEAN ** training.steps);
  const spread = Math.sqrt(1 - BETA_SQUARE ** training.steps);
  for (let at = 0; at < values.length; at += 1) {
    const gradient = gradients[at];
    means[at] += (1 - BETA_MEAN) * (gradient - means[at]);
    squares[at] = BETA_SQUARE * squares[at] + (1 - BETA_SQUARE) * gradient * gradient;
    values[at] -= (step * means[at]) / (Math.sqrt(squares[at]) / spread + EPSILON);
  }
}

/**
 * The weights as `buildNetwork` takes them: copies, with each normalisation folded into the
 * convolution before it.
 *
 * @returns {Object<string, {shape: number[], data: Float32Array}>}
 */
export function pageTensors({ parameters: { named }, running }) {
  /** @type {Object<string, {shape: number[], data: Float32Array}>} */
  const tensors = {};
  for (const [name, { shape, value }] of Object.entries(named)) {
    if (!name.startsWith("norm")) tensors[name] = { shape, data: Float32Array.from(value) };
  }
  for (const [norm, { mean, variance }] of Object.entries(running)) {
    const convolution = norm.replace("norm", "conv");
    const weight = tensors[`${convolution}.weight`].data;
    const bias = tensors[`${convolution}.bias`].data;
    const depth = weight.length / bias.length;
    for (let channel = 0; channel < bias.length; channel += 1) {
      const factor =
        named[`${norm}.weight`].value[channel] / Math.sqrt(variance[channel] + NORM_EPSILON);
      for (let at = channel * depth; at < (channel + 1) * depth; at += 1) weight[at] *= factor;
      bias[channel] =
        (bias[channel] - mean[channel]) * factor + named[`${norm}.bias`].value[channel];
    }
  }
  return tensors;
}
