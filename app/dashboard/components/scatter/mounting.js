// Scatter plot: 2-D and 3-D points in WebGL2, or on a 2-D canvas where that is missing. It knows no host: Streamlit
// (mount.js), a page of its own (../offline/) and a notebook (../notebook/) call `mountScatter` with the same data.
//
// ES modules that Python joins into one, since a component of Streamlit is one text.
// Reading order: `mountScatter` is what the host calls on every run; it keeps one `ScatterPlot` (plot.js) per mount. A
// plot has its parts by name: what it shows (state.js), where from (view.js, navigation.js) and where on the screen
// (screen.js), what is selected (selection.js), its words (messages.js, legend.js, tooltip.js), its hands (pointers.js,
// keys.js, stepping.js), and those it talks with (python_link.js, group.js, loading.js). frames.js draws: points through
// point_layer.js by a renderer (webgl.js or canvas.js) or as density, all else (annotations.js) through one SVG overlay.
//
// Spaces: *world* is the data moved and scaled into about [-1, 1] once (see `makeFrame`); *screen* is CSS pixels
// from the top left of the plot. A camera's 4x4 matrix (column-major, as WebGL wants it) goes from world to clip.
//
// Texts are the users': they reach the page through textContent and attributes only.

import { html } from '../dom.js';
import { ScatterPlot, failureNote } from './plot.js';

/** @import { PlotData, SetStateValue } from './payload.js' */

/** @typedef {{ plot: ScatterPlot | null, run: number }} Mount */

/** @type {WeakMap<Element, Mount>} */
const mounts = new WeakMap();

/**
 * The mount of `parentElement`, made on its first run.
 *
 * @param {Element} parentElement
 */
function mountOf(parentElement) {
  let mount = mounts.get(parentElement);
  if (!mount) {
    mount = { plot: null, run: 0 };
    mounts.set(parentElement, mount);
  }
  // New data may do what the data before could not.
  if (mount.plot?.failed) mount.plot = null;
  if (!mount.plot) removePlots(parentElement);
  return mount;
}

/** @param {Element} parentElement */
function removePlots(parentElement) {
  [...parentElement.children].filter((child) => child.matches('.polysema-scatter')).forEach((child) => child.remove());
}

/**
 * What Streamlit calls: on mount, whenever data or theme change, and not for reruns that change neither.
 *
 * Streamlit calls the cleanup returned by the last run when it unmounts. It also calls that of a run which a later run
 * overtook while the module was still loading, hence the run number: only the newest run's cleanup may take the plot
 * down.
 *
 * @param {{ parentElement: Element, data: PlotData, setStateValue: SetStateValue }} component
 */
export function mountScatter({ parentElement, data, setStateValue }) {
  const mount = mountOf(parentElement);
  mount.run += 1;
  const { run } = mount;
  try {
    mount.plot ??= new ScatterPlot(parentElement);
    mount.plot.update(data, setStateValue);
  } catch (error) {
    if (mount.plot) {
      mount.plot.fail(error);
    } else {
      console.warn('scatter:', error);
      parentElement.append(html('div', { class: 'polysema-scatter' }, [failureNote(error)]));
    }
  }
  return () => {
    if (mount.run !== run) return;
    mounts.delete(parentElement);
    mount.plot?.destroy();
    removePlots(parentElement);
  };
}
