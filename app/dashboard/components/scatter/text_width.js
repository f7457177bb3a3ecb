// How wide texts are.

import { MAX_TEXTS } from './constants.js';

/** Measures texts, each once. */
export class TextWidths {
  /** @type {Map<string, number>} */
  #widths = new Map();
  #context;

  /** @param {CanvasRenderingContext2D} context */
  constructor(context) {
    this.#context = context;
  }

  /** Forget all, for example when the page's font has changed. */
  clear() {
    this.#widths.clear();
  }

  /**
   * Pixels of a text.
   *
   * @param {string} text
   * @param {number} size
   * @param {string} font
   */
  measure(text, size, font) {
    const key = `${size} ${font} ${text}`;
    let width = this.#widths.get(key);
    if (width === undefined) {
      this.#context.font = `${size}px ${font}`;
      ({ width } = this.#context.measureText(text));
      if (this.#widths.size > MAX_TEXTS) this.#widths.clear();
      this.#widths.set(key, width);
    }
    return width;
  }
}
