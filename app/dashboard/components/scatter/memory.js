// Selection and view by the plot's key, for a plot that is taken down and put up again (a tab, another page and back).

/** @import { Selection } from './history.js' */

/**
 * @typedef {object} PlotMemory
 * @property {string} identity Of the points.
 * @property {Selection | null} selection
 * @property {number} at When it was made.
 * @property {number | null} command Python's last wish.
 * @property {number[] | null} view
 */

const MAX_REMEMBERED = 40;

/** @type {Map<string, PlotMemory>} */
const remembered = new Map();

/**
 * Keep what the user had in a plot, if anything.
 *
 * @param {string} key
 * @param {PlotMemory} memory
 */
export function remember(key, memory) {
  remembered.delete(key);
  if (memory.selection || memory.view) remembered.set(key, memory);
  const oldest = remembered.keys().next().value;
  if (remembered.size > MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
}

/**
 * What the user had in a plot.
 *
 * @param {string} key
 */
export function recall(key) {
  return remembered.get(key);
}
