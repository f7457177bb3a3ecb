// A plot that takes the whole screen.

/** @import { ScatterPlot } from './plot.js' */

/**
 * Let a plot take the whole screen, or go back.
 *
 * @param {ScatterPlot} plot
 */
export async function toggleFullScreen({ elements: { root }, messages }) {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await root.requestFullscreen();
  } catch {
    messages.note('This browser does not let the plot take the whole screen.');
  }
}
