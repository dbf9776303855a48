// @ts-check
/** Finding and making elements. */

/**
 * The one element for a selector; a missing one is a mistake in index.html, said at once.
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} [within]
 * @returns {T}
 */
export function find(selector, within = document) {
  const element = within.querySelector(selector);
  if (!element) throw new Error(`index.html has no ${selector}`);
  return /** @type {T} */ (element);
}

/**
 * Text is always set as text, never as HTML: it comes from people and models.
 * @param {string} tag
 * @param {string} [className]
 * @param {...(Node | string)} children
 */
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** @param {Element} within @param {string} name of a symbol in icons.svg */
export function setIcon(within, name) {
  find("use", within).setAttribute("href", `static/icons.svg#${name}`);
}
