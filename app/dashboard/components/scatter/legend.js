// The legend below a plot: its categories, and the gradient of its values.

import { MAX_LEGEND } from './constants.js';
import { html } from '../dom.js';
import { swatch } from './markers.js';
import { shortNumber } from './texts.js';
import { categoryColor } from './theme.js';

/** @import { CategorySummary, Points } from './data.js' */
/** @import { PlotElements } from './elements.js' */
/** @import { Theme } from './theme.js' */

/** The legend of a plot. */
export class Legend {
  /** @type {CategorySummary[]} The categories that are shown. */
  entries = [];
  #elements;

  /** @param {Pick<PlotElements, 'legend' | 'ramp'>} elements */
  constructor(elements) {
    this.#elements = elements;
  }

  /**
   * Show the categories and values of points: without values all categories, but not thousands.
   *
   * @param {Points} points
   * @param {CategorySummary[]} summary
   * @param {Theme} theme
   */
  build(points, summary, theme) {
    this.entries = points.levels && points.categories.length < 2 ? [] : summary.slice(0, MAX_LEGEND);
    const items = this.entries.map((entry, category) => {
      const color = points.levels ? theme.ink : categoryColor(theme, category);
      return html('li', {}, [categoryButton(entry, category, color)]);
    });
    const more = summary.length - MAX_LEGEND;
    if (more > 0 && items.length) items.push(html('li', { class: 'more' }, [`and ${more.toLocaleString()} more`]));
    this.#elements.legend.replaceChildren(...items);
    this.#elements.legend.hidden = items.length === 0;
    this.#buildRamp(points, theme);
  }

  /**
   * Show which category is selected; -1 for none.
   *
   * @param {number} chosen
   */
  showChosen(chosen) {
    const { legend } = this.#elements;
    legend.classList.toggle('focused', chosen >= 0);
    for (const button of legend.querySelectorAll('button')) {
      button.setAttribute('aria-pressed', String(Number(button.dataset.category) === chosen));
    }
  }

  /**
   * The gradient of the values with its ends.
   *
   * @param {Points} points
   * @param {Theme} theme
   */
  #buildRamp({ levels, count, valueName, valueRange }, theme) {
    const { ramp } = this.#elements;
    ramp.hidden = !levels || !count;
    if (ramp.hidden) return;
    const [low, high] = valueRange.map((value) => shortNumber(value, valueRange));
    const bar = html('span', { class: 'bar', 'aria-hidden': 'true' });
    bar.style.background = `linear-gradient(to right, ${theme.ramp.join(', ')})`;
    const name = html('span', { class: 'name' }, [valueName]);
    ramp.replaceChildren(name, html('span', {}, [low]), bar, html('span', {}, [high]));
  }
}

/**
 * A category that can be chosen.
 *
 * @param {CategorySummary} entry
 * @param {number} category
 * @param {string} color
 */
function categoryButton({ name, count, marker }, category, color) {
  const title = `${name}: ${count.toLocaleString()} points. Click to select them.`;
  return html('button', { type: 'button', 'data-category': category, title }, [
    swatch(marker, color),
    html('span', { class: 'name' }, [name]),
    html('span', { class: 'count' }, [count.toLocaleString()]),
  ]);
}
