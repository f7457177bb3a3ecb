// A map in a file of its own: the plot, its colors, and what is selected as a list that can be saved.

import { html } from '../dom.js';
import { mountScatter } from '../scatter/mounting.js';
import { WholePlot } from '../scatter/whole_plot.js';

const MAX_LISTED = 200;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * What stands packed in the file (gzip in base64).
 *
 * @param {string} id
 */
async function unpacked(id) {
  const text = atob(element(id).textContent?.trim() ?? '');
  const packed = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).arrayBuffer();
}

/** The map of the file. */
class MapPage {
  /** @type {number[]} */
  #selected = [];
  #plot;
  #color = /** @type {HTMLSelectElement} */ (element('color'));

  /** @param {WholePlot} plot */
  constructor(plot) {
    this.#plot = plot;
    this.#color.replaceChildren(...plot.names.map((name) => html('option', { value: name }, [name])));
    this.#color.addEventListener('change', () => this.draw());
    element('save').addEventListener('click', () => this.#save());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  draw() {
    mountScatter({
      parentElement: element('plot'),
      data: this.#plot.colored(this.#color.value),
      setStateValue: (name, value) => this.#take(name, value),
    });
    this.#list();
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  #take(name, value) {
    if (name !== 'plot') return;
    this.#selected = /** @type {{ rows: number[] | null }} */ (value).rows ?? [];
    this.#list();
  }

  #list() {
    const { length } = this.#selected;
    const { labels, details } = this.#plot.texts;
    element('count').textContent = length
      ? `${length.toLocaleString()} selected`
      : 'Nothing is selected: click a point or a name of the legend, or draw a lasso.';
    element('save').hidden = !length;
    element('selected').replaceChildren(
      ...this.#selected.slice(0, MAX_LISTED).map((row) => {
        const value = this.#plot.value(this.#color.value, row);
        const text = details?.[row] && details[row] !== labels[row] ? [html('p', {}, [details[row]])] : [];
        return html('li', {}, [html('b', {}, [labels[row]]), html('small', {}, [` ${value}`]), ...text]);
      }),
    );
    element('more').textContent =
      length > MAX_LISTED ? `and ${(length - MAX_LISTED).toLocaleString()} more: the saved file has all.` : '';
  }

  /** The selected rows as a file of comma-separated values. */
  #save() {
    const { labels, details } = this.#plot.texts;
    const { names } = this.#plot;
    const rows = this.#selected.map((row) => [
      row + 1,
      labels[row],
      ...(details ? [details[row]] : []),
      ...names.map((name) => this.#plot.value(name, row)),
    ]);
    const head = ['row', 'name', ...(details ? ['text'] : []), ...names];
    const lines = [head, ...rows].map((line) =>
      line.map((cell) => `"${String(cell).replaceAll('"', '""')}"`).join(','),
    );
    const address = URL.createObjectURL(new Blob([`${lines.join('\n')}\n`], { type: 'text/csv' }));
    html('a', { href: address, download: 'selected.csv' }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}

Promise.all([unpacked('columns'), unpacked('texts')])
  .then(([columns, texts]) => {
    const file = JSON.parse(element('map').textContent ?? '');
    new MapPage(new WholePlot(file, columns, JSON.parse(new TextDecoder().decode(texts)))).draw();
  })
  .catch((error) => {
    element('plot').textContent = `The map could not be read (${error.message}). Is the file whole?`;
  });
