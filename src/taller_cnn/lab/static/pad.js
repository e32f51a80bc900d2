/** The drawing pad with its buttons, and what the network sees of it. */
import { makeBars, makeVerdict } from "./bars.js";
import { blank, paintGrey } from "./colours.js";
import { arrowKeys, button, canvas, make, oneTabStop, toggle } from "./dom.js";
import { beforeFrame } from "./frames.js";
import { say } from "./language.js";
import { makeOffNotice } from "./off_notice.js";
import { asItIs, prepare } from "./preparation.js";
import { EVENTS } from "./session.js";
import { PAD_SIDE, Strokes, inkOf, paintPad, penWidth } from "./strokes.js";

/** Ink below this anywhere is nothing drawn. */
const FAINTEST_INK = 16;

/**
 * The pad, its buttons, the picture that the network sees, and the bars.
 *
 * @param {Object} source where digits come from: `digits` ({pixels, label}[]) and `read`, a
 *   function from a picture file to {pixels} or null where pictures cannot be read; then
 *   `sayError` tells what goes wrong with it
 * @returns {HTMLElement}
 */
export function makePad(session, source) {
  const surface = canvas(PAD_SIDE, PAD_SIDE, { class: "pad", label: "pad_label", role: "img" });
  const seen = canvas(28, 28, { class: "seen", label: "seen_label", role: "img" });
  const bars = makeBars();
  const verdict = makeVerdict();
  const notice = make("p", { class: "notice", role: "status" });
  const found = make("div", { class: "found" });
  const pad = { session, strokes: new Strokes(), surface, seen, notice, found, source };
  Object.assign(pad, { centred: true, due: false });
  pad.context = surface.getContext("2d", { willReadFrequently: true });
  drawWithPointer(pad);
  takePictures(pad);
  session.on(EVENTS.outputs, () => {
    const chances = session.probabilities();
    if (session.pixels) paintGrey(seen, session.pixels);
    else blank(seen);
    bars.show(session.classNames, chances, session.label);
    verdict.show(session.classNames, chances, session.label);
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
  );
  const centring = toggle("centring", true, (centred) => {
    pad.centred = centred;
    refresh(pad);
  });
  return make(
    "div",
    { class: "dock" },
    make("div", { class: "dock-pad" }, pad.surface, tools, pad.notice, pad.found),
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
    const ten = session.classNames.map((_, label) => digits.find((digit) => digit.label === label));
    const thumbs = ten.filter(Boolean).map((digit) => makeThumb(pad, digit, "shelf_digit"));
    shelf.replaceChildren(...thumbs);
    oneTabStop(shelf);
  };
  arrowKeys(shelf, () => session.classNames.length);
  for (const event of [EVENTS.digits, EVENTS.model]) session.on(event, fill);
  fill();
  return shelf;
}

/** A button that puts a digit on the pad. */
function makeThumb(pad, { pixels, label = null, digit = label }, key) {
  const small = canvas(28, 28, { "aria-hidden": "true" });
  paintGrey(small, pixels);
  const click = () => place(pad, pixels, label);
  const props = { type: "button", class: "thumb", label: [key, { label, digit }], on: { click } };
  return make("button", props, small);
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
  paintPad(pad.context, content);
  pad.surface.classList.toggle("empty", !content.digit && !content.strokes.length);
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
    accept: "image/*",
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

/** Pictures dropped onto the pad or pasted into the page. */
function takePictures(pad) {
  const { surface } = pad;
  if (!pad.source.read) return;
  const fileOf = (transfer) =>
    [...(transfer?.files ?? [])].find((f) => f.type.startsWith("image/"));
  surface.addEventListener("dragover", (event) => {
    event.preventDefault();
    surface.classList.add("over");
  });
  surface.addEventListener("dragleave", () => surface.classList.remove("over"));
  surface.addEventListener("drop", (event) => {
    event.preventDefault();
    surface.classList.remove("over");
    const file = fileOf(event.dataTransfer);
    if (file) readPicture(pad, file);
  });
  document.addEventListener("paste", (event) => {
    const file = fileOf(event.clipboardData);
    if (file) readPicture(pad, file);
  });
}

async function readPicture(pad, file) {
  say(pad.notice, "reading_picture");
  try {
    const { digits, text } = await pad.source.read(file);
    if (!digits.length) {
      say(pad.notice, "no_digit_found");
      return;
    }
    showFound(pad, digits, text);
    place(pad, digits[0].pixels, null);
  } catch (error) {
    pad.source.sayError(pad.notice, error);
  }
}

/** Several digits in a picture: one button each. */
function showFound(pad, digits, text) {
  say(pad.notice, "picture_read", { text });
  const thumbs = digits.map(({ pixels, digit }) =>
    makeThumb(pad, { pixels, digit }, "choose_found"),
  );
  pad.found.replaceChildren(...(digits.length > 1 ? thumbs : []));
}
