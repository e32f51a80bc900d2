/** The digits that a network gets wrong, each of which opens in *Look inside*. */
import { get, sayError } from "./api.js";
import { picturesOf } from "./bytes.js";
import { paintGrey } from "./colours.js";
import { arrowKeys, button, canvas, make, oneTabStop, resay, unseen } from "./dom.js";
import { on, present, tell } from "./present.js";

/** The section; the gallery is fetched when it is asked for, because it takes seconds. */
export function makeMistakes() {
  const said = make("p", { class: "hint", role: "status" });
  const grid = make("div", { class: "mistakes", role: "group", label: "mistakes_label" });
  const show = button("show_mistakes", () => fetchMistakes(show, said, grid));
  const clear = () => {
    grid.replaceChildren();
    resay(said, "");
    show.disabled = !present.card;
  };
  const across = () => Math.floor(grid.clientWidth / (grid.firstChild?.offsetWidth || 1));
  arrowKeys(grid, () => Math.max(1, across()));
  on("model", clear);
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

async function fetchMistakes(show, said, grid) {
  const { id } = present.card;
  show.disabled = true;
  resay(said, "mistakes_wait", {});
  try {
    const found = await get(`/api/models/${id}/mistakes?limit=100`);
    if (present.card.id !== id) return;
    const pictures = picturesOf(found.images);
    grid.replaceChildren(...found.mistakes.map((one, index) => makeMistake(one, pictures[index])));
    oneTabStop(grid);
    resay(said, "mistakes_count", { ...found, shown: pictures.length });
  } catch (error) {
    sayError(said, error);
  } finally {
    show.disabled = false;
  }
}

function makeMistake({ label, predicted, probability }, pixels) {
  const picture = canvas(28, 28, { "aria-hidden": "true" });
  paintGrey(picture, pixels);
  return make(
    "button",
    {
      type: "button",
      class: "mistake",
      on: {
        click: () => {
          tell("place", { pixels, label });
          tell("open", "inside");
        },
      },
    },
    picture,
    make("span", { plain: `${label} → ${predicted}` }),
    unseen(["mistake_label", { label, predicted, probability }]),
  );
}
