/**
 * Ink as the network wants it: 28 x 28, centred as the digits of MNIST are. Does what
 * `reader/preparation.py` does with Pillow, so that the page and the program see the same.
 */
const SIDE = 28;
/** Longest side of the digit, in pixels. */
const BOX = 20;
/** Less ink than this does not count for a digit's extent. */
const FAINT = 0.1;

/**
 * One digit the way MNIST prepared its own: longest side 20 pixels, centre of mass in the middle.
 *
 * @param {Float32Array} ink height x width numbers from 0 (paper) to 1 (full ink)
 * @returns {Uint8Array} 28 x 28 grey levels; all zero if there is no ink
 */
export function prepare(ink, width, height) {
  const image = new Uint8Array(SIDE * SIDE);
  const digit = cropped(ink, width, height);
  if (!digit) return image;
  const small = fitted(digit);
  const [top, left] = corner(small);
  small.values.forEach((value, index) => {
    const row = top + Math.floor(index / small.width);
    image[row * SIDE + left + (index % small.width)] = roundEven(value * 255);
  });
  return image;
}

/** The smallest box with all the ink, or null. */
function cropped(ink, width, height) {
  let [top, bottom, left, right] = [height, -1, width, -1];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (ink[y * width + x] <= FAINT) continue;
      top = Math.min(top, y);
      bottom = y;
      left = Math.min(left, x);
      right = Math.max(right, x);
    }
  }
  if (bottom < 0) return null;
  const box = { width: right - left + 1, height: bottom - top + 1 };
  const values = new Float32Array(box.width * box.height);
  for (let y = 0; y < box.height; y += 1) {
    const start = (top + y) * width + left;
    values.set(ink.subarray(start, start + box.width), y * box.width);
  }
  return { ...box, values };
}

/** The digit with its longest side of 20 pixels. */
function fitted({ width, height, values }) {
  const scale = BOX / Math.max(width, height);
  const newWidth = Math.max(1, roundEven(width * scale));
  const newHeight = Math.max(1, roundEven(height * scale));
  const filter = scale < 1 ? BOX_FILTER : BICUBIC_FILTER;
  const wide = resizeRows(values, width, height, newWidth, filter);
  const turned = resizeRows(
    transposed(wide, newWidth, height),
    height,
    newWidth,
    newHeight,
    filter,
  );
  const result = transposed(turned, newHeight, newWidth);
  return {
    width: newWidth,
    height: newHeight,
    values: result.map((value) => Math.min(1, Math.max(0, value))),
  };
}

/** The mean of the pixels under the new one. */
const BOX_FILTER = { reach: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };

/** Keys' cubic with a = -0.5, for enlarging. */
const BICUBIC_FILTER = {
  reach: 2,
  weight(x) {
    const d = Math.abs(x);
    if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
    return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
  },
};

/** Every row of a picture resized: each new pixel is a weighted mean of those around it. */
function resizeRows(values, width, height, newWidth, filter) {
  const scale = width / newWidth;
  const stretch = Math.max(scale, 1);
  const result = new Float32Array(newWidth * height);
  for (let to = 0; to < newWidth; to += 1) {
    const centre = (to + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - filter.reach * stretch + 0.5));
    const end = Math.min(width, Math.trunc(centre + filter.reach * stretch + 0.5));
    const weights = [];
    for (let x = first; x < end; x += 1) weights.push(filter.weight((x - centre + 0.5) / stretch));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let y = 0; y < height; y += 1) {
      let sum = 0;
      weights.forEach((weight, k) => {
        sum += (weight / total) * values[y * width + first + k];
      });
      result[y * newWidth + to] = sum;
    }
  }
  return result;
}

function transposed(values, width, height) {
  const result = new Float32Array(values.length);
  values.forEach((value, index) => {
    result[(index % width) * height + Math.floor(index / width)] = value;
  });
  return result;
}

/** Where the top left pixel goes, so that the centre of mass is in the middle. */
function corner({ width, height, values }) {
  let [total, rows, columns] = [0, 0, 0];
  values.forEach((value, index) => {
    total += value;
    rows += value * Math.floor(index / width);
    columns += value * (index % width);
  });
  const place = (sum, length) =>
    Math.min(Math.max(roundEven(SIDE / 2 - sum / total), 0), SIDE - length);
  return [place(rows, height), place(columns, width)];
}

/** To the nearest whole number, halves to the even one, as Python rounds. */
function roundEven(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The picture scaled down as it is, neither fitted nor centred: means of boxes of points. */
export function asItIs(ink, side) {
  const step = side / SIDE;
  const pixels = new Uint8Array(SIDE * SIDE);
  for (let row = 0; row < SIDE; row += 1) {
    for (let column = 0; column < SIDE; column += 1) {
      let sum = 0;
      for (let y = row * step; y < (row + 1) * step; y += 1) {
        for (let x = column * step; x < (column + 1) * step; x += 1) sum += ink[y * side + x];
      }
      pixels[row * SIDE + column] = Math.round((255 * sum) / (step * step));
    }
  }
  return pixels;
}
