/**
 * The layers of a network as training runs them: on a batch of images at once, there and back.
 *
 * Each layer keeps its `output` and its `gradient` (of the loss by the output), image after image
 * and each laid out as in `network.js`. `backward` adds to the gradients of the layer's weights
 * and fills in the gradient of the layer before, unless that has none because nobody asks for it.
 * All arrays are made once: a step makes none.
 *
 * @typedef {import("./network.js").Layer} Layer
 *
 * @typedef {Object} TrainLayer
 * @property {Layer} layer what `network.js` knows of it
 * @property {Float32Array} output
 * @property {?Float32Array} gradient
 * @property {(input: Float32Array, count: number, training: boolean) => void} forward
 * @property {(before: TrainLayer, count: number) => void} backward
 *
 * @typedef {{value: Float32Array, gradient: Float32Array}} Parameter
 */
import { multiplyAdd, rowsOf, turned } from "./multiply.js";
import { ACTIVATIONS, poolSpan } from "./network.js";

/** Part that a batch has in the running mean and variance of a normalisation, as in PyTorch. */
const NORM_MOMENTUM = 0.1;
/** Added to a variance before its root is taken, as in PyTorch. */
export const NORM_EPSILON = 1e-5;

const numbersOf = ({ channels, size }) => channels * size * size;

function withArrays(layer, batch, operations) {
  const numbers = batch * numbersOf(layer);
  const [output, gradient] = [new Float32Array(numbers), new Float32Array(numbers)];
  return { layer, output, gradient, ...operations };
}

/** Where the images come in; nothing is computed here. */
export function inputLayer(layer, batch, wantsGradient) {
  const made = withArrays(layer, batch, {});
  if (!wantsGradient) made.gradient = null;
  return made;
}

/**
 * A convolution as a product of matrices: below each other, for each weight of a kernel, the
 * pixels that it meets at all places of the kernel ("im2col").
 *
 * @param {Layer} layer
 * @param {number} batch
 * @param {{weight: Parameter, bias: Parameter}} weights
 * @returns {TrainLayer}
 */
export function convolutionLayer(layer, batch, { weight, bias }) {
  const { inputs, inputSize, kernel, channels, size } = layer;
  const [area, depth] = [size * size, inputs * kernel * kernel];
  const met = makePatches(layer);
  const patches = rowsOf(met.patches, area);
  const kernels = rowsOf(weight.value, depth);
  const kernelGradients = rowsOf(weight.gradient, depth);
  const made = withArrays(layer, batch, {});
  const output = rowsOf(made.output, area);
  const gradient = rowsOf(made.gradient, area);

  made.forward = (input, count) => {
    for (let image = 0; image < count; image += 1) {
      output.start = image * channels * area;
      for (let filter = 0, at = output.start; filter < channels; filter += 1, at += area) {
        made.output.fill(bias.value[filter], at, at + area);
      }
      met.unfold(input, image * inputs * inputSize * inputSize);
      multiplyAdd(output, kernels, patches, channels, area, depth);
    }
  };
  made.backward = (before, count) => {
    for (let image = 0; image < count; image += 1) {
      const start = image * inputs * inputSize * inputSize;
      gradient.start = image * channels * area;
      addRowSums(bias.gradient, made.gradient, gradient.start, area);
      met.unfold(before.output, start);
      multiplyAdd(kernelGradients, gradient, turned(patches), channels, depth, area);
      if (!before.gradient) continue;
      met.patches.fill(0);
      multiplyAdd(patches, turned(kernels), gradient, depth, area, channels);
      met.fold(before.gradient, start);
    }
  };
  return made;
}

/** Add up rows of `width` numbers that lie in `values` from `start`, each to one of the `sums`. */
function addRowSums(sums, values, start, width) {
  for (let row = 0, at = start; row < sums.length; row += 1) {
    let sum = 0;
    for (const end = at + width; at < end; at += 1) sum += values[at];
    sums[row] += sum;
  }
}

/**
 * The pixels that each weight of a kernel meets, taken from an image and handed back to it.
 *
 * @param {Layer} layer
 */
