// Keys, the toolbar and the legend.

import { toggleFullScreen } from './full_screen.js';
import { downloadPng, downloadSvg } from './picture.js';

/** @import { ScatterPlot } from './plot.js' */

const ZOOM_STEP = 1.4;

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/**
 * What each button and key does.
 *
 * @param {ScatterPlot} plot
 * @returns {Record<string, () => void>}
 */
function commandsOf(plot) {
  const { frames, navigation, pointers, selection, stepper } = plot;
  return {
    fit: () => navigation.fit(),
    lasso: () => pointers.setTool('lasso'),
    box: () => pointers.setTool('box'),
    undo: () => selection.retrace(-1),
    redo: () => selection.retrace(1),
    density: () => frames.toggleDensity(),
    'zoom-in': () => navigation.zoomStep(ZOOM_STEP),
    'zoom-out': () => navigation.zoomStep(1 / ZOOM_STEP),
    'full-screen': () => toggleFullScreen(plot),
    png: () => downloadPng(plot),
    svg: () => downloadSvg(plot),
    next: () => stepper.step(1),
    previous: () => stepper.step(-1),
    select: () => stepper.select(),
    clear: () => plot.clear(),
  };
}

/** @type {Record<string, string>} */
const COMMAND_OF_KEY = {
  '+': 'zoom-in',
  '=': 'zoom-in',
  '-': 'zoom-out',
  _: 'zoom-out',
  f: 'fit',
  n: 'next',
  p: 'previous',
  l: 'lasso',
  b: 'box',
  d: 'density',
  Enter: 'select',
  ' ': 'select',
  Escape: 'clear',
};

/** What keys, toolbar and legend mean to a plot. */
export class KeyInput {
  #plot;
  #commands;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    const { elements } = plot;
    this.#plot = plot;
    this.#commands = commandsOf(plot);
    plot.listen(elements.stage, 'keydown', (event) => this.#onKey(event));
    plot.listen(elements.root, 'keydown', (event) => this.#onHistoryKey(event));
    plot.listen(elements.toolbar, 'click', (event) => {
      const command = this.#commands[buttonOf(event)?.dataset.tool ?? ''];
      if (plot.screen.camera) command?.();
    });
    plot.listen(elements.legend, 'click', (event) => {
      const category = buttonOf(event)?.dataset.category;
      if (category !== undefined) plot.selection.selectCategory(Number(category));
    });
    plot.listen(elements.legend, 'keydown', (event) => {
      if (event.key === 'Escape') plot.clear();
    });
  }

  /**
   * Undo and redo, from everywhere in the plot.
   *
   * @param {KeyboardEvent} event
   */
  #onHistoryKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key !== 'z' && key !== 'y') return;
    event.preventDefault();
    event.stopPropagation();
    this.#plot.selection.retrace(key === 'y' || event.shiftKey ? 1 : -1);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (!this.#plot.screen.camera || event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const command = this.#commands[COMMAND_OF_KEY[key.length === 1 ? key.toLowerCase() : key]];
    if (!ARROWS[key] && !command) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has keys of its own
    if (command) command();
    else this.#onArrow(...ARROWS[key]);
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  #onArrow(dx, dy) {
    const { navigation, state } = this.#plot;
    if (state.points.dim === 3) navigation.orbit(dx * 0.12, dy * 0.12);
    else navigation.pan(dx * 40, dy * 40);
  }
}

/**
 * The button that was clicked.
 *
 * @param {Event} event
 */
function buttonOf(event) {
  return event.target instanceof Element ? event.target.closest('button') : null;
}
