// Where the plot looks from: views, and the cameras that follow from them.

import { FIELD_OF_VIEW, FIT_PADDING_X, FIT_PADDING_Y, START_PITCH, START_YAW, ZOOM_2D, ZOOM_3D } from './constants.js';
import { clamp } from '../dom.js';

/** @import { Frame } from './data.js' */
/** @import { Bounds } from './extent.js' */

/**
 * The world point in the middle, the spans that fill the plot at zoom 1, and for 3-D the orbit. It knows no pixels, so
 * it outlives a resize.
 *
 * @typedef {{ cx: number, cy: number, cz: number, spanX: number, spanY: number, spanZ: number, zoom: number,
 *   yaw: number, pitch: number }} View
 */

/** @typedef {{ width: number, height: number }} Size */
/** @typedef {Size & { dim: number, equalAxes: boolean }} CameraOptions */

/**
 * Everything that follows from a view and the plot's size.
 *
 * @typedef {object} Camera
 * @property {number[]} matrix From world to clip coordinates: 4x4, column-major, as WebGL wants it.
 * @property {number} width
 * @property {number} height
 * @property {(dx: number, dy: number) => [number, number, number]} panOffset World move of the center that shifts the
 *   picture by (dx, dy) pixels.
 * @property {number} sizeFactor Of point sizes.
 * @property {number} perspective Distance at which a point has its nominal size; 0: everywhere.
 * @property {number} fogStart
 * @property {number} near
 */

/**
 * The view that shows all of `bounds`.
 *
 * @param {Bounds} bounds
 * @param {{ yaw?: number, pitch?: number }} [orbit]
 * @returns {View}
 */
export function fittedView(bounds, { yaw = START_YAW, pitch = START_PITCH } = {}) {
  const spans = bounds.high.map((high, axis) => high - bounds.low[axis]);
  const largest = Math.max(...spans);
  /** @type {(span: number) => number} */
  const usable = (span) => (span > largest / 1_000 ? span : largest || 1);
  return {
    cx: (bounds.low[0] + bounds.high[0]) / 2,
    cy: (bounds.low[1] + bounds.high[1]) / 2,
    cz: (bounds.low[2] + bounds.high[2]) / 2,
    spanX: usable(spans[0]),
    spanY: usable(spans[1]),
    spanZ: usable(spans[2]),
    zoom: 1,
    yaw,
    pitch,
  };
}

/**
 * The view at share `t` of the way: magnitudes go by ratio, places by difference.
 *
 * @param {View} from
 * @param {View} to
 * @param {number} t
 * @returns {View}
 */
export function mixViews(from, to, t) {
  const mixed = { ...to };
  for (const name of /** @type {(keyof View)[]} */ (Object.keys(to))) {
    const byRatio = name.startsWith('span') || name === 'zoom';
    mixed[name] = byRatio ? from[name] * (to[name] / from[name]) ** t : from[name] + (to[name] - from[name]) * t;
  }
  return mixed;
}

/**
 * The view zoomed by `factor`; in 2-D the place (x, y) on the screen stays where it is.
 *
 * @param {View} view
 * @param {number} factor
 * @param {{ x: number, y: number }} place
 * @param {CameraOptions} options
 * @returns {View}
 */
export function zoomedView(view, factor, { x, y }, options) {
  const [low, high] = options.dim === 3 ? ZOOM_3D : ZOOM_2D;
  const zoom = clamp(view.zoom * factor, low, high);
  if (options.dim === 3) return { ...view, zoom };
  const [dx, dy] = makeCamera2(view, options).panOffset(x - options.width / 2, y - options.height / 2);
  const keep = 1 - view.zoom / zoom;
  return { ...view, zoom, cx: view.cx - dx * keep, cy: view.cy - dy * keep };
}

/**
 * A view in the units of the positions, as Python knows it.
 *
 * @param {View} view
 * @param {{ frame: Frame, dim: number }} points
 */
export function viewNumbers({ cx, cy, cz, zoom, yaw, pitch }, { frame, dim }) {
  const place = [cx, cy, cz].slice(0, dim).map((value, axis) => value / frame.scale + frame.center[axis]);
  return [...place, zoom, ...(dim === 3 ? [yaw, pitch] : [])].map((value) => Number(value.toPrecision(7)));
}

/**
 * The view that has these numbers.
 *
 * @param {number[]} numbers
 * @param {{ frame: Frame, dim: number, bounds: Bounds }} points
 * @returns {View}
 */
export function viewOfNumbers(numbers, { frame, dim, bounds }) {
  const [cx, cy, cz] = numbers.slice(0, dim).map((value, axis) => (value - frame.center[axis]) * frame.scale);
  const [low, high] = dim === 3 ? ZOOM_3D : ZOOM_2D;
  const [zoom, yaw, pitch] = numbers.slice(dim);
  const view = { ...fittedView(bounds), cx, cy, zoom: clamp(zoom, low, high) };
  return dim === 3 ? { ...view, cz, yaw, pitch: clampPitch(pitch) } : view;
}

