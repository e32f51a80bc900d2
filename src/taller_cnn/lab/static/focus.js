/** Which map the reader is looking at, and how layers and maps are called. */
import { present, tell } from "./present.js";

export const focus = {
  /** The chosen map: {layer, unit} by index, or null. */
  chosen: null,
  /** The map under the pointer or the keyboard's focus, or null. */
  pointed: null,
};

export function choose(layer, unit) {
  focus.chosen = { layer, unit };
  tell("chosen");
}

export function unchoose() {
  focus.chosen = null;
  tell("chosen");
}

export function pointAt(layer, unit) {
  focus.pointed = layer === null ? null : { layer, unit };
  tell("pointed");
}

/** The values of one map (or the one value of a unit), or null where nothing is drawn. */
export function mapOf(layerIndex, unit) {
  if (!present.outputs) return null;
  const area = present.layers[layerIndex].size ** 2;
  return present.outputs[layerIndex].subarray(unit * area, (unit + 1) * area);
}

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
export function switchOf(layer) {
  if (layer.kind === "activation") return layer.index;
  const next = present.layers[layer.index + 1];
  if (layer.kind === "conv" || (layer.kind === "linear" && !isClasses(layer))) return next.index;
  const before = present.layers[layer.index - 1];
  return layer.kind === "pool" ? switchOf(before) : null;
}
