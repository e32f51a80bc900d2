/**
 * The network in the page: what `SimpleCNN` does, one layer after the other.
 *
 * A map of C channels of H x H pixels is one Float32Array of C * H * H numbers, channel by
 * channel and row by row, as PyTorch lays them out. Batch normalisation has been folded into
 * the convolutions' weights before they come here, and dropout does nothing after training.
 */

const IMAGE_SIDE = 28;
/** A map is halved only while it is at least this wide: 28 -> 14 -> 7, then it stays. */
const SMALLEST_POOLED = 8;

/**
 * @typedef {Object} Layer
 * @property {string} name `conv1`, `act1`, `pool1`, ..., `fc1`, `act`, `fc2`, `softmax`
 * @property {"input"|"conv"|"activation"|"pool"|"linear"|"softmax"} kind
 * @property {number} channels maps, or units of a fully connected layer
 * @property {number} size side of a map; 1 for units
 * @property {number} inputs channels (or units) that come in
 * @property {number} inputSize side of the maps that come in
 * @property {number} parameters weights and biases, those of a batch normalisation included
 * @property {string} arithmetic how the parameters add up
 * @property {number} macs multiply-accumulate operations
 * @property {number} [index] place in the network, from 0
 * @property {number} [kernel] side of a convolution's kernel
 * @property {number} [stride]
 * @property {number} [padding]
 * @property {Float32Array} [weight]
 * @property {Float32Array} [bias]
 * @property {boolean} [normalised] whether a batch normalisation is folded into the weights
 * @property {string} [activation]
 * @property {boolean} [mean] whether a pooling takes the mean
 * @property {number} [window] side of a pooling's window; 0 where it divides any map alike
 * @property {number} [dropout] share of the values that a training leaves out after this layer
 */

/**
 * The layers of a network, first to last.
 *
 * @param {Object} config the fields of `ModelConfig`
 * @param {Object<string, {data: Float32Array}>} tensors weights by name: `conv1.weight`
 *   [outputs, inputs, kernel, kernel], `conv1.bias` [outputs], `fc1.weight` [units, inputs] ...
 * @returns {Layer[]}
 */
export function buildNetwork(config, tensors) {
  const layers = [layerOf("input", "input", { channels: 1, size: IMAGE_SIDE })];
  config.filters.forEach((filters, index) => {
    addConvolution(layers, config, tensors, index + 1, filters);
  });
  const last = layers.at(-1);
  if (config.final_size && last.size > config.final_size) {
    addPool(layers, "pool", config.pooling === "avg", config.final_size);
  }
  if (config.hidden) {
    addLinear(layers, tensors, "fc1", config.hidden);
    addActivation(layers, "act", config.activation);
  }
  layers.at(-1).dropout = config.dropout;
  const classes = tensors["fc2.bias"].data.length;
  addLinear(layers, tensors, "fc2", classes);
  const softmax = { channels: classes, size: 1, inputs: classes, inputSize: 1 };
  layers.push(layerOf("softmax", "softmax", softmax));
  layers.forEach((layer, index) => {
    layer.index = index;
  });
  return layers;
}

function layerOf(name, kind, fields) {
  return { name, kind, parameters: 0, arithmetic: "", macs: 0, ...fields };
}

/** Convolution `index` (from 1), its activation, and its pooling if it has one. */
function addConvolution(layers, config, tensors, index, outputs) {
  const { channels: inputs, size: inputSize } = layers.at(-1);
  const kernel = config.kernel_size;
  const last = index % config.convs_per_pool === 0;
  const halved = config.pooling !== "none" && last && inputSize >= SMALLEST_POOLED;
  const stride = halved && config.pooling === "stride" ? 2 : 1;
  const size = Math.ceil(inputSize / stride);
  const weights = inputs * kernel * kernel;
  const norm = config.batch_norm ? ` + ${outputs} × 2` : "";
  layers.push(
    layerOf(`conv${index}`, "conv", {
      channels: outputs,
      size,
      inputs,
      inputSize,
      kernel,
      stride,
      padding: Math.floor(kernel / 2),
      weight: tensors[`conv${index}.weight`].data,
      bias: tensors[`conv${index}.bias`].data,
      normalised: config.batch_norm,
      parameters: outputs * (weights + 1) + (config.batch_norm ? 2 * outputs : 0),
      arithmetic: `${outputs} × (${inputs} × ${kernel} × ${kernel} + 1)${norm}`,
      macs: outputs * size * size * weights,
    }),
  );
  addActivation(layers, `act${index}`, config.activation);
  if (halved && stride === 1) {
    addPool(layers, `pool${index}`, config.pooling === "avg", Math.floor(size / 2), 2);
  }
}

