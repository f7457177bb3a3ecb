// The names of areas: few from afar, more from near; and the points' own names from very near.

import { AREA_LABEL_SIZE, AREA_ZOOMS, POINT_LABEL_ZOOM, MAX_NEAR_LABELS } from './constants.js';
import { projectPoint } from './camera.js';
import { cutText } from './texts.js';

/** @import { LabelCandidate } from './placement.js' */
/** @import { ScatterPlot } from './plot.js' */

/**
 * The areas' names that are to be seen at the present zoom, the largest areas first.
 *
 * @param {ScatterPlot} plot
 * @returns {LabelCandidate[]}
 */
export function areaCandidates({ screen, state: { points, scene }, view }) {
  const { camera } = screen;
  const { areas } = scene;
  if (!camera || !areas) return [];
  const present = areas.levels.length ? Math.max(...areas.levels) : 0;
  const level = Math.min(present, AREA_ZOOMS.filter((zoom) => view.present.zoom >= zoom).length);
  const { center, scale } = points.frame;
  /** @type {LabelCandidate[]} */
  const candidates = [];
  areas.names.forEach((name, i) => {
    if (areas.levels[i] !== level) return;
    const [x, y, z = 0] = areas.places[i].map((value, axis) => (value - center[axis]) * scale);
    const [left, top, w] = projectPoint(camera, x, y, z);
    if (w <= camera.near || left < 0 || top < 0 || left > camera.width || top > camera.height) return;
    candidates.push({ x: left, y: top, radius: 0, text: cutText(name, 36), lit: true, size: AREA_LABEL_SIZE });
  });
  return candidates;
}

/**
 * The rows in view whose names are to be seen from very near, the first rows first.
 *
 * @param {ScatterPlot} plot
 */
export function nearRows({ masks, screen, state: { points, scene }, view }) {
  /** @type {number[]} */
  const rows = [];
  if (!scene.areas || view.present.zoom < POINT_LABEL_ZOOM || view.moving) return rows;
  for (let row = 0; row < points.count && rows.length < MAX_NEAR_LABELS; row += 1) {
    if (masks.isLit(row) && screen.placeInView(row)) rows.push(row);
  }
  return rows;
}
