/** Why this class: the pixels that move its logit, and what happens where the drawing is covered. */
import { blank, maxAbs, paintGrey, paintMap, paintScale, shortNumber } from "./colours.js";
import { canvas, labelled, make } from "./dom.js";
import { percent, say } from "./language.js";
import { argmax, forward, inputGradient, normalise } from "./network.js";
import { EVENTS } from "./session.js";

/** Side of the patch that covers the drawing, and the step between its places, in pixels. */
const PATCH = 6;
const STEP = 2;
/** Milliseconds without a change of the drawing before the slow pictures are made. */
const REST = 250;
/** Milliseconds of work between two looks at the page. */
const SLICE = 12;
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
  const { layers, outputs, off } = session;
  const gradient = inputGradient(layers, outputs, target, off);
  const name = session.classNames[target];
  showPicture(why.saliency, session.pixels, gradient, maxAbs(gradient), shortNumber);
  say(why.saliency.said, "saliency_said", { target: name });
  const { job } = why;
  const drops = await occlusion(session, target, () => why.job !== job);
  if (!drops) return;
  const range = Math.max(LEAST_DROP, maxAbs(drops));
  showPicture(why.occlusion, session.pixels, drops, range, (drop) => percent(drop, 0));
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

/**
 * How far the probability of a class falls when a patch of background covers the drawing; each
 * pixel has the mean of all patches over it (Zeiler and Fergus 2014).
 *
 * @param {number} target class
 * @param {() => boolean} stale whether the drawing has changed meanwhile
 * @returns {Promise<?Float32Array>} 28 x 28, or null if it has
 */
async function occlusion(session, target, stale) {
  const { card, pixels, layers, off, outputs } = session;
  const whole = outputs.at(-1)[target];
  const sums = new Float32Array(784);
  const counts = new Float32Array(784);
  let pause = performance.now() + SLICE;
  for (let top = 2 - PATCH; top < 28; top += STEP) {
    for (let left = 2 - PATCH; left < 28; left += STEP) {
      const under = patchPixels(top, left);
      if (under.some((index) => pixels[index] > 0)) {
        const covered = pixels.slice();
        for (const index of under) covered[index] = 0;
        const chances = forward(layers, normalise(covered, card), off).at(-1);
        for (const index of under) sums[index] += whole - chances[target];
      }
      for (const index of under) counts[index] += 1;
      if (performance.now() > pause) {
        await new Promise((resolve) => setTimeout(resolve));
        if (stale()) return null;
        pause = performance.now() + SLICE;
      }
    }
  }
  return sums.map((sum, index) => sum / counts[index]);
}

/** The pixels of the image under a patch. */
function patchPixels(top, left) {
  const under = [];
  for (let y = Math.max(0, top); y < Math.min(28, top + PATCH); y += 1) {
    for (let x = Math.max(0, left); x < Math.min(28, left + PATCH); x += 1) under.push(28 * y + x);
  }
  return under;
}
