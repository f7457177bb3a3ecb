// The point under the mouse.

import { INDEX_FROM } from './constants.js';

/** @import { Camera } from './camera.js' */

/** Screen places of all points, and above `INDEX_FROM` points a grid over them, for picking and the lasso. */
export class ScreenIndex {
  /**
   * @param {Float32Array} world
   * @param {Camera} camera
   */
  constructor(world, camera) {
    const count = world.length / 3;
    this.count = count;
    this.camera = camera;
    this.x = new Float32Array(count);
    this.y = new Float32Array(count);
    this.w = new Float32Array(count);
    this.#projectAll(world);
    this.cellSize = 16;
    this.columns = Math.ceil(camera.width / this.cellSize);
    this.rows = Math.ceil(camera.height / this.cellSize);
    /** @type {{ order: Int32Array, starts: Int32Array } | null} */
    this.cells = count > INDEX_FROM ? this.#sortIntoCells() : null;
  }

  /** @param {Float32Array} world */
  #projectAll(world) {
    const m = this.camera.matrix;
    const { width, height, near } = this.camera;
    for (let row = 0, at = 0; row < this.count; row += 1, at += 3) {
      const x = world[at];
      const y = world[at + 1];
      const z = world[at + 2];
      const w = m[3] * x + m[7] * y + m[11] * z + m[15];
      this.w[row] = w;
      // NaN is outside of everything, as a point behind the camera shall be.
      this.x[row] = w > near ? (((m[0] * x + m[4] * y + m[8] * z + m[12]) / w) * 0.5 + 0.5) * width : NaN;
      this.y[row] = (0.5 - ((m[1] * x + m[5] * y + m[9] * z + m[13]) / w) * 0.5) * height;
    }
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #cellOf(x, y) {
    const column = Math.floor(x / this.cellSize);
    const line = Math.floor(y / this.cellSize);
    return column >= 0 && column < this.columns && line >= 0 && line < this.rows ? line * this.columns + column : -1;
  }

  /** Counting sort: `order` lists the points cell by cell, `starts[cell]` is where a cell begins. */
  #sortIntoCells() {
    const starts = new Int32Array(this.columns * this.rows + 1);
    const cells = new Int32Array(this.count);
    for (let row = 0; row < this.count; row += 1) {
      const cell = this.#cellOf(this.x[row], this.y[row]);
      cells[row] = cell;
      if (cell >= 0) starts[cell + 1] += 1;
    }
    for (let cell = 0; cell + 1 < starts.length; cell += 1) starts[cell + 1] += starts[cell];
    const next = starts.slice();
    const order = new Int32Array(starts[starts.length - 1]);
    for (let row = 0; row < this.count; row += 1) {
      if (cells[row] >= 0) {
        order[next[cells[row]]] = row;
        next[cells[row]] += 1;
      }
    }
    return { order, starts };
  }

  /**
   * The point nearest to (x, y) within `radius` pixels, or -1. In 3-D near points win; dimmed ones lose.
   *
   * @param {number} x
   * @param {number} y
   * @param {number} radius
   * @param {(row: number) => boolean} isLit
   */
  nearest(x, y, radius, isLit) {
    let best = -1;
    let bestCost = Infinity;
    const depthWeight = this.camera.perspective ? 12 : 0;
    /** @type {(row: number) => void} */
    const consider = (row) => {
      const dx = this.x[row] - x;
      const dy = this.y[row] - y;
      const square = dx * dx + dy * dy;
      if (!(square <= radius * radius)) return;
      const cost = square + depthWeight * this.w[row] + (isLit(row) ? 0 : radius * radius);
      // The later row is drawn on top.
      if (cost <= bestCost) {
        best = row;
        bestCost = cost;
      }
    };
    if (!this.cells) {
      for (let row = 0; row < this.count; row += 1) consider(row);
      return best;
    }
    const { order, starts } = this.cells;
    const reach = Math.ceil(radius / this.cellSize);
    const column = Math.floor(x / this.cellSize);
    const line = Math.floor(y / this.cellSize);
    for (let l = Math.max(0, line - reach); l <= Math.min(this.rows - 1, line + reach); l += 1) {
      for (let c = Math.max(0, column - reach); c <= Math.min(this.columns - 1, column + reach); c += 1) {
        const cell = l * this.columns + c;
        for (let k = starts[cell]; k < starts[cell + 1]; k += 1) consider(order[k]);
      }
    }
    return best;
  }
}
