/** *Look inside*: the layers, the chosen map, why, and the sketch. */
import { blank, extremes, maxAbs, paintGrey, paintMap, shortNumber } from "./colours.js";
import { makeDetail } from "./detail.js";
import { canvas, choice, make } from "./dom.js";
import { markSources, paintEdges } from "./edges.js";
import {
  buildColumns,
  makeFlow,
  markColumns,
  paintColumns,
  paintScales,
  setRange,
} from "./flow.js";
import { beforeFrame } from "./frames.js";
import { say } from "./language.js";
import { isClasses } from "./layers.js";
import { EVENTS } from "./session.js";
import { makeSketch } from "./sketch.js";
import { makeWhy } from "./why.js";

/** The panel's content; the drawing pad is moved to its top when the tab is opened. */
export function makeInside(session) {
  const inside = { session };
  inside.edges = canvas(1, 1, { class: "edges", "aria-hidden": "true" });
  inside.flow = makeFlow(session, inside.edges);
  inside.scroller = make(
    "div",
    { class: "flow-scroll", tabindex: "0", role: "region", label: "flow_label" },
    inside.flow.element,
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
      rangeChoice(inside.flow),
      inside.time,
    ),
    make("p", { class: "hint", text: "inside_text" }),
    inside.scroller,
    inside.pointed.element,
    makeDetail(session),
    makeWhy(session),
    makeSketch(session),
  );
  listen(inside);
  return inside;
}

function listen(inside) {
  const { session, flow } = inside;
  const redraw = () => {
    inside.moved = true;
    redrawSoon(inside);
  };
  session.on(EVENTS.model, () => {
    buildColumns(flow);
    redraw();
  });
  for (const event of [EVENTS.language, EVENTS.theme, EVENTS.tab, EVENTS.off]) {
    session.on(event, redraw);
  }
  session.on(EVENTS.theme, () => paintScales(flow));
  session.on(EVENTS.outputs, () => redrawSoon(inside));
  session.on(EVENTS.pointed, () => {
    markColumns(flow);
    showPointed(inside);
    markSources(session, flow);
    paintEdges(session, flow, inside.edges);
  });
  session.on(EVENTS.selected, () => {
    markColumns(flow);
    markSources(session, flow);
    if (session.tab === "inside") paintEdges(session, flow, inside.edges);
    if (session.selected) document.getElementById("detail").scrollIntoView({ block: "nearest" });
  });
  new ResizeObserver(redraw).observe(flow.element);
}

/** Paint once before the browser's next frame, and only while the tab is open. */
function redrawSoon(inside) {
  const { session, flow } = inside;
  if (inside.due || session.tab !== "inside") return;
  inside.due = true;
  beforeFrame(() => {
    inside.due = false;
    paintColumns(flow);
    // A drawing alone moves no line, and looking where they end would cost a layout of the page.
    if (inside.moved || carriesInputs(session)) {
      markSources(session, flow);
      paintEdges(session, flow, inside.edges);
    }
    inside.moved = false;
    showPointed(inside);
    if (session.outputs) say(inside.time, "forward_time", { ms: session.milliseconds });
    else say(inside.time, "draw_something");
  });
}

/** Whether the lines into a map depend on the drawing, which those into other maps do not. */
function carriesInputs({ pointed, selected, layers }) {
  const at = pointed ?? selected;
  return at !== null && layers[at.layer].kind === "linear";
}

function rangeChoice(flow) {
  /** @type {[string, string][]} */
  const modes = [
    ["map", "range_map"],
    ["layer", "range_layer"],
    ["net", "range_net"],
  ];
  return choice("range-choice", "range", modes, "layer", (mode) =>
    setRange(flow, mode),
  );
}

/** The pointed map, enlarged, with its extent in words. */
function makePointed() {
  const picture = canvas(28, 28, { class: "pointed-map", "aria-hidden": "true" });
  const words = make("p", {});
  return { element: make("div", { class: "pointed" }, picture, words), picture, words };
}

function showPointed({ session, pointed: { picture, words } }) {
  const at = session.pointed ?? session.selected;
  const map = at && session.mapOf(at.layer, at.unit);
  if (!map) {
    blank(picture);
    say(words, "point_at_a_map");
    return;
  }
  const layer = session.layers[at.layer];
  if (layer.kind === "input") paintGrey(picture, session.pixels);
  else paintMap(picture, map, layer.size, maxAbs(map));
  const [least, most] = extremes(map).map(shortNumber);
  const unit = isClasses(layer) ? session.classNames[at.unit] : at.unit + 1;
  const values = { name: layer.name, unit, least, most };
  if (isClasses(layer)) say(words, "pointed_class", values);
  else if (map.length === 1) say(words, "pointed_unit", values);
  else say(words, "pointed_map", values);
}
