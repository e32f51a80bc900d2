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

/** The layer whose maps are switched off with those of `layer`: its activation. */
export function switchOf(layers, layer) {
  if (layer.kind === "activation") return layer.index;
  const next = layers[layer.index + 1];
  if (layer.kind === "conv" || (layer.kind === "linear" && !isClasses(layer))) return next.index;
  const before = layers[layer.index - 1];
  return layer.kind === "pool" ? switchOf(layers, before) : null;
}
