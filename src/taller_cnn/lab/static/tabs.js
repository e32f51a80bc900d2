/** Tabs as ARIA describes them: arrows move among them, one stop for the Tab key. */
import { make } from "./dom.js";

/**
 * @param {{id: string, text: string, panel: HTMLElement}[]} tabs
 * @param {(id: string) => void} opened called whenever a tab is opened
 * @returns {{list: HTMLElement, panels: HTMLElement[], open: (id: string) => void,
 *   ids: string[]}}
 */
export function makeTabs(tabs, opened) {
  const heads = tabs.map(({ id, text: key }) =>
    make("button", {
      type: "button",
      role: "tab",
      id: `tab-${id}`,
      "aria-controls": `panel-${id}`,
      text: key,
      on: { click: () => open(id) },
    }),
  );
  const panels = tabs.map(({ id, panel }) =>
    make(
      "section",
      { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, class: "panel" },
      panel,
    ),
  );
  const open = (id) => {
    tabs.forEach((tab, index) => {
      const is = tab.id === id;
      heads[index].setAttribute("aria-selected", String(is));
      heads[index].tabIndex = is ? 0 : -1;
      panels[index].hidden = !is;
    });
    opened(id);
  };
  const list = make("div", { role: "tablist", label: "tabs_label", class: "tabs" }, ...heads);
  list.addEventListener("keydown", (event) => moveTab(event, heads));
  return { list, panels, open, ids: tabs.map(({ id }) => id) };
}

function moveTab(event, heads) {
  const at = heads.indexOf(document.activeElement);
  const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: heads.length - 1 };
  if (at < 0 || !(event.key in steps)) return;
  event.preventDefault();
  const next = heads[(steps[event.key] + heads.length) % heads.length];
  next.focus();
  next.click();
}
