/** *Backwards*: what one digit teaches the network, from the loss to every weight. */
import { lookBack, makeBackprop } from "./backprop.js";
import { makeGradientFlow } from "./back_flow.js";
import { makeStepSection } from "./back_step.js";
import { makeWeightSection } from "./back_weight.js";
import { labelled, make } from "./dom.js";
import { number, percent, say } from "./language.js";
import { argmax, normalise, softmax } from "./network.js";
import { EVENTS } from "./session.js";

/** Milliseconds without a change of the drawing before it is sent back. */
const BACK_REST = 150;

/**
 * The panel's content; the drawing pad is moved to its top when the tab is opened.
 *
 * @param {import("./session.js").Session} session
 * @param {{digits: {pixels: Uint8Array, label: number}[]}} source real digits
 */
export function makeBack(session, source) {
  const back = { session, source, network: null, label: 0, timer: 0 };
  back.dock = make("div", { class: "dock-place" });
  back.chooser = make("select", { id: "back-label", on: { change: () => choose(back) } });
  back.waiting = make("p", { text: "draw_something" });
  back.loss = make("p", { class: "equation total", "data-role": "loss" });
  back.rows = make("tbody");
  back.flow = makeGradientFlow(session);
  back.weight = makeWeightSection();
  back.step = makeStepSection(session);
  const heads = ["class_head", "logit_head", "back_p", "back_y", "back_difference"];
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col", text })));
  back.shown = make(
    "div",
    { hidden: true },
    make(
      "section",
      { class: "card" },
      make("h3", { text: "back_loss_title" }),
      make("p", { class: "sentence", text: "back_loss_text" }),
      back.loss,
      make(
        "table",
        { class: "back-table", label: "back_table_label" },
        make("thead", {}, head),
        back.rows,
      ),
    ),
    back.flow.element,
    back.weight.element,
    back.step.element,
  );
  back.element = make(
    "div",
    {},
    back.dock,
    make("h2", { class: "back-head", text: "back_title" }),
    make("p", { class: "lead", text: "back_text" }),
    labelled("back_label", back.chooser),
    back.waiting,
    back.shown,
  );
  listenBack(back);
  return { element: back.element, dock: back.dock };
}

function listenBack(back) {
  const { session } = back;
  session.on(EVENTS.model, () => {
    back.network = null;
    const options = session.classNames.map((plain, value) => make("option", { value, plain }));
    back.chooser.replaceChildren(...options);
  });
  for (const event of [EVENTS.model, EVENTS.outputs, EVENTS.tab, EVENTS.theme, EVENTS.language]) {
    session.on(event, () => {
      clearTimeout(back.timer);
      if (session.tab === "back") back.timer = setTimeout(() => sendBack(back), BACK_REST);
    });
  }
}

/** Another drawing is taken for what it is known to be, else for what the network says. */
function labelOf(back) {
  const { session } = back;
  if (back.pixels !== session.pixels) {
    back.pixels = session.pixels;
    back.label = session.label ?? argmax(session.probabilities());
  }
  return Math.min(back.label, session.layers.at(-1).channels - 1);
}

function choose(back) {
  back.label = Number(back.chooser.value);
  sendBack(back);
}

function sendBack(back) {
  const { session } = back;
  const drawn = Boolean(session.outputs);
  back.waiting.hidden = drawn;
  back.shown.hidden = !drawn;
  if (!drawn) return;
  const label = labelOf(back);
  back.chooser.value = String(label);
  const others = oneOfEach(back);
  back.network ??= makeBackprop(session.model, session.classNames.length);
  const { network } = back;
  const digit = { image: session.outputs[0], label };
  const look = () => lookBack(network, digit);
  const seen = look();
  // Of the whole network: what the reader has switched off is on again in a training.
  const p = softmax(seen.logits);
  back.loss.dataset.loss = String(seen.loss);
  say(back.loss, "back_loss", {
    name: session.classNames[label],
    p: p[label],
    loss: seen.loss,
  });
  back.rows.replaceChildren(
    ...session.classNames.map((name, index) => rowOf(name, index === label, index, seen, p)),
  );
  back.flow.paint(network);
  back.weight.show(network, look);
  back.step.show({ ...seen, network, digit, others, look });
}

/** The first real digit of each class, as the network gets it. */
function oneOfEach({ session, source }) {
  const firsts = session.classNames.map((_, label) => source.digits.find((d) => d.label === label));
  return firsts
    .filter(Boolean)
    .map(({ pixels, label }) => ({ image: normalise(pixels, session.card), label }));
}

function rowOf(name, isLabel, index, { logits, gradient }, p) {
  const cells = [
    number(logits[index], 2),
    percent(p[index], 2),
    isLabel ? "1" : "0",
    number(gradient[index], 4),
  ];
  const row = make(
    "tr",
    { class: isLabel ? "true" : null },
    make("th", { scope: "row", plain: name }),
    ...cells.map((plain) => make("td", { plain })),
  );
  row.dataset.gradient = String(gradient[index]);
  return row;
}
