/** The page's texts in the reader's language, and numbers as that language writes them. */
import { TEXT_EN } from "./text_en.js";
import { TEXT_ES } from "./text_es.js";
import { recall, remember } from "./memory.js";

const TEXTS = { es: TEXT_ES, en: TEXT_EN };
const FIELD = /\{(\w+)(?::([.%~])(\d))?\}/g;

let current = "es";

/** `es` or `en`. */
export function language() {
  return current;
}

/** The reader's choice if there is one, else the language that the page was served in. */
export function startLanguage() {
  const served = document.documentElement.lang;
  setLanguage(recall("language") ?? (served in TEXTS ? served : "es"));
}

export function setLanguage(code) {
  current = code in TEXTS ? code : "es";
  document.documentElement.lang = current;
  document.title = text("title");
  refreshTexts();
}

/** As `setLanguage`, and remembered. */
export function chooseLanguage(code) {
  remember("language", code);
  setLanguage(code);
}

/** The browser's own region of the language, whose decimal mark may be another. */
function locale() {
  const own = navigator.languages?.find((tag) => tag.split("-")[0] === current);
  return own ?? current;
}

/** Making a formatter takes longer than a hundred uses of it. */
const formatters = new Map();

function formatter(style, decimals) {
  const name = `${locale()} ${style} ${decimals}`;
  if (!formatters.has(name)) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    // Spanish would leave 1000 without its point, beside 10.000 with one.
    const options = { style, useGrouping: "always", ...digits };
    formatters.set(name, new Intl.NumberFormat(locale(), options));
  }
  return formatters.get(name);
}

/** A number with a fixed count of decimals. */
export function number(value, decimals = 0) {
  const clean = Math.abs(value) < 0.5 * 10 ** -decimals ? 0 : value;
  return formatter("decimal", decimals).format(clean).replace("-", "−");
}

/** A share of one as a percentage. */
export function percent(value, decimals = 1) {
  return formatter("percent", decimals).format(value).replace("-", "−");
}

/** A network's probability as a percentage: near one is not one, so never "100%". */
export function chance(value, decimals = 1) {
  const most = 1 - 10 ** -(decimals + 2);
  return value > most ? `> ${percent(most, decimals)}` : percent(value, decimals);
}

/**
 * A sentence of the catalogue. `{name}` takes a value as it is (whole numbers grouped),
 * `{name:.2}` a number with two decimals, `{name:%1}` a share as a percentage with one,
 * `{name:~1}` a network's probability.
 */
export function text(key, values = {}) {
  const template = TEXTS[current][key];
  if (template === undefined) throw new Error(`no text "${key}"`);
  return template.replace(FIELD, (_, name, kind, decimals) => {
    const value = values[name];
    if (kind === "~") return chance(value, Number(decimals));
    if (kind === "%") return percent(value, Number(decimals));
    if (kind === ".") return number(value, Number(decimals));
    return typeof value === "number" ? number(value) : String(value);
  });
}

/** Texts of elements: element -> {content, label, ...: [key, values]}. */
const sayings = new WeakMap();
/** The same elements, also those that are not on the page now or not yet. */
let speakers = [];
/** How many were left when those that nothing holds any more were last forgotten. */
let speakersKept = 1000;

/**
 * Put a text into an element (or into one of its attributes) and keep it in the present language.
 *
 * @param {Element} element
 * @param {string} key
 * @param {Object} [values]
 * @param {"content"|"aria-label"|"title"|"placeholder"|"alt"} [place]
 */
export function say(element, key, values = {}, place = "content") {
  const said = sayings.get(element) ?? newSayings(element);
  said[place] = [key, values];
  write(element, place, text(key, values));
}

function newSayings(element) {
  const said = {};
  sayings.set(element, said);
  speakers.push(new WeakRef(element));
  if (speakers.length > 2 * speakersKept) forgetRemoved();
  return said;
}

function forgetRemoved() {
  speakers = speakers.filter((speaker) => speaker.deref());
  speakersKept = Math.max(speakersKept, speakers.length);
}

/** Put in plain words that no language changes; an earlier text is forgotten. */
export function sayPlain(element, words) {
  const said = sayings.get(element);
  if (said) delete said.content;
  write(element, "content", words);
}

function write(element, place, words) {
  // The same words again would make the browser lay the page out again.
  if (place === "content" && element.textContent !== words) element.textContent = words;
  else if (place !== "content") element.setAttribute(place, words);
}

function refreshTexts() {
  forgetRemoved();
  for (const speaker of speakers) {
    const element = speaker.deref();
    for (const [place, [key, values]] of Object.entries(sayings.get(element) ?? {})) {
      write(element, place, text(key, values));
    }
  }
}
