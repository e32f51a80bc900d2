/** The ten probabilities as bars. */
import { argmax } from "./network.js";
import { make } from "./dom.js";
import { chance, say, sayPlain } from "./language.js";

/**
 * A list of ten bars.
 *
 * @param {string[]} names names of the classes
 * @returns {{element: HTMLElement, show: (p: ?Float32Array, label: ?number) => void}}
 */
export function makeBars(names) {
  const rows = names.map((name) => {
    const fill = make("span", { class: "bar-fill" });
    const value = make("span", { class: "bar-value" });
    const track = make("span", { class: "bar-track" }, fill);
    const row = make("li", { class: "bar" }, make("b", { plain: name }), track, value);
    return { row, fill, value };
  });
  const element = make("ol", { class: "bars", label: "bars_label" }, ...rows.map(({ row }) => row));
  return { element, show: (chances, label) => showBars(rows, chances, label) };
}

function showBars(rows, chances, label) {
  const top = chances ? argmax(chances) : -1;
  rows.forEach(({ row, fill, value }, index) => {
    const share = chances ? chances[index] : 0;
    fill.style.transform = `scaleX(${share})`;
    sayPlain(value, chances ? chance(share, 1) : "");
    row.classList.toggle("top", index === top);
    row.classList.toggle("true", index === label);
    row.classList.toggle("wrong", index === top && label !== null && label !== top);
  });
}

/** The reading in words, for everybody and for screen readers once the hand rests. */
export function makeVerdict() {
  const element = make("p", { class: "verdict", text: "draw_something" });
  const spoken = make("p", { class: "unseen", "aria-live": "polite" });
  let waiting;
  return {
    elements: [element, spoken],
    show(chances, label, names) {
      sayVerdict(element, chances, label, names);
      clearTimeout(waiting);
      waiting = setTimeout(() => sayPlain(spoken, element.textContent), 700);
    },
  };
}

function sayVerdict(element, chances, label, names) {
  if (!chances) {
    say(element, "draw_something");
    return;
  }
  const [first, second] = [...chances.keys()].sort((a, b) => chances[b] - chances[a]);
  const values = {
    name: names[first],
    chance: chances[first],
    second: names[second],
    less: chances[second],
    label: label === null ? "" : names[label],
  };
  if (label !== null) say(element, first === label ? "verdict_right" : "verdict_wrong", values);
  else say(element, chances[first] < 0.6 ? "verdict_unsure" : "verdict", values);
}
