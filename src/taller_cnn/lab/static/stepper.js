/** Walking over a map's pixels: by hand, by key, or by itself. */
import { button, make } from "./dom.js";
import { say } from "./language.js";

/** Milliseconds for each pixel while it walks by itself. */
const PACE = 350;

/**
 * The place of an output pixel, with the buttons that move it.
 *
 * @param {number} size side of the output map
 * @param {(at: {y: number, x: number}) => void} moved
 */
export function makeStepper(size, moved) {
  const stepper = { size, index: 0, timer: null, moved, walked: false };
  stepper.place = make("output", { class: "place" });
  stepper.play = button("play", () => (stepper.timer ? stop(stepper) : walk(stepper)));
  stepper.element = make(
    "div",
    { class: "stepper" },
    button("previous", () => go(stepper, stepper.index - 1), { class: "quiet" }),
    stepper.play,
    button("next", () => go(stepper, stepper.index + 1), { class: "quiet" }),
    stepper.place,
  );
  return stepper;
}

/** Row and column of the present pixel. */
export function placeOf({ index, size }) {
  return { y: Math.floor(index / size), x: index % size };
}

/** Move to pixel `index`, from the other end if it lies past one. */
export function go(stepper, index) {
  const count = stepper.size ** 2;
  stepper.index = (index + count) % count;
  const { y, x } = placeOf(stepper);
  say(stepper.place, "place", { row: y + 1, column: x + 1 });
  stepper.moved({ y, x });
}

function walk(stepper) {
  say(stepper.play, "pause_walk");
  if (!stepper.walked) go(stepper, 0);
  stepper.walked = true;
  stepper.timer = setInterval(() => {
    // A view that is gone leaves its timer behind.
    if (stepper.element.isConnected) go(stepper, stepper.index + 1);
    else stop(stepper);
  }, PACE);
}

/** Begin where the map is strongest: its corners are mostly empty. */
export function beginAt(stepper, map) {
  const strength = (index) => Math.abs(map[index]);
  for (let index = 1; index < map.length; index += 1) {
    if (strength(index) > strength(stepper.index)) stepper.index = index;
  }
}

/** Stop walking. */
export function stop(stepper) {
  clearInterval(stepper.timer);
  stepper.timer = null;
  say(stepper.play, "play");
}

/** Let the pointer and the arrow keys on a picture of the map move the place. */
export function steer(stepper, picture) {
  const { size } = stepper;
  picture.tabIndex = 0;
  picture.setAttribute("role", "slider");
  picture.setAttribute("aria-valuemin", "1");
  picture.setAttribute("aria-valuemax", String(size * size));
  const follow = (event) => {
    const box = picture.getBoundingClientRect();
    const cell = (at, start, length) =>
      Math.min(size - 1, Math.max(0, Math.floor(((at - start) / length) * size)));
    stop(stepper);
    const y = cell(event.clientY, box.top, box.height);
    go(stepper, y * size + cell(event.clientX, box.left, box.width));
  };
  picture.addEventListener("pointerdown", follow);
  picture.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) follow(event);
  });
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: size, ArrowUp: -size };
  picture.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    stop(stepper);
    go(stepper, stepper.index + steps[event.key]);
  });
}
