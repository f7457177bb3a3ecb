// Texts and numbers for people.

import { DETAIL_WINDOW } from './constants.js';
import { clamp } from '../dom.js';

/**
 * The first characters of a text.
 *
 * @param {string} text
 * @param {number} length
 */
export function cutText(text, length) {
  if (text.length <= length) return text;
  const first = Array.from(text).slice(0, length - 1);
  return `${first.join('')}…`;
}

/**
 * Text that XML can hold: control characters and halves of surrogate pairs would void the whole file.
 *
 * @param {string} text
 */
export function xmlText(text) {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd');
}

/**
 * A number for people: to a thousandth of the range that it comes from.
 *
 * @param {number} value
 * @param {[number, number]} range
 */
export function shortNumber(value, [low, high]) {
  if (Math.abs(value) >= 1e9 || (high > low && high - low < 1e-9)) return value.toExponential(3);
  const digits = high > low ? clamp(3 - Math.ceil(Math.log10(high - low)), 0, 12) : 4;
  return Number(value.toFixed(digits)).toLocaleString(undefined, { maximumFractionDigits: digits });
}

/**
 * Cut a detail into pieces. Marks count Unicode code points, JavaScript counts UTF-16 units, hence the array. A long
 * detail is shown around its mark.
 *
 * @param {string} detail
 * @param {[number, number] | null} mark
 * @returns {{ text: string, bold: boolean }[]}
 */
export function detailPieces(detail, mark) {
  const characters = Array.from(detail);
  let [start, end] = mark ?? [0, 0];
  start = clamp(start, 0, characters.length);
  end = clamp(end, start, characters.length);
  let first = 0;
  let last = characters.length;
  if (characters.length > DETAIL_WINDOW) {
    first = Math.max(0, Math.min(start - DETAIL_WINDOW / 2, characters.length - DETAIL_WINDOW));
    last = Math.min(characters.length, Math.max(first + DETAIL_WINDOW, end));
  }
  /** @type {(from: number, to: number, bold: boolean) => { text: string, bold: boolean }} */
  const piece = (from, to, bold) => ({ text: characters.slice(from, to).join(''), bold });
  const pieces = [piece(first, start, false), piece(start, end, true), piece(end, last, false)];
  if (first > 0) pieces.unshift({ text: '… ', bold: false });
  if (last < characters.length) pieces.push({ text: ' …', bold: false });
  return pieces.filter(({ text }) => text);
}
