/** What happens to a class where the drawing is covered (Zeiler and Fergus 2014). */

/** Side of the patch that covers the drawing, and the step between its places, in pixels. */
const PATCH = 6;
const STEP = 2;
const SIDE = 28;
/** Milliseconds of work between two looks at what else is asked. */
const SLICE = 25;

/**
 * How far the probability of a class falls when a patch of background covers the drawing; each
 * pixel has the mean of all patches over it.
 *
 * @param {Uint8Array} pixels 28 x 28 grey levels
 * @param {(pixels: Uint8Array) => number} chanceOf the class's probability for a drawing
 * @param {{stale: () => boolean, progress: (share: number) => void}} watch `stale`: whether nobody
 *   waits for it any more; `progress` is told the share that is done
 * @returns {Promise<?Float32Array>} 28 x 28, or null if nobody waits for it
 */
export async function occlusion(pixels, chanceOf, { stale, progress }) {
  const whole = chanceOf(pixels);
  const sums = new Float32Array(SIDE * SIDE);
  const counts = new Float32Array(SIDE * SIDE);
  let pause = performance.now() + SLICE;
  for (let top = 2 - PATCH; top < SIDE; top += STEP) {
    for (let left = 2 - PATCH; left < SIDE; left += STEP) {
      const under = patchPixels(top, left);
      if (under.some((index) => pixels[index] > 0)) {
        const covered = pixels.slice();
        for (const index of under) covered[index] = 0;
        const drop = whole - chanceOf(covered);
        for (const index of under) sums[index] += drop;
      }
      for (const index of under) counts[index] += 1;
      if (performance.now() > pause) {
        progress((top + PATCH) / (SIDE + PATCH));
        await new Promise((resolve) => setTimeout(resolve));
        if (stale()) return null;
        pause = performance.now() + SLICE;
      }
    }
  }
  return sums.map((sum, index) => sum / counts[index]);
}

/** The pixels of the image under a patch. */
function patchPixels(top, left) {
  const under = [];
  for (let y = Math.max(0, top); y < Math.min(SIDE, top + PATCH); y += 1) {
    for (let x = Math.max(0, left); x < Math.min(SIDE, left + PATCH); x += 1) {
      under.push(SIDE * y + x);
    }
  }
  return under;
}
