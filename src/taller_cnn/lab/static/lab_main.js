/** The lab's page: draw, look inside, train, compare. */
import { fetchDigits, get, readPictureFile, sayError } from "./api.js";
import { makeCompare } from "./compare_view.js";
import { make } from "./dom.js";
import { makeHere } from "./here_view.js";
import { say, startLanguage } from "./language.js";
import { makeModelsBar } from "./models_bar.js";
import { applyTheme, makeHeader } from "./page_frame.js";
import { EVENTS, Session } from "./session.js";
import { makeTrain } from "./train_view.js";
import { makeWorkbench } from "./workbench.js";

const session = new Session(() => new Worker("/static/look_worker.js", { type: "module" }));
// For whoever tries things in the browser's console.
globalThis.session = session;
const source = { digits: [], read: readPictureFile, sayError };
const ranges = get("/api/runs/form");
const hereSource = {
  ranges,
  startWorker: () => new Worker("/static/train_worker.js", { type: "module" }),
  digits: () => get("/api/training-digits"),
  tellProblem: sayError,
};

/** The data set that `source.digits` are of. */
let dataset = "";

/** Real digits of the network's own data set. */
async function loadDigits() {
  const wanted = session.card?.dataset ?? "mnist";
  if (wanted === dataset) return;
  dataset = wanted;
  source.digits.splice(0);
  session.emit(EVENTS.digits);
  const found = await fetchDigits(wanted);
  if (wanted !== dataset) return;
  source.digits.push(...found);
  session.emit(EVENTS.digits);
}

async function start() {
  startLanguage();
  applyTheme(session);
  const bar = makeModelsBar(session);
  const compare = makeCompare(session);
  const tabs = makeWorkbench(session, source, [
    { id: "here", text: "tab_here", panel: makeHere(session, hereSource) },
    { id: "train", text: "tab_train", panel: makeTrain(session, ranges) },
    { id: "compare", text: "tab_compare", panel: compare.element, dock: compare.dock },
  ]);
  const head = makeHeader(session, bar.element);
  const classKey = make("p", { class: "class-key", hidden: true });
  session.on(EVENTS.role, ({ class_key: key }) => {
    classKey.hidden = !key;
    if (key) say(classKey, "class_key", { address: location.origin, key });
  });
  const foot = make("footer", {}, make("p", {}, make("a", { href: "/docs", text: "api_link" })));
  document
    .getElementById("app")
    .append(head, tabs.list, classKey, bar.notice, make("main", {}, ...tabs.panels), foot);
  session.on(EVENTS.model, () => loadDigits().catch(bar.showProblem));
  const role = get("/api/health").then((health) => session.emit(EVENTS.role, health));
  const results = await Promise.allSettled([bar.load().then(loadDigits), role]);
  const failed = results.find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") bar.showProblem(failed.reason);
  document.documentElement.dataset.ready = "yes";
}

start();
