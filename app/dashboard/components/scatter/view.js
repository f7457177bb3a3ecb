// The view of a plot over time.

import { fittedView, mixViews } from './camera.js';
import { boundsDiffer } from './extent.js';
import { Transition } from './transition.js';

/** @import { View } from './camera.js' */
/** @import { Bounds } from './extent.js' */

const NO_BOUNDS = { low: [-1, -1, -1], high: [1, 1, 1] };

/** Where the plot looks from, now and at the end of a move. */
export class PlotView {
  /** @type {Bounds} Those the view was last fitted to. */
  bounds = NO_BOUNDS;
  /** @type {View} */
  present = fittedView(NO_BOUNDS);
  /** The view shows all, and shall when other points come. */
  fitted = true;
  /** @type {{ to: View, transition: Transition<View> } | null} */
  #move = null;
  #callbacks;

  /**
   * @param {{ onChange: (moving: boolean) => void, jumps: () => boolean }} callbacks Called after each change, and queried
   *   whether a move is to be made at once.
   */
  constructor(callbacks) {
    this.#callbacks = callbacks;
  }

  /** Whether a move is on its way. */
  get moving() {
    return this.#move !== null;
  }

  /** The view at the end of the move, or the present one. */
  get target() {
    return this.#move?.to ?? this.present;
  }

  /**
   * Show all of other points, at once.
   *
   * @param {Bounds} bounds
   */
  reset(bounds) {
    this.bounds = bounds;
    this.present = fittedView(bounds);
    this.#move = null;
    this.fitted = true;
  }

  /**
   * The same points lie elsewhere: follow them, where the view shows all.
   *
   * @param {Bounds} bounds
   */
  adapt(bounds) {
    if (!boundsDiffer(this.bounds, bounds)) return;
    this.bounds = bounds;
    if (this.fitted) this.moveTo(fittedView(bounds, this.present));
  }

  /**
   * Go to a view smoothly, or at once under reduced motion.
   *
   * @param {View} target
   */
  moveTo(target) {
    if (this.#callbacks.jumps()) {
      this.set(target);
      return;
    }
    this.#move = { to: target, transition: new Transition(this.present) };
    this.#callbacks.onChange(true);
  }

  /**
   * Change the view at once. A move on its way ends.
   *
   * @param {Partial<View>} changes
   */
  set(changes) {
    this.present = { ...this.present, ...changes };
    this.#move = null;
    this.#callbacks.onChange(false);
  }

  /**
   * Go on with the move; whether the view changed.
   *
   * @param {number} now
   */
  advance(now) {
    if (!this.#move) return false;
    const { to, transition } = this.#move;
    const done = transition.advance(now);
    this.present = mixViews(transition.from, to, transition.share);
    if (done) this.#move = null;
    return true;
  }
}