function addActivation(layers, name, activation) {
  const { channels, size } = layers.at(-1);
  const fields = { channels, size, inputs: channels, inputSize: size, activation };
  layers.push(layerOf(name, "activation", fields));
}

/** Pooling; without a `window`, the one that divides any map into `size` x `size` parts. */
function addPool(layers, name, mean, size, window = 0) {
  const { channels, size: inputSize } = layers.at(-1);
  const fields = { channels, size, inputs: channels, inputSize, mean, window };
  layers.push(layerOf(name, "pool", fields));
}

function addLinear(layers, tensors, name, units) {
  const { channels, size: inputSize } = layers.at(-1);
  const inputs = channels * inputSize * inputSize;
  layers.push(
    layerOf(name, "linear", {
      channels: units,
      size: 1,
      inputs,
      inputSize,
      weight: tensors[`${name}.weight`].data,
      bias: tensors[`${name}.bias`].data,
      parameters: units * (inputs + 1),
      arithmetic: `${units} × (${inputs} + 1)`,
      macs: units * inputs,
    }),
  );
}

/**
 * Run the network on one image.
 *
 * @param {Layer[]} layers
 * @param {Float32Array} image 28 x 28 pixels, normalised
 * @param {Map<number, Set<number>>} [off] channels held at zero, by the layer's index
 * @returns {Float32Array[]} what comes out of each layer, the image itself first
 */
export function forward(layers, image, off = new Map()) {
  const outputs = [image];
  for (const layer of layers.slice(1)) {
    const output = OPERATIONS[layer.kind].forward(layer, outputs.at(-1));
    silence(layer, output, off);
    outputs.push(output);
  }
  return outputs;
}

/**
 * How much each pixel of the image moves the logit of a class: d logit / d pixel.
 *
 * @param {Layer[]} layers
 * @param {Float32Array[]} outputs what `forward` returned
 * @param {number} target class, from 0
 * @param {Map<number, Set<number>>} [off] as `forward` got it
 * @returns {Float32Array} 28 x 28
 */
export function inputGradient(layers, outputs, target, off = new Map()) {
  let gradient = new Float32Array(layers.at(-1).channels);
  gradient[target] = 1;
  // The last layer is the softmax; the gradient starts at the logits before it.
  for (let index = layers.length - 2; index > 0; index -= 1) {
    const layer = layers[index];
    silence(layer, gradient, off);
    const { backward } = OPERATIONS[layer.kind];
    gradient = backward(layer, gradient, outputs[index - 1], outputs[index]);
  }
  return gradient;
}

function silence(layer, values, off) {
  const area = layer.size * layer.size;
  for (const channel of off.get(layer.index) ?? []) {
    values.fill(0, channel * area, (channel + 1) * area);
  }
}

/** Each kernel slides over all input maps; a pixel is the sum of all products and the bias. */
function convolve(layer, input) {
  const { inputs, kernel, stride, size, weight, bias, channels } = layer;
  const { padded, side } = withBorder(layer, input);
  const output = new Float32Array(channels * size * size);
  const sum = new Float64Array(size * size);
  for (let o = 0, w = 0; o < channels; o += 1) {
    sum.fill(bias[o]);
    for (let c = 0; c < inputs; c += 1) {
      for (let ky = 0; ky < kernel; ky += 1) {
        for (let kx = 0; kx < kernel; kx += 1, w += 1) {
          const value = weight[w];
          for (let y = 0, to = 0; y < size; y += 1) {
            let from = (c * side + y * stride + ky) * side + kx;
            for (let x = 0; x < size; x += 1, to += 1, from += stride) {
              sum[to] += value * padded[from];
            }
          }
        }
      }
    }
    output.set(sum, o * size * size);
  }
  return output;
}

/** The maps with `padding` zeros around them. */
function withBorder({ inputs, inputSize, padding }, input) {
  const side = inputSize + 2 * padding;
  const padded = new Float32Array(inputs * side * side);
  for (let row = 0; row < inputs * inputSize; row += 1) {
    const c = Math.floor(row / inputSize);
    const start = (c * side + (row % inputSize) + padding) * side + padding;
    padded.set(input.subarray(row * inputSize, (row + 1) * inputSize), start);
  }
  return { padded, side };
}

/** Hands each output pixel's gradient back to the input pixels under its kernel. */
function convolveBack(layer, gradient) {
  const { inputs, inputSize, kernel, stride, padding, size, weight, channels } = layer;
  const result = new Float64Array(inputs * inputSize * inputSize);
  for (let o = 0, w = 0; o < channels; o += 1) {
    for (let c = 0; c < inputs; c += 1) {
      for (let ky = 0; ky < kernel; ky += 1) {
        for (let kx = 0; kx < kernel; kx += 1, w += 1) {
          for (let y = 0; y < size; y += 1) {
            const row = y * stride + ky - padding;
            if (row < 0 || row >= inputSize) continue;
            for (let x = 0; x < size; x += 1) {
              const column = x * stride + kx - padding;
              if (column < 0 || column >= inputSize) continue;
              result[(c * inputSize + row) * inputSize + column] +=
                weight[w] * gradient[(o * size + y) * size + x];
            }
          }
        }
      }
    }
  }
  return Float32Array.from(result);
}

