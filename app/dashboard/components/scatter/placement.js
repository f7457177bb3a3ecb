// Where labels and arrows find room.

import { LABEL_SIZE, MAX_LABELS } from './constants.js';

/** @typedef {[number, number]} Corner */
/** @typedef {[number, number, number, number]} Box Left, top, right, bottom. */
/** @typedef {{ x: number, y: number, radius: number }} Place Of a marker on the screen. */
/** @typedef {{ dashed: boolean, line: [Corner, Corner], head: Corner[] }} ArrowShape */
/** @typedef {Place & { text: string, lit: boolean, size?: number }} LabelCandidate A `size` is that of an area's name. */
/** @typedef {LabelCandidate & { left: number, baseline: number }} PlacedLabel */

/**
 * Whether boxes overlap.
 *
 * @type {(a: Box, b: Box) => boolean}
 */
const boxesOverlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/**
 * Small boxes along an arrow, for labels to keep away from.
 *
 * @param {ArrowShape} arrow
 * @returns {Box[]}
 */
export function arrowBoxes({ line: [[ax, ay], [bx, by]] }) {
  const steps = Math.max(1, Math.round(Math.hypot(bx - ax, by - ay) / 8));
  return Array.from({ length: steps + 1 }, (_, step) => {
    const [x, y] = [ax + ((bx - ax) * step) / steps, ay + ((by - ay) * step) / steps];
    return [x - 3, y - 3, x + 3, y + 3];
  });
}

/**
 * Place labels so that none hides another one, a labeled marker or the toolbar (`reserved`). Candidates come with the
 * most important first; each tries right, left, above and below its point, first clear of the arrows (`avoided`), then
 * across them.
 *
 * @param {LabelCandidate[]} candidates
 * @param {{ width: number, height: number, reserved: Box[], avoided: Box[], measure: (text: string) => number }} options
 */
export function placeLabels(candidates, { width, height, reserved, avoided, measure }) {
  const taken = [...reserved];
  /** @type {Box[]} */
  const markers = candidates
    .slice(0, MAX_LABELS)
    .map(({ x, y, radius }) => [x - radius, y - radius, x + radius, y + radius]);
  /** @type {PlacedLabel[]} */
  const placed = [];
  for (const [index, candidate] of candidates.entries()) {
    if (placed.length >= MAX_LABELS) break;
    const { x, y, radius, size = LABEL_SIZE } = candidate;
    const w = (measure(candidate.text) * size) / LABEL_SIZE;
    const h = size + 3;
    const gap = radius + 4;
    const middle = [x - w / 2, y - h / 2];
    const beside = [
      [x + gap, y - h / 2],
      [x - gap - w, y - h / 2],
      [x - w / 2, y - gap - h + 2],
      [x - w / 2, y + gap - 2],
    ];
    const free = (candidate.size ? [middle] : beside)
      .map(([left, top]) => /** @type {Box} */ ([left, top, left + w, top + h]))
      .filter((box) => box[0] >= 2 && box[1] >= 2 && box[2] <= width - 2 && box[3] <= height - 2)
      .filter((box) => !taken.some((other) => boxesOverlap(box, other)))
      .filter((box) => !markers.some((other, marker) => marker !== index && boxesOverlap(box, other)));
    const box = free.find((spot) => !avoided.some((other) => boxesOverlap(spot, other))) ?? free[0];
    if (!box) continue;
    taken.push(box);
    placed.push({ ...candidate, left: box[0], baseline: box[1] + size - 1 });
  }
  return placed;
}

/**
 * Line and head of an arrow that ends at the edges of both markers, or null when there is no room for one.
 *
 * @param {Place} from
 * @param {Place} to
 * @param {boolean} dashed
 * @returns {ArrowShape | null}
 */
export function layoutArrow(from, to, dashed) {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.hypot(dx, dy);
  const start = from.radius + 1;
  const tip = length - to.radius - 2;
  const head = Math.min(9, tip - start);
  if (!(head > 2)) return null;
  const [ux, uy] = [dx / length, dy / length];
  /** @type {(distance: number, aside?: number) => Corner} */
  const along = (distance, aside = 0) => [from.x + ux * distance - uy * aside, from.y + uy * distance + ux * aside];
  return {
    dashed,
    line: [along(start), along(tip - head * 0.8)],
    head: [along(tip), along(tip - head, head * 0.45), along(tip - head, -head * 0.45)],
  };
}
