/**
 * The product of two matrices, which is nearly all of the work of a training.
 *
 * A matrix lies in an array with any two strides: the number in row i and column k is at
 * `i * row + k * column`. So a matrix and its transpose are the same array with the strides
 * exchanged, and nothing is ever copied to be turned.
 *
 * @typedef {{values: Float32Array, start: number, row: number, column: number}} Matrix
 */

/** A matrix whose rows of `width` numbers lie one after the other from `start`. */
export const rowsOf = (values, width, start = 0) => ({ values, start, row: width, column: 1 });

/** The same numbers with rows and columns exchanged. */
export const turned = ({ values, start, row, column }) => ({
  values,
  start,
  row: column,
  column: row,
});

/**
 * result += left x right
 *
 * @param {Matrix} result rows x columns
 * @param {Matrix} left rows x depth
 * @param {Matrix} right depth x columns
 */
export function multiplyAdd(result, left, right, rows, columns, depth) {
  const wholeRows = rows - (rows % 4);
  const wholeColumns = columns - (columns % 4);
  for (let i = 0; i < wholeRows; i += 4) {
    for (let j = 0; j < wholeColumns; j += 4) addBlock(result, left, right, i, j, depth);
    for (let j = wholeColumns; j < columns; j += 1) {
      for (let k = 0; k < 4; k += 1) addCell(result, left, right, i + k, j, depth);
    }
  }
  for (let i = wholeRows; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) addCell(result, left, right, i, j, depth);
  }
}

/** One number of the result: the products along a row and a column, summed. */
function addCell(result, left, right, i, j, depth) {
  const { values: a, column: aStep } = left;
  const { values: b, row: bStep } = right;
  let p = left.start + i * left.row;
  let q = right.start + j * right.column;
  let sum = 0;
  for (let k = 0; k < depth; k += 1) {
    sum += a[p] * b[q];
    p += aStep;
    q += bStep;
  }
  result.values[result.start + i * result.row + j * result.column] += sum;
}

/**
 * Sixteen numbers of the result at once, 4 rows x 4 columns: the eight numbers read in a round
 * serve sixteen products, where one cell alone reads two for each. Variables of its own for every
 * sum, because the processor keeps them in registers.
 */
function addBlock(result, left, right, i, j, depth) {
  const { values: a, row: a1, column: aStep } = left;
  const { values: b, row: bStep, column: b1 } = right;
  const a2 = 2 * a1, a3 = 3 * a1, b2 = 2 * b1, b3 = 3 * b1;
  let p = left.start + i * a1;
  let q = right.start + j * b1;
  let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
  let s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
  for (let k = 0; k < depth; k += 1) {
    const x0 = a[p], x1 = a[p + a1], x2 = a[p + a2], x3 = a[p + a3];
    const y0 = b[q], y1 = b[q + b1], y2 = b[q + b2], y3 = b[q + b3];
    s00 += x0 * y0; s01 += x0 * y1; s02 += x0 * y2; s03 += x0 * y3;
    s10 += x1 * y0; s11 += x1 * y1; s12 += x1 * y2; s13 += x1 * y3;
    s20 += x2 * y0; s21 += x2 * y1; s22 += x2 * y2; s23 += x2 * y3;
    s30 += x3 * y0; s31 += x3 * y1; s32 += x3 * y2; s33 += x3 * y3;
    p += aStep;
    q += bStep;
  }
  const { values: c, row, column } = result;
  let at = result.start + i * row + j * column;
  addFour(c, at, column, s00, s01, s02, s03);
  addFour(c, (at += row), column, s10, s11, s12, s13);
  addFour(c, (at += row), column, s20, s21, s22, s23);
  addFour(c, at + row, column, s30, s31, s32, s33);
}

function addFour(values, at, step, first, second, third, fourth) {
  values[at] += first;
  values[at + step] += second;
  values[at + 2 * step] += third;
  values[at + 3 * step] += fourth;
}
