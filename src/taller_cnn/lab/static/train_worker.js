/**
 * A Worker that trains a network, so that the page stays free to draw.
 *
 * The page sends `{order: "start" | "pause" | "continue" | "step" | "rate" | "weights" | "stop"}`
 * and hears `{event: "started" | "progress" | "test" | "weights" | "state"}`. It works in turns of
 * a few batches and looks for orders between them.
 */
import { makeChance, shuffled, STREAMS } from "./chance.js";
import { normalise } from "./network.js";
import {
  adamStep,
  backwardBatch,
  forwardBatch,
  lossOf,
  makeTraining,
  pageTensors,
} from "./training.js";

/** Time from one look for orders to the next. */
const TURN_MILLISECONDS = 80;
/** How often in each pass over the training digits the test digits are asked. */
const TESTS_PER_EPOCH = 2;
/** How often it tells and asks in a training, at least: a short one makes curves too. */
const LEAST_POINTS = 16;
const LEAST_TESTS = 4;
const PIXELS = 784;

/**
 * @typedef {{images: Uint8Array, labels: Uint8Array}} DigitSet grey levels, 784 for each label
 *
 * @typedef {Object} Start what a training is started with
 * @property {Object} config the fields of `ModelConfig`
 * @property {number} classes
 * @property {{mean: number, std: number}} scale how grey levels become the network's numbers
 * @property {DigitSet} train
 * @property {DigitSet} test
 * @property {number} seed of the initial weights, the order of the digits and the dropout
 * @property {number} batch digits per step
 * @property {number} rate learning rate
 * @property {number} epochs passes over the training digits, after which it has finished
 */

/** The training under way; `state`: none, running, paused, stopped, finished, diverged. */
let session = { state: "none" };

const ORDERS = {
  /** @param {Start} start */
  start(start) {
    clearTimeout(session.timer);
    session = makeSession(start);
    post("started", { parameters: session.training.parameters.values.length });
    run();
  },
  pause() {
    if (session.state === "running") setState("paused");
  },
  continue() {
    if (session.state === "paused") run();
  },
  step() {
    if (session.state !== "paused") return;
    trainBatch();
    while (session.asked) askBatch();
    if (session.passes >= session.most) finish();
    else tellProgress();
  },
  rate({ rate }) {
    session.rate = rate;
  },
  weights: () => tellWeights(),
  stop() {
    if (!["running", "paused"].includes(session.state)) return;
    setState("stopped");
    tellWeights();
  },
};

self.addEventListener("message", ({ data }) => ORDERS[data.order](data));

function post(event, fields, transfer = []) {
  self.postMessage({ event, ...fields }, { transfer });
}

function makeSession({ config, classes, scale, train, test, seed, batch, rate, epochs }) {
  const size = train.labels.length;
  const most = Math.round(epochs * size);
  const testEvery = Math.min(size / TESTS_PER_EPOCH, most / LEAST_TESTS);
  return {
    state: "none",
    timer: 0,
    training: makeTraining(config, classes, batch, seed),
    /** What each grey level is to the network. */
    levels: normalise(Uint8Array.from({ length: 256 }, (_, level) => level), scale),
    train,
    test,
    seed,
    batch,
    rate,
    labels: new Uint8Array(batch),
    /** Digits trained on so far, and when it has finished. */
    passes: 0,
    most,
    order: null,
    /** Sums over the digits of this epoch. */
    epoch: { number: -1, seen: 0, loss: 0, correct: 0 },
    /** Sums over the test digits asked so far, while they are being asked. */
    asked: null,
    testEvery,
    nextTest: testEvery,
    /** Passes after which it tells how it goes even if its turn is not over. */
    nextPoint: most / LEAST_POINTS,
    milliseconds: 0,
  };
}

function setState(state) {
  session.state = state;
  post("state", { state, passes: session.passes });
}

function run() {
  setState("running");
  clearTimeout(session.timer);
  session.timer = setTimeout(turn);
}

/** A few batches of training or of test digits, until it is time to look for orders. */
function turn() {
  const end = performance.now() + TURN_MILLISECONDS;
  while (session.state === "running" && performance.now() < end) {
    if (session.asked) askBatch();
    else if (session.passes >= session.most) finish();
    else {
      trainBatch();
      if (session.passes >= session.nextPoint) tellProgress();
    }
  }
  if (session.state !== "running") return;
  tellProgress();
  session.timer = setTimeout(turn);
}

function finish() {
  tellProgress();
  setState("finished");
  tellWeights();
}

/** One step on the next digits of this epoch's order. */
function trainBatch() {
  const start = performance.now();
  const { training, train, labels, epoch } = session;
  const size = train.labels.length;
  if (!session.order || epoch.seen === size) beginEpoch();
  const count = Math.min(session.batch, size - epoch.seen);
  for (let place = 0; place < count; place += 1) {
    const digit = session.order[epoch.seen + place];
    show(train.images, digit, place);
    labels[place] = train.labels[digit];
  }
  forwardBatch(training, count, true);
  const { loss, correct } = lossOf(training, labels, count);
  backwardBatch(training, count);
  adamStep(training, session.rate);
  session.passes += count;
  epoch.seen += count;
  epoch.loss += loss;
  epoch.correct += correct;
  session.milliseconds += performance.now() - start;
  if (!Number.isFinite(loss)) setState("diverged");
  else if (session.passes >= session.nextTest || session.passes >= session.most) beginTest();
}

function beginEpoch() {
  const { epoch, seed, train } = session;
  Object.assign(epoch, { number: epoch.number + 1, seen: 0, loss: 0, correct: 0 });
  session.order = shuffled(train.labels.length, makeChance(seed, STREAMS.order, epoch.number));
}

/** Put a digit into the network's input layer at the given place of the batch. */
function show(images, digit, place) {
  const { levels, training } = session;
  const input = training.layers[0].output;
  for (let from = digit * PIXELS, to = place * PIXELS; from < (digit + 1) * PIXELS; from += 1) {
    input[to] = levels[images[from]];
    to += 1;
  }
}

function beginTest() {
  session.nextTest += session.testEvery;
  session.asked = { n: 0, loss: 0, correct: 0 };
}

/** Ask the network for some test digits; what it says of all of them is told at their end. */
function askBatch() {
  const { training, test, batch, asked } = session;
  const count = Math.min(batch, test.labels.length - asked.n);
  for (let place = 0; place < count; place += 1) show(test.images, asked.n + place, place);
  forwardBatch(training, count, false);
  const score = lossOf(training, test.labels.subarray(asked.n, asked.n + count), count);
  asked.n += count;
  asked.loss += score.loss;
  asked.correct += score.correct;
  if (asked.n < test.labels.length) return;
  const { n, loss, correct } = asked;
  post("test", { passes: session.passes, n, correct, loss: loss / n, accuracy: correct / n });
  session.asked = null;
}

/** Loss and accuracy are running means over this epoch's digits, as in the Python package. */
function tellProgress() {
  const { passes, most, epoch, milliseconds, train } = session;
  session.nextPoint = passes + most / LEAST_POINTS;
  if (!epoch.seen) return;
  post("progress", {
    passes,
    most,
    epochs: passes / train.labels.length,
    loss: epoch.loss / epoch.seen,
    accuracy: epoch.correct / epoch.seen,
    speed: (1000 * passes) / milliseconds,
  });
}

function tellWeights() {
  const tensors = pageTensors(session.training);
  const buffers = Object.values(tensors).map(({ data }) => data.buffer);
  post("weights", { passes: session.passes, tensors }, buffers);
}
