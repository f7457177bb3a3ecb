// -------------------------------------------------------------------------------------------------------- input

/** Mouse, fingers, keys and the toolbar of one plot: what they mean to it. */
class PlotInput {
  constructor(plot) {
    this.plot = plot;
    this.pointers = new Map();
    this.gesture = null; // { kind: pan, orbit, lasso, box or pinch, … } while one is under way
    this.tool = ''; // lasso, box, or none
    this.lasso = []; // corners in pixels, also of a box
    this.lastTap = null;
    this.hoverRequest = 0;
    this.attach();
  }

  listen(target, type, handler, options = {}) {
    target.addEventListener(type, this.plot.guarded(handler), { ...options, signal: this.plot.listeners.signal });
  }

  attach() {
    const { stage } = this.plot;
    this.listen(stage, 'pointerdown', (event) => this.onPointerDown(event));
    this.listen(stage, 'pointermove', (event) => this.onPointerMove(event));
    this.listen(stage, 'pointerup', (event) => this.onPointerUp(event));
    this.listen(stage, 'pointercancel', (event) => this.onPointerCancel(event));
    this.listen(stage, 'pointerleave', (event) => {
      if (event.pointerType !== 'touch') this.plot.setHover(-1);
    });
    this.listen(stage, 'wheel', (event) => this.onWheel(event), { passive: false });
    this.listen(stage, 'keydown', (event) => this.onKey(event));
    // Context events don't bubble, but they pass the stage on their way down.
    this.listen(stage, 'webglcontextlost', (event) => this.plot.onContextLost(event), { capture: true });
    this.listen(stage, 'webglcontextrestored', () => this.plot.onContextRestored(), { capture: true });
    this.listen(this.plot.root, 'keydown', (event) => this.onHistoryKey(event));
    this.listen(this.plot.toolbar, 'click', (event) => this.onTool(event.target.closest('button')?.dataset.tool));
    this.listen(this.plot.legend, 'click', (event) => {
      const category = event.target.closest('button')?.dataset.category;
      if (category === undefined) return;
      this.plot.setFocusCategory(Number(category) === this.plot.focusCategory ? -1 : Number(category));
    });
    this.listen(this.plot.legend, 'keydown', (event) => {
      if (event.key === 'Escape') this.plot.clear();
    });
  }

  placeOfEvent(event) {
    const box = this.plot.stage.getBoundingClientRect();
    return { x: event.clientX - box.left - this.plot.stage.clientLeft, y: event.clientY - box.top - this.plot.stage.clientTop };
  }

  onPointerDown(event) {
    if (!this.plot.camera || event.button > 1) return;
    if (event.button === 1) event.preventDefault(); // no autoscroll
    this.plot.canvas.focus({ preventScroll: true });
    this.plot.stage.setPointerCapture(event.pointerId);
    const place = this.placeOfEvent(event);
    this.pointers.set(event.pointerId, place);
    if (this.pointers.size === 2) {
      this.lasso = [];
      this.gesture = { kind: 'pinch', ...this.pinch() };
    } else if (this.pointers.size === 1) {
      const drawn = this.tool || (event.shiftKey ? 'box' : '');
      const shifts = this.plot.points.dim === 2 || event.ctrlKey || event.metaKey || event.button === 1;
      this.gesture = { kind: drawn || (shifts ? 'pan' : 'orbit'), start: place, last: place, moved: false };
      if (drawn) this.lasso = [[place.x, place.y]];
    }
    if (event.pointerType === 'touch') this.plot.setHover(-1);
  }

  onPointerMove(event) {
    if (!this.plot.camera) return;
    const place = this.placeOfEvent(event);
    const touch = event.pointerType === 'touch';
    if (!this.pointers.has(event.pointerId)) {
      if (!touch) this.hoverSoon(place);
      return;
    }
    this.pointers.set(event.pointerId, place);
    const { gesture } = this;
    if (!gesture) return;
    if (gesture.kind === 'pinch') {
      this.movePinch();
      return;
    }
    const travel = Math.hypot(place.x - gesture.start.x, place.y - gesture.start.y);
    if (!gesture.moved && travel < (touch ? 8 : 4)) return;
    if (!gesture.moved) {
      gesture.moved = true;
      this.plot.setHover(-1);
      this.plot.stage.classList.toggle('dragging', gesture.kind === 'pan' || gesture.kind === 'orbit');
    }
    const [dx, dy] = [place.x - gesture.last.x, place.y - gesture.last.y];
    if (gesture.kind === 'lasso') {
      if (Math.hypot(dx, dy) < 3) return;
      this.lasso.push([place.x, place.y]);
      this.plot.requestOverlay();
    } else if (gesture.kind === 'box') {
      const { start } = gesture;
      this.lasso = [[start.x, start.y], [place.x, start.y], [place.x, place.y], [start.x, place.y]];
      this.plot.requestOverlay();
    } else if (gesture.kind === 'orbit') {
      this.plot.orbit(dx * 0.008, dy * 0.008);
    } else {
      this.plot.pan(dx, dy);
    }
    gesture.last = place;
  }

