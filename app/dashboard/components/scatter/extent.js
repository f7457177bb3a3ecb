// Where nearly all points lie: a few far ones don't squeeze the rest into a corner of the picture.

/** @typedef {{ low: number[], high: number[] }} Bounds */
/** @typedef {{ bounds: Bounds, outside: Int32Array }} Extent */

const SAMPLE_POINTS = 20_000; // for the quantiles
const MIN_POINTS = 50; // of fewer all are shown
const TAIL = 0.01; // of the points on each side, from which on a place may be far
const REACH = 0.6; // of the span between the tails, by which the bounds go beyond them

/**
 * The bounds of the points of interleaved world coordinates, and the rows that lie beyond.
 *
 * @param {Float32Array} world
 * @returns {Extent}
 */
export function extentOf(world) {
  const bounds = boundsOf(world);
  const count = world.length / 3;
  if (count < MIN_POINTS) return { bounds, outside: new Int32Array(0) };
  for (let axis = 0; axis < 3; axis += 1) {
    const [low, high] = tails(world, axis);
    const reach = (high - low) * REACH;
    if (reach === 0) continue; // nearly all stand in one place: it says nothing of what is far
    bounds.low[axis] = Math.max(bounds.low[axis], low - reach);
    bounds.high[axis] = Math.min(bounds.high[axis], high + reach);
  }
  const outside = [];
  for (let row = 0; row < count; row += 1) if (isBeyond(world, row, bounds)) outside.push(row);
  return { bounds, outside: Int32Array.from(outside) };
}

/**
 * @param {Float32Array} world
 * @param {number} row
 * @param {Bounds} bounds
 */
function isBeyond(world, row, { low, high }) {
  return [0, 1, 2].some((axis) => world[3 * row + axis] < low[axis] || world[3 * row + axis] > high[axis]);
}

/**
 * The places on an axis below and above which few points lie.
 *
 * @param {Float32Array} world
 * @param {number} axis
 */
function tails(world, axis) {
  const count = world.length / 3;
  const step = Math.max(1, Math.floor(count / SAMPLE_POINTS));
  const sample = new Float32Array(Math.ceil(count / step));
  for (let i = 0, row = 0; row < count; i += 1, row += step) sample[i] = world[3 * row + axis];
  sample.sort();
  const last = sample.length - 1;
  return [sample[Math.floor(last * TAIL)], sample[Math.ceil(last * (1 - TAIL))]];
}

/**
 * Bounds of interleaved world coordinates.
 *
 * @param {Float32Array} world
 * @returns {Bounds}
 */
function boundsOf(world) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < world.length; i += 3) {
    for (let axis = 0; axis < 3; axis += 1) {
      const value = world[i + axis];
      if (value < low[axis]) low[axis] = value;
      if (value > high[axis]) high[axis] = value;
    }
  }
  return world.length ? { low, high } : { low: [-1, -1, -1], high: [1, 1, 1] };
}

/**
 * Whether bounds differ by more than a hundredth of their span.
 *
 * @param {Bounds} a
 * @param {Bounds} b
 */
export function boundsDiffer(a, b) {
  const span = Math.max(...a.high.map((high, axis) => high - a.low[axis]), 1e-6);
  return [0, 1, 2].some(
    (axis) => Math.abs(a.low[axis] - b.low[axis]) > span / 100 || Math.abs(a.high[axis] - b.high[axis]) > span / 100,
  );
}