/**
 * The rows (or columns) that output row `index` of a pooling looks at: [first, past the last).
 * Without a fixed window they are those of PyTorch's adaptive pooling.
 */
export function poolSpan({ window, size, inputSize }, index) {
  if (window) return [index * window, index * window + window];
  return [Math.floor((index * inputSize) / size), Math.ceil(((index + 1) * inputSize) / size)];
}

/** Calls `visit(output index, input indices under its window)` for every output pixel. */
function eachWindow(layer, visit) {
  const { channels, size, inputSize } = layer;
  const spans = Array.from({ length: size }, (_, index) => poolSpan(layer, index));
  const under = [];
  for (let c = 0, to = 0; c < channels; c += 1) {
    for (const [top, bottom] of spans) {
      for (const [left, right] of spans) {
        under.length = 0;
        for (let y = top; y < bottom; y += 1) {
          for (let x = left; x < right; x += 1) under.push((c * inputSize + y) * inputSize + x);
        }
        visit(to, under);
        to += 1;
      }
    }
  }
}

function pool(layer, input) {
  const output = new Float32Array(layer.channels * layer.size * layer.size);
  eachWindow(layer, (to, under) => {
    if (layer.mean) {
      let sum = 0;
      for (const from of under) sum += input[from];
      output[to] = sum / under.length;
    } else {
      output[to] = input[largest(input, under)];
    }
  });
  return output;
}

function poolBack(layer, gradient, input) {
  const result = new Float32Array(input.length);
  eachWindow(layer, (to, under) => {
    if (layer.mean) {
      for (const from of under) result[from] += gradient[to] / under.length;
    } else {
      result[largest(input, under)] += gradient[to];
    }
  });
  return result;
}

/** Of some indices, the one with the largest value; the first of equals, as in PyTorch. */
function largest(values, indices) {
  let best = indices[0];
  for (const index of indices) if (values[index] > values[best]) best = index;
  return best;
}

/** Gauss error function: Abramowitz & Stegun 7.1.26, off by at most 1.5e-7. */
function errorFunction(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const polynomial =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - polynomial * Math.exp(-x * x));
}

const normalShare = (x) => 0.5 * (1 + errorFunction(x * Math.SQRT1_2));
const normalDensity = (x) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** Each activation and its slope. */
export const ACTIVATIONS = {
  relu: { value: (x) => (x > 0 ? x : 0), slope: (x) => (x > 0 ? 1 : 0) },
  tanh: { value: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
  gelu: {
    value: (x) => x * normalShare(x),
    slope: (x) => normalShare(x) + x * normalDensity(x),
  },
};

const activate = ({ activation }, input) => input.map(ACTIVATIONS[activation].value);

function activateBack({ activation }, gradient, input) {
  const { slope } = ACTIVATIONS[activation];
  return gradient.map((value, index) => value * slope(input[index]));
}

/** Every unit sums all inputs, each times a weight of its own, and its bias. */
function connect({ channels, inputs, weight, bias }, input) {
  const output = new Float32Array(channels);
  for (let unit = 0, w = 0; unit < channels; unit += 1) {
    let sum = bias[unit];
    for (let index = 0; index < inputs; index += 1, w += 1) sum += weight[w] * input[index];
    output[unit] = sum;
  }
  return output;
}

function connectBack({ channels, inputs, weight }, gradient) {
  const result = new Float64Array(inputs);
  for (let unit = 0, w = 0; unit < channels; unit += 1) {
    for (let index = 0; index < inputs; index += 1, w += 1) {
      result[index] += weight[w] * gradient[unit];
    }
  }
  return Float32Array.from(result);
}

/** exp(logit) of each class over the sum of all; the largest is taken off so that none overflows. */
function softmax(logits) {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return Float32Array.from(powers, (power) => power / total);
}

const OPERATIONS = {
  conv: { forward: convolve, backward: convolveBack },
  activation: { forward: activate, backward: activateBack },
  pool: { forward: pool, backward: poolBack },
  linear: { forward: connect, backward: connectBack },
  softmax: { forward: (_, logits) => softmax(logits) },
};

/** Grey levels 0 to 255 as the numbers that the network was trained on. */
export function normalise(pixels, { mean, std }) {
  return Float32Array.from(pixels, (pixel) => (pixel / 255 - mean) / std);
}

/** Place of the largest number. */
export function argmax(values) {
  return values.reduce((best, value, index) => (value > values[best] ? index : best), 0);
}
