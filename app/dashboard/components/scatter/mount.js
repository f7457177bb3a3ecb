
// ---------------------------------------------------------------------------------------------------- lifecycle

const mounts = new WeakMap(); // parentElement -> { plot, run }

/** The mount of `parentElement`, made on its first run. */
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

function removePlots(parentElement) {
  [...parentElement.children].filter((child) => child.matches('.polysema-scatter')).forEach((child) => child.remove());
}

/**
 * What Streamlit calls: on mount, whenever data or theme change, and not for reruns that change neither.
 *
 * Streamlit calls the cleanup returned by the last run when it unmounts. It also calls that of a run which a later run
 * overtook while the module was still loading, hence the run number: only the newest run's cleanup may take the plot
 * down.
 */
export default function mountScatter({ parentElement, data, setStateValue }) {
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