  /** Middle and distance of two fingers. */
  pinch() {
    const [a, b] = [...this.pointers.values()];
    return { middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }, distance: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)) };
  }

  movePinch() {
    const { middle, distance } = this.pinch();
    this.plot.pan(middle.x - this.gesture.middle.x, middle.y - this.gesture.middle.y);
    this.plot.zoomAt(distance / this.gesture.distance, middle.x, middle.y);
    this.gesture = { kind: 'pinch', middle, distance };
  }

  onPointerUp(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { gesture } = this;
    if (gesture?.kind === 'pinch') {
      // The other finger doesn't go on as a drag.
      this.gesture = null;
      return;
    }
    if (this.pointers.size > 0 || !gesture) return;
    this.endGesture();
    if ((gesture.kind === 'lasso' || gesture.kind === 'box') && gesture.moved) this.finishDrawing(gesture.kind);
    else if (!gesture.moved) this.onTap(this.placeOfEvent(event), event.pointerType === 'touch', event.timeStamp);
  }

  onPointerCancel(event) {
    this.pointers.delete(event.pointerId);
    this.lasso = [];
    this.endGesture();
    this.plot.requestFrame();
  }

  endGesture() {
    this.gesture = null;
    this.plot.stage.classList.remove('dragging');
  }

  /** Select what lies in the lasso or the box. What the legend dimmed is not meant. */
  finishDrawing(by) {
    const polygon = this.lasso;
    this.lasso = [];
    this.plot.requestOverlay();
    if (polygon.length < 3 || this.plot.morph) return;
    const region = makeRegion(polygon, this.plot.currentCamera(), this.plot.points.frame, this.plot.focusCategory);
    const rows = rowsInside(this.plot.points, region);
    this.plot.select(rows.length ? { rows, by, clicked: null, region: { ...region, version: this.plot.points.version } } : null);
  }

  /** A click or tap selects the point there; the second of two clears. */
  onTap(place, touch, time) {
    this.lasso = [];
    const { lastTap } = this;
    this.lastTap = { ...place, time };
    if (lastTap && time - lastTap.time < DOUBLE_TAP_MS && Math.hypot(place.x - lastTap.x, place.y - lastTap.y) < 24) {
      this.lastTap = null;
      this.plot.clear();
      return;
    }
    const row = this.plot.pick(place.x, place.y, this.plot.pickRadius(touch));
    if (row >= 0) {
      this.plot.stepRow = row;
      this.plot.selectOne(row, 'click');
    }
    if (row >= 0 || touch) this.plot.setHover(row);
    this.plot.requestOverlay();
  }

  /** Look for the point under the mouse once per frame. */
  hoverSoon(place) {
    this.hoverPlace = place;
    if (this.hoverRequest) return;
    this.hoverRequest = requestAnimationFrame(this.plot.guarded(() => {
      this.hoverRequest = 0;
      if (this.gesture || this.plot.viewMove) return;
      this.plot.setHover(this.plot.pick(this.hoverPlace.x, this.hoverPlace.y, this.plot.pickRadius(false)));
    }));
  }

  onWheel(event) {
    if (!this.plot.camera) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.0016; // with Ctrl it is a trackpad's pinch
    const place = this.placeOfEvent(event);
    this.plot.zoomAt(Math.exp(-clamp(event.deltaY * lines, -400, 400) * speed), place.x, place.y);
  }

  /** Undo and redo, from everywhere in the plot. */
  onHistoryKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key !== 'z' && key !== 'y') return;
    event.preventDefault();
    event.stopPropagation();
    this.plot.retrace(key === 'y' || event.shiftKey ? 1 : -1);
  }

  onKey(event) {
    if (!this.plot.camera || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = this.keyAction(event.key);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has keys of its own
    action();
  }

  keyAction(key) {
    const arrow = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
    if (arrow) {
      const [dx, dy] = arrow;
      return () => (this.plot.points.dim === 3 ? this.plot.orbit(dx * 0.12, dy * 0.12) : this.plot.pan(dx * 40, dy * 40));
    }
    return {
      '+': () => this.plot.zoomStep(1.4),
      '=': () => this.plot.zoomStep(1.4),
      '-': () => this.plot.zoomStep(1 / 1.4),
      _: () => this.plot.zoomStep(1 / 1.4),
      f: () => this.plot.fit(),
      n: () => this.plot.step(1),
      p: () => this.plot.step(-1),
      l: () => this.setTool('lasso'),
      b: () => this.setTool('box'),
      d: () => this.plot.toggleDensity(),
      Enter: () => this.plot.selectStep(),
      ' ': () => this.plot.selectStep(),
      Escape: () => this.plot.clear(),
    }[key.length === 1 ? key.toLowerCase() : key];
  }

  onTool(name) {
    const actions = {
      fit: () => this.plot.fit(),
      lasso: () => this.setTool('lasso'),
      box: () => this.setTool('box'),
      undo: () => this.plot.retrace(-1),
      redo: () => this.plot.retrace(1),
      density: () => this.plot.toggleDensity(),
      'zoom-in': () => this.plot.zoomStep(1.4),
      'zoom-out': () => this.plot.zoomStep(1 / 1.4),
      png: () => downloadPng(this.plot),
      svg: () => downloadSvg(this.plot),
    };
    if (this.plot.camera) actions[name]?.();
  }

  /** Take a drawing tool, or put it away when it is in hand ('' for both). */
  setTool(name) {
    this.tool = this.tool === name ? '' : name;
    for (const tool of ['lasso', 'box']) this.plot.buttons[tool].setAttribute('aria-pressed', String(this.tool === tool));
    this.plot.stage.classList.toggle('lassoing', this.tool !== '');
  }

  dispose() {
    cancelAnimationFrame(this.hoverRequest);
  }
}
