// A drawing of our own making for Streamlit (components v2), in the colors of the page: `st.html` takes no SVG, and a
// picture in an <img> does not know the theme.
//
// The SVG is parsed as XML, in which nothing runs, and of it only shapes and texts are taken over.

import { SVG_NS } from '../dom.js';

const ALLOWED = new Set(['svg', 'g', 'defs', 'marker', 'path', 'rect', 'circle', 'line', 'text', 'tspan', 'title']);

/** @type {WeakMap<Element, string>} What is shown in each place. */
const shownSource = new WeakMap();

/**
 * Leave shapes and texts only.
 *
 * @param {Element} node
 */
function clean(node) {
  for (const child of [...node.children]) {
    if (child.namespaceURI === SVG_NS && ALLOWED.has(child.localName)) clean(child);
    else child.remove();
  }
  for (const { name } of [...node.attributes]) {
    if (name.startsWith('on') || name.includes('href')) node.removeAttribute(name);
  }
  return node;
}

/**
 * What Streamlit calls.
 *
 * @param {{ data: { svg: string }, parentElement: Element }} component
 */
export default function mountDrawing({ data, parentElement }) {
  if (shownSource.get(parentElement) === data.svg) return;
  const parsed = new DOMParser().parseFromString(data.svg, 'image/svg+xml').documentElement;
  const box = document.createElement('div');
  box.className = 'polysema-drawing';
  if (parsed.namespaceURI === SVG_NS && parsed.localName === 'svg')
    box.append(document.importNode(clean(parsed), true));
  else box.textContent = 'The drawing can’t be shown.';
  box.dataset.ready = '1';
  parentElement.querySelector('.polysema-drawing')?.remove();
  parentElement.append(box);
  shownSource.set(parentElement, data.svg);
  // one that is wider than its place is moved by the arrow keys, too
  new ResizeObserver(() => {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute('tabindex');
  }).observe(box);
}
