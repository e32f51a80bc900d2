/** The two parts that both the lab and the exported page have, sharing one drawing pad. */
import { makeDraw } from "./draw_view.js";
import { makeInside } from "./inside_view.js";
import { makePad } from "./pad.js";
import { EVENTS } from "./session.js";
import { makeTabs } from "./tabs.js";

/**
 * The tabs with *Draw*, *Look inside* and the given others.
 *
 * @param {Object} source as for `makePad`
 * @param {{id: string, text: string, panel: HTMLElement, dock?: HTMLElement}[]} others
 *   `dock`: where the drawing pad goes while that tab is open
 */
export function makeWorkbench(session, source, others = []) {
  const draw = makeDraw();
  const inside = makeInside(session);
  const pad = makePad(session, source);
  const tabs = makeTabs(
    [
      { id: "draw", text: "tab_draw", panel: draw.element },
      { id: "inside", text: "tab_inside", panel: inside.element },
      ...others,
    ],
    (id) => {
      const own = others.find((tab) => tab.id === id)?.dock;
      const dock = { draw: draw.dock, inside: inside.dock }[id] ?? own;
      pad.classList.toggle("small", id !== "draw");
      if (dock) dock.append(pad);
      if (id === "inside") offerDigit(session, source);
      session.tab = id;
      session.emit(EVENTS.tab, id);
    },
  );
  session.on(EVENTS.openTab, tabs.open);
  tabs.open("draw");
  return tabs;
}

/** An empty pad shows nothing inside: start with a real digit. */
function offerDigit(session, { digits }) {
  if (session.pixels || !digits.length) return;
  session.emit(EVENTS.placeDigit, digits[Math.floor(digits.length / 3)]);
}
