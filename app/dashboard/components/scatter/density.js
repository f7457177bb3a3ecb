// Very many points as a picture of how many lie where.

import { DENSITY_CELL, DIM_ALPHA } from './constants.js';
import { context2d, html } from '../dom.js';

/** @import { Camera } from './camera.js' */
/** @import { Points } from './data.js' */
/** @import { RowMasks } from './row_masks.js' */
/** @import { PlotSelection } from './selection.js' */
/** @import { Theme } from './theme.js' */

/**
 * Very many points as a picture of how many lie where, on a canvas of its own below the points. A cell has the color
 * of the category that most of its points have (or of the mean value), and is the stronger the more points it holds.
 */
export class DensityLayer {
  canvas = html('canvas', { class: 'density', 'aria-hidden': 'true', hidden: '' });
  #context = context2d(this.canvas);
  #size = '';
  #cells = cellsOf(0);

  hide() {
    this.canvas.hidden = true;
  }

  /**
   * Count all points into cells and paint them.
   *
   * @param {Points} points
   * @param {Camera} camera
   * @param {{ theme: Theme, anyDim: boolean, selection: PlotSelection, masks: RowMasks }} options
   */
  draw(points, camera, { theme, anyDim, selection, masks }) {
    const columns = Math.ceil(camera.width / DENSITY_CELL);
    const lines = Math.ceil(camera.height / DENSITY_CELL);
    this.#fit(columns, lines);
    this.#count(points, camera, columns, anyDim ? { selection, masks } : null);
    const image = this.#context.createImageData(columns, lines);
    this.#paint(image.data, points, theme);
    this.#context.putImageData(image, 0, 0);
    this.canvas.hidden = false;
  }

  /**
   * @param {number} columns
   * @param {number} lines
   */
  #fit(columns, lines) {
    const size = `${columns}x${lines}`;
    if (size !== this.#size) {
      this.#size = size;
      Object.assign(this.canvas, { width: columns, height: lines });
      this.#cells = cellsOf(columns * lines);
    }
    this.canvas.style.width = `${columns * DENSITY_CELL}px`;
    this.canvas.style.height = `${lines * DENSITY_CELL}px`;
    const { lit, dim, votes, sums } = this.#cells;
    [lit, dim, votes, sums].forEach((values) => values.fill(0));
  }

  /**
   * @param {Points} points
   * @param {Camera} camera
   * @param {number} columns
   * @param {{ selection: PlotSelection, masks: RowMasks } | null} rows Null where none is dimmed.
   */
  #count(points, camera, columns, rows) {
    const { world, category, levels } = points;
    const { matrix: m, width, height, near } = camera;
    const { lit, dim, leader, votes, sums } = this.#cells;
    for (let row = 0, at = 0; row < points.count; row += 1, at += 3) {
      const x = world[at];
      const y = world[at + 1];
      const z = world[at + 2];
      const w = m[3] * x + m[7] * y + m[11] * z + m[15];
      if (!(w > near)) continue;
      const left = (((m[0] * x + m[4] * y + m[8] * z + m[12]) / w) * 0.5 + 0.5) * width;
      const top = (0.5 - ((m[1] * x + m[5] * y + m[9] * z + m[13]) / w) * 0.5) * height;
      if (!(left >= 0 && left < width && top >= 0 && top < height)) continue;
      const cell = Math.floor(top / DENSITY_CELL) * columns + Math.floor(left / DENSITY_CELL);
      if (rows && !rows.selection.isLit(row)) {
        if (rows.masks.isShown(row)) dim[cell] += 1;
        continue;
      }
      lit[cell] += 1;
      if (levels) sums[cell] += levels[row];
      else if (votes[cell] === 0) {
        leader[cell] = category[row];
        votes[cell] = 1;
      } else votes[cell] += leader[cell] === category[row] ? 1 : -1;
    }
  }

  /**
   * @param {Uint8ClampedArray} bytes
   * @param {Points} points
   * @param {Theme} theme
   */
  #paint(bytes, points, theme) {
    const { lit, dim, leader, sums } = this.#cells;
    let most = 1;
    for (let cell = 0; cell < lit.length; cell += 1) most = Math.max(most, lit[cell] + dim[cell]);
    /** @type {(count: number) => number} */
    const strength = (count) => 0.18 + (0.82 * Math.log1p(count)) / Math.log1p(most);
    for (let cell = 0, at = 0; cell < lit.length; cell += 1, at += 4) {
      let color = theme.grayRgb;
      let alpha = 0;
      if (lit[cell]) {
        color = points.levels
          ? theme.rampRgb[Math.round(sums[cell] / lit[cell])]
          : theme.paletteRgb[leader[cell] % theme.paletteRgb.length];
        alpha = strength(lit[cell]);
      } else if (dim[cell]) alpha = strength(dim[cell]) * DIM_ALPHA * 1.5;
      [bytes[at], bytes[at + 1], bytes[at + 2]] = color;
      bytes[at + 3] = Math.round(255 * alpha);
    }
  }

  /**
   * Repeat the picture on another canvas of so many device pixels a pixel.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {number} pixelRatio
   */
  copyTo(context, pixelRatio) {
    if (this.canvas.hidden) return;
    const scale = DENSITY_CELL * pixelRatio;
    context.drawImage(this.canvas, 0, 0, this.canvas.width * scale, this.canvas.height * scale);
  }
}

/**
 * What is counted of each cell.
 *
 * @param {number} cells
 */
function cellsOf(cells) {
  return {
    lit: new Uint32Array(cells),
    dim: new Uint32Array(cells),
    leader: new Uint16Array(cells), // category ahead in Boyer and Moore's vote
    votes: new Int32Array(cells),
    sums: new Float32Array(cells), // of value levels
  };
}
