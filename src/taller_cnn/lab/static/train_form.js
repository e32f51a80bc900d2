/** The form that a training starts from. */
import { button, make } from "./dom.js";
import { say, sayPlain } from "./language.js";

/** The fields that the page asks for, in its order; the server checks them all again. */
const ASKED = [
  "filters",
  "kernel_size",
  "pooling",
  "convs_per_pool",
  "activation",
  "hidden",
  "dropout",
  "batch_norm",
  "epochs",
  "learning_rate",
  "batch_size",
  "seed",
];

/**
 * @typedef {{name: string, kind: string, group?: string, value: any, options?: any[],
 *   whole?: boolean, least?: ?number, most?: ?number, above?: ?number, below?: ?number}} Field
 *   what `GET /api/runs/form` says of a field, and the value to begin with
 *
 * @typedef {{recipe: string, recipes: Object<string, any>, fields: Omit<Field, "value">[]}} Ranges
 *   what `GET /api/runs/form` answers
 */

/** Which digits the server trains on. */
const SOURCE_FIELD = {
  name: "source",
  kind: "choice",
  options: ["auto", "sample", "full"],
  value: "auto",
};

/**
 * The form of a training by the server.
 *
 * @param {Promise<Ranges>} ranges
 * @param {(request: Object) => void} submit gets the body of POST /api/runs
 */
export function makeForm(ranges, submit) {
  const list = ranges.then((form) => [...askedFields(form, {}), SOURCE_FIELD]);
  return makeFieldForm(list, "train", async (values) =>
    submit({ ...grouped(await ranges, values), source: values.source }),
  );
}

/**
 * The form of a training in the page: the same fields, with other values to begin with.
 *
 * @param {Promise<Ranges>} ranges
 * @param {Object<string, any>} first values by the field's name
 * @param {(request: {config: Object, train: Object}) => void} submit
 */
export function makePageForm(ranges, first, submit) {
  const list = ranges.then((form) => askedFields(form, first));
  return makeFieldForm(list, "here", async (values) => submit(grouped(await ranges, values)));
}

/**
 * The fields with the values of the recipe, except for those in `first`.
 *
 * @param {Ranges} form
 * @param {Object<string, any>} first
 * @returns {Field[]}
 */
function askedFields({ recipe, recipes, fields }, first) {
  return ASKED.map((name) => {
    const field = fields.find((known) => known.name === name);
    return { ...field, value: first[name] ?? recipes[recipe][field.group][name] };
  });
}

/** The values of the network and those of the training, apart. */
function grouped({ recipe, fields }, values) {
  const request = { config: {}, train: { recipe } };
  for (const { group, name } of fields) {
    if (name in values) request[group][name] = values[name];
  }
  return request;
}

/**
 * A form that hands on the values of its fields once all of them are possible.
 *
 * @param {Promise<Field[]>} list the form is empty until it is there
 * @param {string} prefix of the fields' ids
 * @param {(values: Object<string, any>) => void} submit
 * @returns {{element: HTMLFormElement, disable: (yes: boolean) => void, blame: Function}}
 */
function makeFieldForm(list, prefix, submit) {
  /** @type {Map<string, ReturnType<typeof makeField>>} */
  const fields = new Map();
  const start = button("start", () => {}, { type: "submit", class: "main" });
  const end = make("div", { class: "form-end", hidden: true }, start);
  const element = make(
    "form",
    { class: "train-form", novalidate: true, label: "form_label" },
    end,
  );
  list.then(
    (known) => {
      for (const field of known) fields.set(field.name, makeField(field, prefix));
      element.prepend(...[...fields.values()].map(({ row }) => row));
      end.hidden = false;
    },
    // Whoever asked for the ranges tells why they do not come.
    () => {},
  );
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    const wrong = [...fields.values()].filter((made) => !isPossible(made));
    blame(
      fields,
      wrong.map(({ field }) => ({ field: field.name, own: true })),
    );
    if (wrong.length) wrong[0].input.focus();
    else submit(valuesOf(fields));
  });
  return {
    element,
    disable(yes) {
      start.disabled = yes;
    },
    blame: (errors) => blame(fields, errors),
  };
}

