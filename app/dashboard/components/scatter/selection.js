// Which points are selected.

import { SelectionHistory, sameRows } from './history.js';

/** @import { Selection } from './history.js' */
/** @import { RowMasks } from './row_masks.js' */
/** @import { PlotState } from './state.js' */

/**
 * Whose wish a selection is: 'history' (undo or redo), 'memory' (of a plot taken down and put up again), 'python',
 * 'group' (another plot), or 'data' (other points).
 *
 * @typedef {'user' | 'history' | 'memory' | 'python' | 'group' | 'data'} Origin
 */

/** The selection of a plot, with the ones before and after it. */
export class PlotSelection {
  /** @type {Selection | null} */
  present = null;
  /** When it was made. */
  at = 0;
  /** @type {Uint8Array | null} A 1 for each selected row. */
  mask = null;
  #history = new SelectionHistory();
  #state;
  #onChange;
  #masks;

  /**
   * @param {PlotState} state
   * @param {RowMasks} masks
   * @param {(from: Origin) => void} onChange
   */
  constructor(state, masks, onChange) {
    this.#state = state;
    this.#masks = masks;
    this.#onChange = onChange;
  }

  /** The selected rows, or null. */
  get rows() {
    return this.present?.rows ?? null;
  }

  /**
   * Whether a row is selected, or none is, and neither a condition nor a search dims it.
   *
   * @param {number} row
   */
  isLit(row) {
    return (this.mask === null || this.mask[row] === 1) && this.#masks.isLit(row);
  }

  /**
   * Take a selection or none (null).
   *
   * @param {Selection | null} selection
   * @param {Origin} [from]
   * @param {number} [at]
   */
  select(selection, from = 'user', at = Date.now()) {
    const before = this.present;
    if (sameRows(selection?.rows, before?.rows) && (selection?.clicked === before?.clicked || from !== 'user')) return;
    this.present = selection;
    this.at = at;
    this.mask = null;
    if (selection) {
      this.mask = new Uint8Array(this.#state.points.count);
      for (const row of selection.rows) this.mask[row] = 1;
    }
    if (from !== 'history') this.#history.add(selection);
    this.#onChange(from);
  }

  /**
   * Select one row.
   *
   * @param {number} row
   * @param {string} by
   */
  selectOne(row, by) {
    this.select({ rows: Int32Array.of(row), by, clicked: row, region: null });
  }

  /**
   * Select the rows of a category that can be chosen, or none where they are selected already.
   *
   * @param {number} category
   */
  selectCategory(category) {
    const { points } = this.#state;
    const rows = [];
    for (let row = 0; row < points.count; row += 1) {
      if (points.category[row] === category && this.#masks.isOpen(row)) rows.push(row);
    }
    const again = this.present?.by === 'legend' && sameRows(Int32Array.from(rows), this.rows);
    const chosen = { rows: Int32Array.from(rows), by: 'legend', clicked: null, region: null };
    this.select(again || !rows.length ? null : chosen);
  }

  /** The category whose rows are selected, by the legend; -1 for none. */
  get category() {
    return this.present?.by === 'legend' ? this.#state.points.category[this.present.rows[0]] : -1;
  }

  /**
   * Whether there is a selection before (-1) or after (1) this one.
   *
   * @param {-1 | 1} step
   */
  canRetrace(step) {
    return this.#history.can(step);
  }

  /**
   * Go back (-1) or forth (1) in the history of selections.
   *
   * @param {-1 | 1} step
   */
  retrace(step) {
    if (this.#history.can(step)) this.select(this.#history.go(step), 'history');
  }

  /** Forget all selections but the present one. */
  clearHistory() {
    this.#history.clear(this.present);
  }
}
