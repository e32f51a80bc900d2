/** The chosen map, enlarged: what its layer does, with the numbers of the present drawing. */
import { makeConvolution } from "./detail_conv.js";
import { makeInput, makeLinear, makeSoftmax } from "./detail_units.js";
import { makeUnitActivation, makeWindowView } from "./detail_window.js";
import { button, make } from "./dom.js";
import { say } from "./language.js";
import { isClasses, layerTitle, switchOf } from "./layers.js";
import { EVENTS } from "./session.js";

const VIEWS = {
  input: makeInput,
  conv: makeConvolution,
  pool: makeWindowView,
  linear: makeLinear,
  softmax: makeSoftmax,
  activation: (session, layer, unit) =>
    (layer.size > 1 ? makeWindowView : makeUnitActivation)(session, layer, unit),
};

/** The panel under the layers. */
export function makeDetail(session) {
  const panel = { session, body: make("div", { class: "detail-body" }), view: null };
  panel.element = make(
    "section",
    { class: "card detail", id: "detail", label: "detail_label", tabindex: "-1", hidden: true },
    panel.body,
  );
  panel.element.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") leaveDetail(session);
  });
  session.on(EVENTS.selected, () => showSelected(panel));
  for (const event of [EVENTS.outputs, EVENTS.language, EVENTS.theme, EVENTS.tab]) {
    session.on(event, () => updateDetail(panel));
  }
  return panel.element;
}

function showSelected(panel) {
  const { session } = panel;
  panel.view?.leave();
  panel.view = null;
  panel.element.hidden = !session.selected;
  if (!session.selected) return;
  const layer = session.layers[session.selected.layer];
  const { unit } = session.selected;
  panel.view = VIEWS[layer.kind](session, layer, unit);
  panel.off = offButton(session, layer, unit);
  panel.body.replaceChildren(
    detailHead(session, layer, unit, panel.off),
    make("p", { class: "sentence", text: sentenceOf(session, layer) }),
    panel.view.element,
  );
  updateDetail(panel);
}

function detailHead(session, layer, unit, off) {
  const name = isClasses(layer) ? session.classNames[unit] : unit + 1;
  const [key, values] = layerTitle(layer);
  return make(
    "header",
    { class: "detail-head" },
    make(
      "h3",
      {},
      make("span", { text: [key, values] }),
      make("span", { text: [isClasses(layer) ? "of_class" : "of_map", { unit: name }] }),
    ),
    make(
      "div",
      { class: "pair" },
      layer.channels > 1
        ? button("map_before", () => step(session, layer, unit - 1), { class: "quiet" })
        : null,
      layer.channels > 1
        ? button("map_after", () => step(session, layer, unit + 1), { class: "quiet" })
        : null,
      off,
      button("close", () => leaveDetail(session), { class: "quiet" }),
    ),
  );
}

function step(session, layer, unit) {
  session.select(layer.index, (unit + layer.channels) % layer.channels);
}

/** Back to the map that was chosen, one level up. */
function leaveDetail(session) {
  const { selected } = session;
  session.deselect();
  if (!selected) return;
  const { name } = session.layers[selected.layer];
  const buttons = document.querySelectorAll(`[data-layer="${name}"] button`);
  /** @type {HTMLButtonElement} */ (buttons[selected.unit])?.focus();
}

/** The button that switches the chosen filter or unit off, where there is something to switch. */
function offButton(session, layer, unit) {
  const main = switchOf(session.layers, layer);
  if (main === null) return null;
  return button("switch_off", () => session.switchUnit(main, unit), {
    "data-layer-off": main,
    "aria-pressed": "false",
  });
}

function sentenceOf(session, layer) {
  const { kind, inputs, kernel, stride, activation, mean, dropout } = layer;
  if (kind === "conv") {
    return ["sentence_conv", { inputs, side: kernel, stride, padding: layer.padding }];
  }
  if (kind === "activation") return [`sentence_${activation}`, {}];
  if (kind === "pool") return [mean ? "sentence_mean" : "sentence_max", {}];
  if (kind === "linear") return [linearSentence(session, layer), { inputs, dropout }];
  return [`sentence_${kind}`, {}];
}

/** Classes sum up hidden units or, in a network without them, the maps. */
function linearSentence(session, { name, index }) {
  if (name !== "fc2") return "sentence_fc1";
  return session.layers[index - 2].name === "fc1" ? "sentence_fc2" : "sentence_fc2_maps";
}

function updateDetail(panel) {
  const { session } = panel;
  // Where the tab is hidden nobody sees the numbers.
  if (!panel.view || session.tab !== "inside") return;
  panel.view.update();
  if (!panel.off) return;
  const main = Number(panel.off.dataset.layerOff);
  const off = session.isOff(main, session.selected.unit);
  panel.off.setAttribute("aria-pressed", String(off));
  say(panel.off, off ? "switch_on" : "switch_off");
}
