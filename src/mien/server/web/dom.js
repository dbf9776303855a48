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

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name of a symbol in icons.svg */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.append(document.createElementNS(SVG, "use"));
  setIcon(svg, name);
  return svg;
}

/** @param {Element} within @param {string} name of a symbol in icons.svg */
export function setIcon(within, name) {
  find("use", within).setAttribute("href", `static/icons.svg#${name}`);
}
