/** The exported page: draw and look inside, with one model in it and no server. */
import { bytesOf, modelOf, picturesOf } from "./bytes.js";
import { make } from "./dom.js";
import { startLanguage } from "./language.js";
import { applyTheme, makeHeader } from "./page_frame.js";
import { Session } from "./session.js";
import { makeWorkbench } from "./workbench.js";

function startExport() {
  const data = JSON.parse(document.getElementById("taller-data").textContent);
  const session = new Session();
  startLanguage();
  applyTheme(session);
  const { labels, images } = data.digits;
  const digits = picturesOf(images).map((pixels, index) => ({ pixels, label: labels[index] }));
  const tabs = makeWorkbench(session, { digits, read: null });
  const model = modelOf(bytesOf(data.model).buffer);
  const about = make("p", { class: "hint", text: ["export_lacks", { version: data.version }] });
  const main = make("main", {}, ...tabs.panels);
  const foot = make("footer", {}, about);
  document.getElementById("app").append(makeHeader(session), tabs.list, main, foot);
  session.setModel(model);
  document.documentElement.dataset.ready = "yes";
}

startExport();
