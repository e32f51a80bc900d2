/** What stands around the tabs: title, language, light and dark. */
import { button, make, resay } from "./dom.js";
import { chooseLanguage, language } from "./language.js";
import { recall, remember } from "./memory.js";
import { setScale } from "./colours.js";
import { on, tell } from "./present.js";

const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

/** `light` or `dark`: the reader's choice, else the system's. */
function theme() {
  return recall("theme") ?? (prefersDark.matches ? "dark" : "light");
}

/** Put the page in its theme; tells everybody who paints. */
export function applyTheme() {
  document.documentElement.dataset.theme = theme();
  setScale(theme());
  tell("theme");
}

/** The header: title, the given extras, and the two switches. */
export function makeHeader(...extras) {
  const languages = make("div", { class: "switch", role: "group", label: "language_label" });
  for (const [code, name] of [
    ["es", "Español"],
    ["en", "English"],
  ]) {
    const choose = make("button", {
      type: "button",
      lang: code,
      plain: name,
      "data-language": code,
      on: {
        click: () => {
          chooseLanguage(code);
          tell("language");
        },
      },
    });
    languages.append(choose);
  }
  const markLanguage = () => {
    for (const choose of languages.children) {
      choose.setAttribute("aria-pressed", String(choose.dataset.language === language()));
    }
  };
  markLanguage();
  on("language", markLanguage);
  return make(
    "header",
    { class: "top" },
    make(
      "h1",
      {},
      make("span", { class: "mark", "aria-hidden": "true" }),
      make("span", { text: "title" }),
    ),
    ...extras,
    make("div", { class: "switches" }, languages, themeButton()),
  );
}

function themeButton() {
  const change = button("to_dark", () => {
    remember("theme", theme() === "dark" ? "light" : "dark");
    applyTheme();
  });
  change.classList.add("quiet", "theme");
  const relabel = () => resay(change, theme() === "dark" ? "to_light" : "to_dark", {});
  on("theme", relabel);
  prefersDark.addEventListener("change", applyTheme);
  relabel();
  return change;
}
