// All heads on a canvas: layers by heads, each a small square.

import { context2d, html } from '../dom.js';
import { opacity } from './heads.js';

/** @import { Heads, Place } from './heads.js' */

const LARGEST_CELL = 42; // pixels
const SMALLEST_CELL = 9;
const GAP = 3;
const LEFT = 30; // room for the layers' numbers
const TOP = 18; // room for the heads' numbers
const MAX_HEIGHT = 520;

/** @typedef {{ ink: string, accent: string }} Colors */

/**
 * Any CSS color as red, green and blue.
 *
 * @param {string} color
 */
function rgb(color) {
  const context = context2d(html('canvas'), { willReadFrequently: true });
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

/** The grid of small squares. */
export class SmallHeads {
  canvas = html('canvas', { tabindex: '0', role: 'application' });
  #cell = SMALLEST_CELL;

  /**
   * As large as there is room.
   *
   * @param {Heads} heads
   * @param {number} width
   */
  fit({ data }, width) {
    const wide = Math.floor((width - LEFT) / data.nHeads) - GAP;
    const high = Math.floor((MAX_HEIGHT - TOP) / data.layers.length) - GAP;
    this.#cell = Math.max(SMALLEST_CELL, Math.min(LARGEST_CELL, wide, high));
  }

  /**
   * The head at a place of the mouse, or null.
   *
   * @param {MouseEvent} event
   * @param {Heads} heads
   * @returns {Place | null}
   */
  at(event, { data }) {
    const box = this.canvas.getBoundingClientRect();
    const step = this.#cell + GAP;
    const head = Math.floor((event.clientX - box.left - LEFT) / step);
    const layer = Math.floor((event.clientY - box.top - TOP) / step);
    const inside = layer >= 0 && layer < data.layers.length && head >= 0 && head < data.nHeads;
    return inside ? [layer, head] : null;
  }

  /**
   * @param {Heads} heads
   * @param {Colors} colors
   */
  draw(heads, colors) {
    const { layers, nHeads } = heads.data;
    const context = this.#prepare(heads);
    const tile = html('canvas', { width: heads.nColumns, height: heads.nRows });
    const accent = rgb(colors.accent);
    this.#drawNumbers(context, heads, colors.ink);
    for (let layer = 0; layer < layers.length; layer += 1) {
      for (let head = 0; head < nHeads; head += 1) {
        fillTile(tile, heads, [layer, head], accent);
        this.#drawSquare(context, tile, [layer, head], colors.ink);
      }
    }
    const [layer, head] = heads.selected;
    context.strokeStyle = colors.ink;
    context.lineWidth = 2;
    context.strokeRect(this.#left(head) - 1, this.#top(layer) - 1, this.#cell + 2, this.#cell + 2);
  }

  /** @param {number} head */
  #left(head) {
    return LEFT + head * (this.#cell + GAP);
  }

  /** @param {number} layer */
  #top(layer) {
    return TOP + layer * (this.#cell + GAP);
  }

  /**
   * Match the canvas to its squares, in the pixels of the screen.
   *
   * @param {Heads} heads
   */
  #prepare({ data }) {
    const [width, height] = [this.#left(data.nHeads), this.#top(data.layers.length)];
    const ratio = Math.min(2, devicePixelRatio || 1);
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const context = context2d(this.canvas);
    context.scale(ratio, ratio);
    return context;
  }

  /**
   * The numbers of heads and layers, as many as there is room for.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {Heads} heads
   * @param {string} ink
   */
  #drawNumbers(context, { data }, ink) {
    const step = this.#cell + GAP;
    const middle = this.#cell / 2;
    context.font = '11px sans-serif';
    context.textBaseline = 'middle';
    context.fillStyle = ink;
    context.textAlign = 'center';
    for (let head = 0; head < data.nHeads; head += step < 16 ? 3 : 1) {
      context.fillText(String(head + 1), this.#left(head) + middle, TOP / 2);
    }
    context.textAlign = 'right';
    for (let layer = 0; layer < data.layers.length; layer += step < 14 ? 2 : 1) {
      context.fillText(String(data.layers[layer]), LEFT - 6, this.#top(layer) + middle);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {HTMLCanvasElement} tile
   * @param {Place} place
   * @param {string} ink
   */
  #drawSquare(context, tile, [layer, head], ink) {
    const [x, y] = [this.#left(head), this.#top(layer)];
    context.globalAlpha = 0.09;
    context.fillStyle = ink;
    context.fillRect(x, y, this.#cell, this.#cell);
    context.globalAlpha = 1;
    context.imageSmoothingEnabled = tile.width > this.#cell;
    context.drawImage(tile, x, y, this.#cell, this.#cell);
  }
}

/**
 * A head in its own size, a pixel for each weight.
 *
 * @param {HTMLCanvasElement} tile
 * @param {Heads} heads
 * @param {Place} place
 * @param {Iterable<number>} color
 */
function fillTile(tile, heads, place, [red, green, blue]) {
  const context = context2d(tile);
  const image = context.createImageData(heads.nColumns, heads.nRows);
  const offset = heads.offset(place);
  for (let i = 0, at = 0; at < image.data.length; i += 1, at += 4) {
    image.data[at] = red;
    image.data[at + 1] = green;
    image.data[at + 2] = blue;
    image.data[at + 3] = 255 * opacity(heads.all[offset + i] / 255);
  }
  context.putImageData(image, 0, 0);
}
