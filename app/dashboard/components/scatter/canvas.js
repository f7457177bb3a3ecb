// Points on a 2-D canvas, where WebGL2 is missing.

import { DIM_ALPHA, HIDDEN_BIT, INDEX_FROM, LIT_ALPHA, LIT_BIT, MARKER_BITS, MARKER_SCALE } from './constants.js';
import { projectPoint } from './camera.js';
import { clamp, context2d } from '../dom.js';
import { markerPath } from './markers.js';
import { mixPositions } from './rendering.js';

/** @import { Picture } from './rendering.js' */

/** The renderer for every browser. */
export class CanvasRenderer {
  kind = 'canvas2d';
  /** @type {Float32Array} */
  #to = new Float32Array(0);
  /** @type {Float32Array | null} */
  #from = null;
  /** @type {Uint8Array} */
  #styles = new Uint8Array(0);

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = context2d(canvas);
  }

  /** Nothing of it can be lost. */
  build() {}

  /**
   * @param {Float32Array} to
   * @param {Float32Array | null} from
   */
  setPositions(to, from) {
    this.#to = to;
    this.#from = from;
  }

  /** @param {Uint8Array} bytes */
  setStyles(bytes) {
    this.#styles = bytes;
  }

  /** @param {Picture} picture */
  draw(picture) {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (picture.passes === 'none') return;
    const world = this.#from && picture.mix < 1 ? mixPositions(this.#from, this.#to, picture.mix) : this.#to;
    if (world.length / 3 > INDEX_FROM) this.#drawPixels(world, picture);
    else this.#drawMarkers(world, picture);
    context.globalAlpha = 1;
  }

  /**
   * Real markers, one path each.
   *
   * @param {Float32Array} world
   * @param {Picture} picture
   */
  #drawMarkers(world, picture) {
    const { context } = this;
    const { camera, pixelRatio } = picture;
    const count = world.length / 3;
    const places = Array.from({ length: count }, (_, row) => {
      const [x, y, w] = projectPoint(camera, world[3 * row], world[3 * row + 1], world[3 * row + 2]);
      return { row, x, y, w };
    });
    if (camera.perspective) places.sort((a, b) => b.w - a.w);
    const paths = MARKER_SCALE.map((scale, marker) => new Path2D(markerPath(marker, 10 * scale)));
    context.strokeStyle = `rgb(${picture.paperRgb.join(' ')})`;
    for (const lit of picture.anyDim && picture.passes === 'all' ? [false, true] : [true]) {
      context.globalAlpha = lit ? (picture.anyDim ? Math.max(LIT_ALPHA, picture.alpha) : picture.alpha) : DIM_ALPHA;
      for (const { row, x, y, w } of places) {
        const flags = this.#styles[4 * row + 3];
        if (flags >= LIT_BIT !== lit || flags & HIDDEN_BIT || w <= camera.near) continue;
        if (!(x > -50 && x < camera.width + 50 && y > -50 && y < camera.height + 50)) continue;
        const radius = (picture.size / 2) * (camera.perspective ? camera.perspective / w : 1);
        const scale = (Math.min(radius, 24) / 10) * pixelRatio;
        context.setTransform(scale, 0, 0, scale, x * pixelRatio, y * pixelRatio);
        context.fillStyle = `rgb(${this.#fogged(row, w, picture).join(' ')})`;
        context.fill(paths[flags & MARKER_BITS], 'evenodd');
        if (radius > 4) {
          context.lineWidth = 7.5 / radius;
          context.stroke(paths[flags & MARKER_BITS]);
        }
      }
    }
  }

  /**
   * Color of a point, nearer to the background the farther it is.
   *
   * @param {number} row
   * @param {number} w
   * @param {Picture} picture
   */
  #fogged(row, w, { camera, paperRgb }) {
    const fog = camera.perspective ? clamp((w - camera.fogStart) / 1.6, 0, 1) * 0.5 : 0;
    return [0, 1, 2].map((channel) => {
      const value = this.#styles[4 * row + channel];
      return Math.round(value + (paperRgb[channel] - value) * fog);
    });
  }

  /**
   * Squares of pixels straight into the image: the only fast way for very many points.
   *
   * @param {Float32Array} world
   * @param {Picture} picture
   */
  #drawPixels(world, picture) {
    const { canvas, context } = this;
    const styles = this.#styles;
    const { camera, pixelRatio } = picture;
    const { width, height } = canvas;
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const depths = camera.perspective ? new Float32Array(pixels.length).fill(Infinity) : null;
    const side = Math.max(1, Math.round(picture.size * pixelRatio));
    const m = camera.matrix;
    const dimAlpha = Math.round(DIM_ALPHA * 255) << 24;
    for (const lit of picture.anyDim && picture.passes === 'all' ? [true, false] : [true]) {
      for (let row = 0, at = 0; at < world.length; row += 1, at += 3) {
        if (styles[4 * row + 3] >= LIT_BIT !== lit || styles[4 * row + 3] & HIDDEN_BIT) continue;
        const x = world[at];
        const y = world[at + 1];
        const z = world[at + 2];
        const w = m[3] * x + m[7] * y + m[11] * z + m[15];
        if (!(w > camera.near)) continue;
        const left = Math.round((((m[0] * x + m[4] * y + m[8] * z + m[12]) / w) * 0.5 + 0.5) * width - side / 2);
        const top = Math.round((0.5 - ((m[1] * x + m[5] * y + m[9] * z + m[13]) / w) * 0.5) * height - side / 2);
        if (left < 0 || top < 0 || left + side > width || top + side > height) continue;
        const style = 4 * row;
        // Little-endian RGBA, as on every machine with a browser.
        const rgb = styles[style] | (styles[style + 1] << 8) | (styles[style + 2] << 16);
        const color = (rgb | (lit ? 0xff000000 : dimAlpha)) >>> 0;
        for (let v = top; v < top + side; v += 1) {
          for (let pixel = v * width + left, end = pixel + side; pixel < end; pixel += 1) {
            if (!lit && pixels[pixel] !== 0) continue; // dimmed points go below
            if (depths) {
              if (w > depths[pixel]) continue;
              depths[pixel] = w;
            }
            pixels[pixel] = color;
          }
        }
      }
    }
    context.putImageData(image, 0, 0);
  }

  dispose() {
    this.canvas.width = 0;
    this.canvas.height = 0;
  }
}
