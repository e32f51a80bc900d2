/** The networks measured on the same test images, and how the chosen one does by class. */
import { get, sayError } from "./api.js";
import { button, make } from "./dom.js";
import { percent, say, sayPlain } from "./language.js";
import { networkName } from "./network_name.js";
import { EVENTS } from "./session.js";

/** What the test images are called, by the data's source. */
const SOURCES = { full: "scores_full", sample: "scores_sample" };

/** The section; the networks are measured when it is asked for, because it takes seconds. */
export function makeScores(session) {
  const scores = { session, models: [], measured: new Map() };
  scores.said = make("p", { class: "hint", role: "status" });
  scores.table = make("div", { class: "table-frame" });
  scores.classes = make("div", { class: "table-frame" });
  scores.measure = button("measure", () => measureAll(scores));
  session.on(EVENTS.models, (models) => {
    scores.models = models;
    scores.measured.clear();
    scores.table.replaceChildren();
    scores.classes.replaceChildren();
    sayPlain(scores.said, "");
    scores.measure.disabled = !models.length;
  });
  for (const event of [EVENTS.model, EVENTS.language]) session.on(event, () => show(scores));
  return make(
    "section",
    { class: "card scores" },
    make("h3", { text: "scores_title" }),
    make("p", { text: "scores_text" }),
    scores.measure,
    scores.said,
    scores.table,
    scores.classes,
  );
}

/** One network after the other: they share a processor. What cannot be measured is told. */
async function measureAll(scores) {
  scores.measure.disabled = true;
  let failed = null;
  for (const [done, { id }] of scores.models.entries()) {
    say(scores.said, "measuring", { n: done + 1, of: scores.models.length });
    try {
      scores.measured.set(id, await get(`/api/models/${id}/scores`));
    } catch (error) {
      failed = error;
    }
    show(scores);
  }
  sayPlain(scores.said, "");
  if (failed) sayError(scores.said, failed);
  scores.measure.disabled = false;
}

function show(scores) {
  const { session, models, measured, table, classes } = scores;
  const rows = models
    .filter(({ id }) => measured.has(id))
    .map((card) => {
      const { dataset, source, n, errors, accuracy, interval_95 } = measured.get(card.id);
      const [low, high] = interval_95;
      return make(
        "tr",
        { "data-model": card.id },
        make("th", { scope: "row", text: networkName(card) }),
        make("td", { text: [SOURCES[source], { dataset, n }] }),
        make("td", { text: ["accuracy", { accuracy, errors, n, low, high }] }),
      );
    });
  table.replaceChildren(...(rows.length ? [makeTable(scoreHeads(), rows)] : []));
  const chosen = session.card && measured.get(session.card.id);
  classes.replaceChildren(...(chosen ? classTables(chosen) : []));
}

const scoreHeads = () => ["model", "scores_data", "fact_test"].map((text) => make("th", { text }));

function makeTable(heads, rows) {
  const head = make("thead", {}, make("tr", {}, ...heads));
  return make("table", { class: "scores-table" }, head, make("tbody", {}, ...rows));
}

/** The confusion matrix with the accuracy of each class at the end of its row. */
function classTables({ classes, confusion }) {
  const names = classes.map(({ name }) => make("th", { scope: "col", plain: name }));
  const heads = [make("th", { text: "true_label" }), ...names, make("th", { text: "fact_test" })];
  const rows = classes.map(({ name, n, correct, interval_95: [low, high] }, row) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", plain: name }),
      ...confusion[row].map((count, column) => confusionCell(count, row === column, n)),
      make("td", {
        text: n ? ["class_accuracy", { accuracy: correct / n, low, high }] : "unknown",
      }),
    ),
  );
  return [make("h4", { text: "confusion_title" }), makeTable(heads, rows)];
}

/** A count, the darker the larger its part of the class. */
function confusionCell(count, isRight, n) {
  const share = n ? count / n : 0;
  const kind = isRight ? "right" : count ? "wrong" : "none";
  const cell = make("td", { class: `confusion ${kind}`, plain: String(count) });
  if (count) cell.title = percent(share, 1);
  return cell;
}
