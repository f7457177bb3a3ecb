// Charts of columns: histograms that are brushed, and bars of values that are clicked.

import { html } from '../dom.js';

/** @typedef {[string, number, number, boolean]} ChartBar Label, count, count of all rows, whether it is chosen. */

/**
 * @typedef {object} Chart
 * @property {string} column
 * @property {string} kind
 * @property {boolean} log
 * @property {number} other
 * @property {number} missing
 * @property {ChartBar[]} bars
 */

/** @typedef {(name: string, value: unknown) => void} SetState */

/**
 * What Streamlit calls on every run with other data.
 *
 * @param {{ parentElement: Element, data: { charts: Chart[] }, setStateValue: SetState }} component
 */
export default function mountCharts({ parentElement, data, setStateValue }) {
  /** @type {(column: string, bars: number[]) => void} */
  const send = (column, bars) => setStateValue('brush', { column, bars, at: Date.now() });
  const focused = focusedBar(parentElement);
  const drawn = data.charts.map((chart) => drawChart(chart, (bars) => send(chart.column, bars)));
  parentElement.querySelector('.polysema-charts')?.remove();
  const root = html('div', { class: 'polysema-charts' }, drawn);
  parentElement.append(root);
  if (focused) {
    const again = root.querySelectorAll(`[data-chart]`)[focused.chart]?.querySelectorAll('button')[focused.bar];
    if (again instanceof HTMLElement) again.focus();
  }
  return () => root.remove();
}

/**
 * The bar with the focus, so that it keeps it when the charts are drawn anew.
 *
 * @param {Element} parent
 */
function focusedBar(parent) {
  const root = parent.getRootNode();
  const active = root instanceof Document || root instanceof ShadowRoot ? root.activeElement : null;
  const chart = active?.closest('[data-chart]');
  if (!active || !chart) return null;
  return {
    chart: [...parent.querySelectorAll('[data-chart]')].indexOf(chart),
    bar: [...chart.querySelectorAll('button')].indexOf(/** @type {HTMLButtonElement} */ (active)),
  };
}

/**
 * @param {Chart} chart
 * @param {(bars: number[]) => void} choose
 */
function drawChart(chart, choose) {
  const ranges = chart.kind === 'number' || chart.kind === 'date';
  const rest = [
    chart.other ? `${chart.other.toLocaleString()} with other values` : '',
    chart.missing ? `${chart.missing.toLocaleString()} without a value` : '',
  ].filter(Boolean);
  const title = html('span', { class: 'title' }, [`${chart.column}${chart.log ? ' (log)' : ''}`]);
  const filtered = chart.bars.some(([, , , chosen]) => !chosen);
  const clear = html('button', { type: 'button', class: 'clear', 'aria-label': `All of ${chart.column}` }, ['All']);
  clear.hidden = !filtered;
  clear.addEventListener('click', () => choose([]));
  const bars = ranges ? drawRanges(chart, choose) : drawValues(chart, choose, filtered);
  return html('section', { class: 'chart', 'data-chart': chart.column }, [
    html('div', { class: 'head' }, [title, clear]),
    bars,
    html('div', { class: 'rest' }, [rest.join(', ')]),
  ]);
}

/**
 * The bars of values: a click takes one in or out.
 *
 * @param {Chart} chart
 * @param {(bars: number[]) => void} choose
 * @param {boolean} filtered
 */
function drawValues({ bars }, choose, filtered) {
  const most = Math.max(1, ...bars.map(([, , total]) => total));
  const chosen = bars.flatMap(([, , , lit], place) => (filtered && lit ? [place] : []));
  const items = bars.map(([label, count, total, lit], place) => {
    const pressed = String(filtered && lit);
    const name = html('span', { class: 'name' }, [label || '(empty)']);
    const number = html('span', { class: 'count' }, [count.toLocaleString()]);
    const title = `${label}: ${count.toLocaleString()} of ${total.toLocaleString()}`;
    const button = html('button', { type: 'button', class: 'value', 'aria-pressed': pressed, title }, [name, number]);
    button.style.setProperty('--all', `${(100 * total) / most}%`);
    button.style.setProperty('--few', `${(100 * count) / most}%`);
    button.classList.toggle('off', !lit);
    button.addEventListener('click', () =>
      choose(chosen.includes(place) ? chosen.filter((other) => other !== place) : [...chosen, place]),
    );
    return button;
  });
  return html('div', { class: 'values' }, items);
}

/**
 * A histogram: dragging across it chooses a range, a click one bar.
 *
 * @param {Chart} chart
 * @param {(bars: number[]) => void} choose
 */
function drawRanges({ bars, column }, choose) {
  const most = Math.max(1, ...bars.map(([, , total]) => total));
  let start = -1;
  const buttons = bars.map(([label, count, total, lit], place) => {
    const title = `${label}: ${count.toLocaleString()} of ${total.toLocaleString()}`;
    const button = html('button', { type: 'button', class: 'range', title, 'aria-label': `${column} from ${title}` });
    button.style.setProperty('--all', `${(100 * total) / most}%`);
    button.style.setProperty('--few', `${(100 * count) / most}%`);
    button.classList.toggle('off', !lit);
    button.addEventListener('click', (event) => {
      if (event.detail === 0) choose([place]); // by the keyboard
    });
    return button;
  });
  const plot = html('div', { class: 'ranges' }, buttons);
  /** @type {(event: PointerEvent) => number} */
  const placeOf = ({ clientX }) => {
    const { left, width } = plot.getBoundingClientRect();
    return Math.min(bars.length - 1, Math.max(0, Math.floor(((clientX - left) / width) * bars.length)));
  };
  /** @type {(from: number, to: number) => number[]} */
  const between = (from, to) => Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => Math.min(from, to) + i);
  plot.addEventListener('pointerdown', (event) => {
    start = placeOf(event);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener('pointermove', (event) => {
    if (start < 0) return;
    const brushed = between(start, placeOf(event));
    buttons.forEach((button, place) => button.classList.toggle('off', !brushed.includes(place)));
  });
  plot.addEventListener('pointerup', (event) => {
    if (start < 0) return;
    const brushed = between(start, placeOf(event));
    start = -1;
    choose(brushed);
  });
  plot.addEventListener('pointercancel', () => {
    start = -1;
  });
  const ends = [bars[0]?.[0] ?? '', bars[bars.length - 1]?.[0] ?? ''].map((label) => html('span', {}, [label]));
  return html('div', {}, [plot, html('div', { class: 'ends' }, ends)]);
}
