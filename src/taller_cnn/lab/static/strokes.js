/** What was done on a drawing pad: strokes, digits, clearings; each can be undone. */
import { paintGrey } from "./colours.js";

/** Side of the drawing pad, in points. */
export const PAD_SIDE = 280;
/** Width of the pen on a pad of 280 points: about MNIST's strokes once the digit is 20 pixels. */
const PEN = 22;

/**
 * @typedef {{kind: "stroke", points: {x: number, y: number, width: number}[]}
 *   | {kind: "digit", pixels: Uint8Array, label: ?number}
 *   | {kind: "clear"}} Action
 */

export class Strokes {
  /** @type {Action[]} */
  #actions = [];

  /** What is on the pad now: the placed digit, if any, and the strokes over it. */
  content() {
    const start = this.#actions.findLastIndex(({ kind }) => kind !== "stroke");
    const first = this.#actions[start];
    return {
      digit: first?.kind === "digit" ? first : null,
      strokes: this.#actions.slice(start + 1),
    };
  }

  begin(point) {
    this.#actions.push({ kind: "stroke", points: [point] });
  }

  lengthen(point) {
    const action = this.#actions.at(-1);
    if (action.kind === "stroke") action.points.push(point);
  }

  placeDigit(pixels, label = null) {
    this.#actions.push({ kind: "digit", pixels, label });
  }

  clear() {
    if (this.#actions.length && this.#actions.at(-1).kind !== "clear") {
      this.#actions.push({ kind: "clear" });
    }
  }

  undo() {
    this.#actions.pop();
  }
}

/** A pen that feels pressure draws half to one and a half times as wide. */
export function penWidth(event) {
  return event.pointerType === "pen" && event.pressure > 0 ? PEN * (0.5 + event.pressure) : PEN;
}

/** Paint the pad, white on black, into a context of 280 x 280 points. */
export function paintPad(context, { digit, strokes }) {
  context.fillStyle = "#000";
  context.fillRect(0, 0, PAD_SIDE, PAD_SIDE);
  if (digit) paintPlaced(context, digit.pixels);
  context.strokeStyle = context.fillStyle = "#fff";
  context.lineCap = context.lineJoin = "round";
  for (const { points } of strokes) paintStroke(context, points);
}

function paintPlaced(context, pixels) {
  const small = document.createElement("canvas");
  paintGrey(small, pixels);
  context.drawImage(small, 0, 0, PAD_SIDE, PAD_SIDE);
}

/** Smooth: curves from middle to middle of the points, which bend at the points themselves. */
function paintStroke(context, points) {
  const [first] = points;
  context.beginPath();
  context.arc(first.x, first.y, first.width / 2, 0, 2 * Math.PI);
  context.fill();
  let from = first;
  for (let index = 1; index < points.length; index += 1) {
    const [before, point] = [points[index - 1], points[index]];
    const to = { x: (before.x + point.x) / 2, y: (before.y + point.y) / 2 };
    strokeLine(context, point.width, from, before, to);
    from = to;
  }
  const last = points.at(-1);
  strokeLine(context, last.width, from, last, last);
}

function strokeLine(context, width, from, bend, to) {
  context.beginPath();
  context.lineWidth = width;
  context.moveTo(from.x, from.y);
  context.quadraticCurveTo(bend.x, bend.y, to.x, to.y);
  context.stroke();
}

/** The pad as ink: 280 x 280 numbers from 0 to 1. */
export function inkOf(context) {
  const { data } = context.getImageData(0, 0, PAD_SIDE, PAD_SIDE);
  const ink = new Float32Array(PAD_SIDE * PAD_SIDE);
  for (let index = 0; index < ink.length; index += 1) ink[index] = data[4 * index] / 255;
  return ink;
}
