/** The gradient walks from right to left through the same layers that the digit came through. */
import { maxAbs, paintMap, shortNumber } from "./colours.js";
import { button, canvas, make } from "./dom.js";
import { say } from "./language.js";
import { layerTitle } from "./layers.js";
import { EVENTS } from "./session.js";

/** Maps shown of each layer at most. */
const GRADIENTS_SHOWN = 12;
/** Units of a fully connected layer stand in rows of so many. */
const UNITS_ACROSS = 8;
/** Milliseconds from a layer to the one before. */
const WALK = 450;

/**
 * The section; `paint(network)` shows what `lookBack` left in it.
 *
 * @param {import("./session.js").Session} session
 */
export function makeGradientFlow(session) {
  const flow = { columns: [], timer: 0, reached: 0 };
  const row = make("div", { class: "back-flow" });
  const scroller = make(
    "div",
    { class: "flow-scroll", tabindex: "0", role: "region", label: "back_flow_label" },
    row,
  );
  const walk = () => {
    clearInterval(flow.timer);
    reach(flow, flow.columns.length - 1);
    flow.timer = setInterval(() => {
      if (flow.reached === 0) clearInterval(flow.timer);
      else reach(flow, flow.reached - 1);
    }, WALK);
  };
  const oneBack = () => {
    clearInterval(flow.timer);
    reach(flow, flow.reached === 0 ? flow.columns.length - 1 : flow.reached - 1);
  };
  session.on(EVENTS.model, () => {
    clearInterval(flow.timer);
    flow.columns = session.layers.slice(0, -1).map(makeGradientColumn);
    row.replaceChildren(...flow.columns.map(({ element }) => element));
    flow.reached = 0;
  });
  const element = make(
    "section",
    { class: "card" },
    make("h3", { text: "back_flow_title" }),
    make("p", { class: "sentence", text: "back_flow_text" }),
    make("div", { class: "pair" }, button("back_walk", walk), button("back_one", oneBack)),
    scroller,
  );
  return {
    element,
    paint: ({ layers }) => layers.forEach((layer, index) => paintGradient(flow, layer, index)),
  };
}

/** Only the layers that the gradient has reached are seen; 0 is the image. */
function reach(flow, index) {
  flow.reached = index;
  flow.columns.forEach(({ element }, place) => element.classList.toggle("ahead", place < index));
  flow.columns[index].element.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function makeGradientColumn(layer) {
  const [key, values] = layerTitle(layer);
  const isMap = layer.size > 1;
  const count = isMap ? Math.min(layer.channels, GRADIENTS_SHOWN) : 1;
  const maps = Array.from({ length: count }, () =>
    canvas(1, 1, { class: isMap ? null : "units", "aria-hidden": "true" }),
  );
  const extent = make("p", { class: "hint" });
  const element = make(
    "div",
    { class: "back-column", "data-layer": layer.name },
    make("h4", { text: [key, values] }),
    make("div", { class: "back-maps" }, ...maps),
    extent,
  );
  return { element, maps, extent };
}

function paintGradient(flow, { layer, gradient }, index) {
  const { maps, extent } = flow.columns[index];
  const area = layer.size * layer.size;
  const values = gradient.subarray(0, layer.channels * area);
  const range = maxAbs(values);
  if (area === 1) {
    const across = values.length > 2 * UNITS_ACROSS ? UNITS_ACROSS : 1;
    maps[0].classList.toggle("narrow", across === 1);
    const padded = new Float32Array(Math.ceil(values.length / across) * across);
    padded.set(values);
    paintMap(maps[0], padded, across, range);
  } else {
    maps.forEach((map, unit) => {
      paintMap(map, values.subarray(unit * area, (unit + 1) * area), layer.size, range);
    });
  }
  extent.dataset.most = String(range);
  say(extent, "back_extent", { most: tiny(range) });
}

/** A gradient may be far below what a fixed count of decimals can tell. */
function tiny(value) {
  return value >= 0.01 || value === 0 ? shortNumber(value) : value.toExponential(1);
}
