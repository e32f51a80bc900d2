/** The lab's networks in the header: which one the page has, and opening, renaming, deleting. */
import { fetchModel, get, isReplaced, sayError, send, sendFile } from "./api.js";
import { button, labelled, make } from "./dom.js";
import { language, say, text } from "./language.js";
import { networkName } from "./network_name.js";
import { onLink, readLink, writeLink } from "./page_state.js";
import { EVENTS } from "./session.js";

/** Milliseconds between two looks whether the network's file is still the same. */
const LOOK = 20_000;
/** What a description's file is called, and what weights are. */
const DESCRIPTION = /\.json$/i;
const WEIGHTS = /\.(pt|pth|safetensors)$/i;

/**
 * The chooser with its tools, and the notice under the tabs.
 *
 * @returns {{element: HTMLElement, notice: HTMLElement, load: () => Promise<void>,
 *   showProblem: (error: Error) => void}}
 */
export function makeModelsBar(session) {
  const notice = make("p", { class: "page-notice", role: "alert", hidden: true });
  const bar = { session, notice, models: [], isTeacher: false };
  bar.chooser = make("select", {
    id: "model-choice",
    on: { change: () => useModel(bar, bar.chooser.value) },
  });
  bar.takeAway = make("a", { class: "button", text: "take_away", download: true });
  bar.tools = makeTools(bar);
  bar.element = make(
    "div",
    { class: "model-tools" },
    labelled("model", bar.chooser),
    bar.takeAway,
    bar.tools.element,
  );
  for (const event of [EVENTS.model, EVENTS.language]) session.on(event, () => linkExport(bar));
  session.on(EVENTS.kept, (name) => load(bar, name).catch((error) => showProblem(bar, error)));
  session.on(EVENTS.role, ({ role }) => {
    bar.isTeacher = role === "teacher";
    showTools(bar);
  });
  onLink(({ net }) => {
    if (net && net !== session.card?.id) useModel(bar, net);
  });
  linkExport(bar);
  watchFile(bar);
  return {
    element: bar.element,
    notice,
    load: () => load(bar, readLink().net),
    showProblem: (error) => showProblem(bar, error),
  };
}

/** Load a model of the lab and make it the page's; whether that could be done. */
async function useModel(bar, id) {
  try {
    bar.session.setModel(await fetchModel(id));
  } catch (error) {
    showProblem(bar, error);
    return false;
  }
  bar.chooser.value = id;
  writeLink({ net: id });
  bar.notice.hidden = true;
  showTools(bar);
  return true;
}

/** Use the first model of several that can be loaded, and say so if it is not the first. */
async function useOneOf(bar, ids) {
  for (const id of ids) {
    if (!(await useModel(bar, id))) continue;
    if (id !== ids[0]) sayNotice(bar, "other_model", { broken: ids[0], id });
    return;
  }
}

function sayNotice(bar, key, values) {
  bar.notice.hidden = false;
  say(bar.notice, key, values);
}

function showProblem(bar, error) {
  bar.notice.hidden = false;
  sayError(bar.notice, error);
}

/** A network that was trained in the page is none of the lab's. */
function linkExport(bar) {
  const { session, takeAway, chooser } = bar;
  const id = session.card?.id;
  takeAway.hidden = !id;
  if (session.card) chooser.value = id;
  else chooser.selectedIndex = -1;
  if (id) takeAway.href = `/api/models/${id}/page?lang=${language()}`;
}

/**
 * Fill the chooser; the wanted network is used, else the one that the server calls default, of an
 * ensemble the first.
 */
