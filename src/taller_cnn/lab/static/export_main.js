/** The exported page: draw and look inside, with one model in it and no server. */
import { bytesOf, modelOf, picturesOf } from "./bytes.js";
import { make } from "./dom.js";
import { startLanguage } from "./language.js";
import { applyTheme, makeHeader } from "./page_frame.js";
import { setModel } from "./present.js";
import { makeWorkbench } from "./workbench.js";

function startExport() {
  const data = JSON.parse(document.getElementById("taller-data").textContent);
  startLanguage();
  applyTheme();
  const { labels, images } = data.digits;
  const digits = picturesOf(images).map((pixels, index) => ({ pixels, label: labels[index] }));
  const tabs = makeWorkbench({ digits, read: null });
  const model = modelOf(bytesOf(data.model).buffer);
  const about = make("p", { class: "hint", text: ["export_lacks", { version: data.version }] });
  document
    .getElementById("app")
    .append(makeHeader(), tabs.list, make("main", {}, ...tabs.panels), make("footer", {}, about));
  setModel(model);
  document.documentElement.dataset.ready = "yes";
}

startExport();
