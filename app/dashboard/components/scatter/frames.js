// When what is drawn.

import { drawOverlay } from './overlay.js';

/** @import { ScatterPlot } from './plot.js' */

/** Draws a plot, at most once a frame, and goes on while something moves. */
export class FrameLoop {
  #request = 0;
  #stale = true;
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
  }

  /** Draw all anew with the next frame. */
  request() {
    this.#stale = true;
    this.requestOverlay();
  }

  /** Draw with the next frame only what lies over the points: of very many, each picture takes its time. */
  requestOverlay() {
    if (this.#request || this.#plot.failed) return;
    this.#request = requestAnimationFrame(
      this.#plot.guarded((/** @type {number} */ now) => {
        this.#request = 0;
        this.#draw(now);
      }),
    );
  }

  /** Draw the points now. */
  drawPoints() {
    const { layer, screen } = this.#plot;
    if (!screen.camera) return;
    const density = this.#isDensity() && !screen.glide;
    layer.draw(screen.camera, { density, mix: screen.glide?.share ?? 1, size: screen.pointSize() });
  }

  /** Draw as density what was drawn point by point, or the other way round. */
  toggleDensity() {
    this.#plot.layer.wishDensity(!this.#isDensity());
    this.request();
  }

  dispose() {
    cancelAnimationFrame(this.#request);
  }

  #isDensity() {
    return this.#plot.layer.isDensity(this.#plot.view.present.zoom);
  }

  /** Whether all is there to draw; not while the stage has no size, as in a tab that is not shown. */
  #canDraw() {
    const { contexts, screen, state } = this.#plot;
    return state.hasPoints && !contexts.lost && screen.size.width >= 1 && screen.size.height >= 1;
  }

  /** @param {number} now */
  #draw(now) {
    const { annotations, elements, layer, navigation, screen, state, tooltip, view } = this.#plot;
    if (!this.#canDraw()) return;
    if (layer.fit(screen.size)) {
      this.#stale = true;
      screen.forget();
    }
    this.#advance(now);
    screen.camera = screen.cameraOf(view.present);
    if (annotations.seeksHighlight && !screen.glide) navigation.showHighlight();
    if (this.#stale || view.moving || screen.glide) this.drawPoints();
    this.#stale = false;
    elements.overlay.replaceChildren(drawOverlay(annotations.layOut(), state.theme));
    tooltip.place();
    this.#showState();
  }

  /**
   * Go on with all that moves.
   *
   * @param {number} now
   */
  #advance(now) {
    const { annotations, layer, screen, state, view } = this.#plot;
    if (view.advance(now)) screen.forget();
    if (screen.glide?.advance(now)) {
      screen.glideFrom(null);
      layer.renderer.setPositions(state.points.world, null);
    }
    annotations.advance(now);
  }

  /** What is drawn, for those who look from outside; and the next frame while something moves. */
  #showState() {
    const { annotations, elements, loader, screen, selection, state, view } = this.#plot;
    const moving = view.moving || screen.glide !== null || annotations.fading;
    Object.assign(elements.root.dataset, {
      n: state.points.count,
      selected: selection.rows?.length ?? 0,
      dim: state.points.dim,
      version: state.points.version,
      settled: moving || loader.loading ? '0' : '1',
      density: this.#isDensity() ? '1' : '0',
      ready: '1',
    });
    if (moving) this.request();
  }
}
