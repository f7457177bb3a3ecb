// Mouse and fingers.

import { DOUBLE_TAP_MS } from './constants.js';
import { clamp } from '../dom.js';
import { activeElement } from './point_layer.js';
import { makeRegion, rowsInside } from './region.js';

/** @import { ScatterPlot } from './plot.js' */

/** @typedef {{ x: number, y: number }} Spot In pixels of the stage. */
/** @typedef {'lasso' | 'box'} Tool */

/**
 * What the pointers are doing.
 *
 * @typedef {{ kind: 'pan' | 'orbit' | Tool, start: Spot, last: Spot, moved: boolean }} Drag
 * @typedef {{ kind: 'pinch', middle: Spot, distance: number }} Pinch
 */

/** What mouse and fingers mean to a plot. */
export class PointerInput {
  /** @type {Drag | Pinch | null} */
  gesture = null;
  /** @type {number[][]} Corners in pixels, also of a box. */
  lasso = [];
  /** @type {Tool | ''} */
  #tool = '';
  /** @type {Map<number, Spot>} */
  #pointers = new Map();
  /** @type {(Spot & { time: number }) | null} */
  #lastTap = null;
  #hoverSpot = { x: 0, y: 0 };
  #hoverRequest = 0;
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
    const { stage } = plot.elements;
    plot.listen(stage, 'pointerdown', (event) => this.#onDown(event));
    plot.listen(stage, 'pointermove', (event) => this.#onMove(event));
    plot.listen(stage, 'pointerup', (event) => this.#onUp(event));
    plot.listen(stage, 'pointercancel', (event) => this.#onCancel(event));
    plot.listen(stage, 'pointerleave', (event) => {
      if (event.pointerType !== 'touch') plot.tooltip.show(-1);
    });
    plot.listen(stage, 'wheel', (event) => this.#onWheel(event), { passive: false });
  }

  /**
   * Take a drawing tool, or put it away when it is in hand ('' for both).
   *
   * @param {Tool | ''} name
   */
  setTool(name) {
    const { buttons, stage } = this.#plot.elements;
    this.#tool = this.#tool === name ? '' : name;
    for (const tool of ['lasso', 'box']) buttons[tool].setAttribute('aria-pressed', String(this.#tool === tool));
    stage.classList.toggle('lassoing', this.#tool !== '');
  }

  dispose() {
    cancelAnimationFrame(this.#hoverRequest);
  }

  /**
   * @param {MouseEvent} event
   * @returns {Spot}
   */
  #spotOf(event) {
    const { stage } = this.#plot.elements;
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left - stage.clientLeft, y: event.clientY - box.top - stage.clientTop };
  }

  /** @param {PointerEvent} event */
  #onDown(event) {
    const { elements, layer, screen, tooltip } = this.#plot;
    if (!screen.camera || event.button > 1) return;
    if (event.button === 1) event.preventDefault(); // no autoscroll
    layer.canvas.focus({ preventScroll: true });
    elements.stage.setPointerCapture(event.pointerId);
    const spot = this.#spotOf(event);
    this.#pointers.set(event.pointerId, spot);
    if (this.#pointers.size === 2) {
      this.lasso = [];
      this.gesture = this.#pinch();
    } else if (this.#pointers.size === 1) {
      const kind = this.#dragKind(event);
      this.gesture = { kind, start: spot, last: spot, moved: false };
      if (kind === 'lasso' || kind === 'box') this.lasso = [[spot.x, spot.y]];
    }
    if (event.pointerType === 'touch') tooltip.show(-1);
  }

  /**
   * @param {PointerEvent} event
   * @returns {Drag['kind']}
   */
  #dragKind(event) {
    if (this.#tool || event.shiftKey) return this.#tool || 'box';
    const shifts = this.#plot.state.points.dim === 2 || event.ctrlKey || event.metaKey || event.button === 1;
    return shifts ? 'pan' : 'orbit';
  }

  /** @param {PointerEvent} event */
  #onMove(event) {
    if (!this.#plot.screen.camera) return;
    const spot = this.#spotOf(event);
    const touch = event.pointerType === 'touch';
    if (!this.#pointers.has(event.pointerId)) {
      if (!touch) this.#hoverSoon(spot);
      return;
    }
    this.#pointers.set(event.pointerId, spot);
    if (this.gesture?.kind === 'pinch') this.#movePinch(this.gesture);
    else if (this.gesture) this.#drag(this.gesture, spot, touch);
  }

  /**
   * @param {Drag} gesture
   * @param {Spot} spot
   * @param {boolean} touch
   */
  #drag(gesture, spot, touch) {
    const { elements, frames, navigation, tooltip } = this.#plot;
    const { kind, start, last } = gesture;
    if (!gesture.moved) {
      if (Math.hypot(spot.x - start.x, spot.y - start.y) < (touch ? 8 : 4)) return;
      gesture.moved = true;
      tooltip.show(-1);
      elements.stage.classList.toggle('dragging', kind === 'pan' || kind === 'orbit');
    }
    const [dx, dy] = [spot.x - last.x, spot.y - last.y];
    if (kind === 'lasso') {
      if (Math.hypot(dx, dy) < 3) return;
      this.lasso.push([spot.x, spot.y]);
      frames.requestOverlay();
    } else if (kind === 'box') {
      this.lasso = boxCorners(start, spot);
      frames.requestOverlay();
    } else if (kind === 'orbit') {
      navigation.orbit(dx * 0.008, dy * 0.008);
    } else {
      navigation.pan(dx, dy);
    }
    gesture.last = spot;
  }

  /**
   * Middle and distance of two fingers.
   *
   * @returns {Pinch}
   */
  #pinch() {
    const [a, b] = [...this.#pointers.values()];
    const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    return { kind: 'pinch', middle, distance: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)) };
  }

  /** @param {Pinch} before */
  #movePinch(before) {
    const { navigation } = this.#plot;
    const pinch = this.#pinch();
    navigation.pan(pinch.middle.x - before.middle.x, pinch.middle.y - before.middle.y);
    navigation.zoomAt(pinch.distance / before.distance, pinch.middle);
    this.gesture = pinch;
  }

  /** @param {PointerEvent} event */
  #onUp(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    const { gesture } = this;
    if (gesture?.kind === 'pinch') {
      // The other finger doesn't go on as a drag.
      this.gesture = null;
      return;
    }
    if (this.#pointers.size > 0 || !gesture) return;
    this.#endGesture();
    if (!gesture.moved) this.#onTap(this.#spotOf(event), event.pointerType === 'touch', event.timeStamp);
    else if (gesture.kind === 'lasso' || gesture.kind === 'box') this.#finishDrawing(gesture.kind);
  }

  /** @param {PointerEvent} event */
  #onCancel(event) {
    this.#pointers.delete(event.pointerId);
    this.lasso = [];
    this.#endGesture();
    this.#plot.frames.request();
  }

