// The attention heads that are drawn.

/** @typedef {ArrayLike<number>} Weights */
/** @typedef {[number, number]} Place Of a head: the places of its layer and of itself in the grid. */
/** @typedef {(row: number, column: number) => number} Weight */

/**
 * What Python sends.
 *
 * @typedef {object} HeadsData
 * @property {string} version
 * @property {string} alt
 * @property {'arcs' | 'matrix'} view
 * @property {number[]} layers
 * @property {number} nHeads
 * @property {string[]} rows
 * @property {string[]} columns
 * @property {number} layer Of the large head.
 * @property {number} head Of the large head, from 1.
 * @property {ArrowNumbers} all All heads in 8 bits.
 * @property {ArrowNumbers} exact The large head.
 * @property {ArrowNumbers} forbidden 1 where the model can't look.
 */

/** @typedef {{ getChild: (name: string) => { toArray: () => Weights } | null }} ArrowNumbers */

/** All heads of a model, and which of them is large. */
export class Heads {
  /** @param {HeadsData} data */
  constructor(data) {
    this.data = data;
    this.nRows = data.rows.length;
    this.nColumns = data.columns.length;
    /** Eight bits of each weight: layer by layer, head by head, row by row. */
    this.all = numbers(data.all);
    /** @type {Place} The head that is large. */
    this.selected = [data.layers.indexOf(data.layer), data.head - 1];
    this.exact = numbers(data.exact);
    this.forbidden = numbers(data.forbidden);
  }

  /** Whether the model can't look somewhere. */
  get masked() {
    return Array.from(this.forbidden).some(Boolean);
  }

  /**
   * Where the weights of a head begin in `all`.
   *
   * @param {Place} place
   */
  offset([layer, head]) {
    return (layer * this.data.nHeads + head) * this.nRows * this.nColumns;
  }

  /**
   * The weights of a head: exactly for the large one, from 8 bits for the others.
   *
   * @param {Place} place
   * @returns {Weight}
   */
  weights(place) {
    const { all, exact, nColumns, selected } = this;
    if (place[0] === selected[0] && place[1] === selected[1]) return (row, column) => exact[row * nColumns + column];
    const offset = this.offset(place);
    return (row, column) => all[offset + row * nColumns + column] / 255;
  }

  /**
   * Whether the model can't look from a row at a column.
   *
   * @param {number} row
   * @param {number} column
   */
  isForbidden(row, column) {
    return Boolean(this.forbidden[row * this.nColumns + column]);
  }
}

/** @param {ArrowNumbers} table */
function numbers(table) {
  const column = table.getChild('v');
  if (!column) throw new Error('the weights did not arrive');
  return column.toArray();
}

/**
 * Weights from 0 to 1 to opacity: small ones stay visible.
 *
 * @param {number} weight
 */
export function opacity(weight) {
  return weight ** 0.6;
}
