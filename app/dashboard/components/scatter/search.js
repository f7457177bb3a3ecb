// The search box of a plot: every match is marked as one types, and each can be gone to.

import { SEARCH_DELAY_MS } from './constants.js';
import { html } from '../dom.js';
import { decodeRows } from './history.js';
import { searchPoints } from './transport.js';

/** @import { Points } from './data.js' */
/** @import { ScatterPlot } from './plot.js' */

/** Finds rows by a part of what they are called or say. */
export class PlotSearch {
  /** @type {Int32Array} */
  rows = new Int32Array(0);
  #place = -1;
  #first = -1;
  #started = '';
  #text = '';
  #timer = 0;
  /** @type {AbortController | null} */
  #abort = null;
  #plot;
  #input;
  #count;
  #modes;
  #steps;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
    this.#input = html('input', { type: 'search', 'aria-label': 'Find', autocomplete: 'off', maxlength: 200 });
    this.#count = html('span', { class: 'count', role: 'status' });
    const previous = html('button', { type: 'button', 'aria-label': 'Previous match', title: 'Previous' }, ['↑']);
    const next = html('button', { type: 'button', 'aria-label': 'Next match', title: 'Next (Enter)' }, ['↓']);
    this.#steps = html('span', { class: 'steps', hidden: '' }, [previous, next]);
    this.#modes = html('span', { class: 'modes', hidden: '' });
    const box = plot.elements.search;
    box.replaceChildren(this.#input, this.#count, this.#steps, this.#modes);
    plot.listen(this.#input, 'input', () => this.#soon());
    plot.listen(previous, 'click', () => this.#step(-1));
    plot.listen(next, 'click', () => this.#step(1));
    plot.listen(box, 'keydown', (event) => this.#onKey(event));
  }

  /**
   * What else the box can ask than a part of a text: [name, words on its button] each; none: no search box.
   *
   * @param {{ hint: string, text: string, modes: [string, string][] } | null} options
   */
  offer(options) {
    this.#plot.elements.search.hidden = !options;
    if (!options) return;
    this.#input.placeholder = options.hint;
    if (options.text && this.#started !== options.text) this.#start(options.text);
    this.#modes.replaceChildren(
      ...options.modes.map(([name, words]) => {
        const button = html('button', { type: 'button', 'data-mode': name }, [words]);
        button.addEventListener(
          'click',
          this.#plot.guarded(() => this.#plot.python.ask(name, { text: this.#text })),
        );
        return button;
      }),
    );
  }

  /**
   * Seek what Python names, once.
   *
   * @param {string} text
   */
  #start(text) {
    this.#started = text;
    if (this.#text === text) return;
    this.#input.value = text;
    this.#text = text;
    this.#find();
  }

  /** The points are other ones: search among them. */
  renew() {
    if (this.#text) this.#find();
  }

  dispose() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(
      this.#plot.guarded(() => {
        this.#text = this.#input.value.trim();
        this.#find();
        this.#started = this.#text;
        this.#plot.python.ask('find', { text: this.#text }, true);
      }),
      SEARCH_DELAY_MS,
    );
  }

  async #find() {
    const { state } = this.#plot;
    this.#abort?.abort();
    this.#modes.hidden = !this.#text;
    if (!this.#text || !state.hasPoints) {
      this.#show(null);
      return;
    }
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const found = state.latest.points ? this.#among() : await this.#ask(abort.signal);
      if (!abort.signal.aborted) this.#plot.guarded(() => this.#show(found))();
    } catch {
      if (!abort.signal.aborted) this.#count.textContent = 'the server does not answer';
    }
  }

  /** Among points that are here with their texts. */
  #among() {
    const { points } = this.#plot.state;
    const wanted = this.#text.toLowerCase();
    this.#first = -1;
    const rows = this.#holding(points, [wanted]);
    return Int32Array.from(rows.length ? rows : this.#holding(points, wanted.split(/\s+/)));
  }

  /**
   * The rows whose label or detail holds all parts of a text.
   *
   * @param {Points} points
   * @param {string[]} parts In lower case.
   */
  #holding(points, parts) {
    const rows = [];
    for (let row = 0; row < points.count; row += 1) {
      const text = points.text(row, true);
      const label = text?.label.toLowerCase() ?? '';
      const detail = text?.detail?.toLowerCase() ?? '';
      if (label === parts[0] && this.#first < 0) this.#first = row;
      if (parts.every((part) => label.includes(part)) || parts.every((part) => detail.includes(part))) rows.push(row);
    }
    return rows;
  }

  /** @param {AbortSignal} signal */
  async #ask(signal) {
    const { latest } = this.#plot.state;
    const found = await searchPoints(latest, this.#text, signal);
    this.#first = found.first;
    return decodeRows(found, latest.count);
  }

  /** @param {Int32Array | null} rows Null: nothing is sought. */
  #show(rows) {
    const { content, masks, state } = this.#plot;
    this.rows = rows ?? new Int32Array(0);
    this.#place = -1;
    masks.match(rows?.length ? rows : null, state.hasPoints ? state.points.count : 0);
    this.#count.textContent = rows ? `${rows.length.toLocaleString()} found` : '';
    this.#steps.hidden = !this.rows.length;
    content.restyle();
  }

  /**
   * Go to the next (1) or the previous (-1) match.
   *
   * @param {number} step
   */
  #step(step) {
    const { length } = this.rows;
    if (!length) return;
    if (this.#place < 0 && this.#first >= 0) this.#place = this.rows.indexOf(this.#first);
    else this.#place = this.#place < 0 ? (step > 0 ? 0 : length - 1) : (this.#place + step + length) % length;
    const row = this.rows[this.#place];
    const { navigation, python, stepper, tooltip } = this.#plot;
    this.#count.textContent = `${(this.#place + 1).toLocaleString()} of ${length.toLocaleString()}`;
    stepper.row = row;
    navigation.show(row);
    tooltip.show(row, { force: true });
    python.ask('focus', { row });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    event.stopPropagation(); // the plot has keys of its own
    if (event.key === 'Escape') {
      this.#input.value = '';
      this.#text = '';
      this.#find();
      return;
    }
    if (event.key !== 'Enter' || event.target !== this.#input) return;
    event.preventDefault();
    clearTimeout(this.#timer);
    const text = this.#input.value.trim();
    if (text !== this.#text) {
      this.#text = text;
      this.#find().then(this.#plot.guarded(() => this.#onEnter()));
    } else this.#step(event.shiftKey ? -1 : 1);
  }

  /** A text was entered: go to the first match, or ask by the first other way where there is none. */
  #onEnter() {
    if (this.rows.length) this.#step(1);
    else if (this.#text) this.#modes.querySelector('button')?.click();
  }
}
