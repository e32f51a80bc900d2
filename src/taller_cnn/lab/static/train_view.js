/** *Train*: start a network of one's own, watch it learn, keep it or throw it away. */
import { get, sayError, send } from "./api.js";
import { button, make } from "./dom.js";
import { say, sayPlain, text } from "./language.js";
import { EVENTS } from "./session.js";
import { makeBoard } from "./train_board.js";
import { makeForm } from "./train_form.js";

const STREAMED = ["started", "progress", "snapshot", "point", "epoch", "result", "state", "discarded"];
const ACTIVE = ["starting", "running", "paused"];
const OVER = ["finished", "stopped"];
/** Time between two tries to reach a server that does not answer. */
const RETRY_MILLISECONDS = 2000;

/**
 * The panel's content.
 *
 * @param {import("./session.js").Session} session
 * @param {Promise<import("./train_form.js").Ranges>} ranges what `GET /api/runs/form` answers
 */
export function makeTrain(session, ranges) {
  /** `discarding`: whether it is from here that the run was thrown away. */
  const train = { session, run: null, stream: null, discarding: false };
  train.form = makeForm(ranges, (request) => startRun(train, request));
  train.board = makeBoard(session);
  train.state = make("p", { class: "run-state", role: "status" });
  train.problem = make("p", { class: "notice-box", role: "alert", hidden: true });
  train.watching = make("p", { class: "hint", text: "run_of_other", hidden: true });
  train.controls = makeControls(train);
  train.keeping = makeKeeping(train);
  const side = make(
    "div",
    { class: "card" },
    make("h3", { text: "form_title" }),
    recipeHint(ranges),
    train.form.element,
  );
  const running = make(
    "div",
    { class: "card run" },
    make("h3", { text: "run_title" }),
    train.state,
    train.watching,
    train.problem,
    train.controls.element,
    train.keeping.element,
    train.board.element,
  );
  showState(train, null);
  join(train);
  return make(
    "div",
    {},
    make("h2", { text: "train_title" }),
    make("p", { class: "lead", text: "train_text" }),
    make("div", { class: "train" }, side, running),
  );
}

/** What the form trains with beside its fields, as the server's configuration has it. */
function recipeHint(ranges) {
  const hint = make("p", { class: "hint recipe" });
  ranges.then(
    ({ recipe, recipes }) => {
      const { optimizer, schedule, label_smoothing: smoothing } = recipes[recipe].train;
      say(hint, "form_recipe", { recipe, optimizer, schedule, smoothing });
    },
    (error) => sayError(hint, error),
  );
  return hint;
}

/** A page that is loaded again finds the training that goes on. */
async function join(train) {
  const { run } = await get("/api/health").catch(() => ({ run: null }));
  if (run) follow(train, run);
}

/** One that could still be kept is thrown away only if that is said. */
async function startRun(train, request) {
  const replace = OVER.includes(train.run?.state) && train.run.yours;
  if (replace && !confirm(text("replace_question"))) return;
  train.problem.hidden = true;
  train.form.disable(true);
  try {
    follow(train, await send("POST", "/api/runs", { ...request, replace }));
  } catch (error) {
    train.form.disable(false);
    train.form.blame(error.errors ?? []);
    showRefusal(train, error);
  }
}

/** Listen to what a run tells. */
function follow(train, run) {
  train.stream?.close();
  train.discarding = false;
  train.run = run;
  showState(train, run);
  const stream = new EventSource(`/api/runs/${run.id}/events`);
  train.stream = stream;
  for (const event of STREAMED) {
    stream.addEventListener(event, ({ data }) => hear(train, event, JSON.parse(data)));
  }
  stream.addEventListener("open", () => {
    train.problem.hidden = true;
  });
  stream.addEventListener("error", () => {
    if (stream === train.stream) lostTouch(train, run);
  });
}

/**
 * The stream broke off. The browser asks for it again by itself, unless there was an answer and it
 * was another one: then the run is no longer there.
 */
async function lostTouch(train, run) {
  showRunProblem(train, "run_no_answer");
  train.board.show("lost");
  if (train.stream.readyState !== EventSource.CLOSED) return;
  try {
    const now = await get("/api/health");
    if (now.run?.id === run.id) setTimeout(() => follow(train, now.run), RETRY_MILLISECONDS);
    else endRun(train, "run_lost");
  } catch (error) {
    if (error.status) {
      endRun(train, "run_lost");
      sayError(train.problem, error);
    } else setTimeout(() => lostTouch(train, run), RETRY_MILLISECONDS);
  }
}

