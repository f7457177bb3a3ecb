// The graphics card may take its context away, and give it back or not.

import { CONTEXT_RESTORE_MS } from './constants.js';

/** @import { ScatterPlot } from './plot.js' */

/** Goes on without WebGL when a lost context doesn't come back. */
export class ContextGuard {
  /** Whether nothing can be drawn now. */
  lost = false;
  #timer = 0;
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
    const { stage } = plot.elements;
    // Context events don't bubble, but they pass the stage on their way down.
    plot.listen(stage, 'webglcontextlost', (event) => this.#onLost(event), { capture: true });
    plot.listen(stage, 'webglcontextrestored', () => this.#onRestored(), { capture: true });
  }

  dispose() {
    clearTimeout(this.#timer);
  }

  /** @param {Event} event */
  #onLost(event) {
    event.preventDefault(); // asks for it back
    this.lost = true;
    this.#plot.elements.root.dataset.settled = '0';
    this.#plot.messages.note('The graphics context was lost. Restoring …');
    this.#timer = window.setTimeout(
      this.#plot.guarded(() => {
        this.#plot.layer.replaceRenderer();
        this.#goOn();
      }),
      CONTEXT_RESTORE_MS,
    );
  }

  #onRestored() {
    clearTimeout(this.#timer);
    this.#plot.layer.renderer.build();
    this.#goOn();
  }

  #goOn() {
    this.lost = false;
    this.#plot.showStandingNote();
    this.#plot.content.upload();
    this.#plot.frames.request();
  }
}
