// Things on their way from one state to another.

import { MORPH_MS } from './constants.js';
import { clamp } from '../dom.js';

/**
 * Slow, fast, slow from 0 to 1.
 *
 * @param {number} t
 */
function easeInOut(t) {
  const share = clamp(t, 0, 1);
  return share < 0.5 ? 4 * share ** 3 : 1 - (-2 * share + 2) ** 3 / 2;
}

/**
 * One thing on its way. It starts with its first frame, so that slow data takes nothing off it.
 *
 * @template State
 */
export class Transition {
  /** How far it was in the last frame, 0 to 1. */
  share = 0;
  /** @type {number | null} */
  #start = null;

  /** @param {State} from */
  constructor(from) {
    this.from = from;
  }

  /**
   * Go on to `now`; whether it is at its end.
   *
   * @param {number} now
   */
  advance(now) {
    this.#start ??= now;
    this.share = this.shareAt(now);
    return this.share >= 1;
  }

  /**
   * How far it is at a time, 0 to 1.
   *
   * @param {number} now
   */
  shareAt(now) {
    return this.#start === null ? 0 : easeInOut((now - this.#start) / MORPH_MS);
  }
}