function makePatches({ inputs, inputSize, kernel, stride, padding, size }) {
  const side = inputSize + 2 * padding;
  const padded = new Float32Array(inputs * side * side);
  const patches = new Float32Array(inputs * kernel * kernel * size * size);

  /** Calls `visit(place in the patches, place in the padded image)` for each row of pixels. */
  const eachRow = (visit) => {
    let at = 0;
    for (let map = 0; map < inputs; map += 1) {
      for (let ky = 0; ky < kernel; ky += 1) {
        for (let kx = 0; kx < kernel; kx += 1) {
          for (let y = 0; y < size; y += 1, at += size) {
            visit(at, (map * side + y * stride + ky) * side + kx);
          }
        }
      }
    }
  };
  const take = (to, from) => {
    for (let x = 0; x < size; x += 1) patches[to + x] = padded[from + x * stride];
  };
  const giveBack = (from, to) => {
    for (let x = 0; x < size; x += 1) padded[to + x * stride] += patches[from + x];
  };
  const unfold = (input, start) => {
    padded.fill(0);
    copyMaps(input, start, inputSize, padded, padding * side + padding, side, inputs);
    eachRow(take);
  };
  const fold = (input, start) => {
    padded.fill(0);
    eachRow(giveBack);
    takeMaps(input, start, inputSize, padded, padding * side + padding, side, inputs);
  };
  return { patches, unfold, fold };
}

/** Copy maps into the middle of larger ones. */
function copyMaps(small, start, width, large, corner, side, count) {
  for (let map = 0, from = start; map < count; map += 1) {
    for (let y = 0; y < width; y += 1) {
      const to = map * side * side + corner + y * side;
      for (let x = 0; x < width; x += 1, from += 1) large[to + x] = small[from];
    }
  }
}

/** Copy the middle of maps out of larger ones. */
function takeMaps(small, start, width, large, corner, side, count) {
  for (let map = 0, to = start; map < count; map += 1) {
    for (let y = 0; y < width; y += 1) {
      const from = map * side * side + corner + y * side;
      for (let x = 0; x < width; x += 1, to += 1) small[to] = large[from + x];
    }
  }
}

/**
 * Batch normalisation (Ioffe & Szegedy 2015): every channel at mean 0 and variance 1 over the
 * batch, then times a learned factor and plus a learned offset. Once trained, the running mean
 * and variance stand in for those of the batch.
 *
 * @param {Layer} layer
 * @param {number} batch
 * @param {{weight: Parameter, bias: Parameter}} weights
 * @param {{mean: Float32Array, variance: Float32Array}} running
 */
export function normLayer(layer, batch, { weight, bias }, running) {
  const { channels } = layer;
  const area = layer.size * layer.size;
  const means = new Float64Array(channels);
  const scales = new Float64Array(channels);
  const made = withArrays(layer, batch, {});

  made.forward = (input, count, training) => {
    for (let channel = 0; channel < channels; channel += 1) {
      const numbers = { start: channel * area, step: channels * area, area, count };
      let [mean, variance] = [running.mean[channel], running.variance[channel]];
      if (training) {
        ({ mean, variance } = spreadOf(input, numbers));
        const n = count * area;
        running.mean[channel] += NORM_MOMENTUM * (mean - running.mean[channel]);
        running.variance[channel] +=
          NORM_MOMENTUM * ((variance * n) / (n - 1) - running.variance[channel]);
      }
      means[channel] = mean;
      scales[channel] = 1 / Math.sqrt(variance + NORM_EPSILON);
      const factor = weight.value[channel] * scales[channel];
      const offset = bias.value[channel] - mean * factor;
      eachNumber(numbers, (at) => {
        made.output[at] = input[at] * factor + offset;
      });
    }
  };
  made.backward = (before, count) => {
    for (let channel = 0; channel < channels; channel += 1) {
      const numbers = { start: channel * area, step: channels * area, area, count };
      const [mean, scale, n] = [means[channel], scales[channel], count * area];
      let [sum, product] = [0, 0];
      eachNumber(numbers, (at) => {
        sum += made.gradient[at];
        product += made.gradient[at] * (before.output[at] - mean) * scale;
      });
      bias.gradient[channel] += sum;
      weight.gradient[channel] += product;
      const factor = weight.value[channel] * scale;
      eachNumber(numbers, (at) => {
        const normal = (before.output[at] - mean) * scale;
        before.gradient[at] = factor * (made.gradient[at] - sum / n - (normal * product) / n);
      });
    }
  };
  return made;
}

/** Calls `visit(place)` for every number of one channel in all images. */
function eachNumber({ start, step, area, count }, visit) {
  for (let image = 0; image < count; image += 1) {
    const first = start + image * step;
    for (let at = first; at < first + area; at += 1) visit(at);
  }
}

/** Mean and variance (divided by n) of one channel in all images. */
function spreadOf(values, numbers) {
  const n = numbers.count * numbers.area;
  let [sum, squares] = [0, 0];
  eachNumber(numbers, (at) => {
    sum += values[at];
  });
  const mean = sum / n;
  eachNumber(numbers, (at) => {
    squares += (values[at] - mean) ** 2;
  });
  return { mean, variance: squares / n };
}

