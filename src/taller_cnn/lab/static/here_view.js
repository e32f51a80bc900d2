/** *Train here*: a network that learns in the reader's own browser, in a Worker. */
import { unpacked } from "./bytes.js";
import { button, make } from "./dom.js";
import { makeHereBoard } from "./here_board.js";
import { number, say } from "./language.js";
import { EVENTS } from "./session.js";
import { makePageForm } from "./train_form.js";

/** What the form begins with: right for 19 of 20 test digits in half a minute. */
const FIRST = { filters: [8, 16], epochs: 4, learning_rate: 0.002, batch_size: 16 };
/** The slider moves over powers of ten. */
const RATES = { min: -5, max: 1, step: 0.1 };
const OVER = ["stopped", "finished", "diverged"];
/** Time between two looks at the weights while it learns, and up to how many weights. */
const LOOK_MILLISECONDS = 500;
const MOST_WATCHED = 1_000_000;

/**
 * The panel's content.
 *
 * @param {import("./session.js").Session} session
 * @param {Object} source
 * @param {() => Worker} source.startWorker
 * @param {Promise<import("./train_form.js").Ranges>} source.ranges what `GET /api/runs/form` answers
 * @param {() => Promise<Object>} source.digits what `GET /api/training-digits` answers
 * @param {Function} [source.tellProblem] (element, error): where the digits may not come
 */
export function makeHere(session, source) {
  const here = { session, source, digits: null, worker: null, state: "none" };
  /** The network that was trained here, and the one that was on the page before it. */
  here.network = here.before = null;
  here.form = makePageForm(source.ranges, FIRST, (request) => start(here, request));
  here.board = makeHereBoard(session);
  here.told = make("p", { class: "run-state", role: "status" });
  here.problem = make("p", { class: "notice-box", role: "alert", hidden: true });
  here.controls = makeControls(here);
  here.rate = makeRate(here);
  const title = make("h3", { text: "form_title" });
  const form = make("div", { class: "card" }, title, here.form.element);
  const run = make(
    "div",
    { class: "card run" },
    make("h3", { text: "run_title" }),
    here.told,
    here.problem,
    here.controls.element,
    here.rate.element,
    here.board.element,
  );
  session.on(EVENTS.model, () => showNetwork(here));
  showState(here, "none");
  return make(
    "div",
    {},
    make("h2", { text: "here_title" }),
    make("p", { class: "lead", text: "here_text" }),
    make("div", { class: "train" }, form, run),
  );
}

/** Fetch the digits, the first time, and let a new Worker begin; an earlier one goes. */
async function start(here, { config, train }) {
  here.form.disable(true);
  here.problem.hidden = true;
  showState(here, "starting");
  try {
    here.digits ??= await unpackedDigits(await here.source.digits());
  } catch (error) {
    showState(here, "none");
    here.problem.hidden = false;
    if (!here.source.tellProblem) throw error;
    here.source.tellProblem(here.problem, error);
    return;
  }
  here.worker?.terminate();
  here.worker = here.source.startWorker();
  here.worker.addEventListener("message", ({ data }) => HEARD[data.event](here, data));
  here.network = null;
  here.asked = config;
  here.looked = 0;
  here.board.begin(train, here.digits);
  here.rate.set(train.learning_rate);
  here.worker.postMessage({
    order: "start",
    config: { final_size: 0, ...config },
    classes: here.digits.class_names.length,
    scale: here.digits,
    train: here.digits.train,
    test: here.digits.test,
    seed: train.seed,
    batch: train.batch_size,
    rate: train.learning_rate,
    epochs: train.epochs,
  });
}

async function unpackedDigits(packed) {
  const [train, test] = await Promise.all([packed.train, packed.test].map(digitSet));
  return { ...packed, train, test };
}

const digitSet = async ({ labels, images }) => ({
  labels: Uint8Array.from(labels),
  images: await unpacked(images),
});

/** What each message of the Worker changes. */
const HEARD = {
  started(here, { parameters }) {
    here.parameters = parameters;
    here.board.started(parameters);
  },
  progress(here, told) {
    here.board.progress(told);
    const now = performance.now();
    if (here.parameters > MOST_WATCHED || now - here.looked < LOOK_MILLISECONDS) return;
    here.looked = now;
    here.worker.postMessage({ order: "weights" });
  },
  test: (here, told) => here.board.test(told),
  weights(here, { tensors }) {
    here.network = networkOf(here, tensors);
    here.board.weights(tensors);
    showState(here, here.state);
  },
  state(here, { state }) {
    showState(here, state);
    if (state === "paused") here.worker.postMessage({ order: "weights" });
  },
};

/** What the page needs to know of the network in order to show it; it has no place on any disk. */
function networkOf({ asked, digits }, tensors) {
  const { class_names, mean, std, dataset, source } = digits;
  const config = { final_size: 0, ...asked };
  return { card: { id: "", config, class_names, mean, std, dataset, source }, tensors };
}

function showState(here, state) {
  here.state = state;
  say(here.told, `here_${state}`);
  here.told.dataset.state = state;
  here.form.disable(["starting", "running", "paused"].includes(state));
  const { pause, resume, step, stop, use } = here.controls;
  pause.hidden = state !== "running";
  resume.hidden = step.hidden = state !== "paused";
  stop.hidden = !["running", "paused"].includes(state);
  use.hidden = !here.network || !["paused", "stopped", "finished"].includes(state);
  here.rate.element.hidden = state === "none" || OVER.includes(state);
}

function makeControls(here) {
  const order = (name) => () => here.worker.postMessage({ order: name });
  const pause = button("pause", order("pause"));
  const resume = button("continue", order("continue"), { class: "main" });
  const step = button("one_step", order("step"));
  const stop = button("stop", order("stop"));
  const use = button("use_here", () => useNetwork(here));
  const element = make("div", { class: "pair controls" }, pause, resume, step, stop, use);
  return { element, pause, resume, step, stop, use };
}

/** Put the network on the page, or the one back that was there before. */
function useNetwork(here) {
  const { session } = here;
  if (session.card === here.network.card) {
    if (here.before) session.setModel(here.before);
    return;
  }
  if (session.card?.id !== "") here.before = session.card && session.model;
  session.setModel(here.network);
}

/** The button says what it would do. */
function showNetwork(here) {
  const { session, network, before, controls } = here;
  const used = network && session.card === network.card;
  say(controls.use, used && before ? "use_before" : "use_here");
  controls.use.disabled = Boolean(used && !before);
}

/** The learning rate, which can be moved while the network learns. */
function makeRate(here) {
  const slider = make("input", { type: "range", id: "here-rate", ...RATES });
  const output = make("output", { for: "here-rate" });
  const show = (rate) => {
    output.textContent = number(rate, Math.max(0, 2 - Math.floor(Math.log10(rate))));
  };
  slider.addEventListener("input", () => {
    const rate = 10 ** Number(slider.value);
    show(rate);
    here.worker?.postMessage({ order: "rate", rate });
  });
  const label = make("label", { for: "here-rate", text: "rate_now" });
  const element = make("div", { class: "rate" }, label, slider, output);
  const set = (rate) => {
    slider.value = String(Math.log10(rate));
    show(rate);
  };
  return { element, set };
}
