/** Every layer of the network from left to right, each as its maps, live. */
import {
  colourOf,
  extremes,
  maxAbs,
  paintGrey,
  paintMap,
  paintScale,
  shortNumber,
} from "./colours.js";
import { arrowKeys, button, canvas, make, oneTabStop, unseen } from "./dom.js";
import { chance, say, sayPlain } from "./language.js";
import { isClasses, layerTitle, shapeOf, switchOf } from "./layers.js";

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
 * @property {import("./network.js").Layer} layer
 * @property {HTMLElement} element
 * @property {HTMLButtonElement[]} units
 * @property {number} across units that stand side by side
 */

/** The columns of a session's network, none yet; `range`: over what colours are comparable. */
export function makeFlow(session, ...behind) {
  const flow = { session, columns: [], range: "layer" };
  flow.element = make("div", { class: "flow" }, ...behind);
  flow.behind = behind;
  return flow;
}

/** Make colours comparable within a `map`, a `layer` or the whole `net`. */
export function setRange(flow, mode) {
  flow.range = mode;
  paintColumns(flow);
}

/** Build the columns of the session's present network. */
export function buildColumns(flow) {
  flow.columns = flow.session.layers.map((layer) => makeColumn(flow, layer));
  flow.element.replaceChildren(...flow.behind, ...flow.columns.map(({ element }) => element));
  paintScales(flow);
}

function makeColumn(flow, layer) {
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
  addUnits(flow.session, column, Math.min(layer.channels, most));
  arrowKeys(column.grid, () => column.across);
  if (layer.channels > most) column.element.append(moreButton(flow, column));
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

function moreButton(flow, column) {
  const values = { n: column.layer.channels, shown: column.units.length };
  const more = button(["show_all", values], () => {
    more.remove();
    addUnits(flow.session, column, column.layer.channels);
    paintColumn(flow, column);
  });
  return more;
}

function addUnits(session, column, count) {
  const { layer, form, grid, units } = column;
  for (let unit = units.length; unit < count; unit += 1) {
    const element = makeUnit(session, layer, unit, form);
    units.push(element);
    grid.append(element);
  }
  const rows = form === "classes" ? count : form === "maps" ? MAP_ROWS : UNIT_ROWS;
  column.across = Math.max(1, Math.ceil(count / rows));
  grid.style.setProperty("--across", column.across);
  grid.classList.toggle("many", column.across > 2);
  oneTabStop(grid);
}

function makeUnit(session, layer, unit, form) {
  const show = () => session.pointAt(layer.index, unit);
  const hide = () => session.pointAt(null);
  return make(
    "button",
    {
      type: "button",
      class: "unit",
      "aria-pressed": "false",
      label: form === "classes" ? null : ["unit_label", { name: layer.name, unit: unit + 1 }],
      on: {
        click: () => session.select(layer.index, unit),
        pointerenter: show,
        pointerleave: hide,
        focus: show,
        blur: hide,
      },
    },
    ...unitBody(session, layer, form, unit),
  );
}

function unitBody(session, layer, form, unit) {
  if (form === "maps") return [canvas(28, 28, { "aria-hidden": "true" })];
  if (form === "cells") return [];
  return [
    unseen(["class_label", { name: layer.name }]),
    " ",
    make("b", { plain: session.classNames[unit] }),
    make("span", { class: "swatch", "aria-hidden": "true" }),
    make("span", { class: "amount" }),
  ];
}

/** The legends' colours, which only the theme changes. */
export function paintScales({ columns }) {
  for (const { layer, scale } of columns) {
    if (layer.kind === "input") paintGrey(scale, GREYS, GREYS.length, 1);
    else paintScale(scale);
  }
}

/** Paint all columns again; nothing is drawn on the pad: empty maps. */
export function paintColumns(flow) {
  for (const column of flow.columns) paintColumn(flow, column);
}

function paintColumn(flow, column) {
  const { session } = flow;
  const { layer, units, form } = column;
  paintLegend(flow, column);
  const range = rangeOf(flow, layer);
  const main = switchOf(session.layers, layer);
  units.forEach((element, unit) => {
    const map = session.mapOf(layer.index, unit);
    const own = flow.range === "map" && map && layer.kind !== "softmax" ? maxAbs(map) : range;
    PAINTERS[form](element, layer, map, own, session.pixels);
    element.classList.toggle("off", main !== null && session.isOff(main, unit));
  });
}

/** How far the colours of a layer maxAbs: to its own largest value, or to that of the whole net. */
function rangeOf({ session, range }, layer) {
  const { outputs } = session;
  if (!outputs) return 0;
  if (layer.kind === "softmax") return 1;
  if (range !== "net") return maxAbs(outputs[layer.index]);
  // All layers between the image and the probabilities.
  return Math.max(...outputs.slice(1, -1).map(maxAbs));
}

const PAINTERS = {
  maps(element, layer, map, range, pixels) {
    const target = element.firstElementChild;
    if (layer.kind === "input" && pixels) paintGrey(target, pixels);
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

/** What the layer's values and its colours maxAbs; of colours per map, those of the pointed map. */
function paintLegend(flow, { layer, low, high, extent }) {
  const values = flow.session.outputs?.[layer.index];
  if (!values) {
    for (const words of [low, high, extent]) sayPlain(words, "");
    return;
  }
  const [least, largest] = extremes(values);
  say(extent, "extent", { least: shortNumber(least), largest: shortNumber(largest) });
  const [from, to] = layer.kind === "input" ? ["0", "255"] : endsOf(flow, layer);
  sayPlain(low, from);
  sayPlain(high, to);
}

/** The words at the ends of a layer's legend. */
function endsOf(flow, layer) {
  const { session } = flow;
  let range = rangeOf(flow, layer);
  if (flow.range === "map" && layer.kind !== "softmax") {
    if (session.pointed?.layer !== layer.index) return ["−max", "+max"];
    range = maxAbs(session.mapOf(layer.index, session.pointed.unit));
  }
  return [`−${shortNumber(range)}`, `+${shortNumber(range)}`];
}

/** Mark the chosen map, and show the pointed one's own range. */
export function markColumns(flow) {
  for (const column of flow.columns) {
    column.units.forEach((element, unit) => {
      const { selected } = flow.session;
      const is = selected?.layer === column.layer.index && selected.unit === unit;
      element.setAttribute("aria-pressed", String(is));
    });
    if (flow.range === "map") paintLegend(flow, column);
  }
}