export function activationLayer(layer, batch) {
  const { value, slope } = ACTIVATIONS[layer.activation];
  const numbers = numbersOf(layer);
  const made = withArrays(layer, batch, {});
  made.forward = (input, count) => {
    const { output } = made;
    for (let at = 0; at < count * numbers; at += 1) output[at] = value(input[at]);
  };
  made.backward = (before, count) => {
    const { gradient } = made;
    for (let at = 0; at < count * numbers; at += 1) {
      before.gradient[at] = gradient[at] * slope(before.output[at]);
    }
  };
  return made;
}

/** The largest number under each window, or the mean of them. */
export function poolLayer(layer, batch) {
  const { size, inputSize, mean } = layer;
  const spans = Array.from({ length: size }, (_, index) => poolSpan(layer, index));
  const made = withArrays(layer, batch, {});
  /** Where the largest number under a window was. */
  const places = new Uint32Array(mean ? 0 : made.output.length);

  const eachWindow = (count, visit) => {
    let at = 0;
    for (let map = 0; map < count * layer.channels; map += 1) {
      const start = map * inputSize * inputSize;
      for (const [top, bottom] of spans) {
        for (const [left, right] of spans) {
          visit(at, start + top * inputSize + left, bottom - top, right - left);
          at += 1;
        }
      }
    }
  };
  const largest = (input) => (at, corner, height, width) => {
    let best = corner;
    for (let y = 0, row = corner; y < height; y += 1, row += inputSize) {
      for (let x = row; x < row + width; x += 1) if (input[x] > input[best]) best = x;
    }
    places[at] = best;
    made.output[at] = input[best];
  };
  const average = (input) => (at, corner, height, width) => {
    let sum = 0;
    for (let y = 0, row = corner; y < height; y += 1, row += inputSize) {
      for (let x = row; x < row + width; x += 1) sum += input[x];
    }
    made.output[at] = sum / (height * width);
  };
  const share = (gradient) => (at, corner, height, width) => {
    const part = made.gradient[at] / (height * width);
    for (let y = 0, row = corner; y < height; y += 1, row += inputSize) {
      for (let x = row; x < row + width; x += 1) gradient[x] += part;
    }
  };

  made.forward = (input, count) => eachWindow(count, (mean ? average : largest)(input));
  made.backward = (before, count) => {
    const { gradient } = before;
    gradient.fill(0, 0, count * layer.channels * inputSize * inputSize);
    if (mean) {
      eachWindow(count, share(gradient));
      return;
    }
    for (let at = 0; at < count * numbersOf(layer); at += 1) {
      gradient[places[at]] += made.gradient[at];
    }
  };
  return made;
}

/**
 * A fully connected layer.
 *
 * @param {Layer} layer
 * @param {number} batch
 * @param {{weight: Parameter, bias: Parameter}} weights
 * @returns {TrainLayer}
 */
export function linearLayer(layer, batch, { weight, bias }) {
  const { channels: units, inputs } = layer;
  const made = withArrays(layer, batch, {});
  const output = rowsOf(made.output, units);
  const gradient = rowsOf(made.gradient, units);
  const weights = rowsOf(weight.value, inputs);
  const weightGradients = rowsOf(weight.gradient, inputs);
  made.forward = (input, count) => {
    for (let image = 0; image < count; image += 1) made.output.set(bias.value, image * units);
    multiplyAdd(output, rowsOf(input, inputs), turned(weights), count, units, inputs);
  };
  made.backward = (before, count) => {
    for (let at = 0; at < count * units; at += 1) bias.gradient[at % units] += made.gradient[at];
    const input = rowsOf(before.output, inputs);
    multiplyAdd(weightGradients, turned(gradient), input, units, inputs, count);
    before.gradient.fill(0, 0, count * inputs);
    multiplyAdd(rowsOf(before.gradient, inputs), gradient, weights, count, inputs, units);
  };
  return made;
}

/**
 * Dropout (Srivastava et al. 2014): in training, numbers are switched off at random and the
 * others scaled up by as much.
 *
 * @param {() => number} chance
 */
export function dropoutLayer(layer, batch, rate, chance) {
  const made = withArrays(layer, batch, {});
  const factors = new Float32Array(made.output.length);
  const numbers = numbersOf(layer);
  made.forward = (input, count, training) => {
    for (let at = 0; at < count * numbers; at += 1) {
      factors[at] = training && chance() < rate ? 0 : 1 / (training ? 1 - rate : 1);
      made.output[at] = input[at] * factors[at];
    }
  };
  made.backward = (before, count) => {
    for (let at = 0; at < count * numbers; at += 1) {
      before.gradient[at] = made.gradient[at] * factors[at];
    }
  };
  return made;
}
