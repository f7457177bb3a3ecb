// The canvases of a plot: its points, drawn one by one or as density.

import { CanvasRenderer } from './canvas.js';
import { DENSITY_FROM, DENSITY_ZOOM, HIDDEN_BIT, INDEX_FROM, LIT_BIT, MAX_PIXEL_RATIO } from './constants.js';
import { basePointAlpha } from './data.js';
import { DensityLayer } from './density.js';
import { html } from '../dom.js';
import { WebGLRenderer } from './webgl.js';

/** @import { Camera } from './camera.js' */
/** @import { PlotElements } from './elements.js' */
/** @import { Renderer } from './rendering.js' */
/** @import { RowMasks } from './row_masks.js' */
/** @import { PlotSelection } from './selection.js' */
/** @import { PlotState } from './state.js' */

/**
 * A canvas and a renderer for it. A canvas can't change its kind of context.
 *
 * @param {boolean} withWebGL Whether WebGL is wished; where it is missing points are drawn without it.
 * @returns {{ canvas: HTMLCanvasElement, renderer: Renderer }}
 */
function createRenderer(withWebGL) {
  const attributes = {
    tabindex: '0',
    role: 'application',
    'aria-roledescription': 'scatter plot',
    'aria-describedby': 'scatter-keys',
  };
  if (withWebGL) {
    const canvas = html('canvas', attributes);
    try {
      return { canvas, renderer: new WebGLRenderer(canvas) };
    } catch {
      // drawn without it
    }
  }
  const canvas = html('canvas', attributes);
  return { canvas, renderer: new CanvasRenderer(canvas) };
}

/** Draws the points of a plot. */
export class PointLayer {
  density = new DensityLayer();
  pixelRatio = 1;
  /** Whether some points are dimmed. */
  anyDim = false;
  #elements;
  #state;
  #selection;
  /** @type {boolean | null} Of the user; null: as many points as there are decide. */
  #densityWish = null;
  #canvasSize = '';

  #masks;

  /**
   * @param {PlotElements} elements
   * @param {PlotState} state
   * @param {{ selection: PlotSelection, masks: RowMasks }} rows
   */
  constructor(elements, state, { selection, masks }) {
    this.#elements = elements;
    this.#state = state;
    this.#selection = selection;
    this.#masks = masks;
    const { canvas, renderer } = createRenderer(true);
    this.canvas = canvas;
    this.renderer = renderer;
    elements.stage.prepend(this.canvas, this.density.canvas);
    elements.root.dataset.renderer = this.renderer.kind;
  }

  /** A new canvas that is drawn on without WebGL. */
  replaceRenderer() {
    this.renderer.dispose();
    const { canvas, renderer } = createRenderer(false);
    const focused = activeElement(this.canvas) === this.canvas;
    canvas.setAttribute('aria-label', this.canvas.getAttribute('aria-label') ?? '');
    this.canvas.replaceWith(canvas);
    this.canvas = canvas;
    this.renderer = renderer;
    if (focused) canvas.focus({ preventScroll: true });
    this.#canvasSize = '';
    this.#elements.root.dataset.renderer = renderer.kind;
  }

  /** Colors, markers and dimming of all points, for the renderer. */
  restyle() {
    const { points, theme } = this.#state;
    const selection = this.#selection;
    const { levels, category, markers, count } = points;
    const styles = new Uint8Array(4 * count);
    const colors = levels ? theme.rampRgb : theme.paletteRgb;
    this.anyDim = false;
    for (let row = 0, at = 0; row < count; row += 1, at += 4) {
      const lit = selection.isLit(row);
      const color = lit ? colors[levels ? levels[row] : category[row] % colors.length] : theme.grayRgb;
      if (!lit) this.anyDim = true;
      styles[at] = color[0];
      styles[at + 1] = color[1];
      styles[at + 2] = color[2];
      styles[at + 3] = markers[row] | (lit ? LIT_BIT : 0) | (this.#masks.isShown(row) ? 0 : HIDDEN_BIT);
    }
    this.renderer.setStyles(styles);
  }

  /**
   * Match the canvas to the stage; whether it had another size.
   *
   * @param {{ width: number, height: number }} size
   */
  fit({ width, height }) {
    this.pixelRatio = Math.min(devicePixelRatio || 1, MAX_PIXEL_RATIO);
    const [columns, lines] = [width, height].map((length) => Math.round(length * this.pixelRatio));
    const canvasSize = `${columns}x${lines}`;
    if (canvasSize === this.#canvasSize) return false;
    this.#canvasSize = canvasSize;
    Object.assign(this.canvas, { width: columns, height: lines });
    return true;
  }

  /**
   * Whether the points are drawn as density: very many, seen from afar, or as the user wants it.
   *
   * @param {number} zoom
   */
  isDensity(zoom) {
    if (this.#densityWish !== null) return this.#densityWish;
    const { dim, count } = this.#state.points;
    return dim === 2 && count > DENSITY_FROM && zoom < DENSITY_ZOOM;
  }

  /**
   * Draw as density or not, as the user wants it.
   *
   * @param {boolean} wish
   */
  wishDensity(wish) {
    this.#densityWish = wish;
  }

  /**
   * Draw the points.
   *
   * @param {Camera} camera
   * @param {{ density: boolean, mix: number, size: number }} options Whether as density, how far they have glided, and the
   *   diameter of a disc.
   */
  draw(camera, { density, mix, size }) {
    const { points, theme } = this.#state;
    const { anyDim, pixelRatio } = this;
    this.#elements.buttons.density.setAttribute('aria-pressed', String(density));
    if (density) this.density.draw(points, camera, { theme, anyDim, selection: this.#selection, masks: this.#masks });
    else this.density.hide();
    const few = this.#selection.rows !== null && this.#selection.rows.length <= INDEX_FROM;
    this.renderer.draw({
      passes: density ? (few ? 'lit' : 'none') : 'all',
      camera,
      mix,
      size,
      alpha: basePointAlpha(points.count),
      anyDim,
      paperRgb: theme.paperRgb,
      pixelRatio,
    });
  }
}

/**
 * The element with the focus in the document or the shadow tree of `element`.
 *
 * @param {Element} element
 */
export function activeElement(element) {
  const root = element.getRootNode();
  return root instanceof Document || root instanceof ShadowRoot ? root.activeElement : null;
}
