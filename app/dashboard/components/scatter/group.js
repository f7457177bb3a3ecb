// Plots of a group tell each other about hover and selection through one event target per page: no run of Python.

/** @import { Selection } from './history.js' */
/** @import { ScatterPlot } from './plot.js' */

/**
 * What a plot tells the others.
 *
 * @typedef {{ what: 'hover', row: number } | { what: 'select', selection: Selection | null, at: number }} GroupNews
 * @typedef {GroupNews & { count: number, sender: ScatterPlot }} GroupMessage
 */

const GROUPS = Symbol.for('polysema.scatter.groups');

/** The event target of the page. */
function groupBus() {
  const page = /** @type {{ [GROUPS]?: EventTarget }} */ (window);
  page[GROUPS] ??= new EventTarget();
  return page[GROUPS];
}

/** One plot's place in its group. */
export class PlotGroup {
  /** Empty for a plot on its own. */
  name = '';
  /** @type {AbortController | null} */
  #membership = null;
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
  }

  /**
   * Be in a group, or in none, and in no other.
   *
   * @param {string} name
   */
  join(name) {
    if (name === this.name) return;
    this.leave();
    this.name = name;
    if (!name) return;
    this.#membership = new AbortController();
    const hear = this.#plot.guarded((/** @type {Event} */ event) =>
      this.#hear(/** @type {CustomEvent<GroupMessage>} */ (event).detail),
    );
    groupBus().addEventListener(name, hear, { signal: this.#membership.signal });
  }

  /**
   * Tell the others.
   *
   * @param {GroupNews} news
   */
  tell(news) {
    if (!this.name) return;
    const detail = { ...news, count: this.#plot.state.points.count, sender: this.#plot };
    groupBus().dispatchEvent(new CustomEvent(this.name, { detail }));
  }

  /** Hear nothing any more. */
  leave() {
    this.#membership?.abort();
    this.#membership = null;
    this.name = '';
  }

  /** @param {GroupMessage} message */
  #hear(message) {
    const plot = this.#plot;
    if (message.sender === plot || !plot.state.hasPoints || message.count !== plot.state.points.count) return;
    if (message.what === 'hover') plot.tooltip.show(message.row, { shared: true });
    else plot.selection.select(message.selection && { ...message.selection, region: null }, 'group', message.at);
  }
}
