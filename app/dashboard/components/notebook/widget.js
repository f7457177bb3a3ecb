// The plot in a notebook (an anywidget): what is selected is a value that Python reads and sets.

import { mountScatter } from '../scatter/mounting.js';
import { WholePlot } from '../scatter/whole_plot.js';

/**
 * The model of the widget, as the notebook gives it.
 *
 * @typedef {object} WidgetModel
 * @property {(name: string) => any} get
 * @property {(name: string, value: unknown) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, listener: () => void) => void} on
 * @property {(event: string, listener: () => void) => void} off
 */

/**
 * The bytes of a value of the model.
 *
 * @param {DataView | ArrayBuffer} value
 */
const bytesOf = (value) =>
  value instanceof ArrayBuffer
    ? value
    : new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice().buffer;

/**
 * Draw the plot into an element of the notebook.
 *
 * @param {{ model: WidgetModel, el: HTMLElement }} view
 */
function render({ model, el }) {
  const plot = new WholePlot(model.get('_plot'), bytesOf(model.get('_columns')), model.get('_texts'));
  let command = 0;
  let known = JSON.stringify(model.get('selected'));
  let cleanup = () => {};
  /** @type {(name: string, value: unknown) => void} */
  const take = (name, value) => {
    if (name !== 'plot') return;
    const rows = /** @type {{ rows: number[] | null }} */ (value).rows ?? [];
    if (JSON.stringify(rows) === known) return;
    known = JSON.stringify(rows);
    model.set('selected', rows);
    model.save_changes();
  };
  const draw = () => {
    const data = { ...plot.colored(model.get('color')), command, selected: { rows: model.get('selected') } };
    cleanup = mountScatter({ parentElement: el, data, setStateValue: take });
  };
  const follow = () => {
    if (JSON.stringify(model.get('selected')) === known) return;
    known = JSON.stringify(model.get('selected'));
    command += 1;
    draw();
  };
  el.classList.add('polysema-notebook');
  model.on('change:color', draw);
  model.on('change:selected', follow);
  draw();
  return () => {
    model.off('change:color', draw);
    model.off('change:selected', follow);
    cleanup();
  };
}

export default { render };
