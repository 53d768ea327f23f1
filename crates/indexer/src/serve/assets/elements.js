// Makes elements from data and never from markup, so that the text of a tweet cannot become HTML.

const SVG = 'http://www.w3.org/2000/svg';

/// An HTML element. Properties whose names begin with `on` are listeners, `style` is an object.
export function el(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/// An SVG element.
export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style') for (const [key, what] of Object.entries(value)) element.style.setProperty(key, what);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/// Replaces the children of an element. If one of them had the focus, the new one with the same `data-key` gets it.
export function put(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  parent.replaceChildren(...children.flat().filter(Boolean));
  if (focused !== undefined) {
    const again = [...parent.querySelectorAll('[data-key]')].find((element) => element.dataset.key === focused);
    again?.focus({ preventScroll: true });
  }
}

export const byId = (id) => document.getElementById(id);
