/** What the switched-off filters change, told beside the drawing wherever it goes. */
import { button, make, resay } from "./dom.js";
import { argmax, forward, normalise } from "./network.js";
import { countOff, on, present, switchAllOn } from "./present.js";

/** The notice, and one click that switches all on again. */
export function makeOffNotice() {
  const words = make("p", { role: "status" });
  const elsewhere = make("p", { text: "off_elsewhere", hidden: true });
  const element = make(
    "div",
    { class: "off-notice", hidden: true },
    words,
    elsewhere,
    button("switch_all_on", switchAllOn),
  );
  const update = () => {
    const count = countOff();
    element.hidden = count === 0;
    elsewhere.hidden = present.tab !== "compare";
    if (count) sayOff(words, count);
  };
  for (const event of ["outputs", "off", "shown"]) on(event, update);
  return element;
}

function sayOff(words, count) {
  const { pixels, card, layers, outputs } = present;
  if (!pixels) {
    resay(words, "off_count", { count });
    return;
  }
  const whole = forward(layers, normalise(pixels, card)).at(-1);
  const now = outputs.at(-1);
  const [was, is] = [argmax(whole), argmax(now)];
  const values = { count, was, before: whole[was], after: now[was], is, chance: now[is] };
  resay(words, was === is ? "off_same" : "off_other", values);
}
