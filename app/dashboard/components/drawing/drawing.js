// A drawing of our own making for Streamlit (components v2), in the colors of the page: `st.html` takes no SVG, and a
// picture in an <img> does not know the theme.
//
// The SVG is parsed as XML, in which nothing runs, and of it only shapes and texts are taken over.

const SVG_NS = 'http://www.w3.org/2000/svg';
const ALLOWED = new Set(['svg', 'g', 'defs', 'marker', 'path', 'rect', 'circle', 'line', 'text', 'tspan', 'title']);

const shownSource = new WeakMap();

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

export default function mountDrawing({ data, parentElement }) {
  if (shownSource.get(parentElement) === data.svg) return;
  const parsed = new DOMParser().parseFromString(data.svg, 'image/svg+xml').documentElement;
  const box = document.createElement('div');
  box.className = 'polysema-drawing';
  if (parsed.namespaceURI === SVG_NS && parsed.localName === 'svg') box.append(document.importNode(clean(parsed), true));
  else box.textContent = 'The drawing can’t be shown.';
  box.dataset.ready = '1';
  parentElement.querySelector('.polysema-drawing')?.remove();
  parentElement.append(box);
  shownSource.set(parentElement, data.svg);
}
