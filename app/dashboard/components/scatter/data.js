// From the columns that arrive to the points that are drawn.

import { extentOf } from './extent.js';
import { categoryMarker } from './markers.js';
import { clamp } from '../dom.js';

/** @import { Bounds } from './extent.js' */
/** @import { Numbers, PlotData } from './payload.js' */

/**
 * The texts of a row. A `partial` one has its label only, so far.
 *
 * @typedef {{ label: string, detail: string | null, mark: [number, number] | null, partial?: boolean }} RowText
 */

/**
 * @typedef {object} Columns
 * @property {Numbers[]} axes
 * @property {Numbers} category
 * @property {Numbers | null} shape
 * @property {Numbers | null} value
 * @property {(row: number, whole?: boolean) => RowText | null} text Null while it is on its way.
 */

/** @typedef {{ center: number[], scale: number }} Frame */
/** @typedef {{ name: string, count: number, marker: number }} CategorySummary */

/**
 * @typedef {object} Points
 * @property {string} version
 * @property {string} identity
 * @property {number} count
 * @property {number} dim
 * @property {Frame} frame
 * @property {Float32Array} world
 * @property {Bounds} bounds Those of nearly all points: some far ones don't squeeze the rest.
 * @property {Int32Array} outside The rows that lie beyond them.
 * @property {Numbers} category
 * @property {string[]} categories
 * @property {Numbers | null} value
 * @property {string} valueName
 * @property {Uint8Array | null} levels Values as steps of the ramp.
 * @property {[number, number]} valueRange
 * @property {Uint8Array} markers
 * @property {(row: number, whole?: boolean) => RowText | null} text
 * @property {(row: number) => string} label
 */

/**
 * Smallest and largest value of an array; [0, 0] when empty.
 *
 * @param {Numbers} values
 * @returns {[number, number]}
 */
export function range(values) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i += 1) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return low <= high ? [low, high] : [0, 0];
}

/**
 * The move and scale that bring raw axes into about [-1, 1]. World coordinates keep float32 precise near zero.
 *
 * @param {Numbers[]} axes
 * @returns {Frame}
 */
function makeFrame(axes) {
  const ranges = axes.map(range);
  const span = Math.max(...ranges.map(([low, high]) => high - low));
  return { center: ranges.map(([low, high]) => (low + high) / 2), scale: span > 0 ? 2 / span : 1 };
}

/**
 * Whether a frame made for other data serves these axes too, without loss of precision.
 *
 * @param {Frame} frame
 * @param {Numbers[]} axes
 */
function frameServes(frame, axes) {
  if (frame.center.length !== axes.length) return false;
  const ranges = axes.map(range);
  const near = ranges.every(([low, high], axis) => {
    const reach = Math.max(Math.abs(low - frame.center[axis]), Math.abs(high - frame.center[axis])) * frame.scale;
    return reach < 1_000;
  });
  return near && Math.max(...ranges.map(([low, high]) => high - low)) * frame.scale > 0.001;
}

/**
 * World coordinates, x y z interleaved (z = 0 in 2-D).
 *
 * @param {Numbers[]} axes
 * @param {Frame} frame
 */
function toWorld(axes, frame) {
  const count = axes[0].length;
  const world = new Float32Array(3 * count);
  axes.forEach((values, axis) => {
    const center = frame.center[axis];
    for (let i = 0; i < count; i += 1) world[3 * i + axis] = (values[i] - center) * frame.scale;
  });
  return world;
}

/**
 * Columns of points that came with the data itself.
 *
 * @param {PlotData} data
 * @returns {Columns}
 */
