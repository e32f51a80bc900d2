/** Talking to the lab's server. */
import { modelOf, picturesOf } from "./bytes.js";
import { language, say, sayPlain } from "./language.js";

/** Status of a request that nobody answered. */
const NO_ANSWER = 0;

/** What the server said is wrong, in the reader's language, or that there is no server. */
class ServerError extends Error {
  constructor(problem, status) {
    super(problem?.detail ?? problem?.title ?? String(status));
    this.key = problem?.key ?? null;
    this.status = status;
    this.errors = problem?.errors ?? [];
  }
}

/** Put what went wrong into an element: of a server that does not answer, in the page's words. */
export function sayError(element, error) {
  if (!(error instanceof ServerError)) throw error;
  if (error.status === NO_ANSWER) say(element, "no_server");
  else if (error.status === 401) say(element, "no_token");
  else sayPlain(element, error.message);
}

async function ask(path, options = {}) {
  const headers = { "Accept-Language": language(), ...options.headers };
  const response = await fetch(path, { ...options, headers }).catch((error) => {
    // The only reason that `fetch` has for this one is the network.
    if (error instanceof TypeError) throw new ServerError(null, NO_ANSWER);
    throw error;
  });
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  throw new ServerError(problem, response.status);
}

/** GET JSON. */
export async function get(path) {
  return (await ask(path)).json();
}

/** Send JSON with POST or PATCH, or DELETE without; the answer's JSON if it has any. */
export async function send(method, path, value) {
  const body = value === undefined ? undefined : JSON.stringify(value);
  const headers = body ? { "Content-Type": "application/json" } : {};
  const response = await ask(path, { method, headers, body });
  return response.status === 204 ? null : response.json();
}

/** A network with its weights. */
export async function fetchModel(id) {
  return modelOf(await (await ask(`/api/models/${id}`)).arrayBuffer());
}

/** Real digits. */
export async function fetchDigits() {
  const { labels, images } = await get("/api/digits?n=100");
  return picturesOf(images).map((pixels, index) => ({ pixels, label: labels[index] }));
}

/** The digits in a picture file. */
export async function readPictureFile(file) {
  const response = await ask("/api/readings", {
    method: "POST",
    headers: { "Content-Type": file.type || "application/octet-stream" },
    body: file,
  });
  const { text, digits } = await response.json();
  return { text, digits: digits.map((d) => ({ ...d, pixels: picturesOf(d.image)[0] })) };
}
