// The small heads beside the large one, and what the user does with them.

import { html, svg } from '../dom.js';
import { Heads } from './heads.js';
import { drawArcs, drawMatrix } from './large_head.js';
import { SmallHeads } from './small_heads.js';

/** @import { HeadsData, Place } from './heads.js' */

/** @typedef {(name: string, value: unknown) => void} SetStateValue */

const MAX_NAMED = 4; // words named in the note
const HINT = 'Click a small square for its head; point at a word on the left to see where it looks.';

/** @type {Record<string, [number, number]>} */
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** All heads of a model. While the mouse is over another head than the large one, that one is shown large. */
export class HeadGrid {
  #small = new SmallHeads();
  #title = html('p', { class: 'title' });
  #picture = svg('svg', { role: 'img' });
  #spoken = html('p', { class: 'note', 'aria-live': 'polite' });
  #hint = html('p', { class: 'hint' });
  #root = html('div', { class: 'polysema-heads' }, [
    html('div', { class: 'grid' }, [this.#small.canvas]),
    html('div', { class: 'large' }, [this.#title, this.#picture, this.#spoken, this.#hint]),
  ]);
  #observer = new ResizeObserver(() => this.#resize());
  /** @type {Heads | null} */
  #heads = null;
  /** @type {Place | null} The head under the mouse, or that the keys have come to. */
  #hovered = null;
  /** @type {number | null} The row whose weights are described. */
  #lit = null;
  #width = 0;
  /** @type {SetStateValue} */
  #send = () => {};

  /** @param {Element} parent */
  constructor(parent) {
    parent.append(this.#root);
    const { canvas } = this.#small;
    canvas.addEventListener('pointermove', (event) => this.#hover(this.#at(event)));
    canvas.addEventListener('pointerleave', () => this.#hover(null));
    canvas.addEventListener('click', (event) => this.#choose(this.#at(event)));
    canvas.addEventListener('keydown', (event) => this.#onKey(event));
    this.#observer.observe(this.#root);
  }

  /**
   * Take over what Python sent.
   *
   * @param {HeadsData} data
   * @param {SetStateValue} send
   */
  update(data, send) {
    this.#send = send;
    if (this.#heads?.data.version !== data.version) this.#lit = null;
    const heads = new Heads(data);
    this.#heads = heads;
    this.#small.canvas.setAttribute(
      'aria-label',
      `${data.alt}. ${data.layers.length} layers by ${data.nHeads} heads; the arrow keys move, Enter chooses.`,
    );
    this.#hint.textContent = HINT + (heads.masked ? ' Hatched: the model can’t look there.' : '');
    this.#width = 0;
    this.#resize();
  }

  /** Take the heads down. */
  destroy() {
    this.#observer.disconnect();
    this.#root.remove();
  }

  #resize() {
    const heads = this.#heads;
    if (!heads || this.#root.clientWidth === this.#width) return;
    this.#width = this.#root.clientWidth;
    this.#small.fit(heads, this.#width);
    const style = getComputedStyle(this.#root);
    const [ink, accent] = ['--ink', '--accent'].map((name) => style.getPropertyValue(name).trim());
    this.#small.draw(heads, { ink, accent });
    this.#drawLarge();
    this.#root.dataset.ready = '1';
    this.#root.dataset.head = `${heads.data.layer}.${heads.data.head}`;
  }

  #drawLarge() {
    const heads = this.#heads;
    if (!heads) return;
    const { alt, layers, view } = heads.data;
    const place = this.#hovered ?? heads.selected;
    const draw = view === 'matrix' ? drawMatrix : drawArcs;
    const rowGroup = (/** @type {number} */ row) => this.#rowGroup(row);
    const { width, height, nodes } = draw(heads, { weight: heads.weights(place), lit: this.#lit, rowGroup });
    this.#title.textContent = `Layer ${layers[place[0]]}, head ${place[1] + 1}`;
    this.#picture.replaceChildren(...nodes);
    this.#picture.setAttribute('aria-label', alt);
    // as wide as there is room, but hardly larger than drawn
    this.#picture.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#picture.style.maxWidth = `${Math.round(width * 1.15)}px`;
    this.#spoken.textContent = this.#lit === null ? '' : this.#sentence(heads, this.#lit);
  }

  /**
   * A group that lights its row.
   *
   * @param {number} row
   */
  #rowGroup(row) {
    const group = svg('g', { class: row === this.#lit ? 'row lit' : 'row', tabindex: '0' });
    for (const event of ['pointerenter', 'focus', 'click']) group.addEventListener(event, () => this.#light(row));
    return group;
  }

  /** @param {number} row */
  #light(row) {
    if (this.#lit === row) return;
    this.#lit = row;
    const root = this.#root.getRootNode();
    const active = root instanceof Document || root instanceof ShadowRoot ? root.activeElement : null;
    const focused = this.#picture.contains(active);
    this.#drawLarge();
    if (focused) /** @type {SVGElement} */ (this.#picture.querySelectorAll('.row')[row])?.focus();
  }

  /**
   * Where a row looks most.
   *
   * @param {Heads} heads
   * @param {number} row
   */
  #sentence(heads, row) {
    const weight = heads.weights(this.#hovered ?? heads.selected);
    const named = heads.data.columns
      .map((name, column) => ({ name: name.trim() || '␣', value: weight(row, column) }))
      .sort((a, b) => b.value - a.value)
      .slice(0, MAX_NAMED)
      .map(({ name, value }) => `${name} ${value.toFixed(3)}`);
    return `${heads.data.rows[row].trim()} looks at ${named.join(', ')}`;
  }

  /**
   * @param {MouseEvent} event
   * @returns {Place | null}
   */
  #at(event) {
    return this.#heads && this.#small.at(event, this.#heads);
  }

  /** @param {Place | null} place */
  #hover(place) {
    if (String(place) === String(this.#hovered)) return;
    this.#hovered = place;
    this.#drawLarge();
  }

  /** @param {Place | null} place */
  #choose(place) {
    if (place && this.#heads) this.#send('choice', { layer: this.#heads.data.layers[place[0]], head: place[1] + 1 });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const heads = this.#heads;
    if (event.key === 'Enter' && this.#hovered) {
      this.#choose(this.#hovered);
      return;
    }
    const move = MOVES[event.key];
    if (!move || !heads) return;
    event.preventDefault();
    const { layers, nHeads } = heads.data;
    const [layer, head] = this.#hovered ?? heads.selected;
    this.#hover([(layer + move[0] + layers.length) % layers.length, (head + move[1] + nHeads) % nHeads]);
    this.#spoken.textContent = this.#title.textContent;
  }
}