/**
 * Straight from above or below, left and right would have no meaning.
 *
 * @param {number} pitch
 */
export function clampPitch(pitch) {
  return clamp(pitch, -1.55, 1.55);
}

/**
 * The camera of a view.
 *
 * @param {View} view
 * @param {CameraOptions} options
 * @returns {Camera}
 */
export function makeCamera(view, options) {
  return options.dim === 3 ? makeCamera3(view, options) : makeCamera2(view, options);
}

/**
 * @param {View} view
 * @param {CameraOptions} options
 * @returns {Camera}
 */
function makeCamera2(view, { equalAxes, width, height }) {
  let scaleX = (Math.max(40, width - 2 * FIT_PADDING_X) / view.spanX) * view.zoom;
  let scaleY = (Math.max(40, height - 2 * FIT_PADDING_Y) / view.spanY) * view.zoom;
  if (equalAxes) scaleX = scaleY = Math.min(scaleX, scaleY);
  const x = (2 * scaleX) / width;
  const y = (2 * scaleY) / height;
  return {
    matrix: [x, 0, 0, 0, 0, y, 0, 0, 0, 0, 0, 0, -view.cx * x, -view.cy * y, 0, 1],
    width,
    height,
    panOffset: (dx, dy) => [-dx / scaleX, dy / scaleY, 0],
    sizeFactor: clamp(view.zoom ** 0.4, 1, 3),
    perspective: 0,
    fogStart: 0,
    near: 0,
  };
}

/**
 * @param {View} view
 * @param {CameraOptions} options
 * @returns {Camera}
 */
function makeCamera3(view, { equalAxes, width, height }) {
  const near = 0.01;
  const far = 100;
  const aspect = width / height;
  const focal = 1 / Math.tan(FIELD_OF_VIEW / 2);
  const narrow = Math.tan(FIELD_OF_VIEW / 2) * Math.min(1, aspect);
  const fitDistance = 0.95 / Math.sin(Math.atan(narrow));
  const distance = fitDistance / view.zoom;
  const spans = [view.spanX, view.spanY, view.spanZ];
  const diagonal = Math.hypot(...spans);
  const scales = equalAxes ? spans.map(() => 2 / diagonal) : spans.map((span) => 2 / (span * Math.sqrt(3)));
  const [cosY, sinY, cosP, sinP] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
  const right = [cosY, 0, sinY];
  const up = [sinP * sinY, cosP, -sinP * cosY];
  const back = [-cosP * sinY, sinP, cosP * cosY];
  const origin = [-view.cx * scales[0], -view.cy * scales[1], -view.cz * scales[2]];
  /** @type {(a: number[], b: number[]) => number} */
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const depthScale = (far + near) / (near - far);
  const depthShift = (2 * far * near) / (near - far);
  const matrix = [];
  for (let axis = 0; axis < 3; axis += 1) {
    const scale = scales[axis];
    matrix.push(
      (scale * focal * right[axis]) / aspect,
      scale * focal * up[axis],
      scale * depthScale * back[axis],
      -scale * back[axis],
    );
  }
  const depth = dot(back, origin) - distance;
  matrix.push((focal * dot(right, origin)) / aspect, focal * dot(up, origin), depthScale * depth + depthShift, -depth);
  const pixel = (2 * distance * Math.tan(FIELD_OF_VIEW / 2)) / height; // camera units of a pixel at the center
  return {
    matrix,
    width,
    height,
    panOffset: (dx, dy) => {
      const [x, y, z] = [0, 1, 2].map((axis) => ((-dx * right[axis] + dy * up[axis]) * pixel) / scales[axis]);
      return [x, y, z];
    },
    sizeFactor: 1,
    perspective: fitDistance,
    fogStart: distance - 0.6,
    near,
  };
}

/**
 * Screen place of a world point as [x, y, w]; w is the distance in 3-D, and at most `near` when behind the camera.
 *
 * @param {Camera} camera
 * @param {number} x
 * @param {number} y
 * @param {number} z
 * @returns {[number, number, number]}
 */
export function projectPoint(camera, x, y, z) {
  const m = camera.matrix;
  const w = m[3] * x + m[7] * y + m[11] * z + m[15];
  return [
    (((m[0] * x + m[4] * y + m[8] * z + m[12]) / w) * 0.5 + 0.5) * camera.width,
    (0.5 - ((m[1] * x + m[5] * y + m[9] * z + m[13]) / w) * 0.5) * camera.height,
    w,
  ];
}
