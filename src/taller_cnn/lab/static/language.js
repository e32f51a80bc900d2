/** The page's texts in the reader's language, and numbers as that language writes them. */
import { recall, remember } from "./memory.js";

/** The catalogues `lab_page.toml` by language, which the page carries as data. */
const TEXTS = JSON.parse(document.getElementById("taller-texts").textContent);
/** `{name}` or `{name:specification}`. */
const FIELD = /\{(\w+)(?::([^}]*))?\}/g;

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

function setLanguage(code) {
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
    /** @type {Intl.NumberFormatOptions} */
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
 * How a value is written, by the first sign of its specification; the program's texts have the
 * same ones (`messages.py`). The sign may be followed by a count of decimals.
 *
 *     {n:d} 12,345    {x:.3} 0.123    {share:%2} 99.01%    {probability:p1} > 99.9%
 */
const WRITERS = {
  d: (value) => number(value),
  ".": number,
  "%": percent,
  p: chance,
};

/** A value without a specification: words as they are, a number with all its digits. */
function asItStands(value) {
  if (typeof value !== "number") return String(value);
  const mark = formatter("decimal", 1).format(0.5).replace(/\d/g, "");
  return String(value).replace(".", mark);
}

/** A sentence of the catalogue; of one with plural forms, that of the value called `n`. */
export function text(key, values = {}) {
  const entry = TEXTS[current][key];
  if (entry === undefined) throw new Error(`no text "${key}"`);
  const template =
    typeof entry === "string" ? entry : (entry[pluralForm(values.n)] ?? entry.other);
  return template.replace(FIELD, (_, name, specification) => {
    if (!(name in values)) throw new Error(`no value "${name}" for the text "${key}"`);
    if (!specification) return asItStands(values[name]);
    return WRITERS[specification[0]](values[name], Number(specification.slice(1)));
  });
}

const pluralForm = (count) => new Intl.PluralRules(current).select(count);

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