  #endGesture() {
    this.gesture = null;
    this.#plot.elements.stage.classList.remove('dragging');
  }

  /**
   * Select what lies in the lasso or the box. What doesn't pass the condition is not meant.
   *
   * @param {Tool} by
   */
  #finishDrawing(by) {
    const { frames, masks, screen, selection, state, view } = this.#plot;
    const { points } = state;
    const polygon = this.lasso;
    this.lasso = [];
    frames.requestOverlay();
    if (polygon.length < 3 || screen.glide) return;
    const region = makeRegion(polygon, screen.cameraOf(view.present), points.frame);
    const inside = rowsInside(points, region);
    const rows = inside.filter((row) => masks.isOpen(row));
    // Python finds the same rows by the region only where no condition takes some out.
    const known = rows.length === inside.length ? { ...region, version: points.version } : null;
    selection.select(rows.length ? { rows, by, clicked: null, region: known } : null);
  }

  /**
   * A click or tap selects the point there; the second of two clears.
   *
   * @param {Spot} spot
   * @param {boolean} touch
   * @param {number} time
   */
  #onTap(spot, touch, time) {
    const { frames, screen, selection, stepper, tooltip } = this.#plot;
    const lastTap = this.#lastTap;
    this.lasso = [];
    this.#lastTap = { ...spot, time };
    if (lastTap && time - lastTap.time < DOUBLE_TAP_MS && Math.hypot(spot.x - lastTap.x, spot.y - lastTap.y) < 24) {
      this.#lastTap = null;
      this.#plot.clear();
      return;
    }
    const row = screen.pick(spot, touch);
    if (row >= 0) {
      stepper.row = row;
      selection.selectOne(row, 'click');
    }
    if (row >= 0 || touch) tooltip.show(row);
    frames.requestOverlay();
  }

  /**
   * Look for the point under the mouse once per frame.
   *
   * @param {Spot} spot
   */
  #hoverSoon(spot) {
    const { screen, tooltip, view } = this.#plot;
    this.#hoverSpot = spot;
    if (this.#hoverRequest) return;
    this.#hoverRequest = requestAnimationFrame(
      this.#plot.guarded(() => {
        this.#hoverRequest = 0;
        if (!this.gesture && !view.moving) tooltip.show(screen.pick(this.#hoverSpot, false));
      }),
    );
  }

  /** @param {WheelEvent} event */
  #onWheel(event) {
    const { layer, navigation, screen } = this.#plot;
    const plot = layer.canvas.closest('.polysema-scatter'); // a click on its toolbar is one on the plot
    const meant = event.ctrlKey || event.metaKey || !!plot?.contains(activeElement(layer.canvas));
    if (!screen.camera || !meant) return; // the wheel scrolls the page until the plot was clicked
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.0016; // with Ctrl it is a trackpad's pinch
    navigation.zoomAt(Math.exp(-clamp(event.deltaY * lines, -400, 400) * speed), this.#spotOf(event));
  }
}

/**
 * The corners of a box between two spots.
 *
 * @param {Spot} a
 * @param {Spot} b
 */
function boxCorners(a, b) {
  return [
    [a.x, a.y],
    [b.x, a.y],
    [b.x, b.y],
    [a.x, b.y],
  ];
}
