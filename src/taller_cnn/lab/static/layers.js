/** How layers and maps are called, and what is switched off with them. */

/** A layer's title: a text's key with its values. */
export function layerTitle(layer) {
  const number = Number(layer.name.match(/\d+$/)?.[0] ?? 0);
  if (layer.kind === "activation") return [`kind_${layer.activation}`, { number: number || "" }];
  if (layer.kind === "pool")
    return [layer.mean ? "kind_mean" : "kind_max", { number: number || "" }];
  return [`kind_${layer.kind}`, { number }];
}

/** `16 × 28 × 28`, or `128`. */
export function shapeOf({ channels, size }) {
  return size > 1 ? `${channels} × ${size} × ${size}` : String(channels);
}

/** A unit is a class in the last two layers. */
export function isClasses({ kind, name }) {
  return kind === "softmax" || name === "fc2";
}

/**
 * What a map, a neuron or a class is called everywhere: a text's key with its values.
 *
 * @returns {[string, {name: string, unit: string|number}]}
 */
export function unitName({ classNames }, layer, unit) {
  const { name, size } = layer;
  if (isClasses(layer)) return ["class_name", { name, unit: classNames[unit] }];
  return [size > 1 ? "map_name" : "neuron_name", { name, unit: unit + 1 }];
}

/** A unit's number as people count them: classes from 0 like the digits, all others from 1. */
function unitNumber(layer, unit) {
  return isClasses(layer) ? unit : unit + 1;
}

/** A map's place in a link, `conv2.6`. */
export function placeOfUnit(layers, { layer, unit }) {
  return `${layers[layer].name}.${unitNumber(layers[layer], unit)}`;
}

/** The map that a link names, {layer, unit} by index; null where the network has no such one. */
export function unitAt(layers, place) {
  const [name, number] = (place ?? "").split(".");
  const layer = layers.find((candidate) => candidate.name === name);
  if (!layer || !/^\d+$/.test(number ?? "")) return null;
  const unit = Number(number) - unitNumber(layer, 0);
  return unit >= 0 && unit < layer.channels ? { layer: layer.index, unit } : null;
}

/** The layer whose maps are switched off with those of `layer`: its activation. */
export function switchOf(layers, layer) {
  if (layer.kind === "activation") return layer.index;
  const next = layers[layer.index + 1];
  if (layer.kind === "conv" || (layer.kind === "linear" && !isClasses(layer))) return next.index;
  const before = layers[layer.index - 1];
  return layer.kind === "pool" ? switchOf(layers, before) : null;
}
