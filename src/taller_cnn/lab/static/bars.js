/** The ten probabilities as bars. */
import { make } from "./dom.js";
import { chance, say, sayPlain } from "./language.js";
import { argmax } from "./network.js";

/**
 * A list with one bar for each class.
 *
 * @returns {{element: HTMLElement,
 *   show: (names: string[], chances: ?Float32Array, label: ?number) => void}}
 */
export function makeBars() {
  const bars = { names: [], rows: [] };
  bars.element = make("ol", { class: "bars", label: "bars_label" });
  return { element: bars.element, show: (...reading) => showBars(bars, ...reading) };
}

function nameBars(bars, names) {
  bars.names = names;
  bars.rows = names.map((name) => {
    const fill = make("span", { class: "bar-fill" });
    const value = make("span", { class: "bar-value" });
    const track = make("span", { class: "bar-track" }, fill);
    const row = make("li", { class: "bar" }, make("b", { plain: name }), track, value);
    return { row, fill, value };
  });
  bars.element.replaceChildren(...bars.rows.map(({ row }) => row));
}

function showBars(bars, names, chances, label) {
  if (names.join() !== bars.names.join()) nameBars(bars, names);
  const top = chances ? argmax(chances) : -1;
  bars.rows.forEach(({ row, fill, value }, index) => {
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
    show(names, chances, label) {
      sayVerdict(element, names, chances, label);
      clearTimeout(waiting);
      waiting = setTimeout(() => sayPlain(spoken, element.textContent), 700);
    },
  };
}

function sayVerdict(element, names, chances, label) {
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
