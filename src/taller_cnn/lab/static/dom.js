/** Building the page's elements. */
import { say } from "./language.js";

const SAID = { text: "content", label: "aria-label", hint: "title", alt: "alt" };

/**
 * An element with its attributes and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Object} [props] `text`, `label` (for screen readers), `hint`: a text's key, or
 *   [key, values]; `plain`: words as they are; `class`; `on`: {event: listener}; anything else
 *   is an attribute, left out where it is false or null.
 * @param {...(Node|string|null)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name in SAID) {
      const [key, values] = [value].flat();
      say(element, key, values, SAID[name]);
      continue;
    }
    if (name === "plain") element.textContent = value;
    else if (name === "on") listenAll(element, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function listenAll(element, listeners) {
  for (const [event, listener] of Object.entries(listeners)) {
    element.addEventListener(event, listener);
  }
}

/** A button with a text. */
export function button(key, click, props = {}) {
  return make("button", { type: "button", text: key, on: { click }, ...props });
}

/** A canvas of `width` x `height` points whose size on the page is the style sheet's. */
export function canvas(width, height = width, props = {}) {
  return make("canvas", { width, height, ...props });
}

/**
 * A select box with a label before it.
 *
 * @param {string} id
 * @param {string} key the label's text
 * @param {[string, string][]} options value and text key of each
 * @param {(value: string) => void} change
 */
export function choice(id, key, options, chosen, change) {
  const select = make("select", { id, on: { change: () => change(select.value) } });
  for (const [value, label] of options) {
    const option = make("option", { value, text: label });
    option.selected = value === chosen;
    select.append(option);
  }
  return labelled(key, select);
}

/** A control with its label before it; the control has an id. */
export function labelled(key, control) {
  return make("div", { class: "field" }, make("label", { for: control.id, text: key }), control);
}

/** Words for screen readers only. */
export function unseen(text) {
  return make("span", { class: "unseen", text });
}

/** A switch: a check box with its label. */
export function toggle(key, on, change) {
  const box = make("input", { type: "checkbox", on: { change: () => change(box.checked) } });
  box.checked = on;
  return make("label", { class: "toggle" }, box, make("span", { text: key }));
}

/**
 * Arrow keys among the buttons of a grid: one stop for the Tab key, arrows inside.
 *
 * @param {HTMLElement} grid
 * @param {() => number} columns how many buttons stand in a row
 */
export function arrowKeys(grid, columns) {
  /** @returns {HTMLButtonElement[]} */
  const cells = () => [...grid.querySelectorAll("button")].filter(({ hidden }) => !hidden);
  /** @returns {HTMLButtonElement} */
  const cellOf = ({ target }) => target.closest("button");
  const enter = (cell) => {
    for (const other of cells()) other.tabIndex = other === cell ? 0 : -1;
  };
  grid.addEventListener("focusin", (event) => {
    const cell = cellOf(event);
    if (cell) enter(cell);
  });
  grid.addEventListener("keydown", (event) => {
    const all = cells();
    const at = all.indexOf(cellOf(event));
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() };
    let to = at + (steps[event.key] ?? 0);
    if (event.key === "Home") to = 0;
    if (event.key === "End") to = all.length - 1;
    if (at < 0 || to === at || !all[to]) return;
    event.preventDefault();
    all[to].focus();
  });
  oneTabStop(grid);
}

/** The first button of a grid is its stop for the Tab key; again whenever its buttons change. */
export function oneTabStop(grid) {
  grid.querySelectorAll("button").forEach((cell, index) => {
    cell.tabIndex = index === 0 ? 0 : -1;
  });
}
