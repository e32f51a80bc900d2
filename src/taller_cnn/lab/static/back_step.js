/** A step against the gradient: how long, what it changes, and where it is too long. */
import { afterStep, lossSlice, steppedTensors } from "./backprop.js";
import { makeChart } from "./chart.js";
import { button, make } from "./dom.js";
import { number, say } from "./language.js";
import { argmax, softmax } from "./network.js";

/** Where the slider stands at first, as a share of the slice. */
const FIRST_SHARE = 0.2;
const SLIDER_STEPS = 100;

/**
 * The section; `show` gets what the digit showed.
 *
 * @param {import("./session.js").Session} session
 */
export function makeStepSection(session) {
  /** `before`: the network that the first of the steps was taken from; `stepped`: the last one. */
  const view = { session, seen: null, before: null, stepped: null };
  view.chart = makeChart(
    "back_slice_title",
    { x: "field_learning_rate", y: "axis_loss" },
    [
      { name: "back_slice", colour: "--below" },
      { name: "back_others", colour: "--warn" },
      { name: "back_after", colour: "--above", dots: true },
    ],
  );
  view.slider = make("input", { type: "range", id: "back-rate", min: 0, max: SLIDER_STEPS });
  view.slider.value = String(FIRST_SHARE * SLIDER_STEPS);
  view.slider.addEventListener("input", () => paintStep(view));
  view.rate = make("output", { for: "back-rate" });
  view.said = make("p", { class: "equation total", "data-role": "step" });
  view.weight = make("p", { class: "equation" });
  view.undo = button("back_undo", () => session.setModel(view.before), { class: "quiet" });
  view.undo.hidden = true;
  const taking = button("back_take", () => putStepOnPage(view), { class: "main" });
  const element = make(
    "section",
    { class: "card back-step" },
    make("h3", { text: "back_step_title" }),
    make("p", { class: "sentence", text: "back_step_text" }),
    make(
      "div",
      { class: "rate" },
      make("label", { for: "back-rate", text: "rate_now" }),
      view.slider,
      view.rate,
    ),
    view.chart.element,
    view.said,
    view.weight,
    make("div", { class: "pair" }, taking, view.undo),
  );
  return {
    element,
    show(seen) {
      view.seen = seen;
      view.slice = lossSlice(seen.network, seen.digit, seen.others);
      seen.look();
      if (session.model !== view.stepped) view.before = null;
      view.undo.hidden = !view.before;
      paintStep(view);
    },
  };
}

function chosenRate({ slider, slice }) {
  return (Number(slider.value) / SLIDER_STEPS) * slice.at(-1).rate;
}

function paintStep(view) {
  const { seen, slice } = view;
  const rate = chosenRate(view);
  const after = afterStep(seen.network, seen.digit, seen.others, rate);
  view.rate.textContent = number(rate, 4);
  const curve = (name) => slice.map((point) => [point.rate, point[name]]);
  const here = [
    [rate, after.loss],
    [rate, after.others],
  ];
  view.chart.show([curve("loss"), curve("others"), here], slice.at(-1).rate);
  sayStep(view, after);
  sayWeight(view, rate);
}

/** Too long is a step after which all digits together have lost more than this one has gained. */
function sayStep({ session, said, seen, slice }, after) {
  const { classNames } = session;
  const { label } = seen.digit;
  const known = slice[0].others;
  const [p, q] = [softmax(seen.logits), softmax(after.logits)];
  said.dataset.before = String(seen.loss);
  said.dataset.after = String(after.loss);
  const lost = seen.others.length * (after.others - known);
  const tooLong = lost > seen.loss - after.loss;
  const key = tooLong ? "back_overshot" : seen.others.length ? "back_before_after" : "back_alone";
  say(said, key, {
    before: seen.loss,
    after: after.loss,
    known,
    forgotten: after.others,
    label: classNames[label],
    p: p[label],
    q: q[label],
    was: classNames[argmax(p)],
    is: classNames[argmax(q)],
  });
}

/** The weight that the digit moves most, before and after. */
function sayWeight({ weight, seen }, rate) {
  let [most, name, at] = [-1, "", 0];
  for (const [key, { gradient }] of Object.entries(seen.network.parameters.named)) {
    gradient.forEach((slope, index) => {
      if (Math.abs(slope) > most) [most, name, at] = [Math.abs(slope), key, index];
    });
  }
  const { value, gradient } = seen.network.parameters.named[name];
  const [before, slope] = [value[at], gradient[at]];
  const after = before - rate * slope;
  say(weight, "back_most_moved", { name, before, rate, slope, after });
}

/** Put the network of one step further on the page; it is on no disk. */
function putStepOnPage(view) {
  const { session, seen } = view;
  view.before ??= session.model;
  const tensors = steppedTensors(seen.network, chosenRate(view));
  view.stepped = { card: { ...session.card, id: "" }, tensors };
  session.setModel(view.stepped);
}
