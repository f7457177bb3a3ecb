// A scatter plot: what it is made of, and what follows where one part changes.

import { Annotations } from './annotations.js';
import { MAX_LABEL_LENGTH } from './constants.js';
import { PlotContent } from './content.js';
import { ContextGuard } from './context_guard.js';
import { context2d, html, messageOf } from '../dom.js';
import { buildElements } from './elements.js';
import { FrameLoop } from './frames.js';
import { PlotGroup } from './group.js';
import { KeyInput } from './keys.js';
import { Legend } from './legend.js';
import { PointLoader } from './loading.js';
import { Messages } from './messages.js';
import { Navigation } from './navigation.js';
import { PointLayer, activeElement } from './point_layer.js';
import { PointerInput } from './pointers.js';
import { PythonLink } from './python_link.js';
import { RowMasks } from './row_masks.js';
import { PlotScreen } from './screen.js';
import { PlotSearch } from './search.js';
import { PlotSelection } from './selection.js';
import { SelectionBar } from './selection_bar.js';
import { PlotState } from './state.js';
import { PointStepper } from './stepping.js';
import { TextWidths } from './text_width.js';
import { cutText } from './texts.js';
import { Tooltip } from './tooltip.js';
import { PlotView } from './view.js';

/** @import { PlotData, SetStateValue } from './payload.js' */
/** @import { Origin } from './selection.js' */

/** @typedef {HTMLElementEventMap & { webglcontextlost: Event, webglcontextrestored: Event }} PlotEvents */

/** One scatter plot. Its parts know it, and through it each other. */
export class ScatterPlot {
  /** Whether it has given up, or was taken down: late callbacks do nothing. */
  failed = false;
  elements = buildElements();
  reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
  scratch = context2d(html('canvas', { width: 1, height: 1 }), { willReadFrequently: true });
  textWidths = new TextWidths(this.scratch);
  state = new PlotState();
  masks = new RowMasks();
  selection = new PlotSelection(this.state, this.masks, (from) => this.#onSelection(from));
  screen = new PlotScreen(
    this.state,
    (row) => this.selection.isLit(row),
    (row) => this.masks.isShown(row),
  );
  view = new PlotView({
    onChange: (moving) => this.#onView(moving),
    jumps: () => this.reducedMotion.matches,
  });
  layer = new PointLayer(this.elements, this.state, this);
  annotations = new Annotations(this);
  frames = new FrameLoop(this);
  legend = new Legend(this.elements);
  messages = new Messages(this.elements);
  tooltip = new Tooltip(this.elements, this.state, this.screen, (shared) => this.#onHover(shared));
  navigation = new Navigation(this);
  stepper = new PointStepper(this);
  group = new PlotGroup(this);
  content = new PlotContent(this);
  python = new PythonLink(this);
  loader = new PointLoader(this);
  bar = new SelectionBar(this);
  #listeners = new AbortController();
  search = new PlotSearch(this);
  pointers = new PointerInput(this);
  contexts = new ContextGuard(this);
  #observer = new ResizeObserver(this.guarded(() => this.#onResize()));

  /** @param {Element} parent */
  constructor(parent) {
    parent.append(this.elements.root);
    new KeyInput(this);
    this.showStandingNote();
    this.#observer.observe(this.elements.stage);
  }

  /**
   * Take over what Python sent. Called on every run and on theme changes; cheap when nothing changed.
   *
   * @param {PlotData} data
   * @param {SetStateValue} setStateValue
   */
  update(data, setStateValue) {
    if (this.failed) return;
    this.python.send = setStateValue;
    this.content.take(data);
  }

  /** What is worth saying all the time. */
  showStandingNote() {
    const slow = 'Drawn without WebGL: works the same, but slower with many points.';
    if (this.state.hasPoints && this.state.points.count === 0) this.messages.note('There are no points to show.');
    else this.messages.note(this.layer.renderer.kind === 'canvas2d' ? slow : '');
  }

  /** Which category of the legend is selected. */
  showChosen() {
    this.legend.showChosen(this.selection.category);
  }

  /** Escape or double click: no selection, no lasso. */
  clear() {
    this.pointers.lasso = [];
    this.pointers.setTool('');
    this.selection.select(null);
    this.tooltip.show(-1);
    this.frames.request();
  }

  /**
   * Show another selection, and tell Python and the group what they don't know.
   *
   * @param {Origin} from
   */
  #onSelection(from) {
    const { present: selection, at } = this.selection;
    const own = from === 'user' || from === 'history';
    this.showHistory();
    this.python.remember();
    this.messages.count(this.selectionText());
    this.showChosen();
    this.bar.show();
    if (own) this.messages.speak(this.selectionText() || 'Selection cleared.');
    this.content.restyle();
    if (!own) return;
    this.group.tell({ what: 'select', selection, at });
    this.python.tellSoon();
  }

  /** How many points are selected, or which one. */
  selectionText() {
    const { rows } = this.selection;
    if (!rows) return '';
    const { points } = this.state;
    if (rows.length === 1) return `Selected: ${cutText(points.label(rows[0]), MAX_LABEL_LENGTH) || '…'}`;
    return `${rows.length.toLocaleString()} of ${points.count.toLocaleString()} points selected`;
  }

  /** Whether there is something to undo and to redo. */
  showHistory() {
    const { undo, redo } = this.elements.buttons;
    const { canvas } = this.layer;
    const focused = activeElement(canvas);
    undo.disabled = !this.selection.canRetrace(-1);
    redo.disabled = !this.selection.canRetrace(1);
    // A disabled button would keep the focus and swallow the keys.
    const swallowed = (focused === undo && undo.disabled) || (focused === redo && redo.disabled);
    if (swallowed) canvas.focus({ preventScroll: true });
  }

  /** @param {boolean} shared Whether another plot of the group says so. */
  #onHover(shared) {
    if (!shared) this.group.tell({ what: 'hover', row: this.tooltip.row });
    this.frames.requestOverlay();
  }

