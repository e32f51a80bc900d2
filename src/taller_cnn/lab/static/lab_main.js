/** The lab's page: draw, look inside, train, compare. */
import { fetchDigits, fetchModel, get, readPictureFile, sayError } from "./api.js";
import { makeCompare } from "./compare_view.js";
import { button, labelled, make } from "./dom.js";
import { language, say, startLanguage } from "./language.js";
import { applyTheme, makeHeader } from "./page_frame.js";
import { EVENTS, Session } from "./session.js";
import { makeTrain } from "./train_view.js";
import { makeWorkbench } from "./workbench.js";

const session = new Session();
// For whoever tries things in the browser's console.
globalThis.session = session;
const source = { digits: [], read: readPictureFile, sayError };
const notice = make("p", { class: "page-notice", role: "alert", hidden: true });
const chooser = make("select", {
  id: "model-choice",
  on: { change: () => useModel(chooser.value) },
});
const takeAway = make("a", { class: "button", text: "take_away", download: true });

/** Load a model of the lab and make it the page's; whether that could be done. */
async function useModel(id) {
  try {
    session.setModel(await fetchModel(id));
  } catch (error) {
    showProblem(error);
    return false;
  }
  chooser.value = id;
  notice.hidden = true;
  return true;
}

/** Use the first model of several that can be loaded, and say so if it is not the first. */
async function useOneOf(ids) {
  for (const id of ids) {
    if (!(await useModel(id))) continue;
    if (id !== ids[0]) {
      notice.hidden = false;
      say(notice, "other_model", { broken: ids[0], id });
    }
    return;
  }
}

function showProblem(error) {
  notice.hidden = false;
  sayError(notice, error);
}

function linkExport() {
  takeAway.hidden = !session.card;
  if (session.card) takeAway.href = `/api/models/${session.card.id}/page?lang=${language()}`;
}

/** Fill the chooser; the model that the server calls default is used. */
async function loadModels() {
  const { default: chosen, models } = await get("/api/models");
  chooser.replaceChildren(
    ...models.map(({ id, kind }) => make("option", { value: id, text: [`model_${kind}`, { id }] })),
  );
  if (chosen) {
    const others = models.map(({ id }) => id).filter((id) => id !== chosen);
    await useOneOf([chosen, ...others]);
  } else {
    notice.hidden = false;
    say(notice, "no_model_yet");
    notice.append(
      " ",
      button("go_train", () => session.emit(EVENTS.openTab, "train")),
    );
  }
  session.emit(EVENTS.models, models);
}

async function start() {
  startLanguage();
  applyTheme(session);
  const label = labelled("model", chooser);
  const compare = makeCompare(session);
  const tabs = makeWorkbench(session, source, [
    { id: "train", text: "tab_train", panel: makeTrain(session) },
    { id: "compare", text: "tab_compare", panel: compare.element, dock: compare.dock },
  ]);
  const head = makeHeader(session, make("div", { class: "model-tools" }, label, takeAway));
  const foot = make("footer", {}, make("p", {}, make("a", { href: "/docs", text: "api_link" })));
  document
    .getElementById("app")
    .append(head, tabs.list, notice, make("main", {}, ...tabs.panels), foot);
  for (const event of [EVENTS.model, EVENTS.language]) session.on(event, linkExport);
  session.on(EVENTS.kept, () => loadModels().catch(showProblem));
  linkExport();
  const digits = fetchDigits().then((found) => {
    source.digits.push(...found);
    session.emit(EVENTS.digits);
  });
  const results = await Promise.allSettled([loadModels(), digits]);
  const failed = results.find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") showProblem(failed.reason);
  document.documentElement.dataset.ready = "yes";
}

start();
