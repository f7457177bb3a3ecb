// One head large, as arcs or as a matrix.

import { svg } from '../dom.js';
import { opacity } from './heads.js';

/** @import { Heads, Weight } from './heads.js' */

const MIN_WEIGHT = 0.02; // a weaker arc is not drawn

/**
 * A drawing in its own units.
 *
 * @typedef {{ width: number, height: number, nodes: SVGElement[] }} Drawing
 */

/**
 * What is drawn of a head: its weights, the row that is lit or null, and how a row becomes a group that can be lit.
 *
 * @typedef {{ weight: Weight, lit: number | null, rowGroup: (row: number) => SVGGElement }} LargeHead
 */

/**
 * The name of a row or column, as long as there is room for it.
 *
 * @param {string} name
 */
function shortName(name) {
  const text = name.trim().replace(/\s+/g, ' ');
  if (!text) return '␣';
  return text.length > 14 ? `${text.slice(0, 13)}…` : text;
}

/**
 * Two columns of words with an arc for each weight.
 *
 * @param {Heads} heads
 * @param {LargeHead} head
 * @returns {Drawing}
 */
export function drawArcs(heads, { weight, lit, rowGroup }) {
  const { rows, columns } = heads.data;
  const most = Math.max(heads.nRows, heads.nColumns);
  const space = Math.max(17, Math.min(27, 440 / most));
  /** @type {(place: number) => number} */
  const y = (place) => 16 + place * space;
  const named = rows.map((name, row) => {
    const group = rowGroup(row);
    group.append(
      svg('rect', { x: 0, y: y(row) - space / 2 - 4, width: 130, height: space, fill: 'transparent' }),
      svg('text', { x: 124, y: y(row), 'text-anchor': 'end', 'font-size': 13 }, [shortName(name)]),
    );
    return group;
  });
  const words = columns.map((name, column) => {
    const cut = lit !== null && heads.isForbidden(lit, column);
    const value = lit === null ? '' : `  ${weight(lit, column).toFixed(2)}`;
    const attributes = { x: 316, y: y(column), 'font-size': 13, opacity: cut ? 0.4 : 1 };
    return svg('text', attributes, [shortName(name) + (cut ? '  –' : value)]);
  });
  return { width: 440, height: most * space + 14, nodes: [arcLines(heads, weight, lit, y), ...named, ...words] };
}

/**
 * The arcs, faded but for the row that is lit.
 *
 * @param {Heads} heads
 * @param {Weight} weight
 * @param {number | null} lit
 * @param {(place: number) => number} y
 */
function arcLines(heads, weight, lit, y) {
  const lines = svg('g');
  for (let row = 0; row < heads.nRows; row += 1) {
    const faded = lit !== null && lit !== row;
    for (let column = 0; column < heads.nColumns; column += 1) {
      const value = weight(row, column);
      if (value < MIN_WEIGHT) continue;
      const [from, to] = [y(row) - 4, y(column) - 4];
      lines.append(
        svg('path', {
          d: `M132 ${from} C220 ${from} 220 ${to} 308 ${to}`,
          fill: 'none',
          stroke: 'var(--accent)',
          'stroke-width': (0.8 + value * 4.5).toFixed(2),
          'stroke-opacity': (faded ? 0.05 : opacity(value)).toFixed(3),
        }),
      );
    }
  }
  return lines;
}

/**
 * A square for each weight, hatched where the model can't look.
 *
 * @param {Heads} heads
 * @param {LargeHead} head
 * @returns {Drawing}
 */
export function drawMatrix(heads, { weight, rowGroup }) {
  const { rows, columns } = heads.data;
  const cell = Math.max(12, Math.min(30, 340 / Math.max(heads.nRows, heads.nColumns)));
  const [left, top] = [100, 84];
  const size = Math.min(13, cell - 1);
  const heading = columns.map((name, column) => {
    const x = left + column * cell + cell / 2;
    const attributes = { x, y: top - 6, 'font-size': size, transform: `rotate(-55 ${x} ${top - 6})` };
    return svg('text', attributes, [shortName(name)]);
  });
  const lines = rows.map((name, row) => {
    const y = top + row * cell;
    const label = { x: left - 6, y: y + cell / 2 + 4, 'text-anchor': 'end', 'font-size': size };
    const group = rowGroup(row);
    group.append(svg('text', label, [shortName(name)]));
    columns.forEach((other, column) => {
      const cut = heads.isForbidden(row, column);
      const value = weight(row, column);
      const squares = matrixSquare({ x: left + column * cell, y, width: cell - 1, height: cell - 1 }, cut, value);
      const tip = `${name.trim()} → ${other.trim()}: ${cut ? 'can’t look' : value.toFixed(4)}`;
      squares[squares.length - 1].append(svg('title', {}, [tip]));
      group.append(...squares);
    });
    return group;
  });
  return {
    width: left + heads.nColumns * cell + 40,
    height: top + heads.nRows * cell + 6,
    nodes: [hatching(), ...heading, ...lines],
  };
}

/**
 * @param {{ x: number, y: number, width: number, height: number }} box
 * @param {boolean} cut
 * @param {number} value
 */
function matrixSquare(box, cut, value) {
  if (cut) return [svg('rect', { ...box, fill: 'url(#polysema-cut)' })];
  const strength = opacity(value).toFixed(3);
  return [
    svg('rect', { ...box, fill: 'var(--panel)' }),
    svg('rect', { ...box, fill: 'var(--accent)', 'fill-opacity': strength }),
  ];
}

/** The pattern of squares where the model can't look. */
function hatching() {
  const stroke = { stroke: 'var(--ink)', 'stroke-opacity': 0.22, 'stroke-width': 1.6 };
  const line = svg('line', { x1: 0, y1: 0, x2: 0, y2: 5, ...stroke });
  const size = { width: 5, height: 5, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' };
  return svg('defs', {}, [svg('pattern', { id: 'polysema-cut', ...size }, [line])]);
}
