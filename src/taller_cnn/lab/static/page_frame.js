/** What stands around the tabs: title, language, light and dark. */
import { setScale } from "./colours.js";
import { button, make } from "./dom.js";
import { chooseLanguage, language, say } from "./language.js";
import { recall, remember } from "./memory.js";
import { EVENTS } from "./session.js";

const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

/** `light` or `dark`: the reader's choice, else the system's. */
function theme() {
  return recall("theme") ?? (prefersDark.matches ? "dark" : "light");
}

/** Put the page in its theme; tells everybody who paints. */
export function applyTheme(session) {
  document.documentElement.dataset.theme = theme();
  setScale(theme());
  session.emit(EVENTS.theme);
}

/** The header: title, the given extras, and the two switches. */
export function makeHeader(session, ...extras) {
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
          session.emit(EVENTS.language);
        },
      },
    });
    languages.append(choose);
  }
  const markLanguage = () => {
    for (const choose of languages.querySelectorAll("button")) {
      choose.setAttribute("aria-pressed", String(choose.dataset.language === language()));
    }
  };
  markLanguage();
  session.on(EVENTS.language, markLanguage);
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
    make("div", { class: "switches" }, languages, themeButton(session)),
  );
}

function themeButton(session) {
  const change = button("to_dark", () => {
    remember("theme", theme() === "dark" ? "light" : "dark");
    applyTheme(session);
  });
  change.classList.add("quiet", "theme");
  const relabel = () => say(change, theme() === "dark" ? "to_light" : "to_dark");
  session.on(EVENTS.theme, relabel);
  prefersDark.addEventListener("change", () => applyTheme(session));
  relabel();
  return change;
}
