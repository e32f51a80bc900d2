/** The drawing pad with its buttons, and what the network sees of it. */
import { makeBars, makeVerdict } from "./bars.js";
import { blank, paintGrey } from "./colours.js";
import { arrowKeys, button, canvas, make, oneTabStop, toggle } from "./dom.js";
import { beforeFrame } from "./frames.js";
import { say } from "./language.js";
import { makeOffNotice } from "./off_notice.js";
import { keepForReload, keptForReload } from "./page_state.js";
import { makePhoto } from "./photo.js";
import { asItIs, prepare } from "./preparation.js";
import { EVENTS } from "./session.js";
import { PAD_SIDE, Strokes, inkOf, paintPad, penWidth } from "./strokes.js";

/** Milliseconds without a change before the drawing is kept for a reload. */
const KEEPING = 200;
/** Milliseconds until a picture is read again, whose network's threshold was still being chosen. */
const AGAIN = 3000;
/** Ink below this anywhere is nothing drawn. */
const FAINTEST_INK = 16;

/**
 * The pad, its buttons, the picture that the network sees, and the bars.
 *
 * @param {Object} source where digits come from: `digits` ({pixels, label}[]) and `read`, a
 *   function from a picture file and a page of it to a reading, or null where pictures cannot be
 *   read; then `sayError` tells what goes wrong with it
 * @returns {HTMLElement}
 */
export function makePad(session, source) {
  const surface = canvas(PAD_SIDE, PAD_SIDE, { class: "pad", label: "pad_label", role: "img" });
  const seen = canvas(28, 28, { class: "seen", label: "seen_label", role: "img" });
  const bars = makeBars();
  const verdict = makeVerdict();
  const pad = { session, strokes: new Strokes(), surface, seen, source };
  pad.photo = makePhoto(
    ({ pixels }) => place(pad, pixels, null),
    (page) => readPicture(pad, pad.file, page),
  );
  Object.assign(pad, { centred: true, due: false, keeping: null, file: null, page: 1, read: [] });
  pad.strokes.restore(keptForReload("drawing") ?? []);
  pad.context = surface.getContext("2d", { willReadFrequently: true });
  drawWithPointer(pad);
  takePictures(pad);
  session.on(EVENTS.outputs, () => {
    const chances = session.probabilities();
    if (session.pixels) paintGrey(seen, session.pixels);
    else blank(seen);
    bars.show(session.classNames, chances, session.label);
    verdict.show(session.classNames, chances, session.label, session.card !== null);
  });
  session.on(EVENTS.language, () => {
    bars.show(session.classNames, session.probabilities(), session.label);
  });
  session.on(EVENTS.placeDigit, ({ pixels, label }) => {
    place(pad, pixels, label);
  });
  refresh(pad);
  return layOut(pad, bars, verdict);
}

function layOut(pad, bars, verdict) {
  const tools = make(
    "div",
    { class: "tools" },
    make("div", { class: "pair" }, undoButton(pad), clearButton(pad)),
    button("random_digit", () => randomDigit(pad), { class: "quiet" }),
    pad.source.read && pictureButton(pad),
    digitShelf(pad),
    make("p", { class: "hint", text: "pad_keyboard" }),
  );
  const centring = toggle("centring", true, (centred) => {
    pad.centred = centred;
    refresh(pad);
  });
  return make(
    "div",
    { class: "dock" },
    make("div", { class: "dock-pad" }, pad.surface, tools, pad.photo.element),
    make(
      "figure",
      { class: "dock-seen" },
      pad.seen,
      make("figcaption", { text: "seen_caption" }),
      centring,
      make("p", { class: "hint", text: "centring_hint" }),
    ),
    make(
      "div",
      { class: "dock-bars" },
      ...verdict.elements,
      makeOffNotice(pad.session),
      bars.element,
    ),
  );
}

const undoButton = (pad) =>
  button("undo", () => {
    pad.strokes.undo();
    refresh(pad);
  });

const clearButton = (pad) =>
  button("clear", () => {
    pad.strokes.clear();
    refresh(pad);
  });

function randomDigit(pad) {
  const { digits } = pad.source;
  if (!digits.length) return;
  const { pixels, label } = digits[Math.floor(Math.random() * digits.length)];
  place(pad, pixels, label);
}

/** Put a digit on the pad. */
function place(pad, pixels, label) {
  pad.strokes.placeDigit(pixels, label);
  refresh(pad);
}

/** A real digit of each class; they come after the page. */
function digitShelf(pad) {
  const { session } = pad;
  const shelf = make("div", { class: "found", role: "group", label: "shelf_label" });
  const fill = () => {
    const { digits } = pad.source;
    const ten = session.classNames.map((_, label) =>
      mostTypical(digits.filter((digit) => digit.label === label)),
    );
    const thumbs = ten.filter(Boolean).map((digit) => makeThumb(pad, digit));
    shelf.replaceChildren(...thumbs);
    oneTabStop(shelf);
  };
  arrowKeys(shelf, () => session.classNames.length);
  for (const event of [EVENTS.digits, EVENTS.model]) session.on(event, fill);
  fill();
  return shelf;
}

/** Of several digits the one that is nearest to their mean, so that the shelf has no odd ones. */
function mostTypical(digits) {
  if (!digits.length) return null;
  const mean = Array.from(digits[0].pixels, (_, at) =>
    digits.reduce((sum, { pixels }) => sum + pixels[at] / digits.length, 0),
  );
  const far = ({ pixels }) => mean.reduce((sum, grey, at) => sum + (grey - pixels[at]) ** 2, 0);
  return digits.reduce((best, digit) => (far(digit) < far(best) ? digit : best));
}

