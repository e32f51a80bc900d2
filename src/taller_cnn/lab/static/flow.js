/** Every layer of the network from left to right, each as its maps, live. */
import { arrowKeys, button, canvas, make, oneTabStop, unseen } from "./dom.js";
import {
  colourOf,
  extremes,
  paintGrey,
  paintMap,
  paintScale,
  reach,
  shortNumber,
} from "./colours.js";
import { chance, say, sayPlain } from "./language.js";
import { isOff, present } from "./present.js";
import {
  choose,
  focus,
  isClasses,
  layerTitle,
  mapOf,
  pointAt,
  shapeOf,
  switchOf,
} from "./focus.js";

/** Rows of maps, and of units, in a column. */
const MAP_ROWS = 8;
const UNIT_ROWS = 16;
/** More maps (or units) than this are shown on request. */
const MOST_MAPS = 64;
const MOST_UNITS = 256;
/** The grey levels of the input's legend. */
const GREYS = Uint8Array.from({ length: 64 }, (_, k) => 4 * k);

/**
 * @typedef {Object} Column what the page keeps of a layer's column
 * @property {Layer} layer
 * @property {HTMLElement} element
 * @property {HTMLButtonElement[]} units
 * @property {number} across units that stand side by side
 */

/** @type {Column[]} */
let shownColumns = [];
let rangeMode = "layer";

/** The columns that are on the page now. */
export function columns() {
  return shownColumns;
}

/** Make colours comparable within a `map`, a `layer` or the whole `net`. */
export function setRange(mode) {
  rangeMode = mode;
  paintColumns();
}

/** Build the columns of the present network into `parent`. */
export function buildColumns(parent) {
  shownColumns = present.layers.map((layer) => makeColumn(layer));
  parent.append(...shownColumns.map(({ element }) => element));
  paintScales();
}

function makeColumn(layer) {
  const form = isClasses(layer) ? "classes" : layer.size > 1 ? "maps" : "cells";
  const column = { layer, form, units: [] };
  column.scale = canvas(64, 1, { class: "scale", "aria-hidden": "true" });
  column.low = make("span");
  column.high = make("span");
  column.extent = make("p", { class: "extent" });
  column.grid = make("div", {
    class: `units ${form}`,
    role: "group",
    label: ["units_label", { name: layer.name }],
  });
  const legend = make("p", { class: "legend" }, column.low, column.scale, column.high);
  column.element = make(
    "section",
    { class: `column ${layer.kind}`, "data-layer": layer.name },
    columnHead(layer),
    column.extent,
    legend,
    column.grid,
    columnNote(layer),
  );
  const most = form === "maps" ? MOST_MAPS : MOST_UNITS;
  addUnits(column, Math.min(layer.channels, most));
  arrowKeys(column.grid, () => column.across);
  if (layer.channels > most) column.element.append(moreButton(column));
  return column;
}

function columnHead(layer) {
  const cost = layer.parameters
    ? [make("b", { text: ["parameters", { n: layer.parameters }] }), ` = ${layer.arithmetic}`]
    : [make("span", { text: "no_parameters" })];
  return make(
    "header",
    {},
    make("h3", { text: layerTitle(layer) }),
    make("p", { class: "shape", plain: shapeOf(layer) }),
    make("p", { class: "cost" }, ...cost),
  );
}

function columnNote(layer) {
  if (layer.normalised) return make("p", { class: "hint", text: "norm_folded" });
  if (layer.dropout) {
    return make("p", { class: "hint", text: ["dropout_rests", { share: layer.dropout }] });
  }
  return null;
}

function moreButton(column) {
  const values = { n: column.layer.channels, shown: column.units.length };
  const more = button(["show_all", values], () => {
    more.remove();
    addUnits(column, column.layer.channels);
    paintColumn(column);
  });
  return more;
}

function addUnits(column, count) {
  const { layer, form, grid, units } = column;
  for (let unit = units.length; unit < count; unit += 1) {
    const element = makeUnit(layer, unit, form);
    units.push(element);
    grid.append(element);
  }
  const rows = form === "classes" ? count : form === "maps" ? MAP_ROWS : UNIT_ROWS;
  column.across = Math.max(1, Math.ceil(count / rows));
  grid.style.setProperty("--across", column.across);
  grid.classList.toggle("many", column.across > 2);
  oneTabStop(grid);
}