export function columnsOfTable(data) {
  const table = data.points;
  /** @type {(name: string) => Numbers | null} */
  const optional = (name) => table?.getChild(name)?.toArray() ?? null;
  /** @type {(name: string) => Numbers} */
  const numbers = (name) => {
    const found = optional(name);
    if (!found) throw new Error(`the points have no column ${name}`);
    return found;
  };
  /** @type {(name: string) => (row: number) => string} */
  const texts = (name) => {
    const column = table?.getChild(name);
    return column ? (row) => String(column.get(row) ?? '') : () => '';
  };
  const [label, detail] = [texts('label'), texts('detail')];
  const [starts, ends] = [optional('mark_start'), optional('mark_end')];
  return {
    axes: (data.dim === 3 ? ['x', 'y', 'z'] : ['x', 'y']).map(numbers),
    category: numbers('category'),
    shape: optional('shape'),
    value: optional('value'),
    text: (row) => ({ label: label(row), detail: detail(row), mark: starts && ends ? [starts[row], ends[row]] : null }),
  };
}

/**
 * Columns of points that were fetched: positions apart by axis, and texts that are loaded when requested.
 *
 * @param {PlotData} data
 * @param {Record<string, Numbers>} fetched
 * @param {{ get: (row: number, whole: boolean) => RowText | null }} texts
 * @returns {Columns}
 */
export function columnsOfFetch(data, fetched, texts) {
  const { position } = fetched;
  const axes = Array.from({ length: data.dim }, (_, axis) => {
    const values = new Float32Array(data.count);
    for (let row = 0, at = axis; row < data.count; row += 1, at += data.dim) values[row] = position[at];
    return values;
  });
  return {
    axes,
    category: fetched.category,
    shape: fetched.shape ?? null,
    value: fetched.value ?? null,
    text: (row, whole = false) => texts.get(row, whole),
  };
}

/**
 * Turn columns into points. `frame` of the points before is taken over where it still serves.
 *
 * @param {PlotData} data
 * @param {Columns} columns
 * @param {Frame | null} frame
 * @returns {Points}
 */
export function readPoints(data, columns, frame) {
  const { axes, category, shape, value } = columns;
  const usedFrame = frame && axes[0].length > 0 && frameServes(frame, axes) ? frame : makeFrame(axes);
  const world = toWorld(axes, usedFrame);
  const { count } = data;
  const markers = new Uint8Array(count);
  for (let row = 0; row < count; row += 1) markers[row] = shape?.[row] || categoryMarker(category[row]);
  const valueRange = value ? range(value) : range([]);
  return {
    version: data.version,
    identity: data.identity,
    count,
    dim: data.dim,
    frame: usedFrame,
    world,
    ...extentOf(world),
    category,
    categories: data.categories,
    value,
    valueName: data.valueName,
    valueRange,
    levels: value && levelsOf(value, valueRange),
    markers,
    text: columns.text,
    label: (row) => columns.text(row)?.label ?? '',
  };
}

/**
 * Values as steps of the ramp, 0 to 255.
 *
 * @param {Numbers} values
 * @param {[number, number]} range
 */
function levelsOf(values, [low, high]) {
  const levels = new Uint8Array(values.length);
  const step = high > low ? 255 / (high - low) : 0;
  for (let i = 0; i < values.length; i += 1) levels[i] = Math.round((values[i] - low) * step);
  return levels;
}

/**
 * Count and marker of each category: the marker all its points share, otherwise the category's own.
 *
 * @param {Points} points
 * @returns {CategorySummary[]}
 */
export function summarizeCategories(points) {
  const summary = points.categories.map((name, index) => ({ name, count: 0, marker: categoryMarker(index) }));
  for (let row = 0; row < points.count; row += 1) {
    const entry = summary[points.category[row]];
    if (entry.count === 0) entry.marker = points.markers[row];
    else if (entry.marker !== points.markers[row]) entry.marker = categoryMarker(points.category[row]);
    entry.count += 1;
  }
  return summary;
}

/**
 * Disc diameter in CSS pixels at zoom 1: the more points, the smaller.
 *
 * @param {number} count
 */
export function basePointSize(count) {
  return clamp(30 * Math.max(count, 1) ** -0.21, 1.8, 12);
}

/**
 * Opacity of points when none is dimmed: the more points, the more overlap shall show.
 *
 * @param {number} count
 */
export function basePointAlpha(count) {
  if (count <= 2_000) return 0.95;
  if (count <= 20_000) return 0.8;
  return count <= 100_000 ? 0.6 : 0.45;
}
