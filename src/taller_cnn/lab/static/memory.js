/** Choices that outlive the page, where the browser allows it (a page from disk may not). */
const PREFIX = "taller-cnn.";

/** The remembered choice, or null. */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Private windows refuse; the choice then lasts as long as the page.
  }
}
