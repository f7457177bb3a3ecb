// The shapes of points.

import { CATEGORY_MARKERS, CROSS, DIAMOND, MARKERS, RING, SQUARE, TRIANGLE } from './constants.js';
import { svg, tenth } from '../dom.js';

/**
 * The marker of a category's points.
 *
 * @param {number} category
 */
export function categoryMarker(category) {
  const n = CATEGORY_MARKERS.length;
  const round = Math.floor(category / n); // the second one has the two markers that a color has not had in the first
  return MARKERS[(CATEGORY_MARKERS[category % n] + 2 * round) % MARKERS.length];
}

/**
 * SVG path data of a marker around (0, 0). The ring needs the even-odd rule, which suits the others too.
 *
 * @param {number} marker
 * @param {number} radius
 */
export function markerPath(marker, radius) {
  const r = tenth(radius * 10) / 10;
  /** @type {(corners: number[][]) => string} */
  const polygon = (corners) => `M${corners.map(([x, y]) => `${tenth(x * 10) / 10} ${tenth(y * 10) / 10}`).join('L')}Z`;
  /** @type {(c: number) => string} */
  const circle = (c) => `M${-c} 0A${c} ${c} 0 1 0 ${c} 0A${c} ${c} 0 1 0 ${-c} 0Z`;
  const side = r * 0.88;
  switch (marker) {
    case DIAMOND:
      return polygon([
        [0, -r],
        [r, 0],
        [0, r],
        [-r, 0],
      ]);
    case CROSS:
      return polygon(crossCorners(r));
    case SQUARE:
      return polygon([
        [-side, -side],
        [side, -side],
        [side, side],
        [-side, side],
      ]);
    case TRIANGLE:
      return polygon([
        [0, -r],
        [r * 0.866, r / 2],
        [-r * 0.866, r / 2],
      ]);
    case RING:
      return circle(r) + circle(r * 0.45);
    default:
      return circle(r);
  }
}

/**
 * A plus, turned by an eighth.
 *
 * @param {number} r
 */
function crossCorners(r) {
  const arm = r * 0.34;
  const quarter = [
    [-arm, -r],
    [arm, -r],
    [arm, -arm],
  ];
  const plus = [0, 1, 2, 3].flatMap((turns) => quarter.map(([x, y]) => turned(x, y, turns)));
  return plus.map(([x, y]) => [(x - y) * Math.SQRT1_2, (x + y) * Math.SQRT1_2]);
}

/**
 * A place turned by so many quarters.
 *
 * @param {number} x
 * @param {number} y
 * @param {number} turns
 * @returns {[number, number]}
 */
function turned(x, y, turns) {
  return turns === 0 ? [x, y] : turned(-y, x, turns - 1);
}

/**
 * A marker as a picture of its own, for the legend.
 *
 * @param {number} marker
 * @param {string} color
 */
export function swatch(marker, color) {
  const path = svg('path', { d: markerPath(marker, 6), fill: color, 'fill-rule': 'evenodd' });
  return svg('svg', { class: 'swatch', viewBox: '-7 -7 14 14', 'aria-hidden': 'true' }, [path]);
}
