/** The form that a training starts from. */
import { button, make } from "./dom.js";
import { say, sayPlain } from "./language.js";

/** Fields, their kind, and what they may be; the server checks them all again. */
const FORM_FIELDS = [
  { group: "config", name: "filters", kind: "list", value: "16, 32" },
  {
    group: "config",
    name: "kernel_size",
    kind: "choice",
    options: ["1", "3", "5", "7"],
    value: "3",
  },
  {
    group: "config",
    name: "pooling",
    kind: "choice",
    options: ["max", "avg", "stride", "none"],
    value: "max",
  },
  {
    group: "config",
    name: "convs_per_pool",
    kind: "number",
    least: 1,
    most: 3,
    step: 1,
    value: 1,
  },
  {
    group: "config",
    name: "activation",
    kind: "choice",
    options: ["relu", "gelu", "tanh"],
    value: "relu",
  },
  { group: "config", name: "hidden", kind: "number", least: 0, most: 4096, step: 1, value: 128 },
  { group: "config", name: "dropout", kind: "number", least: 0, most: 0.95, step: 0.05, value: 0 },
  { group: "config", name: "batch_norm", kind: "switch", value: false },
  { group: "train", name: "epochs", kind: "number", least: 0.1, most: 100, step: 0.1, value: 3 },
  {
    group: "train",
    name: "learning_rate",
    kind: "number",
    least: 0.00001,
    most: 100,
    step: "any",
    value: 0.01,
  },
  { group: "train", name: "batch_size", kind: "number", least: 1, most: 10000, step: 1, value: 64 },
  { group: "train", name: "seed", kind: "number", least: 0, most: 2147483647, step: 1, value: 0 },
];

/**
 * The form.
 *
 * @param {(request: Object) => void} submit gets the body of POST /api/runs
 * @returns {{element: HTMLFormElement, disable: (yes: boolean) => void, blame: Function}}
 */
export function makeForm(submit) {
  const fields = new Map(FORM_FIELDS.map((field) => [field.name, makeField(field)]));
  const source = makeField({
    name: "source",
    kind: "choice",
    options: ["auto", "sample", "full"],
    value: "auto",
  });
  const start = button("start", () => {}, { type: "submit", class: "main" });
  const element = make(
    "form",
    { class: "train-form", novalidate: true, label: "form_label" },
    ...[...fields.values(), source].map(({ row }) => row),
    make("div", { class: "form-end" }, start),
  );
  const all = new Map([...fields, ["source", source]]);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    blame(all, []);
    const wrong = FORM_FIELDS.filter(({ name }) => !fields.get(name).input.checkValidity());
    blame(
      all,
      wrong.map(({ name }) => ({ field: name, own: true })),
    );
    if (wrong.length) fields.get(wrong[0].name).input.focus();
    else submit(requestOf(fields, source));
  });
  return {
    element,
    disable(yes) {
      start.disabled = yes;
    },
    blame: (errors) => blame(all, errors),
  };
}

function makeField(field) {
  const id = `train-${field.name}`;
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
      value,
      inputmode: "numeric",
      required: true,
      pattern: "\\s*\\d+\\s*([,; ]\\s*\\d+\\s*){0,5}",
    }),
  number: ({ value, least, most, step }, id) =>
    make("input", { type: "number", id, value, min: least, max: most, step, required: true }),
  switch: (_, id) => make("input", { type: "checkbox", id }),
  choice({ name, options, value }, id) {
    const select = make("select", { id });
    for (const option of options) {
      const words = /^\d+$/.test(option)
        ? { plain: `${option} × ${option}` }
        : { text: CHOICE_TEXTS[name](option) };
      select.append(make("option", { value: option, ...words }));
    }
    select.value = value;
    return select;
  },
};

/** The body of POST /api/runs. */
function requestOf(fields, source) {
  const request = { config: {}, train: { recipe: "quick" }, source: source.input.value };
  for (const { field, input } of fields.values()) {
    request[field.group][field.name] = VALUES[field.kind](input, field);
  }
  return request;
}

const VALUES = {
  list: (input) =>
    input.value
      .split(/[,; ]+/)
      .filter(Boolean)
      .map(Number),
  number: (input) => Number(input.value),
  switch: (input) => input.checked,
  choice: (input, { name }) => (name === "kernel_size" ? Number(input.value) : input.value),
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

function sayRange({ error, field: { kind, least, most } }) {
  if (kind === "list") say(error, "wrong_list");
  else say(error, "wrong_number", { least: String(least), most: String(most) });
}
