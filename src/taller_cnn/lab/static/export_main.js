/** The exported page: draw, look inside and train, with one model in it and no server. */
import { bytesOf, modelOf, picturesOf } from "./bytes.js";
import { make } from "./dom.js";
import { makeHere } from "./here_view.js";
import { startLanguage } from "./language.js";
import { applyTheme, makeHeader } from "./page_frame.js";
import { Session } from "./session.js";
import { makeWorkbench } from "./workbench.js";

/** A worker with the script that the page carries as a text. */
function workerOf(script) {
  return new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
}

function startExport() {
  const data = JSON.parse(document.getElementById("taller-data").textContent);
  const session = new Session(() => workerOf(data.workers.look));
  startLanguage();
  applyTheme(session);
  const { labels, images } = data.digits;
  const digits = picturesOf(images).map((pixels, index) => ({ pixels, label: labels[index] }));
  const here = makeHere(session, {
    startWorker: () => workerOf(data.workers.train),
    ranges: Promise.resolve(data.ranges),
    digits: async () => data.training,
  });
  const tabs = makeWorkbench(session, { digits, read: null }, [
    { id: "here", text: "tab_here", panel: here },
  ]);
  const model = modelOf(bytesOf(data.model).buffer);
  const about = make("p", { class: "hint", text: ["export_lacks", { version: data.version }] });
  const which = make("p", { class: "export-network", text: networkFacts(model.card) });
  const main = make("main", {}, ...tabs.panels);
  const foot = make("footer", {}, about);
  document.getElementById("app").append(makeHeader(session), tabs.list, which, main, foot);
  session.setModel(model);
  document.documentElement.dataset.ready = "yes";
}

/** Which network the page carries, and how good it is. */
function networkFacts({ id, dataset, test }) {
  if (!test) return ["export_network_unknown", { id, dataset }];
  const [low, high] = test.interval_95;
  return ["export_network", { ...test, id, dataset, low, high }];
}

startExport();
