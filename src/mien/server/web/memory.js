// @ts-check
/** Small things the browser remembers. Storage throws in some private modes; then nothing is kept. */

/** @param {string} key */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string} value */
export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Remembering is a convenience; the page works without it.
  }
}

/** Returns whether there was anything to forget. @param {string} key */
export function forget(key) {
  const kept = recall(key) !== null;
  try {
    localStorage.removeItem(key);
  } catch {
    // As above.
  }
  return kept;
}

/** For this tab only, over reloads. @param {string} key */
export function recallInTab(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string | null} value */
export function rememberInTab(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch {
    // As above.
  }
}
