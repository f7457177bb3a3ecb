// The elements of a plot.

import { KEY_HELP } from './constants.js';
import { html, svg } from '../dom.js';

const BUTTONS = [
  { name: 'fit', title: 'Fit all points (F)', path: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4' },
  {
    name: 'lasso',
    title: 'Lasso: drag around points (L)',
    path: 'M8 2.5c3.6 0 6 1.6 6 4s-2.4 4-6 4-6-1.6-6-4 2.4-4 6-4zM5 10c-1.6.8-1.6 2.6 0 3s1.8.8 1.4 1.8',
  },
  {
    name: 'box',
    title: 'Box: drag across points (B, or Shift and drag)',
    path: 'M2.5 3.5h1.5M6.5 3.5h3M12 3.5h1.5v1.5M13.5 7v2M13.5 11v1.5H12M9.5 12.5h-3M4 12.5H2.5V11M2.5 9V7M2.5 5V3.5',
  },
  { name: 'undo', title: 'Undo the selection (Ctrl+Z)', path: 'M5.5 3L2.5 6l3 3M2.5 6H10a3.5 3.5 0 0 1 0 7H6' },
  { name: 'redo', title: 'Redo the selection (Ctrl+Shift+Z)', path: 'M10.5 3l3 3-3 3M13.5 6H6a3.5 3.5 0 0 0 0 7h4' },
  { name: 'zoom-in', title: 'Zoom in (+)', path: 'M3 8h10M8 3v10' },
  { name: 'zoom-out', title: 'Zoom out (-)', path: 'M3 8h10' },
  {
    name: 'density',
    title: 'Density: how many points lie where, instead of each point (D)',
    path: 'M3 3h2v2H3zM7 3h2v2H7zM11 3h2v2h-2zM3 7h2v2H3zM7 7h2v2H7zM11 7h2v2h-2zM3 11h2v2H3zM7 11h2v2H7zM11 11h2v2h-2z',
  },
  { name: 'full-screen', title: 'Full screen', path: 'M2 6V2h4M2 2l5 5M14 10v4h-4M14 14L9 9' },
  { name: 'png', title: 'Download as PNG', path: 'M2 3h12v10H2zM2 11l4-4 3 3 2-2 3 3M10.5 6h.01' },
  { name: 'svg', title: 'Download as SVG', path: 'M8 2v8M4.5 7L8 10.5 11.5 7M2.5 13.5h11' },
];

/** @typedef {ReturnType<typeof buildElements>} PlotElements */

/** All elements but the canvas that points are drawn on: it is made by its renderer. */
export function buildElements() {
  const overlay = svg('svg', { class: 'overlay', 'aria-hidden': 'true' });
  const tooltip = html('div', { class: 'tooltip', hidden: '', role: 'presentation' });
  const readout = html('div', { class: 'readout', 'aria-hidden': 'true' });
  const stage = html('div', { class: 'stage' }, [overlay, tooltip, readout]);
  const search = html('div', { class: 'search', role: 'search', hidden: '' });
  const bar = html('div', { class: 'actions', role: 'toolbar', 'aria-label': 'Selection', hidden: '' });
  const buttons = buildButtons();
  const attributes = { class: 'toolbar', role: 'toolbar', 'aria-label': 'Plot tools' };
  const toolbar = html('div', attributes, Object.values(buttons));
  const ramp = html('div', { class: 'ramp', hidden: '' });
  const legend = html('ul', { class: 'legend', 'aria-label': 'Legend: choose a category to select its points' });
  const note = html('p', { class: 'note', hidden: '', role: 'status' });
  const help = html('span', { class: 'spoken', id: 'scatter-keys' }, [KEY_HELP]);
  const spoken = html('div', { class: 'spoken', 'aria-live': 'polite' });
  const root = html('div', { class: 'polysema-scatter' }, [
    stage,
    search,
    toolbar,
    bar,
    ramp,
    legend,
    note,
    help,
    spoken,
  ]);
  return { root, stage, search, bar, overlay, tooltip, readout, toolbar, buttons, ramp, legend, note, spoken };
}

/** The buttons of the toolbar by their names. */
function buildButtons() {
  /** @type {Record<string, HTMLButtonElement>} */
  const buttons = {};
  for (const { name, title, path } of BUTTONS) {
    const icon = svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, [svg('path', { d: path })]);
    const attributes = { type: 'button', 'aria-label': title, title, 'data-tool': name };
    buttons[name] = html('button', attributes, [icon]);
  }
  ['lasso', 'box', 'density'].forEach((name) => buttons[name].setAttribute('aria-pressed', 'false'));
  ['undo', 'redo'].forEach((name) => {
    buttons[name].disabled = true;
  });
  return buttons;
}