/** There is no run any more, for a reason that the reader is told, if there is one. */
function endRun(train, why = null) {
  train.stream.close();
  train.run = null;
  train.board.element.hidden = true;
  showState(train, null);
  if (why) showRunProblem(train, why);
}

function hear(train, event, data) {
  if (event === "discarded") {
    endRun(train, train.discarding ? null : "run_discarded");
    return;
  }
  if (event !== "state") {
    train.board.show(event, data);
    return;
  }
  train.run = { ...train.run, ...data };
  showState(train, train.run);
  if (["failed", "diverged", "kept"].includes(data.state)) train.stream.close();
}

/** Buttons and words as the run's state wants them. */
function showState(train, run) {
  const state = run?.state ?? "none";
  const isOthers = Boolean(run) && !run.yours;
  say(train.state, `state_${state}`, { model: run?.model ?? "" });
  train.state.dataset.state = state;
  train.form.disable(ACTIVE.includes(state));
  const { pause, resume, stop, discard } = train.controls;
  pause.hidden = isOthers || state !== "running";
  resume.hidden = isOthers || state !== "paused";
  stop.hidden = isOthers || !["running", "paused"].includes(state);
  discard.hidden = isOthers || !run || state === "kept";
  train.keeping.element.hidden = isOthers || !OVER.includes(state);
  train.watching.hidden = !isOthers || state === "kept";
  train.problem.hidden = !run?.problem;
  if (run?.problem) sayPlain(train.problem, run.problem.detail);
}

/** Tell a problem of the page's own, by its key. */
function showRunProblem(train, key) {
  train.problem.hidden = false;
  say(train.problem, key);
}

/** Tell what the server refused, or that it does not answer. */
function showRefusal(train, error) {
  train.problem.hidden = false;
  sayError(train.problem, error);
}

/** Ask the server to change the run; what it refuses is told. */
async function change(train, ask) {
  try {
    await ask(`/api/runs/${train.run.id}`);
    train.problem.hidden = true;
  } catch (error) {
    showRefusal(train, error);
  }
}

function makeControls(train) {
  const act = (action) => () => change(train, (path) => send("PATCH", path, { action }));
  const pause = button("pause", act("pause"));
  const resume = button("continue", act("continue"), { class: "main" });
  const stop = button("stop", act("stop"));
  const throwAway = () => {
    train.discarding = true;
    return change(train, (path) => send("DELETE", path));
  };
  const discard = button("discard", throwAway, { class: "quiet" });
  const element = make("div", { class: "pair controls" }, pause, resume, stop, discard);
  return { element, pause, resume, stop, discard };
}

/** Name the network and put it on the lab's shelf. */
function makeKeeping(train) {
  const name = make("input", {
    type: "text",
    id: "keep-name",
    maxlength: 40,
    pattern: "[a-z0-9][a-z0-9_\\-]*",
    required: true,
    "aria-describedby": "keep-hint",
  });
  const element = make(
    "form",
    { class: "keeping", novalidate: true, hidden: true },
    make("label", { for: "keep-name", text: "keep_name" }),
    name,
    button("keep", () => {}, { type: "submit", class: "main" }),
    make("p", { class: "hint", id: "keep-hint", text: "keep_hint" }),
  );
  /** The name that the page proposes, as long as the reader has chosen no other. */
  let proposed = "";
  let taken = [];
  const propose = () => {
    if (name.value !== proposed) return;
    let count = 1;
    while (taken.includes(`${text("default_name")}-${count}`)) count += 1;
    name.value = proposed = `${text("default_name")}-${count}`;
  };
  propose();
  train.session.on(EVENTS.language, propose);
  train.session.on(EVENTS.models, (models) => {
    taken = models.map(({ id }) => id);
    propose();
  });
  name.addEventListener("input", () => markName(name, element, false));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const isWrong = !name.checkValidity();
    markName(name, element, isWrong);
    if (isWrong) {
      name.focus();
      return;
    }
    await change(train, async (path) => {
      await send("PATCH", path, { action: "keep", name: name.value });
      train.session.emit(EVENTS.kept, name.value);
    });
  });
  return { element };
}

/** Say beside the name that it cannot be one, in the hint's words. */
function markName(name, element, isWrong) {
  element.classList.toggle("wrong", isWrong);
  if (isWrong) name.setAttribute("aria-invalid", "true");
  else name.removeAttribute("aria-invalid");
}
