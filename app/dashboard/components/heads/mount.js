// The attention heads for Streamlit (components v2): a canvas of layers by heads, and one head large in SVG.
//
// Streamlit calls `mountHeads` on every run; it keeps one `HeadGrid` (grid.js) per mount. All heads come in 8 bits (`all`),
// the one that is large exactly (`exact`): while the mouse is over another head, that one is shown from its 8 bits.
//
// Texts are the users': they reach the page through textContent and attributes only.

import { html } from '../dom.js';
import { HeadGrid } from './grid.js';

/** @import { SetStateValue } from './grid.js' */
/** @import { HeadsData } from './heads.js' */

/** @type {WeakMap<Element, { grid: HeadGrid, run: number }>} */
const mounts = new WeakMap();

/**
 * What Streamlit calls.
 *
 * @param {{ parentElement: Element, data: HeadsData, setStateValue: SetStateValue }} component
 */
export default function mountHeads({ parentElement, data, setStateValue }) {
  let mount = mounts.get(parentElement);
  try {
    if (!mount) {
      mount = { grid: new HeadGrid(parentElement), run: 0 };
      mounts.set(parentElement, mount);
    }
    mount.run += 1;
    mount.grid.update(data, setStateValue);
  } catch (error) {
    console.warn('heads:', error);
    const text = 'The heads can’t be drawn in this browser; the numbers are in the table below.';
    parentElement.append(html('p', { class: 'note' }, [text]));
  }
  const run = mount?.run;
  return () => {
    if (!mount || mount.run !== run) return;
    mounts.delete(parentElement);
    mount.grid.destroy();
  };
}
