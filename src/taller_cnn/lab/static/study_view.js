/** The study of filters and layers, where the working folder has one. */
import { get } from "./api.js";
import { make } from "./dom.js";
import { number } from "./language.js";
import { EVENTS } from "./session.js";

/** The section; fetched when its tab is first opened. */
export function makeStudy(session) {
  const body = make("div", { class: "study" });
  let asked = false;
  session.on(EVENTS.tab, async (tab) => {
    if (tab !== "compare" || asked) return;
    asked = true;
    const study = await get("/api/study").catch(() => ({ available: false }));
    body.replaceChildren(
      ...(study.available ? studyParts(study) : [make("p", { text: "no_study" })]),
    );
  });
  return make("section", { class: "card" }, make("h3", { text: "study_title" }), body);
}

function studyParts({ pictures, table }) {
  const images = pictures.map(({ name, url }) =>
    make("figure", {}, make("img", { src: url, alt: ["study_picture", { name }] })),
  );
  return table ? [...images, studyTable(table)] : images;
}

function studyTable({ columns, rows }) {
  const head = make("tr", {}, ...columns.map((plain) => make("th", { scope: "col", plain })));
  const body = rows.map((row) =>
    make("tr", {}, ...row.map((cell) => make("td", { plain: cellText(cell) }))),
  );
  const table = make(
    "table",
    { class: "numbers" },
    make("thead", {}, head),
    make("tbody", {}, ...body),
  );
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", label: "study_table" },
    table,
  );
}

/** A fraction as the reader writes it; anything else as it stands in the file. */
const cellText = (cell) => (/^-?\d+\.\d+$/.test(cell) ? number(Number(cell), 4) : cell);
