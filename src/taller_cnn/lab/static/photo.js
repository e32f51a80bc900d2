/** A photo as it was read: a box around each mark, and what the reader makes of it. */
import { button, make } from "./dom.js";
import { say, sayPlain } from "./language.js";

/**
 * The photo's element, empty until something is shown.
 *
 * @param {(digit: {pixels: Uint8Array}) => void} choose puts a digit on the pad
 * @param {(page: number) => void} turn reads another page of the file
 */
export function makePhoto(choose, turn) {
  const notice = make("p", { class: "notice", role: "status" });
  const picture = make("div", { class: "photo-picture" });
  const facts = make("div", { class: "photo-facts" });
  const element = make("div", { class: "photo" }, notice, picture, facts);
  return {
    element,
    notice,
    clear() {
      sayPlain(notice, "");
      picture.replaceChildren();
      facts.replaceChildren();
    },
    show(reading) {
      const { digits, rejected, text } = reading;
      if (digits.length) say(notice, "picture_read", { text });
      else say(notice, "no_digit_found");
      picture.replaceChildren(
        make("img", { src: reading.preview, alt: "photo_alt" }),
        ...rejected.map((mark) => placed(rejectedMark(mark), mark.box, reading)),
        ...digits.map((digit) => placed(digitBox(digit, choose), digit.box, reading)),
      );
      facts.replaceChildren(...photoFacts(reading), ...turning(reading, turn));
    },
  };
}

/** Put an element over its box, in shares of the picture. */
function placed(element, box, { width, height }) {
  element.style.left = `${(100 * box.x) / width}%`;
  element.style.top = `${(100 * box.y) / height}%`;
  element.style.width = `${(100 * box.width) / width}%`;
  element.style.height = `${(100 * box.height) / height}%`;
  return element;
}

function digitBox(digit, choose) {
  const { digit: name, second, probability, uncertain } = digit;
  const key = uncertain ? "photo_uncertain" : "photo_digit";
  const words = [key, { digit: name, second, probability }];
  const sign = make("span", { plain: uncertain ? `${name}?` : String(name) });
  return make(
    "button",
    {
      type: "button",
      class: uncertain ? "photo-box uncertain" : "photo-box",
      label: words,
      hint: words,
      on: { click: () => choose(digit) },
    },
    sign,
  );
}

/** A mark that was taken for no digit; why, the server says in the reader's language. */
function rejectedMark({ detail }) {
  const words = { "aria-label": detail, title: detail };
  return make("span", { class: "photo-box rejected", role: "img", ...words });
}

function photoFacts({ digits, rejected, threshold, choosing, model }) {
  const uncertain = digits.filter((digit) => digit.uncertain).length;
  const facts = [];
  if (uncertain) facts.push(["photo_unsure", { n: uncertain, threshold: Math.min(threshold, 1) }]);
  if (rejected.length) facts.push(["photo_rejected", { n: rejected.length }]);
  if (choosing) facts.push(["photo_choosing", {}]);
  else if (threshold === null) facts.push(["photo_no_threshold", {}]);
  facts.push(["photo_model", { model }]);
  return facts.map((text) => make("p", { class: "hint", text }));
}

/** The way to the file's other pages. */
function turning({ page, pages }, turn) {
  if (pages < 2) return [];
  const before = button("page_before", () => turn(page - 1), { class: "quiet" });
  const after = button("page_after", () => turn(page + 1), { class: "quiet" });
  before.disabled = page === 1;
  after.disabled = page === pages;
  const place = make("span", { text: ["page_of", { page, pages }] });
  return [make("p", { class: "pair" }, before, place, after)];
}
