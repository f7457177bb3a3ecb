// What is sent to Python about a plot, and what it wishes.

import { viewNumbers, viewOfNumbers } from './camera.js';
import { EMIT_DELAY_MS, VIEW_DELAY_MS } from './constants.js';
import { decodeRows, encodeBits } from './history.js';
import { recall, remember } from './memory.js';

/** @import { PlotData, SetStateValue } from './payload.js' */
/** @import { ScatterPlot } from './plot.js' */

/** Tells Python of selection and view, and does what Python wishes, once for each wish. */
export class PythonLink {
  /** @type {SetStateValue} */
  send = () => {};
  /** @type {number | null} Number of Python's last wish for a selection. */
  #command = null;
  /** @type {string | null} JSON of what was last sent to Python. */
  #sent = null;
  #tellTimer = 0;
  #viewTimer = 0;
  #askTimer = 0;
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
  }

  /** Tell Python soon: Streamlit may drop a value that arrives while a run starts. */
  tellSoon() {
    clearTimeout(this.#tellTimer);
    this.#tellTimer = window.setTimeout(
      this.#plot.guarded(() => this.tell()),
      EMIT_DELAY_MS,
    );
  }

  /** Tell Python what it doesn't know yet. */
  tell() {
    this.#stopTimers();
    const value = this.#value();
    const text = JSON.stringify(value);
    if (text === this.#sent) return;
    this.#sent = text;
    this.send('plot', value);
  }

  /**
   * Ask Python for something, once: now, or when the user has paused.
   *
   * @param {string} name
   * @param {{ text?: string, row?: number }} details
   * @param {boolean} [pauses]
   */
  ask(name, details, pauses = false) {
    clearTimeout(this.#askTimer);
    if (pauses) {
      const later = this.#plot.guarded(() => this.ask(name, details));
      this.#askTimer = window.setTimeout(later, VIEW_DELAY_MS);
      return;
    }
    this.tell(); // what is selected comes first
    this.send('request', { name, ...details, at: Date.now() });
  }

  /** Send again what was sent to Python. */
  forget() {
    this.#sent = null;
  }

  /** The user moved the camera: tell it when all is quiet. */
  viewMoved() {
    const { state, pointers, view } = this.#plot;
    this.remember();
    if (!state.latest.reportView) return;
    clearTimeout(this.#viewTimer);
    this.#viewTimer = window.setTimeout(
      this.#plot.guarded(() => {
        if (pointers.gesture || view.moving) this.viewMoved();
        else this.tell();
      }),
      VIEW_DELAY_MS,
    );
  }

  /** Keep selection and view for the next time that the plot is put up. */
  remember() {
    const { selection, state } = this.#plot;
    remember(state.latest.key, {
      identity: state.points.identity,
      selection: selection.present,
      at: selection.at,
      command: this.#command,
      view: this.#viewNumbers(),
    });
  }

  /**
   * At first: what the user had before the plot was taken down, otherwise what Python wishes.
   *
   * @param {PlotData} data
   */
  restore(data) {
    const { selection, state, view } = this.#plot;
    const memory = recall(data.key);
    const fitting = memory?.identity === state.points.identity && memory.command === data.command ? memory : null;
    const numbers = fitting?.view ?? data.view;
    if (numbers) {
      view.present = viewOfNumbers(numbers, { ...state.points, bounds: view.bounds });
      view.fitted = false;
    }
    this.#command = data.command;
    if (fitting?.selection) selection.select(fitting.selection, 'memory', fitting.at);
    else this.#selectWished(data);
    if (fitting) {
      this.#sent = ''; // what Python has by now is unknown
      this.tellSoon();
    }
    selection.clearHistory();
  }

  /**
   * Do what Python wishes.
   *
   * @param {PlotData} data
   */
  follow(data) {
    if (data.command === this.#command) return;
    this.#command = data.command;
    this.#selectWished(data);
  }

  dispose() {
    clearTimeout(this.#askTimer);
    this.#stopTimers();
  }

  #stopTimers() {
    clearTimeout(this.#tellTimer);
    clearTimeout(this.#viewTimer);
  }

  /** @param {PlotData} data */
  #selectWished(data) {
    const { selection, state } = this.#plot;
    const rows = decodeRows(data.selected, state.points.count);
    selection.select(rows.length ? { rows, by: 'python', clicked: null, region: null } : null, 'python');
  }

  /** The camera in the units of the positions; null while it shows all. */
  #viewNumbers() {
    const { state, view } = this.#plot;
    return state.hasPoints && !view.fitted ? viewNumbers(view.target, state.points) : null;
  }

  /** All that Python knows of the plot. */
  #value() {
    const { group, loader, selection, state } = this.#plot;
    const { version, identity, count } = state.hasPoints ? state.points : state.latest;
    const { present } = selection;
    const rows = present?.rows ?? new Int32Array(0);
    const few = rows.length <= state.latest.maxRows;
    // Those of a group hold other positions, in which a region would be other rows.
    const region = present?.region?.version === version && !group.name ? present.region : null;
    return {
      identity,
      version,
      command: this.#command,
      at: selection.at,
      by: present?.by ?? '',
      clicked: present?.clicked ?? null,
      count: rows.length,
      rows: few ? Array.from(rows) : null,
      bits: few || region ? null : encodeBits(rows, count),
      region,
      view: this.#viewNumbers(),
      missing: loader.missing,
    };
  }
}
