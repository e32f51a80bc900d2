/** The chosen map, enlarged: what its layer does, with the numbers of the present drawing. */
import { button, make, resay } from "./dom.js";
import { makeConvolution } from "./detail_conv.js";
import { makeUnitActivation, makeWindowView } from "./detail_window.js";
import { makeInput, makeLinear, makeSoftmax } from "./detail_units.js";
import { choose, focus, isClasses, layerTitle, switchOf, unchoose } from "./focus.js";
import { isOff, on, present, switchUnit } from "./present.js";

const VIEWS = {
  input: makeInput,
  conv: makeConvolution,
  pool: makeWindowView,
  linear: makeLinear,
  softmax: makeSoftmax,
  activation: (layer, unit) => (layer.size > 1 ? makeWindowView : makeUnitActivation)(layer, unit),
};

/** The panel under the layers. */
export function makeDetail() {
  const panel = { body: make("div", { class: "detail-body" }), view: null };
  panel.element = make(
    "section",
    { class: "card detail", id: "detail", label: "detail_label", tabindex: "-1", hidden: true },
    panel.body,
  );
  panel.element.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") leaveDetail();
  });
  on("chosen", () => showChosen(panel));
  on("model", unchoose);
  for (const event of ["outputs", "language", "theme", "shown"]) {
    on(event, () => updateDetail(panel));
  }
  return panel.element;
}

function showChosen(panel) {
  panel.view?.leave();
  panel.view = null;
  panel.element.hidden = !focus.chosen;
  if (!focus.chosen) return;
  const layer = present.layers[focus.chosen.layer];
  const { unit } = focus.chosen;
  panel.view = VIEWS[layer.kind](layer, unit);
  panel.off = offButton(layer, unit);
  panel.body.replaceChildren(
    detailHead(layer, unit, panel.off),
    make("p", { class: "sentence", text: sentenceOf(layer) }),
    panel.view.element,
  );
  updateDetail(panel);
}

function detailHead(layer, unit, off) {
  const name = isClasses(layer) ? unit : unit + 1;
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
        ? button("map_before", () => step(layer, unit - 1), { class: "quiet" })
        : null,
      layer.channels > 1
        ? button("map_after", () => step(layer, unit + 1), { class: "quiet" })
        : null,
      off,
      button("close", leaveDetail, { class: "quiet" }),
    ),
  );
}

function step(layer, unit) {
  choose(layer.index, (unit + layer.channels) % layer.channels);
}

/** Back to the map that was chosen, one level up. */
export function leaveDetail() {
  const { chosen } = focus;
  unchoose();
  if (!chosen) return;
  const { name } = present.layers[chosen.layer];
  const column = document.querySelector(`[data-layer="${name}"]`);
  column?.querySelectorAll(".unit")[chosen.unit]?.focus();
}

/** The button that switches the chosen filter or unit off, where there is something to switch. */
function offButton(layer, unit) {
  const main = switchOf(layer);
  if (main === null) return null;
  return button("switch_off", () => switchUnit(main, unit), {
    "data-layer-off": main,
    "aria-pressed": "false",
  });
}

function sentenceOf(layer) {
  const { kind, inputs, kernel, stride, activation, mean, dropout } = layer;
  if (kind === "conv") {
    return ["sentence_conv", { inputs, side: kernel, stride, padding: layer.padding }];
  }
  if (kind === "activation") return [`sentence_${activation}`, {}];
  if (kind === "pool") return [mean ? "sentence_mean" : "sentence_max", {}];
  if (kind === "linear") return [linearSentence(layer), { inputs, dropout }];
  return [`sentence_${kind}`, {}];
}

/** Classes sum up hidden units or, in a network without them, the maps. */
function linearSentence({ name, index }) {
  if (name !== "fc2") return "sentence_fc1";
  return present.layers[index - 2].name === "fc1" ? "sentence_fc2" : "sentence_fc2_maps";
}

function updateDetail(panel) {
  // Where the tab is hidden nobody sees the numbers.
  if (!panel.view || present.tab !== "inside") return;
  panel.view.update();
  if (!panel.off) return;
  const main = Number(panel.off.dataset.layerOff);
  const off = isOff(main, focus.chosen.unit);
  panel.off.setAttribute("aria-pressed", String(off));
  resay(panel.off, off ? "switch_on" : "switch_off", {});
}
