// What a plot says in words.

/** @import { PlotElements } from './elements.js' */

/** The note below the plot, the count in its corner, and what is read out. */
export class Messages {
  /** The row that was read out before its text was there; -1 for none. */
  waitingRow = -1;
  #elements;

  /** @param {Pick<PlotElements, 'note' | 'readout' | 'spoken'>} elements */
  constructor(elements) {
    this.#elements = elements;
  }

  /**
   * Show a note, or none.
   *
   * @param {string} text
   * @param {HTMLElement} [control] What can be done about it.
   */
  note(text, control) {
    const { note } = this.#elements;
    note.textContent = text;
    note.hidden = !text;
    if (control) note.append(' ', control);
  }

  /**
   * Show how many points are selected.
   *
   * @param {string} text
   */
  count(text) {
    this.#elements.readout.textContent = text;
  }

  /**
   * Read a text out.
   *
   * @param {string} text
   * @param {number} [waitingRow] Its row, when more of it is on its way.
   */
  speak(text, waitingRow = -1) {
    this.waitingRow = waitingRow;
    this.#elements.spoken.textContent = text;
  }
}
