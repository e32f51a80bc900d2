/** The parts that both the lab and the exported page have, sharing one drawing pad. */
import { makeBack } from "./back_view.js";
import { makeDraw } from "./draw_view.js";
import { makeInside } from "./inside_view.js";
import { placeOfUnit, unitAt } from "./layers.js";
import { makePad } from "./pad.js";
import { onLink, readLink, writeLink } from "./page_state.js";
import { EVENTS } from "./session.js";
import { makeTabs } from "./tabs.js";

/**
 * The tabs with *Draw*, *Look inside*, *Backwards* and the given others.
 *
 * @param {Object} source as for `makePad`
 * @param {{id: string, text: string, panel: HTMLElement, dock?: HTMLElement}[]} others
 *   `dock`: where the drawing pad goes while that tab is open
 */
export function makeWorkbench(session, source, others = []) {
  const draw = makeDraw();
  const inside = makeInside(session);
  const back = makeBack(session, source);
  const pad = makePad(session, source);
  const tabs = makeTabs(
    [
      { id: "draw", text: "tab_draw", panel: draw.element },
      { id: "inside", text: "tab_inside", panel: inside.element },
      { id: "back", text: "tab_back", panel: back.element },
      ...others,
    ],
    (id) => {
      const own = others.find((tab) => tab.id === id)?.dock;
      const dock = { draw: draw.dock, inside: inside.dock, back: back.dock }[id] ?? own;
      pad.classList.toggle("small", id !== "draw");
      if (dock) dock.append(pad);
      session.tab = id;
      offerDigit(session, source);
      session.emit(EVENTS.tab, id);
    },
  );
  session.on(EVENTS.openTab, tabs.open);
  session.on(EVENTS.digits, () => offerDigit(session, source));
  followLink(session, tabs);
  return tabs;
}

/** The link tells the tab and the selected map, and opens them again. */
function followLink(session, tabs) {
  /** @param {{tab?: string}} link */
  const open = ({ tab }) => tabs.open(tabs.ids.includes(tab) ? tab : "draw");
  /** @param {{at?: string}} link */
  const select = ({ at }) => {
    const unit = unitAt(session.layers, at);
    if (unit) session.select(unit.layer, unit.unit);
    else if (session.selected) session.deselect();
  };
  open(readLink());
  session.on(EVENTS.tab, (tab) => writeLink({ tab }, { push: true }));
  session.on(EVENTS.selected, () => {
    // While one network replaces another the link keeps the map: the other may have it too.
    if (!session.layers.length) return;
    const at = session.selected && placeOfUnit(session.layers, session.selected);
    writeLink({ at }, { push: true });
  });
  session.on(EVENTS.model, () => select(readLink()));
  onLink((link) => {
    if (link.tab !== session.tab) open(link);
    // Of another network the map is selected once that is there.
    if (!link.net || link.net === session.card?.id) select(link);
  });
}

/** An empty pad shows nothing inside: start with a real digit. */
function offerDigit(session, { digits }) {
  if (!["inside", "back"].includes(session.tab) || session.pixels || !digits.length) return;
  session.emit(EVENTS.placeDigit, digits[Math.floor(digits.length / 3)]);
}
