// Large clouds come over HTTP, below the dashboard's own address: the numbers at once, texts when they are looked at.

import { columnsOfBuffer } from './columns.js';
import { MAX_TEXTS, TEXT_BATCH, TEXT_DELAY_MS } from './constants.js';

/** @import { PlotData } from './payload.js' */
/** @import { RowText } from './data.js' */

/** What goes wrong on the way. */
export class TransportError extends Error {
  /**
   * @param {string} message
   * @param {boolean} gone The server responded, but no longer has the points of that version.
   */
  constructor(message, gone) {
    super(message);
    this.gone = gone;
  }
}

/**
 * Fetch one of the two addresses of a version.
 *
 * @param {PlotData} data
 * @param {string} what
 * @param {AbortSignal} signal
 */
async function fetchPoints(data, what, signal) {
  const base = data.base ? `/${data.base}` : '';
  let response;
  try {
    response = await fetch(`${base}/api/points/${data.version}/${what}`, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new TransportError('the server does not answer', false);
  }
  if (response.ok && response.headers.get('x-polysema-points')) return response;
  // A page of Streamlit's instead of an answer of ours: this server has no such addresses, and Python must send all.
  throw new TransportError('the server no longer holds these points', response.ok || response.status === 404);
}

/**
 * The numeric columns of a version by name, as typed arrays on one buffer.
 *
 * @param {PlotData} data
 * @param {AbortSignal} signal
 */
export async function fetchColumns(data, signal) {
  const response = await fetchPoints(data, 'positions', signal);
  const buffer = await response.arrayBuffer();
  const columns = columnsOfBuffer(data.layout ?? [], buffer);
  if (!columns) throw new TransportError('the points arrived incomplete', false);
  return columns;
}

/**
 * The rows whose label or detail holds a text, whatever its case.
 *
 * @param {PlotData} data
 * @param {string} text
 * @param {AbortSignal} signal
 * @returns {Promise<{ first: number, rows?: number[], bits?: string }>} `first` has just this label; -1 for none.
 */
export async function searchPoints(data, text, signal) {
  const response = await fetchPoints(data, `search?q=${encodeURIComponent(text)}`, signal);
  return response.json();
}

/** Labels, details and marks of a large cloud, fetched in batches on demand. */
export class RemoteTexts {
  /** @type {Map<number, RowText>} */
  #known = new Map();
  /** @type {Set<number>} */
  #wanted = new Set();
  #abort = new AbortController();
  #timer = 0;

  /**
   * @param {PlotData} data
   * @param {{ onArrival: () => void, onGone: () => void }} callbacks
   */
  constructor(data, { onArrival, onGone }) {
    this.data = data;
    this.onArrival = onArrival;
    this.onGone = onGone;
    this.learn(data.texts ?? [[], []]);
  }

  /**
   * Labels that Python sent along.
   *
   * @param {[number[], string[]]} texts Rows and their labels.
   */
  learn([rows, labels]) {
    rows.forEach((row, i) => {
      if (!this.#known.has(row)) this.#known.set(row, { label: labels[i], detail: null, mark: null, partial: true });
    });
  }

  /**
   * The texts of a row, or null, and then they are on their way.
   *
   * @param {number} row
   * @param {boolean} whole Whether the label alone is not enough.
   */
  get(row, whole) {
    const found = this.#known.get(row);
    if (!found || (whole && found.partial && this.data.hasDetails)) this.#want(row);
    return found ?? null;
  }

  /** @param {number} row */
  #want(row) {
    if (this.#wanted.has(row)) return;
    this.#wanted.add(row);
    this.#timer ||= window.setTimeout(() => this.#send(), TEXT_DELAY_MS);
  }

  async #send() {
    this.#timer = 0;
    const rows = [...this.#wanted].slice(0, TEXT_BATCH);
    try {
      const response = await fetchPoints(this.data, `texts?rows=${rows.join(',')}`, this.#abort.signal);
      const { labels, details, marks } = await response.json();
      if (this.#known.size > MAX_TEXTS) this.#known.clear();
      rows.forEach((row, i) => {
        this.#known.set(row, {
          label: labels[i],
          detail: details?.[i] ?? '',
          mark: marks?.[i] ?? null,
          partial: false,
        });
        this.#wanted.delete(row);
      });
      this.onArrival();
      if (this.#wanted.size && !this.#timer) this.#timer = window.setTimeout(() => this.#send(), TEXT_DELAY_MS);
    } catch (error) {
      // The plot stays usable without them; the next look asks again.
      this.#wanted.clear();
      if (error instanceof TransportError && error.gone) this.onGone();
    }
  }

  dispose() {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }
}
