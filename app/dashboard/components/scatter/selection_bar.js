// What can be done with a selection, at the plot.

import { html } from '../dom.js';

/** @import { ScatterPlot } from './plot.js' */

/** A bar with the number of selected points and what can be done with them. */
export class SelectionBar {
  /** @type {[string, string][]} */
  #actions = [];
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
  }

  /**
   * What can be done: [name, words on its button] each; none: there is no bar.
   *
   * @param {[string, string][]} actions
   */
  offer(actions) {
    if (JSON.stringify(actions) === JSON.stringify(this.#actions)) return;
    this.#actions = actions;
    const buttons = actions.map(([name, words]) => this.#button(words, () => this.#plot.python.ask(name, {})));
    const clear = this.#button('Clear', () => this.#plot.clear());
    this.#plot.elements.bar.replaceChildren(html('span', { class: 'count' }), ...buttons, clear);
    this.show();
  }

  /** Show it where something is selected. */
  show() {
    const { elements, selection } = this.#plot;
    const many = (selection.rows?.length ?? 0) > 0 && this.#actions.length > 0;
    elements.bar.hidden = !many;
    const count = elements.bar.querySelector('.count');
    if (count) count.textContent = this.#plot.selectionText();
    elements.readout.hidden = many;
  }

  /**
   * @param {string} words
   * @param {() => void} action
   */
  #button(words, action) {
    const button = html('button', { type: 'button' }, [words]);
    button.addEventListener('click', this.#plot.guarded(action));
    return button;
  }
}
