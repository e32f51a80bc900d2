/** *Compare*: the lab's networks on the same drawing, their mistakes, and the study. */
import { fetchModel, sayError } from "./api.js";
import { makeBars } from "./bars.js";
import { make, toggle } from "./dom.js";
import { chance, say, sayPlain } from "./language.js";
import { makeMistakes } from "./mistakes.js";
import { argmax, buildNetwork, forward, normalise } from "./network.js";
import { EVENTS } from "./session.js";
import { makeStudy } from "./study_view.js";

/** Networks that are shown without being asked for. */
const FIRST_SHOWN = 3;

/** The panel's content; the drawing pad is moved to its top when the tab is opened. */
export function makeCompare(session) {
  const compare = { session, entries: [] };
  compare.dock = make("div", { class: "dock-place" });
  compare.cards = make("div", { class: "model-cards" });
  compare.choices = make("div", { class: "pair", role: "group", label: "compare_choose" });
  compare.none = make("p", { class: "hint", text: "compare_none", hidden: true });
  const mistakes = makeMistakes(session);
  compare.element = make(
    "div",
    {},
    make("h2", { text: "compare_title" }),
    make("p", { class: "lead", text: "compare_text" }),
    compare.dock,
    compare.choices,
    compare.none,
    compare.cards,
    mistakes,
    makeStudy(session),
  );
  session.on(EVENTS.models, (models) => listModels(compare, models));
  for (const event of [EVENTS.outputs, EVENTS.tab, EVENTS.language]) {
    session.on(event, () => showChances(compare));
  }
  return compare;
}

function listModels(compare, models) {
  compare.none.hidden = models.length > 0;
  compare.entries = models.map((card, index) => makeEntry(card, index < FIRST_SHOWN));
  compare.cards.replaceChildren(...compare.entries.map(({ element }) => element));
  compare.choices.replaceChildren(
    ...compare.entries.map((entry) => {
      const choice = toggle("compare_one", entry.shown, (shown) => {
        entry.shown = shown;
        entry.element.hidden = !shown;
        showChances(compare);
      });
      say(choice.querySelector("span"), `model_${entry.card.kind}`, { id: entry.card.id });
      return choice;
    }),
  );
}

/** One network: what it is, what it costs, how good it is, and its ten bars. */
function makeEntry(card, shown) {
  const bars = makeBars();
  const said = make("p", { class: "verdict" });
  const element = make(
    "article",
    { class: "card model-card", "data-model": card.id, hidden: !shown },
    make("h3", { text: [`model_${card.kind}`, { id: card.id }] }),
    make(
      "dl",
      { class: "facts" },
      ...factsOf(card).flatMap(([key, value]) => [make("dt", { text: key }), value]),
    ),
    said,
    bars.element,
    makeTaking(card),
  );
  return { card, bars, said, element, shown, layers: null, loading: false };
}

/** The way out of the lab: the weights, and the command that makes such a network again. */
function makeTaking({ id, command }) {
  const weights = make("a", {
    href: `/api/models/${id}`,
    download: `${id}.safetensors`,
    text: "take_weights",
  });
  const again = command && [make("p", { text: "train_again" }), make("code", {}, ...words(command))];
  return make(
    "details",
    { class: "taking" },
    make("summary", { text: "take_network" }),
    make("p", {}, weights),
    ...(again ?? []),
  );
}

/** A command's words, none of which is broken at a hyphen. */
const words = (command) =>
  command.split(" ").flatMap((word) => [make("span", { class: "word", plain: word }), " "]);

function factsOf({ config, parameters, macs, bytes, test, epochs, seed }) {
  const fact = (key, values) => make("dd", { text: [key, values] });
  const facts = [
    ["fact_filters", make("dd", { plain: config.filters.join(" → ") })],
    [
      "fact_kernel",
      make(
        "dd",
        {},
        `${config.kernel_size} × ${config.kernel_size}, `,
        make("span", { text: `pooling_${config.pooling}` }),
        ", ",
        make("span", { text: `activation_${config.activation}` }),
      ),
    ],
    ["fact_parameters", fact("count", { n: parameters })],
    ["fact_macs", fact("count", { n: macs })],
    ["fact_bytes", fact("kilobytes", { n: Math.round(bytes / 1000) })],
    [
      "fact_test",
      test
        ? fact("accuracy", { ...test, low: test.interval_95[0], high: test.interval_95[1] })
        : fact("unknown", {}),
    ],
  ];
  if (epochs !== null) {
    const key = Number.isInteger(epochs) ? "epochs_seed" : "epochs_part_seed";
    facts.push(["fact_epochs", fact(key, { epochs, seed: String(seed) })]);
  }
  return facts;
}

function showChances(compare) {
  if (compare.session.tab !== "compare") return;
  for (const entry of compare.entries.filter(({ shown }) => shown)) {
    if (entry.layers) showEntry(compare, entry);
    else loadEntry(compare, entry);
  }
}

async function loadEntry(compare, entry) {
  if (entry.loading) return;
  entry.loading = true;
  try {
    const { card, tensors } = await fetchModel(entry.card.id);
    entry.layers = buildNetwork(card.config, tensors);
    showEntry(compare, entry);
  } catch (error) {
    sayError(entry.said, error);
  } finally {
    entry.loading = false;
  }
}

function showEntry({ session }, { card, layers, bars, said }) {
  const { pixels, label } = session;
  const chances = pixels ? forward(layers, normalise(pixels, card)).at(-1) : null;
  bars.show(card.class_names, chances, label);
  if (!chances) {
    say(said, "draw_something");
    return;
  }
  const top = argmax(chances);
  sayPlain(said, `${card.class_names[top]} · ${chance(chances[top], 1)}`);
}
