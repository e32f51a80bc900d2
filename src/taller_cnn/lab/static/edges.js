/** The connections between the columns, behind them. */
import { colourOf, maxAbs } from "./colours.js";

/** Lines of the pointed map; more would be a solid block. */
const MOST_LINES = 160;

/**
 * Draw the connections anew.
 *
 * @param {HTMLCanvasElement} target lies behind the columns, as large as they are together
 */
export function paintEdges(session, flow, target) {
  const place = target.parentElement;
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [place.scrollWidth, place.scrollHeight];
  target.width = width * ratio;
  target.height = height * ratio;
  target.style.width = `${width}px`;
  target.style.height = `${height}px`;
  const context = target.getContext("2d");
  context.scale(ratio, ratio);
  const origin = target.getBoundingClientRect();
  const faint = getComputedStyle(place).getPropertyValue("--line");
  const all = flow.columns;
  for (let index = 1; index < all.length; index += 1) {
    paintGap(context, origin, all[index - 1], all[index], faint);
  }
  const pointed = session.pointed ?? session.selected;
  if (pointed && pointed.layer > 0) paintSources(session, context, origin, all, pointed);
}

/** Whether each map has one source, its namesake. */
const oneToOne = ({ kind }) => kind === "activation" || kind === "pool";

/** All connections of two columns, row by row. */
function paintGap(context, origin, from, to, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  const rows = (column) => column.units.filter((_, unit) => unit % column.across === 0);
  for (const [k, source] of rows(from).entries()) {
    for (const [m, target] of rows(to).entries()) {
      if (oneToOne(to.layer) && k !== m) continue;
      edgeLine(context, ends(origin, from, source, 0, to, target, 0));
    }
  }
}

/**
 * Where the line from one unit to another starts and ends, in the gap of their columns.
 *
 * @returns {[number, number, number, number]} x and y of both ends
 */
function ends(origin, from, source, sourceShift, to, target, targetShift) {
  const left = from.grid.getBoundingClientRect().right - origin.left;
  const right = to.grid.getBoundingClientRect().left - origin.left;
  const middle = (element, shift) => {
    const box = element.getBoundingClientRect();
    return box.top - origin.top + box.height * (0.5 + shift);
  };
  return [left, middle(source, sourceShift), right, middle(target, targetShift)];
}

function edgeLine(context, [x, y, toX, toY]) {
  const bend = (toX - x) / 2;
  context.beginPath();
  context.moveTo(x, y);
  context.bezierCurveTo(x + bend, y, toX - bend, toY, toX, toY);
  context.stroke();
}

/** The lines into one map, coloured by what they carry. */
function paintSources(session, context, origin, all, { layer, unit }) {
  const to = all[layer];
  const from = all[layer - 1];
  const target = to.units[unit];
  if (!target) return;
  const links = linksOf(session, to.layer, unit).filter(({ source }) => source < from.units.length);
  const most = maxAbs(links.map(({ weight }) => weight)) || 1;
  links.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  for (const { source, weight } of links.slice(0, MOST_LINES).reverse()) {
    context.strokeStyle = colourOf(Math.sign(weight) * Math.max(0.35, Math.abs(weight) / most), 1);
    context.lineWidth = 0.75 + (3 * Math.abs(weight)) / most;
    // Sources of one row start a little apart, or their lines would hide each other.
    const shift = ((source % from.across) + 0.5) / from.across - 0.5;
    edgeLine(context, ends(origin, from, from.units[source], 0.7 * shift, to, target, 0));
  }
}

/**
 * What ties a map to those before it: the sum of a kernel's weights; of a fully connected unit,
 * the products of weights and present inputs, summed over each map.
 *
 * @returns {{source: number, weight: number}[]}
 */
function linksOf(session, layer, unit) {
  if (oneToOne(layer)) return [{ source: unit, weight: 1 }];
  const before = session.layers[layer.index - 1];
  const share = (layer.inputs * (layer.kernel ?? 1) ** 2) / before.channels;
  return Array.from({ length: before.channels }, (_, source) => {
    if (!layer.weight) return { source, weight: source === unit ? 1 : 0.2 };
    const map = layer.kind === "linear" ? session.mapOf(before.index, source) : null;
    const start = (unit * before.channels + source) * share;
    let weight = 0;
    for (let k = 0; k < share; k += 1) weight += layer.weight[start + k] * (map ? map[k] : 1);
    return { source, weight };
  });
}

/** The maps that one is made of, by their index in the layer before. */
export function markSources(session, flow) {
  const pointed = session.pointed ?? session.selected;
  const sources =
    pointed && pointed.layer > 0 && oneToOne(session.layers[pointed.layer]) ? pointed.unit : null;
  for (const { layer, units } of flow.columns) {
    const before = pointed && layer.index === pointed.layer - 1;
    units.forEach((element, unit) => {
      element.classList.toggle("source", Boolean(before) && (sources ?? unit) === unit);
    });
  }
}
