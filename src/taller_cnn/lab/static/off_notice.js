/** What the switched-off filters change, told beside the drawing wherever it goes. */
import { button, make } from "./dom.js";
import { say } from "./language.js";
import { argmax, forward, normalise } from "./network.js";
import { EVENTS } from "./session.js";

/** The notice, and one click that switches all on again. */
export function makeOffNotice(session) {
  const words = make("p", { role: "status" });
  const elsewhere = make("p", { text: "off_elsewhere", hidden: true });
  const element = make(
    "div",
    { class: "off-notice", hidden: true },
    words,
    elsewhere,
    button("switch_all_on", () => session.switchAllOn()),
  );
  const update = () => {
    const count = session.countOff();
    element.hidden = count === 0;
    elsewhere.hidden = session.tab !== "compare";
    if (count) sayOff(session, words, count);
  };
  for (const event of [EVENTS.outputs, EVENTS.off, EVENTS.tab]) session.on(event, update);
  return element;
}

function sayOff(session, words, count) {
  const { pixels, card, layers, outputs, classNames } = session;
  if (!pixels) {
    say(words, "off_count", { count });
    return;
  }
  const whole = forward(layers, normalise(pixels, card)).at(-1);
  const now = outputs.at(-1);
  const [was, is] = [argmax(whole), argmax(now)];
  const values = {
    count,
    was: classNames[was],
    before: whole[was],
    after: now[was],
    is: classNames[is],
    chance: now[is],
  };
  say(words, was === is ? "off_same" : "off_other", values);
}
