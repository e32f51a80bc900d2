/**
 * What a page is about right now: one network, one drawing, what the network makes of it, and what
 * the reader looks at. Views listen to a session and draw themselves again; two sessions know
 * nothing of each other.
 */
import { buildNetwork, forward, normalise } from "./network.js";

/** All that a session tells, and asks of its views. */
export const EVENTS = Object.freeze({
  /** Another network. */
  model: "model",
  /** The network ran again, or there is nothing to run it on. */
  outputs: "outputs",
  /** Channels were switched off or on. */
  off: "off",
  /** Another map is selected, or none: `session.selected`. */
  selected: "selected",
  /** Another map is pointed at, or none: `session.pointed`. */
  pointed: "pointed",
  /** A tab was opened; its id. */
  tab: "tab",
  /** The page's language is another. */
  language: "language",
  /** The page's colours are others. */
  theme: "theme",
  /** Real digits have come. */
  digits: "digits",
  /** The lab's networks; their cards. */
  models: "models",
  /** A training was kept; its network's id. */
  kept: "kept",
  /** Asks the tabs to open one; its id. */
  openTab: "openTab",
  /** Asks the pad to show a digit: {pixels, label}. */
  placeDigit: "placeDigit",
});

/** Passes whose median is told. */
const PASSES = 15;

export class Session {
  /** What is known of the network, or null as long as there is none. */
  card = null;
  /** The tab that is open. */
  tab = null;
  /** @type {import("./network.js").Layer[]} */
  layers = [];
  /** 28 x 28 grey levels that the network sees, or null where nothing is drawn. */
  pixels = null;
  /** The digit's true class where it is known. */
  label = null;
  /** The normalised picture and what comes out of each layer, or null. */
  outputs = null;
  /** Switched-off channels by layer index. */
  off = new Map();
  /** Milliseconds of a forward pass: the median of the last ones. */
  milliseconds = 0;
  /** The selected map: {layer, unit} by index, or null. */
  selected = null;
  /** The map under the pointer or the keyboard's focus, or null. */
  pointed = null;

  #listeners = new Map(Object.keys(EVENTS).map((event) => [event, []]));
  #passes = [];

  /** Names of the classes; of a page without a network, the digits. */
  get classNames() {
    return this.card?.class_names ?? [..."0123456789"];
  }

  /** Call `listener` with what is told whenever `event` happens. */
  on(event, listener) {
    this.#listeners.get(event).push(listener);
  }

  emit(event, value) {
    for (const listener of this.#listeners.get(event)) listener(value);
  }

  /** Put another network on the page. */
  setModel({ card, tensors }) {
    this.card = card;
    this.layers = buildNetwork(card.config, tensors);
    this.off = new Map();
    this.#passes = [];
    this.deselect();
    this.emit(EVENTS.model);
    this.run();
  }

  /** Show the network a picture (null: nothing), with its class where that is known. */
  setPixels(pixels, label = null) {
    this.pixels = pixels;
    this.label = label;
    this.run();
  }

  /** Run the network again and tell everybody. */
  run() {
    const { card, layers, pixels, off } = this;
    if (card && pixels) {
      const start = performance.now();
      this.outputs = forward(layers, normalise(pixels, card), off);
      this.milliseconds = this.#median(performance.now() - start);
    } else {
      this.outputs = null;
    }
    this.emit(EVENTS.outputs);
  }

  /** The median of the last few passes: one alone may wait for another program. */
  #median(milliseconds) {
    this.#passes = [...this.#passes, milliseconds].slice(-PASSES);
    return [...this.#passes].sort((a, b) => a - b)[Math.floor(this.#passes.length / 2)];
  }

  /** The probability of each class, or null. */
  probabilities() {
    return this.outputs && this.outputs.at(-1);
  }

  /** The values of one map (or the one value of a unit), or null where nothing is drawn. */
  mapOf(layerIndex, unit) {
    if (!this.outputs) return null;
    const area = this.layers[layerIndex].size ** 2;
    return this.outputs[layerIndex].subarray(unit * area, (unit + 1) * area);
  }

  select(layer, unit) {
    this.selected = { layer, unit };
    this.emit(EVENTS.selected);
  }

  deselect() {
    this.selected = null;
    this.emit(EVENTS.selected);
  }

  /** Point at a map; a layer of null points at none. */
  pointAt(layer, unit) {
    this.pointed = layer === null ? null : { layer, unit };
    this.emit(EVENTS.pointed);
  }

  /** Switch a channel of a layer off, or on again. */
  switchUnit(layer, unit) {
    const units = this.off.get(layer) ?? new Set();
    if (!units.delete(unit)) units.add(unit);
    this.off.set(layer, units);
    this.emit(EVENTS.off);
    this.run();
  }

  switchAllOn() {
    this.off.clear();
    this.emit(EVENTS.off);
    this.run();
  }

  isOff(layer, unit) {
    return this.off.get(layer)?.has(unit) ?? false;
  }

  /** How many channels are switched off in the whole network. */
  countOff() {
    return [...this.off.values()].reduce((sum, units) => sum + units.size, 0);
  }
}
