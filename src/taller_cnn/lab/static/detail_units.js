/** The fully connected layers, the softmax and the input, with their numbers. */
import { colourOf, maxAbs, paintMap } from "./colours.js";
import { canvas, make } from "./dom.js";
import { chance, number, say } from "./language.js";
import { argmax } from "./network.js";

/** Contributions listed one by one. */
const LISTED = 12;

/** A table with text keys as headings and rows of plain words. */
function fillTable(table, headings, rows) {
  const head = make("tr", {}, ...headings.map((key) => make("th", { scope: "col", text: key })));
  table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

/**
 * What each input adds to a unit: its value times the unit's weight for it, largest first.
 *
 * @returns {{index: number, x: number, w: number, product: number}[]}
 */
function contributions(layer, unit, input) {
  const start = unit * layer.inputs;
  const all = Array.from(input, (x, index) => {
    const w = layer.weight[start + index];
    return { index, x, w, product: x * w };
  });
  return all.sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
}

/** The view of one unit of a fully connected layer. */
export function makeLinear(session, layer, unit) {
  const table = make("table", { class: "numbers" });
  const total = make("p", { class: "equation total", "data-role": "total" });
  const maps = make("div", { class: "contribution-maps" });
  const before = session.layers[layer.index - 1];
  const title = make("h4", { text: ["contributions_title", { n: layer.inputs, shown: LISTED }] });
  const wide = make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", label: "contributions_label" },
    table,
  );
  const flat = before.size > 1 ? [make("h4", { text: "contribution_maps" }), maps] : [];
  return {
    element: make(
      "div",
      {},
      total,
      make("div", { class: "two" }, make("div", {}, title, wide), make("div", {}, ...flat)),
    ),
    update() {
      const input = session.outputs?.[layer.index - 1];
      if (!input) return;
      const all = contributions(layer, unit, input);
      listContributions(table, all, before);
      if (before.size > 1) paintContributions(maps, all, before);
      const products = all.reduce((sum, { product }) => sum + product, 0);
      const bias = layer.bias[unit];
      total.dataset.total = products + bias;
      total.dataset.map = session.outputs[layer.index][unit];
      const values = { n: layer.inputs, products, bias, total: products + bias };
      say(total, "linear_total", { ...values, name: layer.name, unit: unit + 1 });
    },
    leave() {},
  };
}

function listContributions(table, all, before) {
  const most = Math.abs(all[0].product) || 1;
  const rows = all.slice(0, LISTED).map(({ index, x, w, product }) => {
    const bar = make("span", { class: "mini" });
    bar.style.width = `${(100 * Math.abs(product)) / most}%`;
    bar.style.backgroundColor = colourOf(Math.sign(product), 1);
    return make(
      "tr",
      {},
      make("th", { scope: "row", plain: inputName(before, index) }),
      make("td", { plain: number(x, 3) }),
      make("td", { plain: number(w, 3) }),
      make("td", { plain: number(product, 3) }),
      make("td", { class: "mini-cell" }, bar),
    );
  });
  fillTable(table, ["input_head", "value_head", "weight_head", "product_head", "share_head"], rows);
}

/** `pool2[5; 3, 4]`: map 5, row 3, column 4; `act[17]`. */
function inputName({ name, size }, index) {
  if (size === 1) return `${name}[${index + 1}]`;
  const area = size * size;
  const [map, place] = [Math.floor(index / area), index % area];
  return `${name}[${map + 1}; ${Math.floor(place / size) + 1}, ${(place % size) + 1}]`;
}

/** The contributions where they come from: one small map for each input map. */
function paintContributions(maps, all, { size, channels }) {
  const area = size * size;
  const values = new Float32Array(channels * area);
  for (const { index, product } of all) values[index] = product;
  const range = maxAbs(values);
  while (maps.children.length < channels)
    maps.append(canvas(size, size, { "aria-hidden": "true" }));
  for (let c = 0; c < channels; c += 1) {
    paintMap(maps.children[c], values.subarray(c * area, (c + 1) * area), size, range);
  }
}

/** The softmax: every class with its logit, its power, and its share. */
export function makeSoftmax(session, _, unit) {
  const table = make("table", { class: "numbers" });
  const total = make("p", { class: "equation total", "data-role": "total" });
  const wide = make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", label: "softmax_label" },
    table,
  );
  return {
    element: make("div", {}, total, wide),
    update() {
      if (!session.outputs) return;
      const logits = session.outputs.at(-2);
      const shares = session.outputs.at(-1);
      const most = logits[argmax(logits)];
      const powers = Array.from(logits, (logit) => Math.exp(logit - most));
      const sum = powers.reduce((a, b) => a + b, 0);
      const rows = powers.map((power, index) =>
        make(
          "tr",
          { class: index === unit ? "chosen" : null },
          make("th", { scope: "row", plain: session.classNames[index] }),
          make("td", { plain: number(logits[index], 3) }),
          make("td", { plain: number(power, 5) }),
          make("td", { plain: chance(shares[index], 2) }),
        ),
      );
      fillTable(table, ["class_head", "logit_head", "power_head", "share_head"], rows);
      total.dataset.total = String(powers[unit] / sum);
      total.dataset.map = shares[unit];
      const name = session.classNames[unit];
      const values = { unit: name, power: powers[unit], sum, share: shares[unit] };
      say(total, "softmax_total", values);
    },
    leave() {},
  };
}

/** The input: grey levels, and the numbers that the network gets. */
export function makeInput(session) {
  const total = make("p", { class: "equation total" });
  return {
    element: total,
    update() {
      const { card, pixels } = session;
      if (!pixels) return;
      const pixel = Math.max(...pixels);
      const { mean, std } = card;
      say(total, "input_formula", { pixel, mean, std, result: (pixel / 255 - mean) / std });
    },
    leave() {},
  };
}
