/** What the page shows, told by its link; and what a reload keeps. */

const KEPT_PREFIX = "taller-cnn.page.";

/**
 * The fields of the page's link: `#tab=inside&net=small&at=conv2.6`.
 *
 * @returns {{tab?: string, net?: string, at?: string}}
 */
export function readLink() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/**
 * Put fields into the link, and leave the others.
 *
 * @param {Object<string, ?string>} changes a field that is null is taken out
 * @param {{push?: boolean}} [options] `push`: the browser's Back leads to the link before
 */
export function writeLink(changes, { push = false } = {}) {
  const fields = Object.entries({ ...readLink(), ...changes }).filter(([, value]) => value !== null);
  const link = `#${new URLSearchParams(fields)}`;
  if (link === location.hash) return;
  if (push) history.pushState(null, "", link);
  else history.replaceState(null, "", link);
}

/** Call `listener` with the link's fields when it has become another: Back, Forward, or typed. */
export function onLink(listener) {
  window.addEventListener("popstate", () => listener(readLink()));
}

/** Keep a value (of JSON) for this page after a reload; another window does not see it. */
export function keepForReload(name, value) {
  try {
    sessionStorage.setItem(KEPT_PREFIX + name, JSON.stringify(value));
  } catch {
    // Private windows and pages from disk may refuse; a reload then starts anew.
  }
}

/** What was kept, or null. */
export function keptForReload(name) {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT_PREFIX + name));
  } catch {
    return null;
  }
}
