// Regions of the screen that the user drew, and the rows inside them.

import { MAX_CORNERS } from './constants.js';
import { range } from './data.js';

/** @import { Camera } from './camera.js' */
/** @import { Frame, Points } from './data.js' */

/**
 * What Python needs to find the same rows: the polygon in clip coordinates, and the camera.
 *
 * @typedef {object} Region
 * @property {number[][]} corners
 * @property {number[]} matrix
 * @property {number[]} center
 * @property {number} scale
 * @property {number} near
 * @property {number} category -1: of all categories.
 * @property {string} [version] Of the points.
 */

/**
 * The region of a polygon of [x, y] pixels.
 *
 * @param {number[][]} polygon
 * @param {Camera} camera
 * @param {Frame} frame
 * @returns {Region}
 */
export function makeRegion(polygon, camera, frame) {
  const stride = Math.ceil(polygon.length / MAX_CORNERS);
  return {
    corners: polygon
      .filter((_, i) => i % stride === 0)
      .map(([x, y]) => [(2 * x) / camera.width - 1, 1 - (2 * y) / camera.height]),
    matrix: camera.matrix,
    center: frame.center,
    scale: frame.scale,
    near: camera.near,
    category: -1,
  };
}

/**
 * Rows inside a region, ascending (even-odd rule). The same operations on the same numbers in the same order as
 * `rows_inside` in selection.py, so that both find the very same rows.
 *
 * @param {Points} points
 * @param {Region} region
 */
export function rowsInside(points, region) {
  const { world } = points;
  const { corners, matrix: m, near } = region;
  const [left, right] = range(corners.map((corner) => corner[0]));
  const [low, high] = range(corners.map((corner) => corner[1]));
  const rows = [];
  for (let row = 0, at = 0; row < points.count; row += 1, at += 3) {
    const px = world[at];
    const py = world[at + 1];
    const pz = world[at + 2];
    const w = m[3] * px + m[7] * py + m[11] * pz + m[15];
    if (!(w > near)) continue;
    const x = (m[0] * px + m[4] * py + m[8] * pz + m[12]) / w;
    if (!(x >= left && x <= right)) continue;
    const y = (m[1] * px + m[5] * py + m[9] * pz + m[13]) / w;
    if (!(y >= low && y <= high)) continue;
    let within = false;
    for (let i = 0, j = corners.length - 1; i < corners.length; j = i, i += 1) {
      const [ax, ay] = corners[i];
      const [bx, by] = corners[j];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
    }
    if (within) rows.push(row);
  }
  return Int32Array.from(rows);
}
