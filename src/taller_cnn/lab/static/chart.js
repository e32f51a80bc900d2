/** Curves that grow while the network learns. */
import { canvas, make } from "./dom.js";
import { number, text } from "./language.js";

/** Points of the picture for one of the page's, so that lines are sharp on fine screens too. */
const SHARPNESS = 2;
/** Room around the curves for the axes' titles and numbers, in heights of the text. */
const MARGIN = { left: 4.5, right: 1.5, top: 2.2, bottom: 3.6 };
/** Marks on each axis at most. */
const MOST_TICKS = { x: 8, y: 6 };
/** What the lowest and the highest value of an axis differ by, at least. */
const LEAST_RANGE = 0.1;

/**
 * A chart of some curves over the same x.
 *
 * @param {string} title text key
 * @param {{x: string, y: string}} axes text keys of the axes' titles
 * @param {{name: string, colour: string, dots?: boolean}[]} curves `name`: text key; `colour`: a
 *   property of the style sheet; `dots`: whether each point is marked
 * @param {{floor?: number|"data", ceiling?: ?number}} [range] of the y axis; `data`: just below the
 *   lowest value
 * @returns {{element: HTMLElement, show: (data: [number, number][][], most: number) => void}}
 */
export function makeChart(title, axes, curves, range = {}) {
  const picture = canvas(1, 1, { class: "chart", role: "img", label: title });
  const keys = curves.map(({ name, colour, dots }) => {
    const sign = make("span", { class: dots ? "key dot" : "key", "aria-hidden": "true" });
    sign.style.setProperty("--colour", `var(${colour})`);
    return make("span", { class: "key-entry" }, sign, make("span", { text: name }));
  });
  const element = make(
    "figure",
    { class: "chart-card" },
    make("figcaption", {}, make("h4", { text: title }), make("p", { class: "keys" }, ...keys)),
    picture,
  );
  let paint = () => {};
  new ResizeObserver(() => paint()).observe(picture);
  return {
    element,
    show(data, most) {
      picture.dataset.points = data.map((points) => points.length).join(" ");
      const values = data.flatMap((points) => points.map(([, y]) => y)).filter(Number.isFinite);
      const scale = { x: ticksOf(0, most || 1, MOST_TICKS.x), y: yTicks(values, range) };
      paint = () => paintChart(picture, { axes, curves, data, scale, right: most || 1 });
      paint();
    },
  };
}

/**
 * The two charts of a training, loss and accuracy by epochs.
 *
 * @param {string} asked text key: which digits the second curve of each is of
 */
export function makeTrainingCharts(asked) {
  const curves = [
    { name: "curve_train", colour: "--below" },
    { name: asked, colour: "--above", dots: true },
  ];
  const x = "field_epochs";
  const loss = makeChart("loss_title", { x, y: "axis_loss" }, curves);
  const range = /** @type {const} */ ({ floor: "data", ceiling: 1 });
  const accuracy = makeChart("accuracy_title", { x, y: "accuracy_title" }, curves, range);
  const element = make(
    "div",
    {},
    make("div", { class: "charts" }, loss.element, accuracy.element),
    make("p", { class: "hint", text: "curves_hint" }),
  );
  return { element, loss, accuracy };
}

/**
 * @param {number[]} values
 * @param {{floor?: number|"data", ceiling?: ?number}} range as in `makeChart`
 */
function yTicks(values, { floor = 0, ceiling = null }) {
  const high = ceiling ?? Math.max(LEAST_RANGE, ...values);
  const low = floor === "data" ? Math.min(high - LEAST_RANGE, ...values) : floor;
  return ticksOf(low, high, MOST_TICKS.y);
}

/**
 * Round values from one at or below `low` to one at or above `high`, 1, 2 or 5 times a power of
 * ten apart.
 */
function ticksOf(low, high, most) {
  const least = (high - low) / (most - 1);
  const power = Math.floor(Math.log10(least));
  const [multiple, exponent] = [1, 2, 5, 10]
    .map((digit) => (digit === 10 ? [1, power + 1] : [digit, power]))
    .find(([digit, tens]) => digit * 10 ** tens >= least * (1 - 1e-9));
  // Whole multiples divided by a power of ten are the nearest numbers to what is written.
  const value = (count) =>
    exponent < 0 ? (count * multiple) / 10 ** -exponent : count * multiple * 10 ** exponent;
  const first = Math.floor(low / value(1) + 1e-9);
  const last = Math.ceil(high / value(1) - 1e-9);
  const values = Array.from({ length: last - first + 1 }, (_, index) => value(first + index));
  return { values, decimals: Math.max(0, -exponent) };
}

/** Paint at the size that the picture has on the page, so that its text has the page's size. */
function paintChart(picture, { axes, curves, data, scale, right }) {
  const { clientWidth: width, clientHeight: height } = picture;
  if (!width) return;
  if (picture.width !== width * SHARPNESS) picture.width = width * SHARPNESS;
  if (picture.height !== height * SHARPNESS) picture.height = height * SHARPNESS;
  const context = picture.getContext("2d");
  const style = getComputedStyle(picture);
  context.setTransform(SHARPNESS, 0, 0, SHARPNESS, 0, 0);
  context.clearRect(0, 0, width, height);
  const size = parseFloat(style.fontSize);
  const area = {
    size,
    left: MARGIN.left * size,
    right: width - MARGIN.right * size,
    top: MARGIN.top * size,
    bottom: height - MARGIN.bottom * size,
  };
  const [low, high] = [scale.y.values[0], scale.y.values.at(-1)];
  const place = ([x, y]) => [
    area.left + (x / right) * (area.right - area.left),
    area.bottom - ((y - low) / (high - low)) * (area.bottom - area.top),
  ];
  context.font = `${size}px ${style.fontFamily}`;
  paintAxes(context, style, { axes, scale, right, area, place });
  curves.forEach(({ colour, dots }, index) => {
    context.strokeStyle = context.fillStyle = style.getPropertyValue(colour);
    paintCurve(context, data[index].filter(([, y]) => Number.isFinite(y)).map(place), dots);
  });
}

function paintCurve(context, points, dots) {
  context.lineWidth = 2.5;
  context.lineJoin = "round";
  context.beginPath();
  points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
  if (!dots) return;
  for (const [x, y] of points) {
    context.beginPath();
    context.arc(x, y, 4, 0, 2 * Math.PI);
    context.fill();
  }
}

function paintAxes(context, style, { axes, scale, right, area, place }) {
  const { size } = area;
  context.strokeStyle = style.getPropertyValue("--line");
  context.fillStyle = style.getPropertyValue("--soft");
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const value of scale.y.values) {
    const [, y] = place([0, value]);
    context.beginPath();
    context.moveTo(area.left, y);
    context.lineTo(area.right, y);
    context.stroke();
    context.fillText(number(value, scale.y.decimals), area.left - size / 2, y);
  }
  context.textAlign = "center";
  for (const value of scale.x.values.filter((tick) => tick <= right)) {
    const [x] = place([value, 0]);
    context.fillText(number(value, scale.x.decimals), x, area.bottom + size);
  }
  const middle = (area.left + area.right) / 2;
  context.fillText(text(axes.x), middle, area.bottom + 2.6 * size);
  context.textAlign = "left";
  context.fillText(text(axes.y), size / 4, size * 0.8);
}
