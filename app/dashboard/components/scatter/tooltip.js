// The tooltip of the point under the mouse.

import { MAX_LABEL_LENGTH } from './constants.js';
import { clamp, html } from '../dom.js';
import { swatch } from './markers.js';
import { cutText, detailPieces, shortNumber } from './texts.js';
import { pointColor } from './theme.js';

/** @import { Points, RowText } from './data.js' */
/** @import { PlotElements } from './elements.js' */
/** @import { PlotScreen } from './screen.js' */
/** @import { PlotState } from './state.js' */
/** @import { Theme } from './theme.js' */

/** Shows the text of one point beside it. */
export class Tooltip {
  /** The row that it is for; -1 for none. */
  row = -1;
  #elements;
  #state;
  #screen;
  #onChange;

  /**
   * @param {Pick<PlotElements, 'stage' | 'tooltip'>} elements
   * @param {PlotState} state
   * @param {PlotScreen} screen
   * @param {(shared: boolean) => void} onChange
   */
  constructor(elements, state, screen, onChange) {
    this.#elements = elements;
    this.#state = state;
    this.#screen = screen;
    this.#onChange = onChange;
  }

  /**
   * Show the text of a row, or of none (-1).
   *
   * @param {number} row
   * @param {{ force?: boolean, shared?: boolean }} [options] Whether also for the same row, whose text may be another one;
   *   and whether another plot of the group says so.
   */
  show(row, { force = false, shared = false } = {}) {
    if (row === this.row && !force) return;
    this.row = row;
    this.#elements.stage.classList.toggle('pointing', row >= 0);
    this.#elements.tooltip.hidden = row < 0;
    this.fill();
    this.#onChange(shared);
  }

  /** Write the text anew, for example when more of it has come. */
  fill() {
    if (this.row < 0) return;
    const { points, theme } = this.#state;
    this.#elements.tooltip.replaceChildren(...tooltipLines(points, theme, this.row));
  }

  /** Put it beside the point, within the stage. */
  place() {
    const { tooltip } = this.#elements;
    if (this.row < 0) return;
    const place = this.#screen.placeInView(this.row);
    tooltip.hidden = place === null;
    if (place === null) return;
    const { width, height } = this.#screen.size;
    const [w, h] = [tooltip.offsetWidth, tooltip.offsetHeight];
    const gap = place.radius + 8;
    const fitsRight = place.x + gap + w <= width - 8;
    const fitsLeft = place.x - gap - w >= 8;
    let left = fitsRight ? place.x + gap : place.x - gap - w;
    let top = place.y - h / 2;
    if (!fitsRight && !fitsLeft) {
      left = place.x - w / 2;
      top = place.y + gap + h <= height - 8 ? place.y + gap : place.y - gap - h;
    }
    left = clamp(left, 8, Math.max(8, width - w - 8));
    top = clamp(top, 8, Math.max(8, height - h - 8));
    tooltip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}

/**
 * Label, category, value and detail of a row.
 *
 * @param {Points} points
 * @param {Theme} theme
 * @param {number} row
 */
function tooltipLines(points, theme, row) {
  const text = points.text(row, true);
  const lines = [html('div', { class: 'title' }, [text ? cutText(text.label, MAX_LABEL_LENGTH) : '…'])];
  const category = points.categories[points.category[row]];
  if (category) {
    const marker = swatch(points.markers[row], pointColor(theme, points, row));
    lines.push(html('div', { class: 'category' }, [marker, html('span', {}, [category])]));
  }
  if (points.value) {
    const name = points.valueName ? `${points.valueName}: ` : '';
    lines.push(html('div', { class: 'value' }, [`${name}${shortNumber(points.value[row], points.valueRange)}`]));
  }
  const detail = detailNodes(text);
  if (detail.length) lines.push(html('div', { class: 'detail' }, detail));
  return lines;
}

/**
 * The detail of a text, with its mark in bold.
 *
 * @param {RowText | null} text
 */
function detailNodes(text) {
  if (!text?.detail) return [];
  return detailPieces(text.detail, text.mark).map(({ text: piece, bold }) =>
    bold ? html('strong', {}, [piece]) : piece,
  );
}