/** Whether a field's value can be; a browser knows only bounds that are allowed themselves. */
function isPossible({ input, field: { kind, above, below } }) {
  if (!input.checkValidity()) return false;
  if (kind !== "number") return true;
  const value = Number(input.value);
  return value > (above ?? -Infinity) && value < (below ?? Infinity);
}

function makeField(field, prefix) {
  const id = `${prefix}-${field.name}`;
  const error = make("span", { class: "field-error", id: `${id}-error` });
  const input = INPUTS[field.kind](field, id);
  input.setAttribute("aria-describedby", error.id);
  const row = make(
    "div",
    { class: field.name === "source" ? "form-field wide" : "form-field" },
    make("label", { for: id, text: `field_${field.name}` }),
    input,
    field.name === "filters" ? make("span", { class: "hint", text: "filters_hint" }) : null,
    error,
  );
  // What was wrong with the value that is gone would be said of the new one.
  input.addEventListener("input", () => clearError({ input, error }));
  return { row, input, error, field };
}

/** The text of each choice that is not a number. */
const CHOICE_TEXTS = {
  pooling: (option) => `pooling_${option}`,
  activation: (option) => `activation_${option}`,
  source: (option) => `source_${option}`,
};

const INPUTS = {
  list: ({ value }, id) =>
    make("input", {
      type: "text",
      id,
      value: value.join(", "),
      inputmode: "numeric",
      required: true,
      pattern: "\\s*\\d+\\s*([,; ]\\s*\\d+\\s*){0,5}",
    }),
  number: ({ value, whole, least, most, above, below }, id) =>
    make("input", {
      type: "number",
      id,
      value,
      min: least ?? above,
      max: most ?? below,
      step: whole ? 1 : "any",
      required: true,
    }),
  switch({ value }, id) {
    const box = make("input", { type: "checkbox", id });
    box.checked = value;
    return box;
  },
  choice({ name, options, value }, id) {
    const select = make("select", { id });
    for (const option of options) {
      const words = Number.isInteger(option)
        ? { plain: `${option} × ${option}` }
        : { text: CHOICE_TEXTS[name](option) };
      select.append(make("option", { value: option, ...words }));
    }
    select.value = String(value);
    return select;
  },
};

const valuesOf = (fields) =>
  Object.fromEntries(
    [...fields].map(([name, { field, input }]) => [name, VALUES[field.kind](input, field)]),
  );

const VALUES = {
  list: (input) =>
    input.value
      .split(/[,; ]+/)
      .filter(Boolean)
      .map(Number),
  number: (input) => Number(input.value),
  switch: (input) => input.checked,
  choice: (input, { options }) => options.find((option) => String(option) === input.value),
};

/** Say what is wrong beside the fields that it is about. */
function blame(all, errors) {
  for (const one of all.values()) clearError(one);
  for (const { field, own, detail } of errors) {
    const name = field
      .replace(/^\/(config|train)\//, "")
      .split("/")[0]
      .replace(/^\//, "");
    const found = all.get(name);
    if (!found) continue;
    found.input.setAttribute("aria-invalid", "true");
    if (own) sayRange(found);
    else found.error.textContent = detail;
  }
}

function clearError({ input, error }) {
  sayPlain(error, "");
  input.removeAttribute("aria-invalid");
}

function sayRange({ error, field: { kind, least, most, above, below } }) {
  if (kind === "list") say(error, "wrong_list");
  else if (typeof above === "number") say(error, "wrong_above", { above, most });
  else if (typeof below === "number") say(error, "wrong_below", { least, below });
  else say(error, "wrong_number", { least: String(least), most: String(most) });
}
