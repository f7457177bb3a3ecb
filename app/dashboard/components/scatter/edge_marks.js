// Marks at the edge of the picture for points that lie far beyond it.

/** @import { ScatterPlot } from './plot.js' */

/**
 * A mark at the edge: where, into which direction (radians), and for how many points.
 *
 * @typedef {{ x: number, y: number, angle: number, count: number }} EdgeMark
 */

const INSET = 12; // pixels from the edge
const CELL = 40; // pixels in which marks become one
const MAX_MARKED = 2_000; // points

/**
 * The marks for the points that are out of all proportion and not in view.
 *
 * @param {ScatterPlot} plot
 * @returns {EdgeMark[]}
 */
export function edgeMarks({ masks, screen, state: { points } }) {
  if (points.dim !== 2) return [];
  const { width, height } = screen.size;
  /** @type {Map<string, EdgeMark>} */
  const marks = new Map();
  for (const row of points.outside.subarray(0, MAX_MARKED)) {
    const place = screen.placeOf(row);
    if (!place || !masks.isShown(row)) continue;
    if (place.x >= 0 && place.y >= 0 && place.x <= width && place.y <= height) continue;
    const x = Math.min(Math.max(place.x, INSET), width - INSET);
    const y = Math.min(Math.max(place.y, INSET), height - INSET);
    const cell = `${Math.round(x / CELL)} ${Math.round(y / CELL)}`;
    const mark = marks.get(cell);
    if (mark) mark.count += 1;
    else marks.set(cell, { x, y, angle: Math.atan2(place.y - y, place.x - x), count: 1 });
  }
  return [...marks.values()];
}
