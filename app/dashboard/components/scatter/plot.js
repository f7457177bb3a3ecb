
// ---------------------------------------------------------------------------------------------------- the plot

const BUTTONS = [
  { name: 'fit', title: 'Fit all points (F)', path: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4' },
  {
    name: 'lasso',
    title: 'Lasso: drag around points (L)',
    path: 'M8 2.5c3.6 0 6 1.6 6 4s-2.4 4-6 4-6-1.6-6-4 2.4-4 6-4zM5 10c-1.6.8-1.6 2.6 0 3s1.8.8 1.4 1.8',
  },
  { name: 'box', title: 'Box: drag across points (B, or Shift and drag)', path: 'M2.5 3.5h1.5M6.5 3.5h3M12 3.5h1.5v1.5M13.5 7v2M13.5 11v1.5H12M9.5 12.5h-3M4 12.5H2.5V11M2.5 9V7M2.5 5V3.5' },
  { name: 'undo', title: 'Undo the selection (Ctrl+Z)', path: 'M5.5 3L2.5 6l3 3M2.5 6H10a3.5 3.5 0 0 1 0 7H6' },
  { name: 'redo', title: 'Redo the selection (Ctrl+Shift+Z)', path: 'M10.5 3l3 3-3 3M13.5 6H6a3.5 3.5 0 0 0 0 7h4' },
  { name: 'zoom-in', title: 'Zoom in (+)', path: 'M3 8h10M8 3v10' },
  { name: 'zoom-out', title: 'Zoom out (-)', path: 'M3 8h10' },
  {
    name: 'density',
    title: 'Density: how many points lie where, instead of each point (D)',
    path: 'M3 3h2v2H3zM7 3h2v2H7zM11 3h2v2h-2zM3 7h2v2H3zM7 7h2v2H7zM11 7h2v2h-2zM3 11h2v2H3zM7 11h2v2H7zM11 11h2v2h-2z',
  },
  { name: 'png', title: 'Download as PNG', path: 'M2 3h12v10H2zM2 11l4-4 3 3 2-2 3 3M10.5 6h.01' },
  { name: 'svg', title: 'Download as SVG', path: 'M8 2v8M4.5 7L8 10.5 11.5 7M2.5 13.5h11' },
];

// Selection and view by the plot's key, for a plot that is taken down and put up again (a tab, another page and back).
const remembered = new Map();
const MAX_REMEMBERED = 40;

class ScatterPlot {
  constructor(parent) {
    this.parent = parent;
    this.listeners = new AbortController();
    this.scratch = html('canvas', { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
    this.textWidths = new Map();
    this.points = null;
    this.view = null;
    this.bounds = null; // those the view was last fitted to
    this.viewMove = null; // { from, to, start }: the view on its way
    this.morph = null; // { from, start }: the points on their way
    this.index = null; // ScreenIndex of the present picture, made when first asked for
    this.fitted = true; // the view shows all, and shall when other points come
    this.texts = null; // RemoteTexts of points that were fetched
    this.loader = new PointLoader(this);
    this.selection = null; // see history.js
    this.selectedMask = null;
    this.selectedAt = 0;
    this.history = new SelectionHistory();
    this.command = null; // number of Python's last wish for a selection
    this.accents = { links: [], highlight: [] };
    this.fade = null; // { from, start }: accents on their way out
    this.densityWish = null; // of the user; null: as many points as there are decide
    this.focusCategory = -1; // chosen in the legend
    this.hoverRow = -1;
    this.stepRow = -1; // where N and P are
    this.frameRequest = 0;
    this.stale = true;
    this.contextLost = false;
    this.failed = false;
    this.emitted = null; // JSON of what Python was last told
    this.size = { width: 0, height: 0 };
    this.reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
    this.buildDom();
    this.input = new PlotInput(this);
    this.observer = new ResizeObserver(this.guarded(() => this.onResize()));
    this.observer.observe(this.stage);
  }

  // ---- DOM

  buildDom() {
    this.density = new DensityLayer();
    this.overlay = svg('svg', { class: 'overlay', 'aria-hidden': 'true' });
    this.tooltip = html('div', { class: 'tooltip', hidden: '', role: 'presentation' });
    this.readout = html('div', { class: 'readout', 'aria-hidden': 'true' });
    this.stage = html('div', { class: 'stage' }, [this.density.canvas, this.overlay, this.tooltip, this.readout]);
    this.buttons = {};
    this.toolbar = html('div', { class: 'toolbar', role: 'toolbar', 'aria-label': 'Plot tools' }, BUTTONS.map((spec) => {
      const icon = svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, [svg('path', { d: spec.path })]);
      const attributes = { type: 'button', 'aria-label': spec.title, title: spec.title, 'data-tool': spec.name };
      const button = html('button', attributes, [icon]);
      this.buttons[spec.name] = button;
      return button;
    }));
    ['lasso', 'box', 'density'].forEach((name) => this.buttons[name].setAttribute('aria-pressed', 'false'));
    ['undo', 'redo'].forEach((name) => { this.buttons[name].disabled = true; });
    this.ramp = html('div', { class: 'ramp', hidden: '' });
    this.legend = html('ul', { class: 'legend', 'aria-label': 'Legend: choose a category to dim the others' });
    this.note = html('p', { class: 'note', hidden: '', role: 'status' });
    this.help = html('span', { class: 'spoken', id: 'scatter-keys' }, [KEY_HELP]);
    this.spoken = html('div', { class: 'spoken', 'aria-live': 'polite' });
    this.root = html('div', { class: 'polysema-scatter' }, [
      this.stage, this.toolbar, this.ramp, this.legend, this.note, this.help, this.spoken,
    ]);
    this.parent.append(this.root);
    this.startRenderer(true);
  }

  /** A new canvas and a renderer for it: WebGL if wished and possible. A canvas can't change its kind of context. */
  startRenderer(withWebGL) {
    this.renderer?.dispose();
    const attempts = withWebGL ? [WebGLRenderer, CanvasRenderer] : [CanvasRenderer];
    for (const Renderer of attempts) {
      const canvas = html('canvas', {
        tabindex: '0', role: 'application', 'aria-roledescription': 'scatter plot', 'aria-describedby': 'scatter-keys',
      });
      try {
        this.renderer = new Renderer(canvas);
      } catch (error) {
        if (Renderer === attempts.at(-1)) throw error;
        continue;
      }
      const focused = this.canvas && this.canvas.getRootNode().activeElement === this.canvas;
      if (this.canvas) {
        canvas.setAttribute('aria-label', this.canvas.getAttribute('aria-label') ?? '');
        this.canvas.replaceWith(canvas);
      } else {
        this.stage.prepend(canvas);
      }
      this.canvas = canvas;
      if (focused) canvas.focus({ preventScroll: true });
      break;
    }
    this.contextLost = false;
    this.canvasSize = '';
    this.root.dataset.renderer = this.renderer.kind;
    this.showNote(this.standingNote());
    this.uploadAll();
  }

  /** Send the present points to the renderer, for example after it was made anew. */
  uploadAll() {
    if (!this.points) return;
    this.renderer.setPositions(this.points.world, this.morph?.from ?? null);
    this.restyle();
  }

  /** What is worth saying all the time. */
  standingNote() {
    if (this.points?.count === 0) return 'There are no points to show.';
    return this.renderer.kind === 'canvas2d' ? 'Drawn without WebGL: works the same, but slower with many points.' : '';
  }

  showNote(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  // ---- updates from Python

  /** Take over what Python sent. Called on every run and on theme changes; cheap when nothing changed. */
  update(data, setStateValue) {
    if (this.failed) return;
    this.setStateValue = setStateValue;
    if (!data?.version) throw new Error('no data arrived');
    this.latest = data;
    this.canvas.setAttribute('aria-label', data.alt);
    this.root.style.setProperty('--plot-height', `${data.height}px`);
    this.takeTheme();
    if (data.version === this.points?.version) {
      this.loader.stop();
      this.takeScene(data);
    } else if (data.points) {
      this.loader.stop();
      this.takePoints(data, columnsOfTable(data), null);
    } else {
      this.loader.load(data);
    }
    this.requestFrame();
  }

  takeTheme() {
    const theme = readTheme(this.root, this.scratch);
    const themeKey = JSON.stringify(theme);
    if (themeKey === this.themeKey) return;
    this.theme = theme;
    this.themeKey = themeKey;
    this.textWidths.clear();
    if (!this.points) return;
    this.buildLegend();
    this.restyle();
  }

  /** Points that are here: show them with all that belongs to them. */
  takePoints(data, columns, texts) {
    const first = this.points === null;
    this.texts?.dispose();
    this.texts = texts;
    this.setPoints(data, columns);
    this.summary = summarizeCategories(this.points);
    this.buildLegend();
    this.restyle();
    this.showNote(this.standingNote());
    this.takeScene(data, first);
  }

  /** What is drawn over the points, and what Python wishes to be selected. */
  takeScene(data, first = false) {
    this.scene = data;
    this.loader.hear(data);
    if (this.texts && data.texts) this.texts.learn(data.texts);
    if (this.texts && data.points) {
      this.texts.dispose();
      this.texts = null;
      this.points.text = columnsOfTable(data).text;
    }
    this.joinGroup(data.group);
    this.takeAccents({ links: data.links, highlight: data.highlight }, first);
    if (first) this.restore(data);
    else this.follow(data);
    this.requestFrame();
  }

  /** Links and highlights: those that go fade, those that come fade in. */
  takeAccents(accents, first) {
    if (JSON.stringify(accents) === JSON.stringify(this.accents)) return;
    this.fade = first || this.reducedMotion.matches ? null : { from: this.accents, start: null };
    if (this.fade) this.root.dataset.settled = '0';
    const showsNew = JSON.stringify(accents.highlight) !== JSON.stringify(this.accents.highlight);
    this.accents = accents;
    this.seekHighlight = showsNew && accents.highlight.length > 0;
  }

  // ---- points

  /** Texts came: show them where they were missing. */
  onTexts() {
    if (this.hoverRow >= 0) this.fillTooltip(this.hoverRow);
    this.showReadout();
    if (this.spokenRow >= 0) this.speakRow(this.spokenRow);
    this.requestOverlay();
  }

  /** Replace the points: glide if they are as many as before, start over otherwise. */
  setPoints(data, columns) {
    const before = this.points;
    const alike = before !== null && before.count === data.count && before.dim === data.dim;
    const shown = alike ? this.currentWorld() : null;
    const points = readPoints(data, columns, alike ? before.frame : null);
    const glides = alike && points.count > 0 && points.frame === before.frame && data.morph && !this.reducedMotion.matches;
    this.points = points;
    this.index = null;
    this.root.dataset.settled = '0';
    this.morph = glides ? { from: shown, start: null } : null;
    this.renderer.setPositions(points.world, glides ? shown : null);

    if (!alike || points.frame !== before.frame) {
      this.bounds = points.bounds;
      this.view = fittedView(points.bounds);
      this.viewMove = null;
      this.fitted = true;
    } else if (boundsDiffer(this.bounds, points.bounds)) {
      this.bounds = points.bounds;
      if (this.fitted) this.moveView(fittedView(points.bounds, this.view));
    }
    if (!alike) {
      this.stepRow = -1;
      this.fade = null;
      this.accents = { links: [], highlight: [] };
      this.setHover(-1);
    }
    if (this.focusCategory >= points.categories.length) this.focusCategory = -1;
    if (before !== null && (!alike || before.identity !== points.identity)) {
      this.select(null, 'data');
      this.history.clear(null);
      this.showHistory();
    }
    if (this.hoverRow >= 0) this.setHover(this.hoverRow, { force: true });
  }

  /** World positions as they are on screen now, also in the middle of a glide. */
  currentWorld() {
    if (!this.morph) return this.points.world;
    return mixPositions(this.morph.from, this.points.world, this.morphShare(performance.now()));
  }

  // ---- legend

  /** The categories that the legend shows: without values all, but not thousands. */
  legendEntries() {
    const { points } = this;
    return points.levels && points.categories.length < 2 ? [] : this.summary.slice(0, MAX_LEGEND);
  }

  buildLegend() {
    const { points, theme } = this;
    const entries = this.legendEntries().map(({ name, count, marker }, category) => {
      const button = html('button', {
        type: 'button',
        'data-category': category,
        title: `${name}: ${count.toLocaleString()} points. Click to dim the others.`,
      }, [
        this.swatch(marker, points.levels ? theme.ink : this.categoryColor(category)),
        html('span', { class: 'name' }, [name]),
        html('span', { class: 'count' }, [count.toLocaleString()]),
      ]);
      return html('li', {}, [button]);
    });
    const more = this.summary.length - MAX_LEGEND;
    if (more > 0 && entries.length) entries.push(html('li', { class: 'more' }, [`and ${more.toLocaleString()} more`]));
    this.legend.replaceChildren(...entries);
    this.legend.hidden = entries.length === 0;
    this.buildRamp();
    this.buttons.density.hidden = points.count < INDEX_FROM;
    this.showFocus();
  }

  /** The gradient of the values with its ends. */
  buildRamp() {
    const { points, theme } = this;
    this.ramp.hidden = !points.levels || !points.count;
    if (this.ramp.hidden) return;
    const [low, high] = points.valueRange.map((value) => shortNumber(value, points.valueRange));
    const bar = html('span', { class: 'bar', 'aria-hidden': 'true' });
    bar.style.background = `linear-gradient(to right, ${theme.ramp.join(', ')})`;
    this.ramp.replaceChildren(
      html('span', { class: 'name' }, [points.valueName]), html('span', {}, [low]), bar, html('span', {}, [high]),
    );
  }

  categoryColor(category) {
    return this.theme.palette[category % this.theme.palette.length];
  }

  colorOf(row) {
    const { points, theme } = this;
    return points.levels ? `rgb(${theme.rampRgb[points.levels[row]].join(' ')})` : this.categoryColor(points.category[row]);
  }

  swatch(marker, color) {
    const path = svg('path', { d: markerPath(marker, 6), fill: color, 'fill-rule': 'evenodd' });
    return svg('svg', { class: 'swatch', viewBox: '-7 -7 14 14', 'aria-hidden': 'true' }, [path]);
  }

  showFocus() {
    this.legend.classList.toggle('focused', this.focusCategory >= 0);
    for (const button of this.legend.querySelectorAll('button')) {
      button.setAttribute('aria-pressed', String(Number(button.dataset.category) === this.focusCategory));
    }
  }

  setFocusCategory(category) {
    if (category === this.focusCategory) return;
    this.focusCategory = category;
    this.showFocus();
    this.restyle();
  }

  // ---- selection

  isLit(row) {
    const chosen = this.selectedMask === null || this.selectedMask[row] === 1;
    return chosen && (this.focusCategory < 0 || this.points.category[row] === this.focusCategory);
  }

  get selected() {
    return this.selection?.rows ?? null;
  }

  /**
   * Take a selection (see history.js) or none (null). `from` says whose wish it is: 'user', 'history' (undo or redo),
   * 'memory' (of a plot taken down and put up again), 'python', 'group' (another plot), or 'data' (other points).
   * Python and the group are told what they don't know.
   */
  select(selection, from = 'user', at = Date.now()) {
    const before = this.selection;
    if (sameRows(selection?.rows, before?.rows) && (selection?.clicked === before?.clicked || from !== 'user')) return;
    this.selection = selection;
    this.selectedAt = at;
    this.selectedMask = null;
    if (selection) {
      this.selectedMask = new Uint8Array(this.points.count);
      for (const row of selection.rows) this.selectedMask[row] = 1;
    }
    if (from !== 'history') this.history.add(selection);
    this.showHistory();
    this.remember();
    this.showReadout();
    if (from === 'user' || from === 'history') this.speak(this.selectionText() || 'Selection cleared.');
    this.restyle();
    if (from === 'user' || from === 'history') this.tellGroup('select', { selection, at });
    if (from === 'user' || from === 'history') this.emitSoon();
  }

  /** Go back (-1) or forth (1) in the history of selections. */
  retrace(step) {
    if (this.history.can(step)) this.select(this.history.go(step), 'history');
  }

  showHistory() {
    const { undo, redo } = this.buttons;
    const focused = this.canvas.getRootNode().activeElement;
    undo.disabled = !this.history.can(-1);
    redo.disabled = !this.history.can(1);
    // A disabled button would keep the focus and swallow the keys.
    if ((focused === undo && undo.disabled) || (focused === redo && redo.disabled)) this.canvas.focus({ preventScroll: true });
  }

  selectionText() {
    if (!this.selected) return '';
    const [count, all] = [this.selected.length, this.points.count].map((value) => value.toLocaleString());
    if (this.selected.length === 1) return `Selected: ${cutText(this.points.label(this.selected[0]), MAX_LABEL_LENGTH) || '…'}`;
    return `${count} of ${all} points selected`;
  }

  showReadout() {
    this.readout.textContent = this.selectionText();
  }

  speak(text) {
    this.spokenRow = -1;
    this.spoken.textContent = text;
  }

  remember() {
    const { key } = this.latest;
    remembered.delete(key);
    const { points, selection, selectedAt, command, fitted } = this;
    const view = fitted ? null : this.viewNumbers();
    if (selection || view) remembered.set(key, { identity: points.identity, selection, at: selectedAt, command, view });
    if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value);
  }

  /** At first: what the user had before the plot was taken down, otherwise what Python wishes. */
  restore(data) {
    const memory = remembered.get(data.key);
    const fits = memory?.identity === this.points.identity && memory.command === data.command;
    const view = (fits && memory.view) || data.view;
    if (view) {
      this.view = this.viewFrom(view);
      this.fitted = false;
    }
    this.command = data.command;
    if (fits && memory.selection) this.select(memory.selection, 'memory', memory.at);
    else this.followRows(data);
    if (fits) {
      this.emitted = ''; // what Python holds by now is unknown
      this.emitSoon();
    }
    this.history.clear(this.selection);
    this.showHistory();
  }

  /** Do what Python wishes, once for each wish. */
  follow(data) {
    if (data.command === this.command) return;
    this.command = data.command;
    this.followRows(data);
  }

  followRows(data) {
    const rows = decodeRows(data.selected, this.points.count);
    this.select(rows.length ? { rows, by: 'python', clicked: null, region: null } : null, 'python');
  }

  // ---- groups

  joinGroup(group) {
    if (group === this.group) return;
    this.leaveGroup?.abort();
    this.group = group;
    this.leaveGroup = group ? new AbortController() : null;
    if (!group) return;
    const { signal } = this.leaveGroup;
    groupBus().addEventListener(group, this.guarded((event) => this.onGroup(event.detail)), { signal });
  }

  tellGroup(what, detail) {
    if (!this.group) return;
    groupBus().dispatchEvent(new CustomEvent(this.group, { detail: { ...detail, what, count: this.points.count, sender: this } }));
  }

  onGroup({ what, count, sender, row, selection, at }) {
    if (sender === this || !this.points || count !== this.points.count) return;
    if (what === 'hover') this.setHover(row, { shared: true });
    else this.select(selection && { ...selection, region: null }, 'group', at);
  }

  // ---- what Python is told

  /** Debounced, because Streamlit may drop a value that arrives while a run starts. */
  emitSoon() {
    clearTimeout(this.emitTimer);
    this.emitTimer = setTimeout(this.guarded(() => this.emit()), EMIT_DELAY_MS);
  }

  /** The user moved the camera: tell it when all is quiet. */
  onViewMoved() {
    this.remember();
    if (!this.latest.reportView) return;
    clearTimeout(this.viewTimer);
    this.viewTimer = setTimeout(this.guarded(() => {
      if (this.input.gesture || this.viewMove) this.onViewMoved();
      else this.emit();
    }), VIEW_DELAY_MS);
  }

  emit() {
    clearTimeout(this.emitTimer);
    clearTimeout(this.viewTimer);
    const value = this.state();
    const text = JSON.stringify(value);
    if (text === this.emitted) return;
    this.emitted = text;
    this.setStateValue('plot', value);
  }

  state() {
    const { selection, points } = this;
    const { missing } = this.loader;
    const { version, identity } = points ?? this.latest;
    const rows = selection?.rows ?? [];
    const few = rows.length <= this.latest.maxRows;
    // Those of a group hold other positions, in which a region would be other rows.
    const region = selection?.region?.version === version && !this.group ? selection.region : null;
    return {
      identity,
      version,
      command: this.command,
      at: this.selectedAt,
      by: selection?.by ?? '',
      clicked: selection?.clicked ?? null,
      count: rows.length,
      rows: few ? Array.from(rows) : null,
      bits: few || region ? null : encodeBits(rows, points.count),
      region,
      view: points && !this.fitted ? this.viewNumbers() : null,
      missing,
    };
  }

  /** The camera in the units of the positions, as Python knows it. */
  viewNumbers() {
    const { frame, dim } = this.points;
    const { cx, cy, cz, zoom, yaw, pitch } = this.viewMove?.to ?? this.view;
    const place = [cx, cy, cz].slice(0, dim).map((value, axis) => value / frame.scale + frame.center[axis]);
    return [...place, zoom, ...(dim === 3 ? [yaw, pitch] : [])].map((value) => Number(value.toPrecision(7)));
  }

  viewFrom(numbers) {
    const { frame, dim } = this.points;
    const [cx, cy, cz] = numbers.slice(0, dim).map((value, axis) => (value - frame.center[axis]) * frame.scale);
    const [low, high] = dim === 3 ? ZOOM_3D : ZOOM_2D;
    const [zoom, yaw, pitch] = numbers.slice(dim);
    const fitted = fittedView(this.bounds);
    return dim === 3
      ? { ...fitted, cx, cy, cz, zoom: clamp(zoom, low, high), yaw, pitch: clamp(pitch, -1.55, 1.55) }
      : { ...fitted, cx, cy, zoom: clamp(zoom, low, high) };
  }

  /** Colors, markers and dimming of all points, for the renderer. */
  restyle() {
    const { points, theme } = this;
    if (!points || !theme) return;
    const styles = new Uint8Array(4 * points.count);
    const { levels } = points;
    const colors = levels ? theme.rampRgb : theme.paletteRgb;
    this.anyDim = false;
    for (let row = 0, at = 0; row < points.count; row += 1, at += 4) {
      const color = colors[levels ? levels[row] : points.category[row] % colors.length];
      const lit = this.isLit(row);
      if (!lit) this.anyDim = true;
      styles[at] = color[0];
      styles[at + 1] = color[1];
      styles[at + 2] = color[2];
      styles[at + 3] = points.markers[row] | (lit ? LIT_BIT : 0);
    }
    this.renderer.setStyles(styles);
    this.requestFrame();
  }

  // ---- frames and animation

  /** Draw all anew with the next frame. */
  requestFrame() {
    this.stale = true;
    this.requestOverlay();
  }

  /** Draw with the next frame only what lies over the points: of very many, each picture takes its time. */
  requestOverlay() {
    if (this.frameRequest || this.failed) return;
    this.frameRequest = requestAnimationFrame(this.guarded((now) => {
      this.frameRequest = 0;
      this.drawFrame(now);
    }));
  }

  /** Send the view to `target` smoothly, or at once under reduced motion. */
  moveView(target) {
    if (this.reducedMotion.matches) {
      this.view = target;
      this.viewMove = null;
    } else {
      this.viewMove = { from: this.view, to: target, start: null };
      this.root.dataset.settled = '0';
    }
    this.index = null;
    this.requestFrame();
  }

  /** Set the view at once. An animation on its way ends. */
  setView(changes) {
    this.view = { ...this.view, ...changes };
    this.viewMove = null;
    this.index = null;
    this.requestFrame();
  }

  morphShare(now) {
    if (!this.morph || this.morph.start === null) return this.morph ? 0 : 1;
    return easeInOut((now - this.morph.start) / MORPH_MS);
  }

  /** Advance the animations to `now`. They start with their first frame, so that slow data takes nothing off them. */
  animate(now) {
    if (this.viewMove) {
      this.viewMove.start ??= now;
      const share = easeInOut((now - this.viewMove.start) / MORPH_MS);
      this.view = mixViews(this.viewMove.from, this.viewMove.to, share);
      if (share >= 1) this.viewMove = null;
      this.index = null;
    }
    if (this.morph) {
      this.morph.start ??= now;
      if (this.morphShare(now) >= 1) {
        this.morph = null;
        this.renderer.setPositions(this.points.world, null);
        this.index = null;
      }
    }
    if (this.fade) {
      this.fade.start ??= now;
      this.fadeShare = easeInOut((now - this.fade.start) / MORPH_MS);
      if (this.fadeShare >= 1) this.fade = null;
    }
  }

  drawFrame(now) {
    if (!this.points || !this.theme || this.contextLost || !this.fitCanvas()) return;
    this.animate(now);
    this.camera = makeCamera(this.view, { dim: this.points.dim, equalAxes: this.scene.equalAxes, ...this.size });
    this.mix = this.morphShare(now);
    if (this.seekHighlight && !this.morph) this.showHighlight();
    if (this.stale || this.viewMove || this.morph) this.drawPoints();
    this.stale = false;
    this.overlay.replaceChildren(drawOverlay(this.layOut(), this.theme));
    this.placeTooltip();
    const moving = this.viewMove !== null || this.morph !== null || this.fade !== null;
    Object.assign(this.root.dataset, {
      n: this.points.count,
      selected: this.selected?.length ?? 0,
      dim: this.points.dim,
      version: this.points.version,
      settled: moving || this.loader.loading ? '0' : '1',
      density: this.isDensity() ? '1' : '0',
      ready: '1',
    });
    if (moving) this.requestFrame();
  }

  /** Whether the points are drawn as density: very many, seen from afar, or as the user wants it. */
  isDensity() {
    if (this.densityWish !== null) return this.densityWish;
    return this.points.dim === 2 && this.points.count > DENSITY_FROM && this.view.zoom < DENSITY_ZOOM;
  }

  drawPoints() {
    const density = this.isDensity() && !this.morph;
    this.buttons.density.setAttribute('aria-pressed', String(density));
    if (density) {
      const { theme, anyDim } = this;
      this.density.draw(this.points, this.camera, { theme, anyDim, isLit: (row) => this.isLit(row) });
    } else {
      this.density.hide();
    }
    this.renderer.draw({
      passes: density ? (this.selected?.length <= INDEX_FROM ? 'lit' : 'none') : 'all',
      camera: this.camera,
      mix: this.mix,
      size: this.pointSize(),
      alpha: basePointAlpha(this.points.count),
      anyDim: this.anyDim,
      paperRgb: this.theme.paperRgb,
      pixelRatio: this.pixelRatio,
    });
  }

  /** Disc diameter in CSS pixels for the present camera, before perspective. */
  pointSize() {
    return basePointSize(this.points.count) * this.camera.sizeFactor;
  }

  /** Match the canvas to the stage. False while the stage has no size, as in a tab that is not shown. */
  fitCanvas() {
    const { width, height } = this.size;
    if (width < 1 || height < 1) return false;
    this.pixelRatio = Math.min(devicePixelRatio || 1, MAX_PIXEL_RATIO);
    const canvasSize = `${Math.round(width * this.pixelRatio)}x${Math.round(height * this.pixelRatio)}`;
    if (canvasSize !== this.canvasSize) {
      this.canvasSize = canvasSize;
      this.stale = true;
      [this.canvas.width, this.canvas.height] = canvasSize.split('x').map(Number);
      this.index = null;
    }
    return true;
  }

  onResize() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (width === this.size.width && height === this.size.height) return;
    this.size = { width, height };
    this.index = null;
    this.requestFrame();
  }

  // ---- overlay

  /** Screen place and marker radius of a row, or null behind the camera. */
  placeOf(row) {
    const at = 3 * row;
    let [x, y, z] = this.points.world.subarray(at, at + 3);
    if (this.morph) {
      const { from } = this.morph;
      x = from[at] + (x - from[at]) * this.mix;
      y = from[at + 1] + (y - from[at + 1]) * this.mix;
      z = from[at + 2] + (z - from[at + 2]) * this.mix;
    }
    const [screenX, screenY, w] = projectPoint(this.camera, x, y, z);
    if (w <= this.camera.near) return null;
    const nearness = this.camera.perspective ? this.camera.perspective / w : 1;
    const radius = Math.min(24, (this.pointSize() / 2) * MARKER_SCALE[this.points.markers[row]] * nearness);
    return { x: screenX, y: screenY, radius };
  }

  isInside(place) {
    return place.x >= 0 && place.y >= 0 && place.x <= this.size.width && place.y <= this.size.height;
  }

  /** Where everything of the overlay goes: { edges, links, arrows, rings, labels, lasso }. */
  layOut({ interactive = true } = {}) {
    const rings = [];
    const accents = this.fade
      ? [[this.accents, this.fadeShare ?? 0], [this.fade.from, 1 - (this.fadeShare ?? 0)]]
      : [[this.accents, 1]];
    const links = [];
    for (const [{ links: pairs, highlight }, opacity] of accents) {
      for (const [start, end] of pairs) {
        const [a, b] = [this.placeOf(start), this.placeOf(end)];
        if (a && b) links.push({ line: [[a.x, a.y], [b.x, b.y]], opacity });
      }
      for (const row of highlight) {
        const place = this.placeOf(row);
        if (place) rings.push({ ...place, radius: place.radius + 4, strong: true, opacity });
      }
    }
    if (this.selected && this.selected.length <= MAX_RINGS) {
      for (const row of this.selected) {
        const place = this.placeOf(row);
        if (place) rings.push({ ...place, radius: place.radius + 2, strong: false, opacity: 1 });
      }
    }
    const hover = interactive && this.hoverRow >= 0 ? this.placeOf(this.hoverRow) : null;
    if (hover) rings.push({ ...hover, radius: hover.radius + 3, strong: true, opacity: 1 });
    const arrows = this.scene.arrows
      .map(([start, end, dashed]) => [this.placeOf(start), this.placeOf(end), dashed === 1])
      .filter(([start, end]) => start && end)
      .map(([start, end, dashed]) => layoutArrow(start, end, dashed))
      .filter(Boolean);
    return {
      edges: this.points.dim === 3 ? this.boxEdges() : [],
      links,
      arrows,
      rings,
      labels: this.layOutLabels(arrows, interactive),
      lasso: interactive ? this.input.lasso : [],
    };
  }

  /** The twelve edges of the bounds: without them 3-D points hang in the air. */
  boxEdges() {
    const { low, high } = this.bounds;
    const corner = (code) => projectPoint(this.camera, ...[0, 1, 2].map((axis) => ((code >> axis) & 1 ? high : low)[axis]));
    const edges = [];
    for (let code = 0; code < 8; code += 1) {
      for (let axis = 0; axis < 3; axis += 1) {
        if ((code >> axis) & 1) continue;
        const [a, b] = [corner(code), corner(code | (1 << axis))];
        if (a[2] > this.camera.near && b[2] > this.camera.near) edges.push([a, b]);
      }
    }
    return edges;
  }

  layOutLabels(arrows, interactive) {
    const selected = this.selected && this.selected.length <= MAX_RINGS ? this.selected : [];
    const { highlight } = this.accents;
    const rows = new Set([...highlight, ...selected, ...this.scene.labelRows.slice(0, MAX_LABEL_CANDIDATES)]);
    const marked = new Set(highlight);
    const candidates = [];
    for (const row of rows) {
      const place = this.placeOf(row);
      if (!place || !this.isInside(place)) continue;
      const text = this.points.label(row);
      if (!text) continue;
      const ring = marked.has(row) ? 5 : this.selectedMask?.[row] && selected.length ? 3 : 0;
      candidates.push({
        ...place,
        radius: place.radius + ring,
        text: cutText(text, 40),
        lit: this.isLit(row) || marked.has(row),
      });
    }
    candidates.sort((a, b) => Number(b.lit) - Number(a.lit)); // stable: importance stays
    return placeLabels(candidates, {
      ...this.size,
      reserved: interactive ? [this.toolbarBox()] : [],
      avoided: arrows.slice(0, 30).flatMap(arrowBoxes),
      measure: (text) => this.textWidth(text, LABEL_SIZE),
    });
  }

  toolbarBox() {
    const { offsetLeft: left, offsetTop: top, offsetWidth: width, offsetHeight: height } = this.toolbar;
    return [left, top, left + width, top + height];
  }

  textWidth(text, size, font = this.theme.font) {
    const key = `${size} ${font} ${text}`;
    let width = this.textWidths.get(key);
    if (width === undefined) {
      this.scratch.font = `${size}px ${font}`;
      width = this.scratch.measureText(text).width;
      if (this.textWidths.size > MAX_TEXTS) this.textWidths.clear();
      this.textWidths.set(key, width);
    }
    return width;
  }

  // ---- hover and tooltip

  setHover(row, { force = false, shared = false } = {}) {
    if (row === this.hoverRow && !force) return;
    this.hoverRow = row;
    this.stage.classList.toggle('pointing', row >= 0);
    this.tooltip.hidden = row < 0;
    if (row >= 0) this.fillTooltip(row);
    if (!shared) this.tellGroup('hover', { row });
    this.requestOverlay();
  }

  fillTooltip(row) {
    const { points } = this;
    const category = points.category[row];
    const text = points.text(row, true);
    const children = [html('div', { class: 'title' }, [text ? cutText(text.label, MAX_LABEL_LENGTH) : '…'])];
    if (points.categories[category]) {
      children.push(html('div', { class: 'category' }, [
        this.swatch(points.markers[row], this.colorOf(row)), html('span', {}, [points.categories[category]]),
      ]));
    }
    if (points.value) {
      const value = `${points.valueName ? `${points.valueName}: ` : ''}${shortNumber(points.value[row], points.valueRange)}`;
      children.push(html('div', { class: 'value' }, [value]));
    }
    if (text?.detail) {
      const pieces = detailPieces(text.detail, text.mark);
      const nodes = pieces.map(({ text: piece, bold }) => (bold ? html('strong', {}, [piece]) : piece));
      if (nodes.length) children.push(html('div', { class: 'detail' }, nodes));
    }
    this.tooltip.replaceChildren(...children);
  }

  /** Beside the point, within the stage. */
  placeTooltip() {
    if (this.hoverRow < 0) return;
    const place = this.placeOf(this.hoverRow);
    this.tooltip.hidden = !place || !this.isInside(place);
    if (this.tooltip.hidden) return;
    const { width, height } = this.size;
    const [w, h] = [this.tooltip.offsetWidth, this.tooltip.offsetHeight];
    const gap = place.radius + 8;
    const fitsRight = place.x + gap + w <= width - 8;
    const fitsLeft = place.x - gap - w >= 8;
    let left = fitsRight ? place.x + gap : place.x - gap - w;
    let top = place.y - h / 2;
    if (!fitsRight && !fitsLeft) {
      left = place.x - w / 2;
      top = place.y + gap + h <= height - 8 ? place.y + gap : place.y - gap - h;
    }
    left = clamp(left, 8, Math.max(8, width - w - 8));
    top = clamp(top, 8, Math.max(8, height - h - 8));
    this.tooltip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  /** The point under a screen place, or -1; also while points glide. */
  pick(x, y, radius) {
    if (!this.camera || !this.points.count || this.morph) return -1;
    this.index ??= new ScreenIndex(this.points.world, this.camera);
    return this.index.nearest(x, y, radius, (row) => this.isLit(row));
  }

  pickRadius(touch) {
    return Math.max(this.pointSize() / 2 + 4, touch ? 18 : 9);
  }

  // ---- view changes

  currentCamera() {
    return makeCamera(this.view, { dim: this.points.dim, equalAxes: this.scene.equalAxes, ...this.size });
  }

  /** Shift the picture by pixels. */
  pan(dx, dy) {
    const camera = this.currentCamera();
    if (this.points.dim === 3) {
      const [ox, oy, oz] = camera.panOffset(dx, dy);
      this.setView({ cx: this.view.cx + ox, cy: this.view.cy + oy, cz: this.view.cz + oz });
    } else {
      this.setView({ cx: this.view.cx - dx / camera.scaleX, cy: this.view.cy + dy / camera.scaleY });
    }
    this.leaveFit();
  }

  orbit(yaw, pitch) {
    this.setView({ yaw: this.view.yaw + yaw, pitch: clamp(this.view.pitch + pitch, -1.55, 1.55) });
    this.leaveFit();
  }

  /** The view zoomed by `factor`; in 2-D the place (x, y) stays where it is. */
  zoomedView(view, factor, x, y) {
    const [low, high] = this.points.dim === 3 ? ZOOM_3D : ZOOM_2D;
    const zoom = clamp(view.zoom * factor, low, high);
    if (this.points.dim === 3) return { ...view, zoom };
    const camera = makeCamera(view, { dim: 2, equalAxes: this.scene.equalAxes, ...this.size });
    const keep = 1 - view.zoom / zoom;
    return {
      ...view,
      zoom,
      cx: view.cx + ((x - this.size.width / 2) / camera.scaleX) * keep,
      cy: view.cy - ((y - this.size.height / 2) / camera.scaleY) * keep,
    };
  }

  zoomAt(factor, x, y) {
    this.setView(this.zoomedView(this.view, factor, x, y));
    this.leaveFit();
  }

  /** Zoom about the middle, smoothly; several presses add up. */
  zoomStep(factor) {
    const { width, height } = this.size;
    this.moveView(this.zoomedView(this.viewMove?.to ?? this.view, factor, width / 2, height / 2));
    this.leaveFit();
  }

  fit() {
    this.bounds = this.points.bounds;
    this.moveView(fittedView(this.bounds));
    this.fitted = true;
    this.onViewMoved();
  }

  /** The user chose a view of their own. */
  leaveFit() {
    this.fitted = false;
    this.onViewMoved();
  }

  // ---- events

  /** A handler that shows our own message when it throws. */
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

  toggleDensity() {
    this.densityWish = !this.isDensity();
    this.requestFrame();
  }

  /** Escape or double click: no selection, no legend focus, no lasso. */
  clear() {
    this.input.lasso = [];
    this.input.setTool('');
    this.setFocusCategory(-1);
    this.select(null);
    this.setHover(-1);
    this.requestFrame();
  }

  /** Go to the next or previous lit point, read it out and bring it into view. */
  step(direction) {
    const { count } = this.points;
    let row = this.stepRow;
    for (let tries = 0; tries < count; tries += 1) {
      row = row < 0 && direction < 0 ? count - 1 : (row + direction + count) % count;
      if (!this.isLit(row)) continue;
      this.stepRow = row;
      this.setHover(row);
      this.showRow(row);
      this.speakRow(row);
      return;
    }
  }

  showRow(row) {
    const place = this.placeOf(row);
    if (place && this.isInside(place)) return;
    const [cx, cy, cz] = this.points.world.subarray(3 * row, 3 * row + 3);
    this.moveView({ ...this.view, cx, cy, cz });
    this.fitted = false;
  }

  /** When no highlighted point is in view, go to the first. */
  showHighlight() {
    this.seekHighlight = false;
    const { highlight } = this.accents;
    const seen = highlight.some((row) => {
      const place = this.placeOf(row);
      return place && this.isInside(place);
    });
    if (!seen) this.showRow(highlight[0]);
  }

  /** Read a point out, at once or when its text has come. */
  speakRow(row) {
    this.speak(this.describeRow(row));
    const text = this.points.text(row, true);
    if (!text || text.partial) this.spokenRow = row;
  }

  describeRow(row) {
    const { points } = this;
    const text = points.text(row, true);
    const value = points.value ? `${points.valueName} ${shortNumber(points.value[row], points.valueRange)}` : '';
    const parts = [
      text && cutText(text.label, MAX_LABEL_LENGTH),
      points.categories[points.category[row]],
      value,
      text && cutText(text.detail ?? '', DETAIL_WINDOW),
    ];
    return `${parts.filter(Boolean).join(', ')}. Point ${row + 1} of ${points.count}.`;
  }

  selectStep() {
    if (this.stepRow >= 0) this.selectOne(this.stepRow, 'key');
  }

  selectOne(row, by) {
    this.select({ rows: Int32Array.of(row), by, clicked: row, region: null });
  }

  // ---- lost contexts

  onContextLost(event) {
    event.preventDefault(); // asks for it back
    this.contextLost = true;
    this.root.dataset.settled = '0';
    this.showNote('The graphics context was lost. Restoring …');
    this.restoreTimer = setTimeout(this.guarded(() => {
      this.startRenderer(false);
      this.requestFrame();
    }), CONTEXT_RESTORE_MS);
  }

  onContextRestored() {
    clearTimeout(this.restoreTimer);
    this.contextLost = false;
    this.showNote(this.standingNote());
    this.renderer.build();
    this.uploadAll();
    this.requestFrame();
  }

  // ---- end

  /** Give up with one line in place of the plot; never let Streamlit show its red box. */
  fail(error) {
    if (this.failed) return;
    console.warn('scatter:', error);
    this.release();
    this.failed = true;
    this.root.replaceChildren(failureNote(error));
    delete this.root.dataset.ready;
  }

  /** Free everything outside the DOM. */
  release() {
    this.listeners.abort();
    this.observer.disconnect();
    cancelAnimationFrame(this.frameRequest);
    this.input.dispose();
    clearTimeout(this.emitTimer);
    clearTimeout(this.viewTimer);
    clearTimeout(this.restoreTimer);
    this.loader.dispose();
    this.texts?.dispose();
    this.leaveGroup?.abort();
    this.renderer.dispose();
  }

  destroy() {
    if (!this.failed) this.release();
    this.failed = true; // late callbacks do nothing
    this.root.remove();
  }
}

/** Slow, fast, slow from 0 to 1. */
function easeInOut(t) {
  const share = clamp(t, 0, 1);
  return share < 0.5 ? 4 * share ** 3 : 1 - (-2 * share + 2) ** 3 / 2;
}

function failureNote(error) {
  return html('p', { class: 'note error', role: 'status' }, [
    `The plot could not be drawn (${error?.message ?? error}). Reloading the page may help.`,
  ]);
}
