/** *Look inside*: the layers, the chosen map, why, and the sketch. */
import { blank, extremes, maxAbs, paintGrey, paintMap, shortNumber } from "./colours.js";
import { leaveDetail, makeDetail } from "./detail.js";
import { canvas, choice, make } from "./dom.js";
import { markSources, paintEdges } from "./edges.js";
import {
  buildColumns,
  fitFlow,
  makeFlow,
  markColumns,
  paintColumns,
  paintScales,
  setRange,
} from "./flow.js";
import { beforeFrame } from "./frames.js";
import { say } from "./language.js";
import { unitName } from "./layers.js";
import { EVENTS } from "./session.js";
import { makeSketch } from "./sketch.js";
import { makeWhy } from "./why.js";

/**
 * The panel's content. On one screen: the drawing pad with the bars, which is moved into `dock` when
 * the tab is opened, all layers, and beside them a drawer with what was selected.
 */
export function makeInside(session) {
  const inside = { session };
  inside.edges = canvas(1, 1, { class: "edges", "aria-hidden": "true" });
  inside.flow = makeFlow(session, inside.edges);
  inside.scroller = make(
    "div",
    { class: "flow-scroll", tabindex: "0", role: "region", label: "flow_label" },
    inside.flow.element,
  );
  inside.time = make("p", { class: "hint" });
  inside.words = make("p", { class: "pointed-words" });
  inside.dock = make("div", { class: "rail" });
  inside.help = makeHelp();
  const head = make("div", { class: "flow-head" }, rangeChoice(inside.flow), inside.time);
  inside.element = make(
    "div",
    { class: "inside" },
    inside.dock,
    make(
      "div",
      { class: "stage" },
      make("div", { class: "flow-side" }, head, inside.scroller, inside.words),
      make("div", { class: "drawer" }, inside.help.element, makeDetail(session)),
    ),
    make("div", { class: "below" }, makeWhy(session), makeSketch(session)),
  );
  inside.element.addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && session.selected) leaveDetail(session);
  });
  listen(inside);
  return inside;
}

/** What the drawer has while nothing is selected: what to do, and the pointed map, enlarged. */
function makeHelp() {
  const picture = canvas(28, 28, { class: "pointed-map", "aria-hidden": "true" });
  const element = make(
    "section",
    { class: "card help" },
    make("h2", { text: "inside_title" }),
    make("p", { text: "inside_text" }),
    picture,
  );
  return { element, picture };
}

function listen(inside) {
  const { session, flow } = inside;
  const redraw = () => {
    // Columns, screen, language or letters may be others: so may the room.
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
  for (const event of [EVENTS.outputs, EVENTS.busy]) session.on(event, () => redrawSoon(inside));
  session.on(EVENTS.pointed, () => {
    markColumns(flow);
    showPointed(inside);
    markSources(session, flow);
    paintEdges(session, flow, inside.edges);
  });
  session.on(EVENTS.selected, () => {
    inside.help.element.hidden = session.selected !== null;
    markColumns(flow);
    markSources(session, flow);
    if (session.tab === "inside") paintEdges(session, flow, inside.edges);
  });
  new ResizeObserver(redraw).observe(inside.scroller);
}

/** Paint once before the browser's next frame, and only while the tab is open. */
function redrawSoon(inside) {
  const { session, flow } = inside;
  if (inside.due || session.tab !== "inside") return;
  inside.due = true;
  beforeFrame(() => {
    inside.due = false;
    if (inside.moved) fitFlow(flow);
    paintColumns(flow);
    // A drawing alone moves no line, and looking where they end would cost a layout of the page.
    if (inside.moved || carriesInputs(session)) {
      markSources(session, flow);
      paintEdges(session, flow, inside.edges);
    }
    inside.moved = false;
    showPointed(inside);
    if (session.busy) say(inside.time, "working");
    else if (session.outputs) say(inside.time, "forward_time", { ms: session.milliseconds });
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

/** The pointed map, or the selected one: its extent in words, and a picture where there is room. */
function showPointed({ session, words, help }) {
  const at = session.pointed ?? session.selected;
  const map = at && session.mapOf(at.layer, at.unit);
  if (!map) {
    blank(help.picture);
    say(words, "point_at_a_map");
    return;
  }
  const layer = session.layers[at.layer];
  if (layer.kind === "input") paintGrey(help.picture, session.pixels);
  else paintMap(help.picture, map, layer.size, maxAbs(map));
  const [least, most] = extremes(map).map(shortNumber);
  const [key, name] = unitName(session, layer, at.unit);
  say(words, POINTED[key], { ...name, least, most });
}

const POINTED = {
  map_name: "pointed_map",
  neuron_name: "pointed_unit",
  class_name: "pointed_class",
};
