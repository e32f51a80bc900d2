/** What is seen of a training: curves, first filters, and predictions on a few digits. */
import { floatsOf, picturesOf } from "./bytes.js";
import { makeTrainingCharts } from "./chart.js";
import { maxAbs, paintGrey, paintMap } from "./colours.js";
import { canvas, make } from "./dom.js";
import { say, sayPlain } from "./language.js";
import { EVENTS } from "./session.js";

/** First filters shown at most. */
const MOST_FILTERS = 64;

/** The board; `show(event, data)` shows what the server's stream of events says. */
export function makeBoard(session) {
  const board = { element: make("div", { class: "board", hidden: true }), most: 1 };
  const charts = makeTrainingCharts("curve_validation");
  Object.assign(board, { loss: charts.loss, accuracy: charts.accuracy });
  board.filters = make("div", { class: "filters", role: "img", label: "filters_label" });
  board.samples = make("ol", { class: "samples", label: "samples_label" });
  board.flips = make("p", { class: "hint" });
  board.facts = make("p", { class: "hint" });
  board.progress = make("progress", { max: 1, value: 0, label: "progress_label" });
  board.speed = make("p", { class: "speed" });
  board.element.append(
    board.progress,
    board.speed,
    charts.element,
    make(
      "div",
      { class: "charts" },
      make("figure", {}, make("h4", { text: "filters_title" }), board.filters),
      make("figure", {}, make("h4", { text: "samples_title" }), board.samples, board.flips),
    ),
    board.facts,
  );
  clearBoard(board);
  for (const event of [EVENTS.theme, EVENTS.language, EVENTS.tab]) {
    session.on(event, () => paintCurves(board));
  }
  return { element: board.element, show: (event, data) => SHOWN[event]?.(board, data) };
}

function clearBoard(board) {
  board.curves = { loss: [], accuracy: [], validationLoss: [], validation: [] };
  board.cells = [];
  board.firstShown = null;
  board.filters.replaceChildren();
  board.samples.replaceChildren();
  sayPlain(board.flips, "");
  sayPlain(board.speed, "");
}

/** What each event of the server changes on the board. */
const SHOWN = {
  started(board, data) {
    clearBoard(board);
    board.element.hidden = false;
    board.most = data.epochs;
    board.labels = data.samples.labels;
    const pictures = picturesOf(data.samples.images);
    board.cells = pictures.map((pixels) => addSample(board, pixels));
    const values = {
      seed: String(data.seed),
      initial: data.initial.slice(0, 8),
      n: data.train_n,
      parameters: data.parameters,
    };
    say(board.facts, data.source === "sample" ? "facts_sample" : "facts_full", values);
    paintCurves(board);
  },
  progress(
    board,
    { step, of, epoch, loss, accuracy, images_per_second: speed, seconds_left: left },
  ) {
    board.progress.value = step / of;
    const values = { step, of, speed: Math.round(speed), left: Math.ceil(left) };
    say(board.speed, "speed", values);
    addPoint(board, epoch, { loss, accuracy }, null);
  },
  /** In a short training there are some between the epochs, to make a curve. */
  point: (board, { epoch, loss, accuracy, validation }) =>
    addPoint(board, epoch, { loss, accuracy }, validation),
  epoch: (board, { epoch, train_loss: loss, train_accuracy: accuracy, validation }) =>
    addPoint(board, epoch, { loss, accuracy }, validation),
  snapshot(board, { conv1, predictions }) {
    paintFilters(board, conv1);
    showPredictions(board, predictions);
  },
  /** The server no longer answers: what is left of the time is not known. */
  lost(board) {
    sayPlain(board.speed, "");
  },
  result(board, { test }) {
    board.progress.value = 1;
    const [low, high] = test.interval_95;
    say(board.speed, "result", { ...test, low, high });
  },
};

function addPoint(board, epoch, train, validation) {
  const { curves } = board;
  putPoint(curves.loss, epoch, train.loss);
  putPoint(curves.accuracy, epoch, train.accuracy);
  if (validation) {
    putPoint(curves.validationLoss, epoch, validation.loss);
    putPoint(curves.validation, epoch, validation.accuracy);
  }
  paintCurves(board);
}

/** The end of an epoch asks more digits than a point that was told of the same step. */
function putPoint(curve, epoch, value) {
  if (curve.at(-1)?.[0] === epoch) curve.pop();
  curve.push([epoch, value]);
}

function paintCurves(board) {
  const { loss, accuracy, validationLoss, validation } = board.curves;
  board.loss.show([loss, validationLoss], board.most);
  board.accuracy.show([accuracy, validation], board.most);
}

function paintFilters({ filters }, { shape: [count, , side], values: base64 }) {
  const values = floatsOf(base64);
  const shown = Math.min(count, MOST_FILTERS);
  const range = maxAbs(values);
  while (filters.children.length < shown) filters.append(canvas(side));
  for (let index = 0; index < shown; index += 1) {
    const filter = values.subarray(index * side * side, (index + 1) * side * side);
    paintMap(filters.children[index], filter, side, range);
  }
}

function addSample(board, pixels) {
  const picture = canvas(28, 28, { "aria-hidden": "true" });
  paintGrey(picture, pixels);
  const said = make("b");
  const element = make("li", { class: "sample" }, picture, said);
  board.samples.append(element);
  return { element, said };
}

/** Which class each digit is taken for now; those that turned right since the start stand out. */
function showPredictions(board, predictions) {
  const right = predictions.map((digit, index) => digit === board.labels[index]);
  board.firstShown ??= right;
  board.cells.forEach(({ element, said }, index) => {
    said.textContent = String(predictions[index]);
    element.classList.toggle("right", right[index]);
    element.classList.toggle("wrong", !right[index]);
    const key = right[index] ? "sample_right" : "sample_wrong";
    say(element, key, { digit: predictions[index], label: board.labels[index] }, "title");
  });
  const count = (list) => list.filter(Boolean).length;
  const values = { before: count(board.firstShown), now: count(right), n: right.length };
  say(board.flips, "flips", values);
}