async function load(bar, wanted = null) {
  const { default: chosen, models } = await get("/api/models");
  bar.models = models;
  const single = models.filter(({ members }) => !members.length);
  bar.chooser.replaceChildren(
    ...single.map((card) => make("option", { value: card.id, text: networkName(card) })),
    make("option", { value: "", text: "model_here", hidden: true }),
  );
  const ids = single.map(({ id }) => id);
  const first = ids.includes(wanted) ? wanted : firstNetwork(models, chosen);
  if (first) {
    await useOneOf(bar, [first, ...ids.filter((id) => id !== first)]);
    const { id } = bar.session.card ?? {};
    if (wanted && !ids.includes(wanted)) sayNotice(bar, "unknown_model", { wanted, id: id ?? "" });
  } else {
    sayNotice(bar, "no_model_yet");
    bar.notice.append(
      " ",
      button("go_train", () => bar.session.emit(EVENTS.openTab, "train")),
    );
  }
  bar.session.emit(EVENTS.models, models);
}

function firstNetwork(models, chosen) {
  return models.find(({ id }) => id === chosen)?.members[0] ?? chosen;
}

/** Look now and then whether the network's file is another one, as after a training. */
function watchFile(bar) {
  const look = async () => {
    const { card } = bar.session;
    if (!card?.id || document.hidden || !(await isReplaced(card)) || card !== bar.session.card) return;
    sayNotice(bar, "model_replaced");
    bar.notice.append(
      " ",
      button("load_again", () => load(bar, card.id).catch((error) => showProblem(bar, error))),
    );
  };
  setInterval(look, LOOK);
  for (const event of ["visibilitychange", "focus"]) window.addEventListener(event, look);
}

/** What the teacher can do with the networks that are kept, behind one button. */
function makeTools(bar) {
  const file = make("input", {
    type: "file",
    multiple: true,
    accept: ".pt,.pth,.safetensors,.json",
    class: "unseen",
    tabindex: "-1",
    label: "open_network",
    on: {
      change: () => {
        openFiles(bar, [...file.files]);
        file.value = "";
      },
    },
  });
  const rename = button("rename_network", () => renameNetwork(bar), { class: "quiet" });
  const remove = button("delete_network", () => deleteNetwork(bar), { class: "quiet" });
  const element = make(
    "details",
    { class: "model-menu", hidden: true },
    make("summary", { text: "networks_menu" }),
    button("open_network", () => file.click(), { class: "quiet" }),
    file,
    rename,
    remove,
  );
  return { element, rename, remove };
}

/** Only networks that were kept here can be renamed or deleted, and only by the teacher. */
function showTools(bar) {
  const { tools, session, isTeacher } = bar;
  const isKept = session.card?.kind === "kept";
  tools.element.hidden = !isTeacher;
  tools.rename.hidden = tools.remove.hidden = !isKept;
}

/** Ask the server to change its networks, and show what there is then. */
async function change(bar, work) {
  bar.tools.element.open = false;
  try {
    await load(bar, await work());
  } catch (error) {
    showProblem(bar, error);
  }
}

function openFiles(bar, files) {
  const weights = files.find(({ name }) => WEIGHTS.test(name));
  const description = files.find(({ name }) => DESCRIPTION.test(name));
  if (!weights) {
    sayNotice(bar, "no_weights_file");
    return;
  }
  change(bar, async () => {
    const query = new URLSearchParams({ name: freeName(bar, weights.name) });
    if (description) query.set("description", await description.text());
    return (await sendFile(`/api/models?${query}`, weights)).id;
  });
}

/** A name for a file's network that no other has: small letters, digits and hyphens. */
function freeName({ models }, file) {
  const plain = file
    .replace(WEIGHTS, "")
    .normalize("NFD")
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 36);
  const names = new Set([...models.map(({ id }) => id), "main", "robust", "opened", ""]);
  const base = plain || "network";
  let name = plain;
  for (let count = 2; names.has(name); count += 1) name = `${base}-${count}`;
  return name;
}

function renameNetwork(bar) {
  const { id } = bar.session.card;
  const name = prompt(text("rename_question", { id }), id);
  if (!name || name === id) return;
  change(bar, async () => (await send("PATCH", `/api/models/${id}`, { name })).id);
}

function deleteNetwork(bar) {
  const { id } = bar.session.card;
  if (!confirm(text("delete_question", { id }))) return;
  change(bar, async () => {
    await send("DELETE", `/api/models/${id}`);
    return null;
  });
}
