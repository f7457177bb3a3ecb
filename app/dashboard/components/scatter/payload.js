// What Python sends.

/** @typedef {ArrayLike<number>} Numbers */

/**
 * A table of Arrow's, as Streamlit hands it over.
 *
 * @typedef {{ getChild: (name: string) => ArrowColumn | null }} ArrowTable
 * @typedef {{ toArray: () => Numbers, get: (row: number) => unknown }} ArrowColumn
 */

/**
 * @typedef {object} PlotData
 * @property {string} version Names the points: the same numbers and texts.
 * @property {string} identity Names the labels and details, whatever the positions.
 * @property {number} count
 * @property {number} dim 2 or 3.
 * @property {string[]} categories
 * @property {string} valueName
 * @property {[number, number, number][]} arrows Start, end, and 1 for a dashed one.
 * @property {[number, number][]} links
 * @property {number[]} labelRows
 * @property {number[]} highlight
 * @property {string} key
 * @property {string} alt
 * @property {number} height
 * @property {boolean} fill Whether the plot fills the window; its height is then the least.
 * @property {number} maxRows Of a selection that is sent row by row.
 * @property {{ rows?: number[], bits?: string } | null} passing The rows that a condition lets through; null without one.
 * @property {{ rows?: number[], bits?: string } | null} hidden
 * @property {{ hint: string, text: string, modes: [string, string][] } | null} search
 * @property {[string, string][]} actions What can be done with a selection: a name and words for each.
 * @property {{ places: number[][], levels: number[], names: string[] } | null} areas The largest of each level first.
 * @property {number} command Number of Python's last wish for a selection.
 * @property {{ rows?: number[], bits?: string }} selected
 * @property {number[] | null} view
 * @property {boolean} reportView
 * @property {string} group
 * @property {boolean} morph
 * @property {boolean} equalAxes
 * @property {number} attempt How often the browser has failed to load these points.
 * @property {ArrowTable} [points] Points that travel with the page's data; all that follow are for those that don't.
 * @property {string} [base] The dashboard's path on the server.
 * @property {[string, 'f4' | 'u2' | 'u1', number][]} [layout] The columns: name, kind, length.
 * @property {boolean} [hasDetails]
 * @property {[number[], string[]]} [texts] Rows and their labels that are sent along.
 */

/** @typedef {(name: string, value: unknown) => void} SetStateValue */
