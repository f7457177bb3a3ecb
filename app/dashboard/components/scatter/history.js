// Selections over time, and as they travel.

import { MAX_HISTORY, MAX_HISTORY_ROWS } from './constants.js';

/** @import { Region } from './region.js' */

/**
 * No selection is null.
 *
 * @typedef {object} Selection
 * @property {Int32Array} rows Ascending, never empty.
 * @property {string} by How they were chosen.
 * @property {number | null} clicked The row that was clicked.
 * @property {Region | null} region
 */

/** Selections for undo and redo, bounded in number and in rows. */
export class SelectionHistory {
  /** @type {(Selection | null)[]} */
  #entries = [null];
  #place = 0;

  /**
   * Forget all but what is selected now.
   *
   * @param {Selection | null} present
   */
  clear(present) {
    this.#entries = [present];
    this.#place = 0;
  }

  /** @param {Selection | null} selection */
  add(selection) {
    this.#entries.length = this.#place + 1;
    this.#entries.push(selection);
    let rows = this.#entries.reduce((sum, entry) => sum + (entry?.rows.length ?? 0), 0);
    while (this.#entries.length > 2 && (this.#entries.length > MAX_HISTORY || rows > MAX_HISTORY_ROWS)) {
      rows -= this.#entries.shift()?.rows.length ?? 0;
    }
    this.#place = this.#entries.length - 1;
  }

  /**
   * Whether there is a selection so many steps away.
   *
   * @param {-1 | 1} step
   */
  can(step) {
    return this.#place + step >= 0 && this.#place + step < this.#entries.length;
  }

  /**
   * The selection one step back (-1) or forth (1).
   *
   * @param {-1 | 1} step
   */
  go(step) {
    this.#place += step;
    return this.#entries[this.#place];
  }
}

/**
 * Whether two selections hold the same rows.
 *
 * @param {Int32Array | null | undefined} a
 * @param {Int32Array | null | undefined} b
 */
export function sameRows(a, b) {
  if (a === b) return true;
  if (!a || !b || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * Rows as Python sends them: a list, or a bit for each point in base64.
 *
 * @param {{ rows?: number[], bits?: string }} sent
 * @param {number} count
 */
export function decodeRows({ rows, bits }, count) {
  if (rows) return Int32Array.from(rows);
  const packed = Uint8Array.from(atob(bits ?? ''), (character) => character.charCodeAt(0));
  const found = [];
  for (let row = 0; row < count; row += 1) if ((packed[row >> 3] >> (row & 7)) & 1) found.push(row);
  return Int32Array.from(found);
}

/**
 * Rows as a bit for each point, in base64.
 *
 * @param {Iterable<number>} rows
 * @param {number} count
 */
export function encodeBits(rows, count) {
  const packed = new Uint8Array((count + 7) >> 3);
  for (const row of rows) packed[row >> 3] |= 1 << (row & 7);
  let text = '';
  for (let i = 0; i < packed.length; i += 4096) text += String.fromCharCode(...packed.subarray(i, i + 4096));
  return btoa(text);
}
