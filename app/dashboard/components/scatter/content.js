// What happens to a plot when Python sends something.

import { INDEX_FROM } from './constants.js';
import { columnsOfTable, readPoints, summarizeCategories } from './data.js';
import { readTheme } from './theme.js';

/** @import { CategorySummary, Columns } from './data.js' */
/** @import { PlotData } from './payload.js' */
/** @import { ScatterPlot } from './plot.js' */
/** @import { RemoteTexts } from './transport.js' */

/** Brings points, theme and what lies over the points to a plot. */
export class PlotContent {
  /** @type {CategorySummary[]} */
  #summary = [];
  /** @type {RemoteTexts | null} Of points that were fetched. */
  #texts = null;
  #themeKey = '';
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
  }

  /**
   * Take over what Python sent.
   *
   * @param {PlotData} data
   */
  take(data) {
    const { elements, frames, layer, loader, state } = this.#plot;
    if (!data?.version) throw new Error('no data arrived');
    state.latest = data;
    layer.canvas.setAttribute('aria-label', data.alt);
    elements.root.classList.toggle('fill', data.fill);
    elements.root.style.setProperty('--plot-height', `${data.height}px`);
    this.#takeTheme();
    if (state.hasPoints && data.version === state.points.version) {
      loader.stop();
      this.#takeScene(data, false);
    } else if (data.points) {
      loader.stop();
      this.takePoints(data, columnsOfTable(data), null);
    } else {
      loader.load(data);
    }
    frames.request();
  }

  /**
   * Points that are here: show them with all that belongs to them.
   *
   * @param {PlotData} data
   * @param {Columns} columns
   * @param {RemoteTexts | null} texts
   */
  takePoints(data, columns, texts) {
    const { state } = this.#plot;
    const first = !state.hasPoints;
    this.#texts?.dispose();
    this.#texts = texts;
    this.#setPoints(data, columns);
    this.#summary = summarizeCategories(state.points);
    this.#buildLegend();
    this.restyle();
    this.#plot.showStandingNote();
    this.#takeScene(data, first);
    this.#plot.search.renew();
  }

  /** Texts came: show them where they were missing. */
  showTexts() {
    const { frames, messages, stepper, tooltip } = this.#plot;
    tooltip.fill();
    messages.count(this.#plot.selectionText());
    if (messages.waitingRow >= 0) stepper.speak(messages.waitingRow);
    frames.requestOverlay();
  }

  /** Colors and font of the page, if they changed. */
  #takeTheme() {
    const { elements, scratch, state, textWidths } = this.#plot;
    const theme = readTheme(elements.root, scratch);
    const themeKey = JSON.stringify(theme);
    if (themeKey === this.#themeKey) return;
    state.theme = theme;
    this.#themeKey = themeKey;
    textWidths.clear();
    if (!state.hasPoints) return;
    this.#buildLegend();
    this.restyle();
  }

  /**
   * What is drawn over the points, and what Python wishes to be selected.
   *
   * @param {PlotData} data
   * @param {boolean} first
   */
  #takeScene(data, first) {
    const { annotations, bar, frames, group, loader, masks, python, reducedMotion, search, state } = this.#plot;
    state.scene = data;
    loader.hear(data);
    if (this.#texts && data.texts) this.#texts.learn(data.texts);
    if (this.#texts && data.points) {
      this.#texts.dispose();
      this.#texts = null;
      state.points.text = columnsOfTable(data).text;
    }
    group.join(data.group);
    search.offer(data.search);
    bar.offer(data.actions);
    if (masks.take(data.passing, data.hidden, state.points.count)) this.restyle();
    annotations.take({ links: data.links, highlight: data.highlight }, first || reducedMotion.matches);
    if (first) {
      python.restore(data);
      this.#plot.showHistory();
    } else {
      python.follow(data);
    }
    frames.request();
  }

  /**
   * Replace the points: glide if they are as many as before, start over otherwise.
   *
   * @param {PlotData} data
   * @param {Columns} columns
   */
  #setPoints(data, columns) {
    const { annotations, elements, layer, reducedMotion, screen, selection, state, stepper, tooltip, view } =
      this.#plot;
    const before = state.hasPoints ? state.points : null;
    const alike = before?.count === data.count && before.dim === data.dim;
    const shown = alike ? screen.worldAt(performance.now()) : null;
    const points = readPoints(data, columns, before && alike ? before.frame : null);
    const sameFrame = alike && points.frame === before?.frame;
    const from = sameFrame && points.count > 0 && data.morph && !reducedMotion.matches ? shown : null;
    state.points = points;
    screen.glideFrom(from);
    elements.root.dataset.settled = '0';
    layer.renderer.setPositions(points.world, from);
    if (sameFrame) view.adapt(points.bounds);
    else view.reset(points.bounds);
    if (!alike) {
      stepper.row = -1;
      annotations.reset();
      tooltip.show(-1);
    }
    if (before && (!alike || before.identity !== points.identity)) {
      selection.select(null, 'data');
      selection.clearHistory();
      this.#plot.showHistory();
    }
    if (tooltip.row >= 0) tooltip.show(tooltip.row, { force: true });
  }

  /** Send the present points to the renderer, for example after it was made anew. */
  upload() {
    const { layer, screen, state } = this.#plot;
    if (!state.hasPoints) return;
    layer.renderer.setPositions(state.points.world, screen.glide?.from ?? null);
    this.restyle();
  }

  /** Selection, legend or theme changed: color the points anew. */
  restyle() {
    const { frames, layer } = this.#plot;
    layer.restyle();
    frames.request();
  }

  #buildLegend() {
    const { elements, legend, state } = this.#plot;
    const { points, theme } = state;
    legend.build(points, this.#summary, theme);
    this.#plot.showChosen();
    elements.buttons.density.hidden = points.count < INDEX_FROM;
  }

  dispose() {
    this.#texts?.dispose();
  }
}
