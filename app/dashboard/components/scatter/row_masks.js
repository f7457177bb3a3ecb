// Which rows a condition lets through, which are hidden, and which a search has found.

import { decodeRows } from './history.js';

/** @typedef {{ rows?: number[], bits?: string } | null} SentRows */

/** What is said of rows beside the selection. */
export class RowMasks {
  /** @type {Uint8Array | null} A 1 for each row that passes the condition; null without one. */
  #passing = null;
  /** @type {Uint8Array | null} A 1 for each row that is not drawn. */
  #hidden = null;
  /** @type {Uint8Array | null} A 1 for each row that the search has found; null without a search. */
  #matching = null;
  #sent = '';

  /**
   * What Python says of a number of rows; whether it is new.
   *
   * @param {SentRows} passing
   * @param {SentRows} hidden
   * @param {number} count
   */
  take(passing, hidden, count) {
    const sent = JSON.stringify([passing, hidden, count]);
    if (sent === this.#sent) return false;
    this.#sent = sent;
    this.#passing = passing && maskOf(decodeRows(passing, count), count);
    this.#hidden = hidden && maskOf(decodeRows(hidden, count), count);
    if (this.#matching?.length !== count) this.#matching = null;
    return true;
  }

  /**
   * What a search has found among a number of rows; null for no search.
   *
   * @param {Int32Array | null} rows
   * @param {number} count
   */
  match(rows, count) {
    this.#matching = rows && maskOf(rows, count);
  }

  /**
   * Whether a row is drawn.
   *
   * @param {number} row
   */
  isShown(row) {
    return this.#hidden === null || this.#hidden[row] !== 1;
  }

  /**
   * Whether a row can be chosen: it is drawn, and passes the condition.
   *
   * @param {number} row
   */
  isOpen(row) {
    return this.isShown(row) && (this.#passing === null || this.#passing[row] === 1);
  }

  /**
   * Whether a row is drawn in its color, as far as condition and search go.
   *
   * @param {number} row
   */
  isLit(row) {
    return this.isOpen(row) && (this.#matching === null || this.#matching[row] === 1);
  }
}

/**
 * @param {Int32Array} rows
 * @param {number} count
 */
function maskOf(rows, count) {
  const mask = new Uint8Array(count);
  for (const row of rows) mask[row] = 1;
  return mask;
}
