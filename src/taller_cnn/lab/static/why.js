/** Why this class: the pixels that move its logit, and what happens where the drawing is covered. */
import { blank, maxAbs, paintGrey, paintMap, paintScale, shortNumber } from "./colours.js";
import { canvas, labelled, make } from "./dom.js";
import { percent, say } from "./language.js";
import { argmax } from "./network.js";
import { EVENTS } from "./session.js";

/** Milliseconds without a change of the drawing before the slow pictures are made. */
const REST = 250;
/** A probability that falls by less has hardly fallen: colours start to show here. */
const LEAST_DROP = 0.05;

/** The section with both pictures. */
export function makeWhy(session) {
  const why = { session, target: "top", job: 0, timer: null };
  why.saliency = makePicture("saliency_title", "saliency_text");
  why.occlusion = makePicture("occlusion_title", "occlusion_text");
  const target = make("select", {
    id: "why-choice",
    on: {
      change: () => {
        why.target = target.value;
        plan(why);
      },
    },
  });
  const listClasses = () => {
    target.replaceChildren(
      make("option", { value: "top", text: "most_probable" }),
      ...session.classNames.map((plain, index) => make("option", { value: index, plain })),
    );
    why.target = target.value;
  };
  session.on(EVENTS.model, listClasses);
  listClasses();
  why.element = make(
    "section",
    { class: "card why" },
    make("h3", { text: "why_title" }),
    labelled("why_class", target),
    make("div", { class: "why-pictures" }, why.saliency.element, why.occlusion.element),
  );
  for (const event of [EVENTS.outputs, EVENTS.theme, EVENTS.tab, EVENTS.language]) {
    session.on(event, () => plan(why));
  }
  return why.element;
}

function makePicture(title, words) {
  const map = canvas(28, 28, { class: "why-map", role: "img", label: title });
  const ink = canvas(28, 28, { class: "why-ink", "aria-hidden": "true" });
  const scale = canvas(64, 1, { class: "scale", "aria-hidden": "true" });
  const low = make("span");
  const high = make("span");
  const said = make("p", { class: "hint" });
  const element = make(
    "figure",
    { class: "why-picture" },
    make("figcaption", {}, make("h4", { text: title }), make("p", { text: words })),
    make("div", { class: "why-stack" }, map, ink),
    make("p", { class: "legend" }, low, scale, high),
    said,
  );
  return { element, map, ink, scale, low, high, said };
}

function plan(why) {
  why.job += 1;
  clearTimeout(why.timer);
  why.timer = setTimeout(() => explain(why), REST);
}

async function explain(why) {
  const { session } = why;
  if (session.tab !== "inside") return;
  if (!session.outputs) {
    for (const picture of [why.saliency, why.occlusion]) {
      blank(picture.map);
      blank(picture.ink);
      say(picture.said, "draw_something");
    }
    return;
  }
  const target = why.target === "top" ? argmax(session.probabilities()) : Number(why.target);
  const { pixels, off, helper } = session;
  const { job } = why;
  const name = session.classNames[target];
  const question = { pixels, off, target };
  const gradient = await helper.ask("saliency", question);
  if (why.job !== job) return;
  showPicture(why.saliency, pixels, gradient, maxAbs(gradient), shortNumber);
  say(why.saliency.said, "saliency_said", { target: name });
  const drops = await helper.ask("occlusion", question, (share) => {
    if (why.job === job) say(why.occlusion.said, "work_share", { share });
  });
  if (!drops || why.job !== job) return;
  const range = Math.max(LEAST_DROP, maxAbs(drops));
  showPicture(why.occlusion, pixels, drops, range, (drop) => percent(drop, 0));
  say(why.occlusion.said, "occlusion_said", { target: name, most: Math.max(...drops) });
}

/** Paint a map over the ink; `write` makes the words of its range. */
function showPicture({ map, ink, scale, low, high }, pixels, values, range, write) {
  paintMap(map, values, 28, range);
  paintGrey(ink, pixels);
  paintScale(scale);
  low.textContent = `−${write(range)}`;
  high.textContent = `+${write(range)}`;
}
