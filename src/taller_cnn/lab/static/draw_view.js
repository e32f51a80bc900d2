/** *Draw*: the pad, and a word on what to try. */
import { make } from "./dom.js";

/** The panel's content; the pad itself is moved in when the tab is opened. */
export function makeDraw() {
  const dock = make("div", { class: "dock-place" });
  const tips = ["tip_centre", "tip_seven", "tip_switch"].map((key) => make("li", { text: key }));
  const element = make(
    "div",
    { class: "draw" },
    make("h2", { text: "draw_title" }),
    make("p", { class: "lead", text: "draw_text" }),
    dock,
    make("ul", { class: "tips" }, ...tips),
  );
  return { element, dock };
}
