/**
 * What the page is about right now: one network, one drawing, and what the network makes of it.
 * Views listen to it and draw themselves again.
 */
import { buildNetwork, forward, normalise } from "./network.js";

export const present = {
  /** What is known of the network, or null as long as there is none. */
  card: null,
  /** The tab that is open. */
  tab: null,
  /** @type {Layer[]} */
  layers: [],
  /** 28 x 28 grey levels that the network sees, or null where nothing is drawn. */
  pixels: null,
  /** The digit's true class where it is known. */
  label: null,
  /** The normalised picture and what comes out of each layer, or null. */
  outputs: null,
  /** Switched-off channels by layer index. */
  off: new Map(),
  /** Milliseconds of a forward pass: the median of the last ones. */
  milliseconds: 0,
};

const PASSES = 15;
let passes = [];

const listeners = new Map();

/** Call `listener` whenever `event` happens: model, outputs, off, language, theme, tab. */
export function on(event, listener) {
  listeners.set(event, [...(listeners.get(event) ?? []), listener]);
}

export function tell(event, value) {
  for (const listener of listeners.get(event) ?? []) listener(value);
}

/** Put another network on the page. */
export function setModel({ card, tensors }) {
  present.card = card;
  present.layers = buildNetwork(card.config, tensors);
  present.off = new Map();
  passes = [];
  tell("model");
  run();
}

/** Show the network a picture (null: nothing), with its class where that is known. */
export function setPixels(pixels, label = null) {
  present.pixels = pixels;
  present.label = label;
  run();
}

/** Run the network again and tell everybody. */
export function run() {
  const { card, layers, pixels, off } = present;
  if (card && pixels) {
    const start = performance.now();
    present.outputs = forward(layers, normalise(pixels, card), off);
    present.milliseconds = median(performance.now() - start);
  } else {
    present.outputs = null;
  }
  tell("outputs");
}

/** The median of the last few passes: one alone may wait for another program. */
function median(milliseconds) {
  passes = [...passes, milliseconds].slice(-PASSES);
  return [...passes].sort((a, b) => a - b)[Math.floor(passes.length / 2)];
}

/** The ten probabilities, or null. */
export function probabilities() {
  return present.outputs && present.outputs.at(-1);
}

/** Switch a channel of a layer off, or on again. */
export function switchUnit(layer, unit) {
  const units = present.off.get(layer) ?? new Set();
  if (!units.delete(unit)) units.add(unit);
  present.off.set(layer, units);
  tell("off");
  run();
}

export function switchAllOn() {
  present.off.clear();
  tell("off");
  run();
}

export function isOff(layer, unit) {
  return present.off.get(layer)?.has(unit) ?? false;
}

/** How many channels are switched off in the whole network. */
export function countOff() {
  return [...present.off.values()].reduce((sum, units) => sum + units.size, 0);
}
