// Which points are selected, and which of them the legend dims.

import { SelectionHistory, sameRows } from './history.js';

/** @import { Selection } from './history.js' */
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
  /** The category chosen in the legend; -1 for none. */
  focusCategory = -1;
  /** @type {Uint8Array | null} A 1 for each selected row. */
  mask = null;
  #history = new SelectionHistory();
  #state;
  #onChange;

  /**
   * @param {PlotState} state
   * @param {(from: Origin) => void} onChange
   */
  constructor(state, onChange) {
    this.#state = state;
    this.#onChange = onChange;
  }

  /** The selected rows, or null. */
  get rows() {
    return this.present?.rows ?? null;
  }

  /**
   * Whether a row is selected, or none is, and the legend doesn't dim it.
   *
   * @param {number} row
   */
  isLit(row) {
    const chosen = this.mask === null || this.mask[row] === 1;
    return chosen && (this.focusCategory < 0 || this.#state.points.category[row] === this.focusCategory);
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
