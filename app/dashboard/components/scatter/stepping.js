// From point to point by the keys, read out.

import { DETAIL_WINDOW, MAX_LABEL_LENGTH } from './constants.js';
import { cutText, shortNumber } from './texts.js';

/** @import { Points } from './data.js' */
/** @import { ScatterPlot } from './plot.js' */

/** Walks through the points of a plot. */
export class PointStepper {
  /** Where it stands; -1 for nowhere yet. */
  row = -1;
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
  }

  /**
   * Go to the next (1) or previous (-1) lit point, read it out and bring it into view.
   *
   * @param {-1 | 1} direction
   */
  step(direction) {
    const { state, selection, tooltip, navigation } = this.#plot;
    const { count } = state.points;
    let { row } = this;
    for (let tries = 0; tries < count; tries += 1) {
      row = row < 0 && direction < 0 ? count - 1 : (row + direction + count) % count;
      if (!selection.isLit(row)) continue;
      this.row = row;
      tooltip.show(row);
      navigation.show(row);
      this.speak(row);
      return;
    }
  }

  /** Select the point where it stands. */
  select() {
    if (this.row >= 0) this.#plot.selection.selectOne(this.row, 'key');
  }

  /**
   * Read a point out, at once or when its text has come.
   *
   * @param {number} row
   */
  speak(row) {
    const { state, messages } = this.#plot;
    const text = state.points.text(row, true);
    messages.speak(describeRow(state.points, row), !text || text.partial ? row : -1);
  }
}

/**
 * All that is known of a row, as one sentence.
 *
 * @param {Points} points
 * @param {number} row
 */
function describeRow(points, row) {
  const text = points.text(row, true);
  const value = points.value ? `${points.valueName} ${shortNumber(points.value[row], points.valueRange)}` : '';
  const parts = [
    text && cutText(text.label, MAX_LABEL_LENGTH),
    points.categories[points.category[row]],
    value,
    text && cutText(text.detail ?? '', DETAIL_WINDOW),
  ];
  return `${parts.filter(Boolean).join(', ')}. Point ${row + 1} of ${points.count}.`;
}
