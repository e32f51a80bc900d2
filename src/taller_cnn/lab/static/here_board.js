/** What is seen of a training in the page: curves, speed, and the first filters. */
import { makeTrainingCharts } from "./chart.js";
import { canvas, make } from "./dom.js";
import { maxAbs, paintMap } from "./colours.js";
import { say, sayPlain } from "./language.js";
import { EVENTS } from "./session.js";

/** First filters shown at most. */
const FILTERS_SHOWN = 64;
/** Points of a curve at most. */
const MOST_POINTS = 400;

/** The board; each function shows what the Worker's message of that name says. */
export function makeHereBoard(session) {
  const board = { size: 1, most: 1, loss: [[], []], accuracy: [[], []], filters: null };
  const { loss, accuracy, element: charts } = makeTrainingCharts("curve_test");
  const progress = make("progress", { max: 1, value: 0, label: "progress_label" });
  const speed = make("p", { class: "speed" });
  const result = make("p", { class: "speed", role: "status" });
  const filters = make("div", { class: "filters", role: "img", label: "filters_label" });
  const facts = make("p", { class: "hint" });
  const element = make(
    "div",
    { class: "board", hidden: true },
    progress,
    speed,
    result,
    charts,
    make("figure", {}, make("h4", { text: "filters_title" }), filters),
    facts,
  );
  const paint = () => {
    if (element.hidden) return;
    loss.show(board.loss, board.most);
    accuracy.show(board.accuracy, board.most);
    if (board.filters) paintKernels(filters, board.filters);
  };
  for (const event of [EVENTS.theme, EVENTS.language, EVENTS.tab]) session.on(event, paint);

  return {
    element,
    begin({ epochs, seed }, { train, test, source }) {
      element.hidden = false;
      Object.assign(board, { size: train.labels.length, most: epochs, filters: null });
      Object.assign(board, { loss: [[], []], accuracy: [[], []] });
      Object.assign(board, { seed, source, tests: test.labels.length });
      filters.replaceChildren();
      progress.value = 0;
      sayPlain(speed, "");
      sayPlain(result, "");
      paint();
    },
    started(parameters) {
      const key = board.source === "sample" ? "here_facts_sample" : "here_facts_full";
      const values = { n: board.size, tests: board.tests, seed: String(board.seed), parameters };
      say(facts, key, values);
    },
    progress(told) {
      const last = board.loss[0].at(-1)?.[0] ?? -1;
      if (told.epochs - last >= board.most / MOST_POINTS) {
        board.loss[0].push([told.epochs, told.loss]);
        board.accuracy[0].push([told.epochs, told.accuracy]);
        paint();
      }
      progress.value = told.passes / told.most;
      say(speed, "here_speed", {
        passes: told.passes,
        of: told.most,
        speed: Math.round(told.speed),
        loss: told.loss,
        accuracy: told.accuracy,
      });
    },
    test({ passes, loss: mean, accuracy: share, n, correct }) {
      board.loss[1].push([passes / board.size, mean]);
      board.accuracy[1].push([passes / board.size, share]);
      say(result, "here_test", { accuracy: share, n, errors: n - correct });
      paint();
    },
    weights(tensors) {
      board.filters = tensors["conv1.weight"];
      paintKernels(filters, board.filters);
    },
  };
}

function paintKernels(place, { shape: [count, , side], data }) {
  const shown = Math.min(count, FILTERS_SHOWN);
  const range = maxAbs(data);
  while (place.children.length < shown) place.append(canvas(side));
  place.querySelectorAll("canvas").forEach((picture, index) => {
    const filter = data.subarray(index * side * side, (index + 1) * side * side);
    paintMap(picture, filter, side, range);
  });
}
