// What both renderers share.

/** @import { Camera } from './camera.js' */

/**
 * One picture of the points.
 *
 * @typedef {object} Picture
 * @property {'all' | 'lit' | 'none'} passes Which points are drawn; none and only lit ones when they lie over a density.
 * @property {Camera} camera
 * @property {number} mix How far the points have glided to their new places, 0 to 1.
 * @property {number} size A disc's diameter in CSS pixels.
 * @property {number} alpha
 * @property {boolean} anyDim
 * @property {number[]} paperRgb
 * @property {number} pixelRatio
 */

/**
 * Draws points on a canvas. Styles are four bytes a point: red, green, blue, marker | LIT_BIT | HIDDEN_BIT.
 *
 * @typedef {object} Renderer
 * @property {string} kind
 * @property {(to: Float32Array, from: Float32Array | null) => void} setPositions
 * @property {(bytes: Uint8Array) => void} setStyles
 * @property {(picture: Picture) => void} draw
 * @property {() => void} build Make all anew after the graphics context came back.
 * @property {() => void} dispose
 */

/**
 * Positions at share `t` of the way.
 *
 * @param {Float32Array} from
 * @param {Float32Array} to
 * @param {number} t
 */
export function mixPositions(from, to, t) {
  const mixed = new Float32Array(to.length);
  for (let i = 0; i < to.length; i += 1) mixed[i] = from[i] + (to[i] - from[i]) * t;
  return mixed;
}
