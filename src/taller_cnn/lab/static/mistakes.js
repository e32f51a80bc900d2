/** The digits that a network gets wrong, each of which opens in *Look inside*. */
import { get, sayError } from "./api.js";
import { picturesOf } from "./bytes.js";
import { paintGrey } from "./colours.js";
import { arrowKeys, button, canvas, make, oneTabStop, unseen } from "./dom.js";
import { say, sayPlain } from "./language.js";
import { EVENTS } from "./session.js";

/** The section; the gallery is fetched when it is asked for, because it takes seconds. */
export function makeMistakes(session) {
  const said = make("p", { class: "hint", role: "status" });
  const grid = make("div", { class: "mistakes", role: "group", label: "mistakes_label" });
  const show = button("show_mistakes", () => fetchMistakes(session, show, said, grid));
  const clear = () => {
    grid.replaceChildren();
    sayPlain(said, "");
    show.disabled = !session.card;
  };
  const across = () => {
    const width = grid.querySelector("button")?.offsetWidth || 1;
    return Math.floor(grid.clientWidth / width);
  };
  arrowKeys(grid, () => Math.max(1, across()));
  session.on(EVENTS.model, clear);
  clear();
  return make(
    "section",
    { class: "card" },
    make("h3", { text: "mistakes_title" }),
    make("p", { text: "mistakes_text" }),
    show,
    said,
    grid,
  );
}

async function fetchMistakes(session, show, said, grid) {
  const { id } = session.card;
  show.disabled = true;
  say(said, "mistakes_wait");
  try {
    const found = await get(`/api/models/${id}/mistakes?limit=100`);
    if (session.card.id !== id) return;
    const pictures = picturesOf(found.images);
    grid.replaceChildren(
      ...found.mistakes.map((one, index) => makeMistake(session, one, pictures[index])),
    );
    oneTabStop(grid);
    say(said, "mistakes_count", { ...found, shown: pictures.length });
  } catch (error) {
    sayError(said, error);
  } finally {
    show.disabled = false;
  }
}

function makeMistake(session, { label, predicted, probability }, pixels) {
  const picture = canvas(28, 28, { "aria-hidden": "true" });
  paintGrey(picture, pixels);
  return make(
    "button",
    {
      type: "button",
      class: "mistake",
      on: {
        click: () => {
          session.emit(EVENTS.placeDigit, { pixels, label });
          session.emit(EVENTS.openTab, "inside");
        },
      },
    },
    picture,
    make("span", { plain: `${label} → ${predicted}` }),
    unseen(["mistake_label", { label, predicted, probability }]),
  );
}
