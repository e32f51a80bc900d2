/**
 * The slow work of looking inside, in a Worker beside the page: passes of deep networks, and why a
 * class is the one. Each question has a number, which its answer has too.
 */
import { buildNetwork, forward, inputGradient, normalise } from "./network.js";
import { occlusion } from "./occlusion.js";

/** The network that is asked, from the page's last `network`. */
let layers = [];
let card = null;
/** Number of the last question why: earlier ones are no longer waited for. */
let lastWhy = 0;

const KINDS = {
  network({ config, tensors, scale }) {
    layers = buildNetwork(config, tensors);
    card = scale;
    return null;
  },
  forward: ({ pixels, off }) => forward(layers, normalise(pixels, card), off),
  saliency({ pixels, off, target }) {
    const outputs = forward(layers, normalise(pixels, card), off);
    return inputGradient(layers, outputs, target, off);
  },
  async occlusion({ pixels, off, target }, number) {
    lastWhy = number;
    const chance = (image) => forward(layers, normalise(image, card), off).at(-1)[target];
    return occlusion(pixels, chance, {
      stale: () => lastWhy !== number,
      progress: (share) => self.postMessage({ number, share }),
    });
  },
};

self.addEventListener("message", async ({ data: { number, kind, ...asked } }) => {
  self.postMessage({ number, answer: await KINDS[kind](asked, number) });
});
