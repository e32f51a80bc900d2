/** *Train*: start a network of one's own, watch it learn, keep it or throw it away. */
import { get, send } from "./api.js";
import { button, make, resay } from "./dom.js";
import { text } from "./language.js";
import { makeForm } from "./train_form.js";
import { makeBoard } from "./train_board.js";
import { tell } from "./present.js";

const STREAMED = ["started", "progress", "snapshot", "epoch", "result", "state", "discarded"];
const ACTIVE = ["starting", "running", "paused"];
const OVER = ["finished", "stopped"];

/** The panel's content. */
export function makeTrain() {
  const train = { run: null, stream: null };
  train.form = makeForm((request) => startRun(train, request));
  train.board = makeBoard();
  train.state = make("p", { class: "run-state", role: "status" });
  train.problem = make("p", { class: "notice-box", role: "alert", hidden: true });
  train.controls = makeControls(train);
  train.keeping = makeKeeping(train);
  const side = make(
    "div",
    { class: "card" },
    make("h3", { text: "form_title" }),
    train.form.element,
  );
  const running = make(
    "div",
    { class: "card run" },
    make("h3", { text: "run_title" }),
    train.state,
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

/** A page that is loaded again finds the training that goes on. */
async function join(train) {
  const { run } = await get("/api/health").catch(() => ({ run: null }));
  if (run) follow(train, run);
}

/** One that could still be kept is thrown away only if that is said. */
async function startRun(train, request) {
  const replace = OVER.includes(train.run?.state);
  if (replace && !confirm(text("replace_question"))) return;
  train.problem.hidden = true;
  train.form.disable(true);
  try {
    follow(train, await send("POST", "/api/runs", { ...request, replace }));
  } catch (error) {
    train.form.disable(false);
    train.form.blame(error.errors ?? []);
    showRunProblem(train, error.message);
  }
}

/** Listen to what a run tells. */
function follow(train, run) {
  train.stream?.close();
  train.run = run;
  showState(train, run);
  train.stream = new EventSource(`/api/runs/${run.id}/events`);
  for (const event of STREAMED) {
    train.stream.addEventListener(event, ({ data }) => hear(train, event, JSON.parse(data)));
  }
}

function hear(train, event, data) {
  if (event === "discarded") {
    train.stream.close();
    train.run = null;
    train.board.element.hidden = true;
    showState(train, null);
    return;
  }
  if (event !== "state") {
    train.board.tell(event, data);
    return;
  }
  train.run = { ...train.run, ...data };
  showState(train, train.run);
  if (["failed", "diverged", "kept"].includes(data.state)) train.stream.close();
}

/** Buttons and words as the run's state wants them. */
function showState(train, run) {
  const state = run?.state ?? "none";
  resay(train.state, `state_${state}`, { model: run?.model ?? "" });
  train.state.dataset.state = state;
  train.form.disable(ACTIVE.includes(state));
  const { pause, resume, stop, discard } = train.controls;
  pause.hidden = state !== "running";
  resume.hidden = state !== "paused";
  stop.hidden = !["running", "paused"].includes(state);
  discard.hidden = !run || state === "kept";
  train.keeping.element.hidden = !OVER.includes(state);
  if (run?.problem) showRunProblem(train, run.problem.detail);
  else if (ACTIVE.includes(state)) train.problem.hidden = true;
}

function showRunProblem(train, words) {
  train.problem.hidden = false;
  resay(train.problem, words);
}

/** Ask the server to change the run; what it refuses is told. */
async function change(train, ask) {
  try {
    await ask(`/api/runs/${train.run.id}`);
    train.problem.hidden = true;
  } catch (error) {
    showRunProblem(train, error.message);
  }
}

function makeControls(train) {
  const act = (action) => () => change(train, (path) => send("PATCH", path, { action }));
  const pause = button("pause", act("pause"));
  const resume = button("continue", act("continue"), { class: "main" });
  const stop = button("stop", act("stop"));
  const discard = button("discard", () => change(train, (path) => send("DELETE", path)), {
    class: "quiet",
  });
  const element = make("div", { class: "pair controls" }, pause, resume, stop, discard);
  return { element, pause, resume, stop, discard };
}

/** Name the network and put it on the lab's shelf. */
function makeKeeping(train) {
  const name = make("input", {
    type: "text",
    id: "keep-name",
    value: "red-1",
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
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!name.checkValidity()) {
      name.focus();
      return;
    }
    await change(train, async (path) => {
      await send("PATCH", path, { action: "keep", name: name.value });
      tell("kept", name.value);
    });
  });
  return { element };
}
