// Brings the points of a large cloud to a plot.

import { GONE_RETRY_MS, NOTE_DELAY_MS, RETRY_MS } from './constants.js';
import { columnsOfFetch } from './data.js';
import { html } from '../dom.js';
import { RemoteTexts, TransportError, fetchColumns } from './transport.js';

/** @import { Numbers, PlotData } from './payload.js' */
/** @import { ScatterPlot } from './plot.js' */

/**
 * Points on their way.
 *
 * @typedef {{ data: PlotData, abort: AbortController, tries: number, timer: number }} Loading
 */

/** Brings the points of a large cloud to a plot, whatever happens on the way; each failure is reported in one line. */
export class PointLoader {
  /** @type {Loading | null} */
  loading = null;
  /** @type {{ version: string, tries: number } | null} What is sent to Python when the server doesn't hold the points. */
  missing = null;
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
  }

  /**
   * Fetch the points of `data`, once; what is shown stays until they are here.
   *
   * @param {PlotData} data
   */
  load(data) {
    if (this.loading?.data.version === data.version && this.loading.data.attempt === data.attempt) {
      this.loading.data = data;
      return;
    }
    this.stop();
    /** @type {Loading} */
    const loading = { data, abort: new AbortController(), tries: 0, timer: 0 };
    this.loading = loading;
    this.#plot.elements.root.dataset.settled = '0';
    const note = `Loading ${data.count.toLocaleString()} points …`;
    loading.timer = window.setTimeout(() => this.#plot.messages.note(note), NOTE_DELAY_MS); // most come sooner
    this.#tryLoading(loading);
  }

  /** @param {Loading} loading */
  async #tryLoading(loading) {
    /** @type {Record<string, Numbers>} */
    let fetched;
    try {
      fetched = await fetchColumns(loading.data, loading.abort.signal);
    } catch (error) {
      if (this.loading !== loading || this.#plot.failed) return;
      clearTimeout(loading.timer);
      if (error instanceof TransportError) this.#onNotLoaded(loading, error);
      else this.#plot.fail(error);
      return;
    }
    if (this.loading !== loading) return;
    clearTimeout(loading.timer);
    this.loading = null;
    this.missing = null;
    this.#plot.guarded(() => this.#show(loading.data, fetched))();
  }

  /**
   * @param {PlotData} data
   * @param {Record<string, Numbers>} fetched
   */
  #show(data, fetched) {
    const plot = this.#plot;
    const texts = new RemoteTexts(data, {
      onArrival: plot.guarded(() => plot.content.showTexts()),
      onGone: plot.guarded(() => this.#askAgain(plot.state.latest)),
    });
    plot.content.takePoints(data, columnsOfFetch(data, fetched, texts), texts);
  }

  /**
   * @param {Loading} loading
   * @param {TransportError} error
   */
  #onNotLoaded(loading, error) {
    const delays = error.gone ? GONE_RETRY_MS : RETRY_MS;
    if (loading.tries === delays.length) {
      this.#offerRetry(loading, error);
      return;
    }
    if (error.gone) {
      this.#plot.messages.note('The server no longer holds these points; asking for them again …');
      this.#askAgain(loading.data);
    } else {
      this.#plot.messages.note(`Loading the points failed: ${error.message}. Trying again …`);
    }
    loading.timer = window.setTimeout(() => this.#tryLoading(loading), delays[loading.tries]);
    loading.tries += 1;
  }

  /**
   * @param {Loading} loading
   * @param {TransportError} error
   */
  #offerRetry(loading, error) {
    const again = html('button', { type: 'button', class: 'again' }, ['Try again']);
    again.addEventListener('click', () => {
      loading.tries = 0;
      this.missing = null;
      this.#plot.python.forget();
      this.#plot.messages.note('Loading the points …');
      this.#tryLoading(loading);
    });
    this.#plot.messages.note(`Loading the points failed: ${error.message}.`, again);
  }

  /**
   * The server let go of the points: the next run of Python brings them back, or sends all when that was in vain.
   *
   * @param {PlotData} data
   */
  #askAgain({ version, attempt }) {
    if (this.missing?.version === version && this.missing.tries > attempt) return; // under way
    this.missing = { version, tries: attempt + 1 };
    this.#plot.python.tell();
  }

  /** Give up what is on its way. */
  stop() {
    if (!this.loading) return;
    clearTimeout(this.loading.timer);
    this.loading.abort.abort();
    this.loading = null;
    this.missing = null;
    this.#plot.showStandingNote();
  }

  /**
   * Python sent new data: nothing is missing any longer.
   *
   * @param {PlotData} data
   */
  hear(data) {
    if (this.missing && data.attempt >= this.missing.tries) this.missing = null;
  }

  dispose() {
    this.loading?.abort.abort();
    clearTimeout(this.loading?.timer);
  }
}
