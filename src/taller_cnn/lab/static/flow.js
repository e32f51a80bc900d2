/** Every layer of the network from left to right, each as its maps, live. */
import { colourOf, maxAbs, paintGrey, paintMap, paintScale, shortNumber } from "./colours.js";
import { arrowKeys, button, canvas, make, oneTabStop, unseen } from "./dom.js";
import { chance, sayPlain } from "./language.js";
import { isClasses, layerTitle, shapeOf, switchOf, unitName } from "./layers.js";

/** More maps (or units) than this are shown on request. */
const MOST_MAPS = 64;
const MOST_UNITS = 256;
/** Points of a map's side: the most, the fewest, and those in a flow wider than the screen. */
const LARGEST_MAP = 44;
const SMALLEST_MAP = 9;
const MAP_OF_WIDE_FLOW = 24;
/** Points between two units, as in the style sheet. */
const UNIT_GAP = 3;
/** The grey levels of the input's legend. */
const GREYS = Uint8Array.from({ length: 64 }, (_, k) => 4 * k);

/**
 * @typedef {Object} Column what the page keeps of a layer's column
 * @property {import("./network.js").Layer} layer
 * @property {HTMLElement} element
 * @property {HTMLButtonElement[]} units
 * @property {"classes"|"maps"|"cells"} form how its units are shown
 * @property {number} across units that stand side by side
 */

/** The columns of a session's network, none yet; `range`: over what colours are comparable. */
export function makeFlow(session, ...behind) {
  const flow = { session, columns: [], range: "layer" };
  flow.element = make("div", { class: "flow" }, ...behind);
  return flow;
}

/** Make colours comparable within a `map`, a `layer` or the whole `net`. */
export function setRange(flow, mode) {
  flow.range = mode;
  paintColumns(flow);
}

/** Build the columns of the session's present network. */
export function buildColumns(flow) {
  for (const { element } of flow.columns) element.remove();
  flow.columns = flow.session.layers.map((layer) => makeColumn(flow, layer));
  flow.element.append(...flow.columns.map(({ element }) => element));
  paintScales(flow);
}

function makeColumn(flow, layer) {
  const form = isClasses(layer) ? "classes" : layer.size > 1 ? "maps" : "cells";
  const column = { layer, form, units: [], across: 1 };
  column.scale = canvas(64, 1, { class: "scale", "aria-hidden": "true" });
  column.ends = make("span");
  column.grid = make("div", {
    class: `units ${form}`,
    role: "group",
    label: ["units_label", { name: layer.name }],
  });
  column.element = make(
    "section",
    { class: `column ${layer.kind}`, "data-layer": layer.name },
    make(
      "header",
      { hint: layerTitle(layer) },
      make("h3", { plain: layer.name }),
      make("p", { class: "shape", plain: shapeOf(layer) }),
      make("p", { class: "legend" }, column.scale, column.ends),
    ),
    column.grid,
  );
  const most = form === "maps" ? MOST_MAPS : MOST_UNITS;
  addUnits(flow.session, column, Math.min(layer.channels, most));
  arrowKeys(column.grid, () => column.across);
  if (layer.channels > most) column.element.append(moreButton(flow, column));
  return column;
}

function moreButton(flow, column) {
  const values = { n: column.layer.channels, shown: column.units.length };
  const more = button(["show_all", values], () => {
    more.remove();
    addUnits(flow.session, column, column.layer.channels);
    fitFlow(flow);
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
  oneTabStop(grid);
}

/**
 * Let the columns fill the room that there is: units as large as they can be while all columns,
 * from the image to the classes, can be seen at once. On a narrow screen they go on to the right.
 */
export function fitFlow(flow) {
  const { element, columns } = flow;
  if (!columns.length || element.offsetParent === null) return;
  element.classList.remove("tight");
  let fit = largestFit(flow);
  if (!fit.fits) {
    element.classList.add("tight");
    fit = largestFit(flow);
  }
  const side = fit.fits ? fit.side : MAP_OF_WIDE_FLOW;
  for (const column of columns) {
    const { across, size } = placeUnits(column, side, fit.room);
    column.across = across;
    column.grid.style.setProperty("--across", String(across));
    column.grid.style.setProperty("--unit", `${size}px`);
  }
}

/** The largest side of a map with which all columns fit into the room, if there is one. */
function largestFit({ element, columns }) {
  const style = getComputedStyle(element);
  const lengthOf = (name) => parseFloat(style.getPropertyValue(name)) * rootFontSize();
  const room = {
    width: element.parentElement.clientWidth - 2 * lengthOf("--edge"),
    height: element.parentElement.clientHeight - 2 * lengthOf("--edge") - lengthOf("--head"),
    head: lengthOf("--least-column"),
    classes: lengthOf("--classes"),
  };
  const gaps = (columns.length - 1) * lengthOf("--gap");
  const fits = (side) => widthOf(columns, side, room) + gaps <= room.width;
  let side = LARGEST_MAP;
  while (side > SMALLEST_MAP && !fits(side)) side -= 1;
  return { side, room, fits: fits(side) };
}

const rootFontSize = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

const widthOf = (columns, side, room) =>
  columns.reduce((sum, column) => sum + placeUnits(column, side, room).width, 0);

/** How many units of a column stand side by side where maps have `side` points, and its width. */
function placeUnits({ form, layer, units }, side, { height, head, classes }) {
  if (form === "classes") return { across: 1, size: side, width: classes };
  const large = layer.kind === "input" ? 2.2 : 1;
  const size = form === "maps" ? Math.round(large * side) : Math.max(5, Math.round(0.4 * side));
  const pitch = size + UNIT_GAP;
  const across = Math.ceil(units.length / Math.max(1, Math.floor(height / pitch)));
  return { across, size, width: Math.max(head, across * pitch) };
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
      label: form === "classes" ? null : unitName(session, layer, unit),
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
    make("span", { class: "amount" }),
  ];
}

/** The legends' colours, which only the theme changes. */
export function paintScales({ columns }) {
  for (const { layer, scale } of columns) {
    if (layer.kind === "input") paintGrey(scale, GREYS, GREYS.length, 1);
    else paintScale(scale, layer.kind === "softmax" ? 0 : -1);
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

/** How far the colours of a layer reach: to its own largest value, or to that of the whole net. */
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
    const [, , amount] = element.children;
    element.style.setProperty("--tint", colourOf(map ? map[0] / 2 : 0, range));
    sayPlain(amount, map ? amountOf(layer, map[0]) : "");
  },
};

const amountOf = (layer, value) =>
  layer.kind === "softmax" ? chance(value, 1) : shortNumber(value);

/** What the colours of a layer reach; of colours per map, those of the pointed map. */
function paintLegend(flow, { layer, ends }) {
  if (!flow.session.outputs) sayPlain(ends, "");
  else if (layer.kind === "input") sayPlain(ends, "0–255");
  else if (layer.kind === "softmax") sayPlain(ends, "0–1");
  else sayPlain(ends, shownRange(flow, layer));
}

function shownRange(flow, layer) {
  const { session } = flow;
  if (flow.range !== "map") return plusMinus(rangeOf(flow, layer));
  if (session.pointed?.layer !== layer.index) return "±";
  return plusMinus(maxAbs(session.mapOf(layer.index, session.pointed.unit)));
}

/** The ends of a scale around zero; one that reaches nowhere has none. */
const plusMinus = (range) => (range > 0 ? `±${shortNumber(range)}` : "0");

/** Mark the selected map, and show the pointed one's own range. */
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
