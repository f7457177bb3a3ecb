// Where the points are on the screen.

import { makeCamera, projectPoint } from './camera.js';
import { MARKER_SCALE } from './constants.js';
import { basePointSize } from './data.js';
import { ScreenIndex } from './picking.js';
import { mixPositions } from './rendering.js';
import { Transition } from './transition.js';

/** @import { Camera, View } from './camera.js' */
/** @import { Place } from './placement.js' */
/** @import { PlotState } from './state.js' */

/** The places of points on the screen, also while they glide. */
export class PlotScreen {
  size = { width: 0, height: 0 };
  /** @type {Camera | null} Of the last frame. */
  camera = null;
  /** @type {Transition<Float32Array> | null} Points on their way from other places. */
  glide = null;
  #state;
  #isLit;
  #isShown;
  /** @type {ScreenIndex | null} Of the present picture, built on first use. */
  #index = null;

  /**
   * @param {PlotState} state
   * @param {(row: number) => boolean} isLit
   * @param {(row: number) => boolean} isShown
   */
  constructor(state, isLit, isShown) {
    this.#state = state;
    this.#isLit = isLit;
    this.#isShown = isShown;
  }

  /** What a camera depends on beside the view. */
  get cameraOptions() {
    const { points, scene } = this.#state;
    return { dim: points.dim, equalAxes: scene.equalAxes, ...this.size };
  }

  /** Places have changed: what was known of them is void. */
  forget() {
    this.#index = null;
  }

  /**
   * World positions as they are on screen at a time, also in the middle of a glide.
   *
   * @param {number} now
   */
  worldAt(now) {
    const { world } = this.#state.points;
    return this.glide ? mixPositions(this.glide.from, world, this.glide.shareAt(now)) : world;
  }

  /**
   * Let the points glide from there, or stand where they are (null).
   *
   * @param {Float32Array | null} from
   */
  glideFrom(from) {
    this.glide = from && new Transition(from);
    this.#index = null;
  }

  /**
   * The camera of a view.
   *
   * @param {View} view
   */
  cameraOf(view) {
    return makeCamera(view, this.cameraOptions);
  }

  /**
   * Screen place and marker radius of a row, or null behind the camera.
   *
   * @param {number} row
   * @returns {Place | null}
   */
  placeOf(row) {
    const { camera } = this;
    if (!camera) return null;
    const { world, markers } = this.#state.points;
    const at = 3 * row;
    let [x, y, z] = world.subarray(at, at + 3);
    if (this.glide) {
      const { from, share } = this.glide;
      x = from[at] + (x - from[at]) * share;
      y = from[at + 1] + (y - from[at + 1]) * share;
      z = from[at + 2] + (z - from[at + 2]) * share;
    }
    const [screenX, screenY, w] = projectPoint(camera, x, y, z);
    if (w <= camera.near) return null;
    const nearness = camera.perspective ? camera.perspective / w : 1;
    const radius = Math.min(24, (this.pointSize() / 2) * MARKER_SCALE[markers[row]] * nearness);
    return { x: screenX, y: screenY, radius };
  }

  /**
   * The place of a row, or null where it is not in view.
   *
   * @param {number} row
   */
  placeInView(row) {
    const place = this.placeOf(row);
    const { width, height } = this.size;
    return place && place.x >= 0 && place.y >= 0 && place.x <= width && place.y <= height ? place : null;
  }

  /** Disc diameter in CSS pixels for the present camera, before perspective. */
  pointSize() {
    return basePointSize(this.#state.points.count) * (this.camera?.sizeFactor ?? 1);
  }

  /**
   * The point under a screen place, or -1; none while points glide.
   *
   * @param {{ x: number, y: number }} place
   * @param {boolean} touch Whether a finger asks, which needs more room.
   */
  pick({ x, y }, touch) {
    const { points } = this.#state;
    if (!this.camera || !points.count || this.glide) return -1;
    this.#index ??= new ScreenIndex(points.world, this.camera);
    const row = this.#index.nearest(x, y, Math.max(this.pointSize() / 2 + 4, touch ? 18 : 9), this.#isLit);
    return row >= 0 && this.#isShown(row) ? row : -1;
  }
}
