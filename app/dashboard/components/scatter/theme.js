// The colors and the font of the page, as the plot draws with them.

import { GRAY_DARK, GRAY_LIGHT, PALETTE_DARK, PALETTE_LIGHT, RAMP_DARK, RAMP_LIGHT } from './constants.js';

/** @import { Points } from './data.js' */

/**
 * Red, green and blue, 0 to 255.
 *
 * @typedef {number[]} Rgb
 */

/**
 * @typedef {object} Theme
 * @property {string} paper The background.
 * @property {Rgb} paperRgb
 * @property {boolean} dark Whether the background is dark.
 * @property {string[]} palette Colors of categories.
 * @property {Rgb[]} paletteRgb
 * @property {string[]} ramp Some colors from the least to the greatest value.
 * @property {Rgb[]} rampRgb All 256 of them.
 * @property {Rgb} inkRgb
 * @property {Rgb} grayRgb Of points that are not meant.
 * @property {string} ink The color of texts.
 * @property {string} accent
 * @property {string} font
 */

/**
 * Any CSS color as [r, g, b], by painting one pixel.
 *
 * @param {string} color
 * @param {CanvasRenderingContext2D} context
 * @returns {Rgb}
 */
function parseColor(color, context) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = '#808080';
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  return Array.from(context.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

/**
 * 256 colors between some given ones.
 *
 * @param {Rgb[]} stops
 * @returns {Rgb[]}
 */
function makeRamp(stops) {
  return Array.from({ length: 256 }, (_, level) => {
    const at = (level / 255) * (stops.length - 1);
    const below = Math.min(stops.length - 2, Math.floor(at));
    return stops[below].map((from, channel) => Math.round(from + (stops[below + 1][channel] - from) * (at - below)));
  });
}

/**
 * Read Streamlit's colors and font as they apply to `element`.
 *
 * @param {Element} element
 * @param {CanvasRenderingContext2D} context
 * @returns {Theme}
 */
export function readTheme(element, context) {
  const style = getComputedStyle(element);
  /** @type {(name: string, fallback: string) => string} */
  const variable = (name, fallback) => {
    const value = style.getPropertyValue(name).trim();
    return value && value !== 'unset' ? value : fallback;
  };
  const paper = variable('--st-background-color', '#ffffff');
  const paperRgb = parseColor(paper, context);
  const dark = 0.299 * paperRgb[0] + 0.587 * paperRgb[1] + 0.114 * paperRgb[2] < 128;
  const palette = dark ? PALETTE_DARK : PALETTE_LIGHT;
  return {
    paper,
    paperRgb,
    dark,
    palette,
    paletteRgb: palette.map((color) => parseColor(color, context)),
    ramp: dark ? RAMP_DARK : RAMP_LIGHT,
    rampRgb: makeRamp((dark ? RAMP_DARK : RAMP_LIGHT).map((color) => parseColor(color, context))),
    inkRgb: parseColor(variable('--st-text-color', dark ? '#fafafa' : '#31333f'), context),
    grayRgb: dark ? GRAY_DARK : GRAY_LIGHT,
    ink: variable('--st-text-color', dark ? '#fafafa' : '#31333f'),
    accent: variable('--st-primary-color', '#0072b2'),
    font: variable('--st-font', 'sans-serif'),
  };
}

/**
 * The color of a category.
 *
 * @param {Theme} theme
 * @param {number} category
 */
export function categoryColor(theme, category) {
  return theme.palette[category % theme.palette.length];
}

/**
 * The color of a point.
 *
 * @param {Theme} theme
 * @param {Points} points
 * @param {number} row
 */
export function pointColor(theme, points, row) {
  if (points.levels) return `rgb(${theme.rampRgb[points.levels[row]].join(' ')})`;
  return categoryColor(theme, points.category[row]);
}
