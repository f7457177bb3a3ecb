// The attention heads for Streamlit (components v2): a canvas of layers by heads, and one head large in SVG.
//
// Streamlit calls `mountHeads` on every run; it keeps one `HeadGrid` per mount. All heads come in 8 bits (`all`), the
// one that is large exactly (`exact`): while the mouse is over another head, that one is shown from its 8 bits.
//
// Texts are the users': they reach the page through textContent and attributes only.

const SVG_NS = 'http://www.w3.org/2000/svg';
const LARGEST_CELL = 42; // pixels
const SMALLEST_CELL = 9;
const GAP = 3;
const LEFT = 30; // room for the layers' numbers
const TOP = 18; // room for the heads' numbers
const MOST_HEIGHT = 520;
const FAINTEST = 0.02; // a weaker arc is not drawn
const BEST = 4; // words named in the note

const mounts = new WeakMap();

function element(name, attributes = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function svg(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG_NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

function rgb(color) {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

// Weights from 0 to 1 to opacity: small ones stay visible.
function opacity(weight) {
  return weight ** 0.6;
}

function shown(name) {
  const text = name.trim().replace(/\s+/g, ' ');
  if (!text) return '␣';
  return text.length > 14 ? `${text.slice(0, 13)}…` : text;
}

class HeadGrid {
  constructor(parent) {
    this.canvas = element('canvas', { tabindex: '0', role: 'application' });
    this.spoken = element('p', { class: 'note', 'aria-live': 'polite' });
    this.title = element('p', { class: 'title' });
    this.picture = svg('svg', { role: 'img' });
    this.hint = element('p', { class: 'hint' });
    const grid = element('div', { class: 'grid' }, [this.canvas]);
    const large = element('div', { class: 'large' }, [this.title, this.picture, this.spoken, this.hint]);
    this.root = element('div', { class: 'polysema-heads' }, [grid, large]);
    parent.append(this.root);
    this.hovered = null;
    this.lit = null;
    this.canvas.addEventListener('pointermove', (event) => this.hover(this.at(event)));
    this.canvas.addEventListener('pointerleave', () => this.hover(null));
    this.canvas.addEventListener('click', (event) => this.choose(this.at(event)));
    this.canvas.addEventListener('keydown', (event) => this.onKey(event));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.root);
  }

  update(data, send) {
    this.send = send;
    const same = this.data?.version === data.version;
    this.data = data;
    this.nRows = data.rows.length;
    this.nColumns = data.columns.length;
    this.all = data.all.getChild('v').toArray();
    this.exact = data.exact.getChild('v').toArray();
    this.forbidden = data.forbidden.getChild('v').toArray();
    this.selected = [data.layers.indexOf(data.layer), data.head - 1];
    if (!same) this.lit = null;
    this.canvas.setAttribute(
      'aria-label',
      `${data.alt}. ${data.layers.length} layers by ${data.nHeads} heads; the arrow keys move, Enter chooses.`,
    );
    this.hint.textContent =
      'Click a small square for its head; point at a word on the left to see where it looks.' +
      (this.forbidden.some(Boolean) ? ' Hatched: the model can’t look there.' : '');
    this.width = 0;
    this.resize();
  }

  resize() {
    if (!this.data || this.root.clientWidth === this.width) return;
    this.width = this.root.clientWidth;
    const nLayers = this.data.layers.length;
    const wide = Math.floor((this.width - LEFT) / this.data.nHeads) - GAP;
    const high = Math.floor((MOST_HEIGHT - TOP) / nLayers) - GAP;
    this.cell = Math.max(SMALLEST_CELL, Math.min(LARGEST_CELL, wide, high));
    this.draw();
  }

  draw() {
    this.drawGrid();
    this.drawLarge();
    this.root.dataset.ready = '1';
    this.root.dataset.head = `${this.data.layer}.${this.data.head}`;
  }

  drawGrid() {
    const { layers, nHeads } = this.data;
    const step = this.cell + GAP;
    const width = LEFT + nHeads * step;
    const height = TOP + layers.length * step;
    const ratio = Math.min(2, devicePixelRatio || 1);
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const style = getComputedStyle(this.root);
    const ink = style.getPropertyValue('--ink').trim();
    const accent = style.getPropertyValue('--accent').trim();
    const [red, green, blue] = rgb(accent);
    const context = this.canvas.getContext('2d');
    context.scale(ratio, ratio);
    context.font = '11px sans-serif';
    context.textBaseline = 'middle';
    const tile = document.createElement('canvas');
    tile.width = this.nColumns;
    tile.height = this.nRows;
    const tiles = tile.getContext('2d');
    const pixels = tiles.createImageData(this.nColumns, this.nRows);
    const size = this.nRows * this.nColumns;
    context.fillStyle = ink;
    context.textAlign = 'center';
    const every = step < 16 ? 3 : 1;
    for (let head = 0; head < nHeads; head += every) {
      context.fillText(String(head + 1), LEFT + head * step + this.cell / 2, TOP / 2);
    }
    context.textAlign = 'right';
    layers.forEach((layer, row) => {
      context.fillStyle = ink;
      if (row % (step < 14 ? 2 : 1) === 0) context.fillText(String(layer), LEFT - 6, TOP + row * step + this.cell / 2);
      for (let head = 0; head < nHeads; head += 1) {
        const offset = (row * nHeads + head) * size;
        for (let i = 0; i < size; i += 1) {
          pixels.data[4 * i] = red;
          pixels.data[4 * i + 1] = green;
          pixels.data[4 * i + 2] = blue;
          pixels.data[4 * i + 3] = 255 * opacity(this.all[offset + i] / 255);
        }
        tiles.putImageData(pixels, 0, 0);
        const x = LEFT + head * step;
        const y = TOP + row * step;
        context.globalAlpha = 0.09;
        context.fillStyle = ink;
        context.fillRect(x, y, this.cell, this.cell);
        context.globalAlpha = 1;
        context.imageSmoothingEnabled = this.nColumns > this.cell;
        context.drawImage(tile, x, y, this.cell, this.cell);
        if (row === this.selected[0] && head === this.selected[1]) {
          context.strokeStyle = ink;
          context.lineWidth = 2;
          context.strokeRect(x - 1, y - 1, this.cell + 2, this.cell + 2);
        }
      }
    });
  }

  // The weights of the head that is large, as a function of row and column.
  weights() {
    const [layer, head] = this.hovered ?? this.selected;
    if (!this.hovered || (layer === this.selected[0] && head === this.selected[1])) {
      return (row, column) => this.exact[row * this.nColumns + column];
    }
    const offset = (layer * this.data.nHeads + head) * this.nRows * this.nColumns;
    return (row, column) => this.all[offset + row * this.nColumns + column] / 255;
  }

  drawLarge() {
    const [layer, head] = this.hovered ?? this.selected;
    this.title.textContent = `Layer ${this.data.layers[layer]}, head ${head + 1}`;
    this.picture.replaceChildren();
    this.picture.setAttribute('aria-label', this.data.alt);
    if (this.data.view === 'matrix') this.drawMatrix(this.weights());
    else this.drawArcs(this.weights());
    this.speak();
  }

  // The picture in its own units: as wide as there is room, but hardly larger than drawn.
  frame(width, height) {
    this.picture.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.picture.style.maxWidth = `${Math.round(width * 1.15)}px`;
  }

  rowGroup(row) {
    const group = svg('g', { class: row === this.lit ? 'row lit' : 'row', tabindex: '0' });
    group.addEventListener('pointerenter', () => this.light(row));
    group.addEventListener('focus', () => this.light(row));
    group.addEventListener('click', () => this.light(row));
    return group;
  }

  drawArcs(weight) {
    const space = Math.max(17, Math.min(27, 440 / Math.max(this.nRows, this.nColumns)));
    const height = Math.max(this.nRows, this.nColumns) * space + 14;
    this.frame(440, height);
    const y = (place) => 16 + place * space;
    const lines = svg('g');
    for (let row = 0; row < this.nRows; row += 1) {
      for (let column = 0; column < this.nColumns; column += 1) {
        const value = weight(row, column);
        if (value < FAINTEST) continue;
        const faded = this.lit !== null && this.lit !== row;
        lines.append(
          svg('path', {
            d: `M132 ${y(row) - 4} C220 ${y(row) - 4} 220 ${y(column) - 4} 308 ${y(column) - 4}`,
            fill: 'none',
            stroke: 'var(--accent)',
            'stroke-width': (0.8 + value * 4.5).toFixed(2),
            'stroke-opacity': (faded ? 0.05 : opacity(value)).toFixed(3),
          }),
        );
      }
    }
    this.picture.append(lines);
    this.data.rows.forEach((name, row) => {
      const group = this.rowGroup(row);
      group.append(svg('rect', { x: 0, y: y(row) - space / 2 - 4, width: 130, height: space, fill: 'transparent' }));
      group.append(svg('text', { x: 124, y: y(row), 'text-anchor': 'end', 'font-size': 13 }, shown(name)));
      this.picture.append(group);
    });
    this.data.columns.forEach((name, column) => {
      const value = this.lit === null ? '' : `  ${weight(this.lit, column).toFixed(2)}`;
      const cut = this.lit !== null && this.forbidden[this.lit * this.nColumns + column];
      this.picture.append(svg('text', { x: 316, y: y(column), 'font-size': 13, opacity: cut ? 0.4 : 1 }, shown(name) + (cut ? '  –' : value)));
    });
  }

  drawMatrix(weight) {
    const cell = Math.max(12, Math.min(30, 340 / Math.max(this.nRows, this.nColumns)));
    const left = 100;
    const top = 84;
    this.frame(left + this.nColumns * cell + 40, top + this.nRows * cell + 6);
    const pattern = svg('pattern', { id: 'polysema-cut', width: 5, height: 5, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' });
    pattern.append(svg('line', { x1: 0, y1: 0, x2: 0, y2: 5, stroke: 'var(--ink)', 'stroke-opacity': 0.22, 'stroke-width': 1.6 }));
    const definitions = svg('defs');
    definitions.append(pattern);
    this.picture.append(definitions);
    const size = Math.min(13, cell - 1);
    this.data.columns.forEach((name, column) => {
      const x = left + column * cell + cell / 2;
      this.picture.append(
        svg('text', { x, y: top - 6, 'font-size': size, transform: `rotate(-55 ${x} ${top - 6})` }, shown(name)),
      );
    });
    this.data.rows.forEach((name, row) => {
      const group = this.rowGroup(row);
      const y = top + row * cell;
      group.append(svg('text', { x: left - 6, y: y + cell / 2 + 4, 'text-anchor': 'end', 'font-size': size }, shown(name)));
      for (let column = 0; column < this.nColumns; column += 1) {
        const x = left + column * cell;
        const value = weight(row, column);
        const cut = this.forbidden[row * this.nColumns + column];
        const box = { x, y, width: cell - 1, height: cell - 1 };
        group.append(svg('rect', { ...box, fill: cut ? 'url(#polysema-cut)' : 'var(--panel)' }));
        if (!cut) group.append(svg('rect', { ...box, fill: 'var(--accent)', 'fill-opacity': opacity(value).toFixed(3) }));
        const tip = svg('title', {}, `${name.trim()} → ${this.data.columns[column].trim()}: ${cut ? 'can’t look' : value.toFixed(4)}`);
        group.lastChild.append(tip);
      }
      this.picture.append(group);
    });
  }

  light(row) {
    if (this.lit === row) return;
    this.lit = row;
    const focused = this.picture.contains(this.root.getRootNode().activeElement);
    this.drawLarge();
    if (focused) this.picture.querySelectorAll('.row')[row]?.focus();
  }

  speak() {
    if (this.lit === null) {
      this.spoken.textContent = '';
      return;
    }
    const weight = this.weights();
    const best = this.data.columns
      .map((name, column) => [name.trim() || '␣', weight(this.lit, column)])
      .sort((a, b) => b[1] - a[1])
      .slice(0, BEST);
    const named = best.map(([name, value]) => `${name} ${value.toFixed(3)}`).join(', ');
    this.spoken.textContent = `${this.data.rows[this.lit].trim()} looks at ${named}`;
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const step = this.cell + GAP;
    const head = Math.floor((event.clientX - box.left - LEFT) / step);
    const layer = Math.floor((event.clientY - box.top - TOP) / step);
    const inside = layer >= 0 && layer < this.data.layers.length && head >= 0 && head < this.data.nHeads;
    return inside ? [layer, head] : null;
  }

  hover(place) {
    if (String(place) === String(this.hovered)) return;
    this.hovered = place;
    this.drawLarge();
  }

  choose(place) {
    if (!place) return;
    this.send('choice', { layer: this.data.layers[place[0]], head: place[1] + 1 });
  }

  onKey(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key === 'Enter' && this.hovered) {
      this.choose(this.hovered);
      return;
    }
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const [layer, head] = this.hovered ?? this.selected;
    const { layers, nHeads } = this.data;
    this.hover([(layer + move[0] + layers.length) % layers.length, (head + move[1] + nHeads) % nHeads]);
    this.spoken.textContent = this.title.textContent;
  }

  destroy() {
    this.observer.disconnect();
    this.root.remove();
  }
}

export default function mountHeads({ parentElement, data, setStateValue }) {
  let grid = mounts.get(parentElement);
  try {
    if (!grid) {
      grid = new HeadGrid(parentElement);
      mounts.set(parentElement, grid);
    }
    grid.run = (grid.run ?? 0) + 1;
    grid.update(data, setStateValue);
  } catch (error) {
    console.warn('heads:', error);
    const note = element('p', { class: 'note' });
    note.textContent = 'The heads can’t be drawn in this browser; the numbers are in the table below.';
    parentElement.append(note);
  }
  const { run } = grid ?? {};
  return () => {
    if (!grid || grid.run !== run) return;
    mounts.delete(parentElement);
    grid.destroy();
  };
}
