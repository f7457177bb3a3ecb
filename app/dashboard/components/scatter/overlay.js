// All that lies over the points, as SVG.

import { LABEL_SIZE } from './constants.js';
import { svg, tenth } from '../dom.js';

/** @import { EdgeMark } from './edge_marks.js' */
/** @import { ArrowShape, Corner, Place, PlacedLabel } from './placement.js' */
/** @import { Theme } from './theme.js' */

/**
 * Where everything of the overlay goes.
 *
 * @typedef {object} OverlayLayout
 * @property {[number[], number[]][]} edges
 * @property {{ line: [Corner, Corner], opacity: number }[]} links
 * @property {ArrowShape[]} arrows
 * @property {(Place & { strong: boolean, opacity: number })[]} rings
 * @property {PlacedLabel[]} labels
 * @property {EdgeMark[]} marks
 * @property {number[][]} lasso
 */

/**
 * A line's ends as attributes.
 *
 * @param {number[]} a
 * @param {number[]} b
 */
function ends(a, b) {
  return { x1: tenth(a[0]), y1: tenth(a[1]), x2: tenth(b[0]), y2: tenth(b[1]) };
}

/** @type {(corners: number[][]) => string} */
const cornerList = (corners) => corners.map(([x, y]) => `${tenth(x)},${tenth(y)}`).join(' ');

/**
 * Draw a layout as one SVG group. Attributes only: the group must stand alone in exports.
 *
 * @param {OverlayLayout} layout
 * @param {Theme} theme
 */
export function drawOverlay(layout, theme) {
  const lines = [
    ...layout.edges.map(([a, b]) => svg('line', { ...ends(a, b), stroke: theme.ink, 'stroke-opacity': 0.18 })),
    ...layout.links.map(({ line: [a, b], opacity }) =>
      svg('line', { ...ends(a, b), class: 'link', stroke: theme.ink, 'stroke-opacity': 0.45 * opacity }),
    ),
  ];
  return svg('g', {}, [
    ...lines,
    ...layout.arrows.flatMap((arrow) => drawArrow(arrow, theme)),
    ...layout.rings.map((ring) => drawRing(ring, theme)),
    ...layout.marks.flatMap((mark) => drawEdgeMark(mark, theme)),
    ...layout.labels.map((label) => drawLabel(label, theme)),
    ...(layout.lasso.length > 1 ? [drawLasso(layout.lasso, theme)] : []),
  ]);
}

/**
 * @param {ArrowShape} arrow
 * @param {Theme} theme
 */
function drawArrow(arrow, theme) {
  const line = ends(...arrow.line);
  return [
    svg('line', { ...line, stroke: theme.paper, 'stroke-width': 4, 'stroke-opacity': 0.7 }),
    svg('line', {
      ...line,
      class: 'arrow',
      stroke: theme.ink,
      'stroke-width': 1.75,
      'stroke-dasharray': arrow.dashed ? '5 4' : 'none',
    }),
    svg('polygon', { points: cornerList(arrow.head), fill: theme.ink, stroke: theme.paper, 'stroke-width': 0.75 }),
  ];
}

/**
 * @param {OverlayLayout['rings'][number]} ring
 * @param {Theme} theme
 */
function drawRing(ring, theme) {
  return svg('circle', {
    cx: tenth(ring.x),
    cy: tenth(ring.y),
    r: tenth(ring.radius),
    fill: 'none',
    stroke: ring.strong ? theme.accent : theme.ink,
    'stroke-width': ring.strong ? 2.5 : 1.5,
    'stroke-opacity': ring.opacity,
  });
}

/**
 * @param {PlacedLabel} label
 * @param {Theme} theme
 */
function drawLabel(label, theme) {
  const attributes = {
    x: tenth(label.left),
    y: tenth(label.baseline),
    class: 'label',
    'font-family': theme.font,
    'font-size': label.size ?? LABEL_SIZE,
    'font-weight': label.size ? 600 : 400,
    fill: theme.ink,
    'fill-opacity': label.lit ? 1 : 0.68,
    stroke: theme.paper,
    'stroke-width': 3.5,
    'stroke-linejoin': 'round',
    'paint-order': 'stroke',
  };
  return svg('text', attributes, [label.text]);
}

/**
 * @param {number[][]} corners
 * @param {Theme} theme
 */
function drawLasso(corners, theme) {
  return svg('polygon', {
    points: cornerList(corners),
    class: 'lasso',
    fill: theme.accent,
    'fill-opacity': 0.12,
    stroke: theme.accent,
    'stroke-width': 1.5,
    'stroke-dasharray': '4 3',
  });
}

/**
 * A triangle that points to what lies beyond the edge, with how many that are.
 *
 * @param {EdgeMark} mark
 * @param {Theme} theme
 */
function drawEdgeMark({ x, y, angle, count }, theme) {
  const triangle = svg('polygon', {
    points: '-4,-6 7,0 -4,6',
    class: 'outside',
    transform: `translate(${tenth(x)} ${tenth(y)}) rotate(${tenth((angle * 180) / Math.PI)})`,
    fill: theme.ink,
    'fill-opacity': 0.75,
    stroke: theme.paper,
  });
  const title = svg('title');
  title.textContent = count === 1 ? 'A point lies far outside' : `${count.toLocaleString()} points lie far outside`;
  triangle.append(title);
  if (count === 1) return [triangle];
  const attributes = {
    x: tenth(x - 10 * Math.cos(angle)),
    y: tenth(y - 10 * Math.sin(angle) + 4),
    'text-anchor': 'middle',
    'font-family': theme.font,
    'font-size': 11,
    fill: theme.ink,
  };
  return [triangle, svg('text', attributes, [count.toLocaleString()])];
}
