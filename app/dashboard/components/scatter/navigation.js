// How the view follows the user.

import { clampPitch, fittedView, zoomedView } from './camera.js';

/** @import { ScatterPlot } from './plot.js' */

/** Moves the view of a plot. */
export class Navigation {
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
  }

  /**
   * Shift the picture by pixels.
   *
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    const { view, screen } = this.#plot;
    const { cx, cy, cz } = view.present;
    const [x, y, z] = screen.cameraOf(view.present).panOffset(dx, dy);
    view.set({ cx: cx + x, cy: cy + y, cz: cz + z });
    this.#leaveFit();
  }

  /**
   * Turn the picture of a 3-D plot, by radians.
   *
   * @param {number} yaw
   * @param {number} pitch
   */
  orbit(yaw, pitch) {
    const { view } = this.#plot;
    view.set({ yaw: view.present.yaw + yaw, pitch: clampPitch(view.present.pitch + pitch) });
    this.#leaveFit();
  }

  /**
   * Zoom at once about a place, which stays where it is in 2-D.
   *
   * @param {number} factor
   * @param {{ x: number, y: number }} place
   */
  zoomAt(factor, place) {
    const { view, screen } = this.#plot;
    view.set(zoomedView(view.present, factor, place, screen.cameraOptions));
    this.#leaveFit();
  }

  /**
   * Zoom about the middle, smoothly; several presses add up.
   *
   * @param {number} factor
   */
  zoomStep(factor) {
    const { view, screen } = this.#plot;
    const middle = { x: screen.size.width / 2, y: screen.size.height / 2 };
    view.moveTo(zoomedView(view.target, factor, middle, screen.cameraOptions));
    this.#leaveFit();
  }

  /** Show all points. */
  fit() {
    const { view, state, python } = this.#plot;
    view.bounds = state.points.bounds;
    view.moveTo(fittedView(view.bounds));
    view.fitted = true;
    python.viewMoved();
  }

  /**
   * Bring a row into view.
   *
   * @param {number} row
   */
  show(row) {
    const { view, screen, state } = this.#plot;
    if (screen.placeInView(row)) return;
    const [cx, cy, cz] = state.points.world.subarray(3 * row, 3 * row + 3);
    view.moveTo({ ...view.present, cx, cy, cz });
    view.fitted = false;
  }

  /** When no highlighted point is in view, go to the first. */
  showHighlight() {
    const { annotations, screen } = this.#plot;
    annotations.seeksHighlight = false;
    const { highlight } = annotations;
    if (!highlight.some((row) => screen.placeInView(row))) this.show(highlight[0]);
  }

  /** The user chose a view of their own. */
  #leaveFit() {
    this.#plot.view.fitted = false;
    this.#plot.python.viewMoved();
  }
}