/** A button that puts a digit on the pad. */
function makeThumb(pad, { pixels, label }) {
  const small = canvas(28, 28, { "aria-hidden": "true" });
  paintGrey(small, pixels);
  const click = () => place(pad, pixels, label);
  const name = pad.session.classNames[label];
  const props = { type: "button", class: "thumb", label: ["shelf_digit", { label: name }] };
  return make("button", { ...props, on: { click } }, small);
}

function drawWithPointer(pad) {
  const { surface } = pad;
  let pointer = null;
  surface.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    surface.setPointerCapture(pointer);
    pad.strokes.begin(pointOf(surface, event));
    refreshSoon(pad);
  });
  surface.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) pad.strokes.lengthen(pointOf(surface, one));
    refreshSoon(pad);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    surface.addEventListener(end, (event) => {
      if (event.pointerId === pointer) pointer = null;
    });
  }
}

/** Where an event is, in the pad's own points. */
function pointOf(surface, event) {
  const box = surface.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) / box.width) * PAD_SIDE,
    y: ((event.clientY - box.top) / box.height) * PAD_SIDE,
    width: penWidth(event),
  };
}

/** Keep the drawing for a reload, once the hand rests. */
function keepSoon(pad) {
  clearTimeout(pad.keeping);
  pad.keeping = setTimeout(() => keepForReload("drawing", pad.strokes), KEEPING);
}

/** At most one update for each frame that the browser paints. */
function refreshSoon(pad) {
  if (pad.due) return;
  pad.due = true;
  beforeFrame(() => {
    pad.due = false;
    refresh(pad);
  });
}

function refresh(pad) {
  const { session } = pad;
  const content = pad.strokes.content();
  keepSoon(pad);
  paintPad(pad.context, content);
  pad.surface.classList.toggle("empty", !content.digit && !content.strokes.length);
  // What was read in a picture is told as long as a digit of it is on the pad.
  if (pad.read.length && !pad.read.includes(content.digit?.pixels)) {
    pad.read = [];
    pad.photo.clear();
  }
  if (content.digit && !content.strokes.length) {
    session.setPixels(content.digit.pixels, content.digit.label);
    return;
  }
  const ink = inkOf(pad.context);
  const pixels = pad.centred ? prepare(ink, PAD_SIDE, PAD_SIDE) : asItIs(ink, PAD_SIDE);
  session.setPixels(pixels.some((grey) => grey >= FAINTEST_INK) ? pixels : null);
}

function pictureButton(pad) {
  const input = make("input", {
    type: "file",
    accept: "image/*,.tif,.tiff",
    class: "unseen",
    tabindex: "-1",
    label: "open_picture",
    on: {
      change: () => {
        if (input.files[0]) readPicture(pad, input.files[0]);
        input.value = "";
      },
    },
  });
  return make(
    "div",
    {},
    button("open_picture", () => input.click(), { class: "quiet" }),
    input,
    make("p", { class: "hint", text: "drop_hint" }),
  );
}

/** Pictures dropped anywhere or pasted into the page. */
function takePictures(pad) {
  const { surface } = pad;
  if (!pad.source.read) return;
  document.addEventListener("dragover", (event) => {
    // Without this the browser would open the file in the page's place.
    event.preventDefault();
    surface.classList.add("over");
  });
  document.addEventListener("dragleave", () => surface.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    surface.classList.remove("over");
    takeFile(pad, event.dataTransfer);
  });
  document.addEventListener("paste", (event) => takeFile(pad, event.clipboardData));
}

/** The first picture of what was dropped or pasted; of other files, that they are none. */
function takeFile(pad, transfer) {
  const files = [...(transfer?.files ?? [])];
  const picture = files.find(({ type }) => type.startsWith("image/"));
  if (picture) readPicture(pad, picture);
  else if (files.length) say(pad.photo.notice, "not_a_picture", { name: files[0].name });
}

async function readPicture(pad, file, page = 1) {
  Object.assign(pad, { file, page });
  say(pad.photo.notice, "reading_picture");
  try {
    const reading = await pad.source.read(file, page);
    // While it was read another picture may have been opened.
    if (file !== pad.file || page !== pad.page) return;
    pad.read = reading.digits.map(({ pixels }) => pixels);
    if (pad.read.length) place(pad, pad.read[0], null);
    pad.photo.show(reading);
    if (reading.choosing) setTimeout(() => readAgain(pad, file, page), AGAIN);
  } catch (error) {
    pad.source.sayError(pad.photo.notice, error);
  }
}

/** Say what is uncertain once that is known, as long as the same picture is shown. */
async function readAgain(pad, file, page) {
  const isShown = () => pad.read.length && file === pad.file && page === pad.page;
  if (!isShown()) return;
  try {
    const reading = await pad.source.read(file, page);
    if (!isShown()) return;
    pad.photo.show(reading);
    // Its boxes put digits of their own on the pad.
    pad.read.push(...reading.digits.map(({ pixels }) => pixels));
    if (reading.choosing) setTimeout(() => readAgain(pad, file, page), AGAIN);
  } catch (error) {
    pad.source.sayError(pad.photo.notice, error);
  }
}
