/** Curves that grow while the network learns. */
import { canvas, make } from "./dom.js";
import { number } from "./language.js";

const CHART_WIDTH = 560;
const CHART_HEIGHT = 300;
const MARGIN = { left: 64, right: 16, top: 14, bottom: 40 };

/**
 * A chart of some curves over the same x.
 *
 * @param {string} title text key
 * @param {{name: string, colour: string, dots?: boolean}[]} curves `name`: text key; `colour`: a
 *   property of the style sheet; `dots`: whether each point is marked
 * @param {{floor?: number|"data", ceiling?: ?number}} [range] of the y axis; `data`: just below the
 *   lowest value
 * @returns {{element: HTMLElement, show: (data: [number, number][][], most: number) => void}}
 */
export function makeChart(title, curves, { floor = 0, ceiling = null } = {}) {
  const picture = canvas(CHART_WIDTH * 2, CHART_HEIGHT * 2, {
    class: "chart",
    role: "img",
    label: title,
  });
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
  return {
    element,
    show(data, most) {
      const values = data
        .flat()
        .map(([, y]) => y)
        .filter(Number.isFinite);
      const top = ceiling ?? roundUp(Math.max(0.1, ...values));
      const bottom = floor === "data" ? roundDown(Math.min(top, ...values)) : floor;
      picture.dataset.points = data.map((points) => points.length).join(" ");
      paintChart(picture, curves, data, { most: most || 1, bottom, top });
    },
  };
}

/** A round number at or above the highest value. */
function roundUp(value) {
  const step = value > 1 ? 0.5 : 0.1;
  return Math.ceil(value / step) * step;
}

/** A round share under the lowest: a curve near the top can then be told from the top. */
function roundDown(value) {
  return Math.min(0.9, Math.floor(value * 10) / 10);
}

function paintChart(picture, curves, data, scale) {
  const context = picture.getContext("2d");
  const style = getComputedStyle(picture);
  context.setTransform(2, 0, 0, 2, 0, 0);
  context.clearRect(0, 0, CHART_WIDTH, CHART_HEIGHT);
  const place = ([x, y]) => [
    MARGIN.left + (x / scale.most) * (CHART_WIDTH - MARGIN.left - MARGIN.right),
    CHART_HEIGHT -
      MARGIN.bottom -
      ((y - scale.bottom) / (scale.top - scale.bottom)) *
        (CHART_HEIGHT - MARGIN.top - MARGIN.bottom),
  ];
  paintAxes(context, style, place, scale);
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

function paintAxes(context, style, place, { most, bottom, top }) {
  context.strokeStyle = style.getPropertyValue("--line");
  context.fillStyle = style.getPropertyValue("--soft");
  context.font = `13px ${style.fontFamily}`;
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  const decimals = top - bottom < 0.5 ? 3 : 2;
  for (let k = 0; k <= 4; k += 1) {
    const value = bottom + ((top - bottom) * k) / 4;
    const [x, y] = place([0, value]);
    const [right] = place([most, value]);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(right, y);
    context.stroke();
    context.fillText(number(value, decimals), x - 8, y);
  }
  context.textAlign = "center";
  // One mark for each epoch where there is room.
  const marks = Number.isInteger(most) && most <= 10 ? most : 4;
  for (let k = 0; k <= marks; k += 1) {
    const value = (most * k) / marks;
    const [x, y] = place([value, bottom]);
    context.fillText(number(value, Number.isInteger(value) ? 0 : 2), x, y + 20);
  }
}
