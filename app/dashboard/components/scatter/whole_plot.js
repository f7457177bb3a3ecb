// A plot that came whole, with several ways to color it: in a file of its own or in a notebook.

import { columnsOfBuffer } from './columns.js';

/** @import { ColumnLayout } from './columns.js' */
/** @import { ArrowTable, PlotData } from './payload.js' */

/**
 * One way to color the points: what of `PlotData` belongs to it, and the names of its columns.
 *
 * @typedef {object} Coloring
 * @property {string} name
 * @property {string} version
 * @property {string[]} categories
 * @property {string} valueName
 * @property {string} category
 * @property {string | null} value
 */

/**
 * What Python wrote.
 *
 * @typedef {object} PlotFile
 * @property {PlotData} data What all colorings share.
 * @property {ColumnLayout[]} layout
 * @property {Coloring[]} colorings
 */

/** @typedef {{ labels: string[], details: string[] | null, marks: [number, number][] | null }} PlotTexts */

/** The data of a plot for each of its colorings, as the plot takes them. */
export class WholePlot {
  /** @type {Record<string, ArrayLike<number>>} */
  #columns;

  /**
   * @param {PlotFile} file
   * @param {ArrayBuffer} buffer
   * @param {PlotTexts} texts
   */
  constructor(file, buffer, texts) {
    const columns = columnsOfBuffer(file.layout, buffer);
    if (!columns) throw new Error('the points arrived incomplete');
    this.file = file;
    this.texts = texts;
    this.#columns = columns;
  }

  /** The names of the colorings. */
  get names() {
    return this.file.colorings.map(({ name }) => name);
  }

  /**
   * The data of the coloring of that name, or of the first one.
   *
   * @param {string} name
   * @returns {PlotData}
   */
  colored(name) {
    const { version, categories, valueName, ...columns } = this.#coloring(name);
    return { ...this.file.data, version, categories, valueName, points: this.#table(columns) };
  }

  /**
   * What a coloring says of a row.
   *
   * @param {string} name
   * @param {number} row
   */
  value(name, row) {
    const { categories, category, value } = this.#coloring(name);
    return value ? this.#columns[value][row] : categories[this.#columns[category][row]];
  }

  /** @param {string} name */
  #coloring(name) {
    const { colorings } = this.file;
    return colorings.find((one) => one.name === name) ?? colorings[0];
  }

  /**
   * The columns of a coloring as a table of Arrow's shows them.
   *
   * @param {{ category: string, value: string | null }} coloring
   * @returns {ArrowTable}
   */
  #table({ category, value }) {
    const { labels, details, marks } = this.texts;
    const { count, dim } = this.file.data;
    /** @type {Record<string, ArrayLike<unknown> | null>} */
    const named = {
      category: this.#columns[category],
      value: value ? this.#columns[value] : null,
      label: labels,
      detail: details,
      mark_start: marks && Int32Array.from(marks, ([start]) => start),
      mark_end: marks && Int32Array.from(marks, ([, end]) => end),
    };
    ['x', 'y', 'z'].slice(0, dim).forEach((axis, place) => {
      const { position } = this.#columns;
      named[axis] = Float32Array.from({ length: count }, (_, row) => position[row * dim + place]);
    });
    return {
      getChild: (name) => {
        const column = named[name];
        return column ? { toArray: () => /** @type {ArrayLike<number>} */ (column), get: (row) => column[row] } : null;
      },
    };
  }
}
