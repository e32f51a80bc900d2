/** *Look inside*: the layers, the chosen map, why, and the sketch. */
import { canvas, choice, make, resay } from "./dom.js";
import { buildColumns, markColumns, paintColumns, paintScales, setRange } from "./flow.js";
import { markSources, paintEdges } from "./edges.js";
import { makeDetail } from "./detail.js";
import { beforeFrame } from "./frames.js";
import { makeSketch } from "./sketch.js";
import { makeWhy } from "./why.js";
import { focus, isClasses, mapOf } from "./focus.js";
import { on, present } from "./present.js";
import { blank, extremes, paintGrey, paintMap, reach, shortNumber } from "./colours.js";

/** The panel's content; the drawing pad is moved to its top when the tab is opened. */
export function makeInside() {
  const inside = {};
  inside.edges = canvas(1, 1, { class: "edges", "aria-hidden": "true" });
  inside.flow = make("div", { class: "flow" }, inside.edges);
  inside.scroller = make(
    "div",
    { class: "flow-scroll", tabindex: "0", role: "region", label: "flow_label" },
    inside.flow,
  );
  inside.pointed = makePointed();
  inside.time = make("p", { class: "hint" });
  inside.dock = make("div", { class: "dock-place" });
  inside.element = make(
    "div",
    {},
    inside.dock,
    make(
      "div",
      { class: "flow-head" },
      make("h2", { text: "inside_title" }),
      rangeChoice(),
      inside.time,
    ),
    make("p", { class: "hint", text: "inside_text" }),
    inside.scroller,
    inside.pointed.element,
    makeDetail(),
    makeWhy(),
    makeSketch(),
  );
  listen(inside);
  return inside;
}

function listen(inside) {
  const redraw = () => {
    inside.moved = true;
    redrawSoon(inside);
  };
  on("model", () => {
    inside.flow.replaceChildren(inside.edges);
    buildColumns(inside.flow);
    redraw();
  });
  for (const event of ["language", "theme", "shown", "off"]) on(event, redraw);
  on("theme", paintScales);
  on("outputs", () => redrawSoon(inside));
  on("pointed", () => {
    markColumns();
    showPointed(inside.pointed);
    markSources();
    paintEdges(inside.edges);
  });
  on("chosen", () => {
    markColumns();
    markSources();
    if (present.tab === "inside") paintEdges(inside.edges);
    if (focus.chosen) document.getElementById("detail").scrollIntoView({ block: "nearest" });
  });
  new ResizeObserver(redraw).observe(inside.flow);
}

/** Paint once before the browser's next frame, and only while the tab is open. */
function redrawSoon(inside) {
  if (inside.due || present.tab !== "inside") return;
  inside.due = true;
  beforeFrame(() => {
    inside.due = false;
    paintColumns();
    // A drawing alone moves no line, and looking where they end would cost a layout of the page.
    if (inside.moved || carriesInputs(focus.pointed ?? focus.chosen)) {
      markSources();
      paintEdges(inside.edges);
    }
    inside.moved = false;
    showPointed(inside.pointed);
    if (present.outputs) resay(inside.time, "forward_time", { ms: present.milliseconds });
    else resay(inside.time, "draw_something", {});
  });
}

/** Whether the lines into a map depend on the drawing, which those into other maps do not. */
const carriesInputs = (at) => at !== null && present.layers[at.layer].kind === "linear";

function rangeChoice() {
  const modes = [
    ["map", "range_map"],
    ["layer", "range_layer"],
    ["net", "range_net"],
  ];
  return choice("range-choice", "range", modes, "layer", setRange);
}

/** The pointed map, enlarged, with its extent in words. */
function makePointed() {
  const picture = canvas(28, 28, { class: "pointed-map", "aria-hidden": "true" });
  const words = make("p", {});
  return { element: make("div", { class: "pointed" }, picture, words), picture, words };
}

function showPointed({ picture, words }) {
  const at = focus.pointed ?? focus.chosen;
  const map = at && mapOf(at.layer, at.unit);
  if (!map) {
    blank(picture);
    resay(words, "point_at_a_map", {});
    return;
  }
  const layer = present.layers[at.layer];
  if (layer.kind === "input") paintGrey(picture, present.pixels);
  else paintMap(picture, map, layer.size, reach(map));
  const [least, most] = extremes(map).map(shortNumber);
  const values = { name: layer.name, unit: at.unit + 1, least, most };
  if (isClasses(layer)) resay(words, "pointed_class", { ...values, unit: at.unit });
  else if (map.length === 1) resay(words, "pointed_unit", values);
  else resay(words, "pointed_map", values);
}