  /** @param {boolean} moving */
  #onView(moving) {
    if (moving) this.elements.root.dataset.settled = '0';
    this.screen.forget();
    this.frames.request();
  }

  #onResize() {
    const { clientWidth: width, clientHeight: height } = this.elements.stage;
    const { size } = this.screen;
    if (width === size.width && height === size.height) return;
    this.screen.size = { width, height };
    this.screen.forget();
    this.frames.request();
  }

  /**
   * A handler that shows our own message when it throws.
   *
   * @template {unknown[]} Arguments
   * @param {(...args: Arguments) => void} handler
   * @returns {(...args: Arguments) => void}
   */
  guarded(handler) {
    return (...args) => {
      if (this.failed) return;
      try {
        handler(...args);
      } catch (error) {
        this.fail(error);
      }
    };
  }

  /**
   * Listen to an element until the plot is taken down.
   *
   * @template {keyof PlotEvents} Type
   * @param {HTMLElement} target
   * @param {Type} type
   * @param {(event: PlotEvents[Type]) => void} handler
   * @param {AddEventListenerOptions} [options]
   */
  listen(target, type, handler, options = {}) {
    const listener = /** @type {EventListener} */ (this.guarded(handler));
    target.addEventListener(type, listener, { ...options, signal: this.#listeners.signal });
  }

  /**
   * Give up with one line in place of the plot; never let Streamlit show its red box.
   *
   * @param {unknown} error
   */
  fail(error) {
    if (this.failed) return;
    console.warn('scatter:', error);
    this.#release();
    this.failed = true;
    this.elements.root.replaceChildren(failureNote(error));
    delete this.elements.root.dataset.ready;
  }

  /** Take the plot down. */
  destroy() {
    if (!this.failed) this.#release();
    this.failed = true;
    this.elements.root.remove();
  }

  /** Free everything outside the DOM. */
  #release() {
    this.#listeners.abort();
    this.#observer.disconnect();
    this.frames.dispose();
    this.pointers.dispose();
    this.python.dispose();
    this.contexts.dispose();
    this.loader.dispose();
    this.search.dispose();
    this.content.dispose();
    this.group.leave();
    this.layer.renderer.dispose();
  }
}

/**
 * What stands in place of a plot that can't be drawn.
 *
 * @param {unknown} error
 */
export function failureNote(error) {
  const text = `The plot could not be drawn (${messageOf(error)}). Reloading the page may help.`;
  return html('p', { class: 'note error', role: 'status' }, [text]);
}
