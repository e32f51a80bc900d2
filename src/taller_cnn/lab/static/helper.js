/** The page's side of the Worker that looks inside: questions out, answers back. */

export class Helper {
  #start;
  #worker = null;
  #questions = new Map();
  #count = 0;
  /** The network that is asked about; it goes to the Worker with the first question. */
  #network = null;

  /** @param {() => Worker} start makes the Worker, once there is something to ask */
  constructor(start) {
    this.#start = start;
  }

  /** Whatever is asked from now on is about this network. */
  setNetwork({ card, tensors }) {
    const scale = { mean: card.mean, std: card.std };
    this.#network = { config: card.config, tensors, scale };
    if (this.#worker) this.#send("network", this.#network);
  }

  /**
   * Ask the Worker.
   *
   * @param {"forward"|"saliency"|"occlusion"} kind
   * @param {Object} question what `look_worker.js` takes for it
   * @param {(share: number) => void} [progress]
   * @returns {Promise<*>} the answer; of an occlusion, null where a later one was asked meanwhile
   */
  ask(kind, question, progress = () => {}) {
    if (!this.#worker) {
      this.#worker = this.#start();
      this.#worker.addEventListener("message", ({ data }) => this.#hear(data));
      this.#send("network", this.#network);
    }
    return this.#send(kind, question, progress);
  }

  #send(kind, question, progress) {
    this.#count += 1;
    const number = this.#count;
    this.#worker.postMessage({ number, kind, ...question });
    return new Promise((answer) => {
      this.#questions.set(number, { answer, progress });
    });
  }

  #hear({ number, share, answer }) {
    const question = this.#questions.get(number);
    if (share !== undefined) {
      question.progress(share);
      return;
    }
    this.#questions.delete(number);
    question.answer(answer);
  }
}
