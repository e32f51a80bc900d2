/** Chance that can be repeated: the same seed and place give the same numbers on every machine. */

/** The streams of chance of a training: how often one is asked changes nothing in the others. */
export const STREAMS = { weights: 0, order: 1, dropout: 2 };

/**
 * A source of numbers 0 <= u < 1: "small fast counting" with 32 bits (Doty-Humphrey, PractRand).
 *
 * @param {...number} place whole numbers: a seed, a stream, and which part of the stream
 * @returns {() => number}
 */
export function makeChance(...place) {
  let [a, b, c, counter] = [place.length, 0x9e3779b9, 0x243f6a88, 1];
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (const number of place) {
    c ^= number | 0;
    // Twelve rounds, after which each bit of what went in has touched all others.
    for (let round = 0; round < 12; round += 1) next();
  }
  return next;
}

/** The numbers 0 to `count` - 1 in an order drawn at random (Fisher & Yates). */
export function shuffled(count, chance) {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last -= 1) {
    const other = Math.floor(chance() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