function makeUnit(layer, unit, form) {
  const show = () => pointAt(layer.index, unit);
  const hide = () => pointAt(null);
  return make(
    "button",
    {
      type: "button",
      class: "unit",
      "aria-pressed": "false",
      label: form === "classes" ? null : ["unit_label", { name: layer.name, unit: unit + 1 }],
      on: {
        click: () => choose(layer.index, unit),
        pointerenter: show,
        pointerleave: hide,
        focus: show,
        blur: hide,
      },
    },
    ...unitBody(layer, form, unit),
  );
}

function unitBody(layer, form, unit) {
  if (form === "maps") return [canvas(28, 28, { "aria-hidden": "true" })];
  if (form === "cells") return [];
  return [
    unseen(["class_label", { name: layer.name }]),
    make("b", { plain: String(unit) }),
    make("span", { class: "swatch", "aria-hidden": "true" }),
    make("span", { class: "amount" }),
  ];
}

/** The legends' colours, which only the theme changes. */
export function paintScales() {
  for (const { layer, scale } of shownColumns) {
    if (layer.kind === "input") paintGrey(scale, GREYS, GREYS.length, 1);
    else paintScale(scale);
  }
}

/** Paint all columns again; nothing is drawn on the pad: empty maps. */
export function paintColumns() {
  for (const column of shownColumns) paintColumn(column);
}

function paintColumn(column) {
  const { layer, units, form } = column;
  paintLegend(column);
  const range = rangeOf(layer);
  const main = switchOf(layer);
  units.forEach((element, unit) => {
    const map = mapOf(layer.index, unit);
    const own = rangeMode === "map" && map && layer.kind !== "softmax" ? reach(map) : range;
    PAINTERS[form](element, layer, map, own);
    element.classList.toggle("off", main !== null && isOff(main, unit));
  });
}

/** How far the colours of a layer reach: to its own largest value, or to that of the whole net. */
function rangeOf(layer) {
  const { outputs } = present;
  if (!outputs) return 0;
  if (layer.kind === "softmax") return 1;
  if (rangeMode !== "net") return reach(outputs[layer.index]);
  // All layers between the image and the probabilities.
  return Math.max(...outputs.slice(1, -1).map(reach));
}

const PAINTERS = {
  maps(element, layer, map, range) {
    const target = element.firstElementChild;
    if (layer.kind === "input" && present.pixels) paintGrey(target, present.pixels);
    else paintMap(target, map ?? new Float32Array(layer.size ** 2), layer.size, range);
  },
  cells(element, _, map, range) {
    element.style.backgroundColor = colourOf(map ? map[0] : 0, range);
  },
  classes(element, layer, map, range) {
    const [, , swatch, amount] = element.children;
    swatch.style.backgroundColor = colourOf(map ? map[0] : 0, range);
    sayPlain(amount, map ? amountOf(layer, map[0]) : "");
  },
};

const amountOf = (layer, value) =>
  layer.kind === "softmax" ? chance(value, 1) : shortNumber(value);

/** What the layer's values and its colours reach; of colours per map, those of the pointed map. */
function paintLegend({ layer, low, high, extent }) {
  const values = present.outputs?.[layer.index];
  if (!values) {
    for (const words of [low, high, extent]) sayPlain(words, "");
    return;
  }
  const [least, largest] = extremes(values);
  say(extent, "extent", { least: shortNumber(least), largest: shortNumber(largest) });
  const [from, to] = layer.kind === "input" ? ["0", "255"] : endsOf(layer);
  sayPlain(low, from);
  sayPlain(high, to);
}

/** The words at the ends of a layer's legend. */
function endsOf(layer) {
  let range = rangeOf(layer);
  if (rangeMode === "map" && layer.kind !== "softmax") {
    if (focus.pointed?.layer !== layer.index) return ["−max", "+max"];
    range = reach(mapOf(layer.index, focus.pointed.unit));
  }
  return [`−${shortNumber(range)}`, `+${shortNumber(range)}`];
}

/** Mark the chosen map, and show the pointed one's own range. */
export function markColumns() {
  for (const column of shownColumns) {
    column.units.forEach((element, unit) => {
      const { chosen } = focus;
      const is = chosen?.layer === column.layer.index && chosen.unit === unit;
      element.setAttribute("aria-pressed", String(is));
    });
    if (rangeMode === "map") paintLegend(column);
  }
}
