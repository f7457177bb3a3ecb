// What a plot shows.

/** @import { Points } from './data.js' */
/** @import { PlotData } from './payload.js' */
/** @import { Theme } from './theme.js' */

/**
 * A value that is there by now.
 *
 * @template Value
 * @param {Value | null} value
 * @param {string} name
 * @returns {Value}
 */
function present(value, name) {
  if (value === null) throw new Error(`there is no ${name} yet`);
  return value;
}

/** The points, what Python said of them, and the page's colors. To ask for what has not come yet is an error. */
export class PlotState {
  /** @type {Points | null} */
  #points = null;
  /** @type {PlotData | null} */
  #scene = null;
  /** @type {PlotData | null} */
  #latest = null;
  /** @type {Theme | null} */
  #theme = null;

  /** Whether there are points to show. */
  get hasPoints() {
    return this.#points !== null;
  }

  get points() {
    return present(this.#points, 'cloud');
  }

  set points(points) {
    this.#points = points;
  }

  /** What Python sent with the points that are shown. */
  get scene() {
    return present(this.#scene, 'scene');
  }

  set scene(scene) {
    this.#scene = scene;
  }

  /** What Python sent last; its points may be on their way. */
  get latest() {
    return present(this.#latest, 'data');
  }

  set latest(latest) {
    this.#latest = latest;
  }

  get theme() {
    return present(this.#theme, 'theme');
  }

  set theme(theme) {
    this.#theme = theme;
  }
}
