// Tells the script of the page (steps.js) that a run is at its end; it draws nothing.
/** @import { Settled } from './steps.js' */

const STEPS = Symbol.for('polysema.steps');

/**
 * What Streamlit calls.
 *
 * @param {{ data: Settled }} component
 */
export default function settle({ data }) {
  const page = /** @type {{ [STEPS]?: { settle: (run: Settled) => void } }} */ (window);
  page[STEPS]?.settle(data);
}
