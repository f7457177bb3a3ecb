// What lies over the points: links, arrows, rings, labels, and the box of a 3-D plot.

import { areaCandidates, nearRows } from './area_labels.js';
import { projectPoint } from './camera.js';
import { LABEL_SIZE, MAX_LABEL_CANDIDATES, MAX_RINGS } from './constants.js';
import { edgeMarks } from './edge_marks.js';
import { arrowBoxes, layoutArrow, placeLabels } from './placement.js';
import { cutText } from './texts.js';
import { Transition } from './transition.js';

/** @import { OverlayLayout } from './overlay.js' */
/** @import { ArrowShape, Box, LabelCandidate } from './placement.js' */
/** @import { ScatterPlot } from './plot.js' */

/** @typedef {{ links: [number, number][], highlight: number[] }} Accents */
/** @typedef {{ interactive?: boolean }} LayoutOptions Without it: a picture to save, without hover, lasso and toolbar. */

/** @type {Accents} */
const NO_ACCENTS = { links: [], highlight: [] };

/** Lays out what lies over the points of a plot. */
export class Annotations {
  /** Whether highlighted points came that may not be in view. */
  seeksHighlight = false;
  #accents = NO_ACCENTS;
  /** @type {Transition<Accents> | null} Accents on their way out. */
  #fade = null;
  #plot;

  /** @param {ScatterPlot} plot */
  constructor(plot) {
    this.#plot = plot;
  }

  /** The rows with a ring and a label. */
  get highlight() {
    return this.#accents.highlight;
  }

  /** Whether links and highlights are on their way. */
  get fading() {
    return this.#fade !== null;
  }

  /** Forget the accents of points that are gone. */
  reset() {
    this.#fade = null;
    this.#accents = NO_ACCENTS;
  }

  /**
   * Links and highlights: those that go fade, those that come fade in.
   *
   * @param {Accents} accents
   * @param {boolean} atOnce
   */
  take(accents, atOnce) {
    if (JSON.stringify(accents) === JSON.stringify(this.#accents)) return;
    this.#fade = atOnce ? null : new Transition(this.#accents);
    if (this.#fade) this.#plot.elements.root.dataset.settled = '0';
    const showsNew = JSON.stringify(accents.highlight) !== JSON.stringify(this.#accents.highlight);
    this.#accents = accents;
    this.seeksHighlight = showsNew && accents.highlight.length > 0;
  }

  /**
   * Go on with the fading.
   *
   * @param {number} now
   */
  advance(now) {
    if (this.#fade?.advance(now)) this.#fade = null;
  }

  /**
   * Where everything goes.
   *
   * @param {LayoutOptions} [options]
   * @returns {OverlayLayout}
   */
  layOut({ interactive = true } = {}) {
    const { state, pointers } = this.#plot;
    const arrows = this.#layOutArrows();
    return {
      edges: state.points.dim === 3 ? this.#boxEdges() : [],
      links: this.#layOutLinks(),
      arrows,
      rings: this.#layOutRings(interactive),
      labels: this.#layOutLabels(arrows, interactive),
      marks: edgeMarks(this.#plot),
      lasso: interactive ? pointers.lasso : [],
    };
  }

  /**
   * The accents that are seen, with how much of them.
   *
   * @returns {[Accents, number][]}
   */
  #visibleAccents() {
    if (!this.#fade) return [[this.#accents, 1]];
    const { from, share } = this.#fade;
    return [
      [this.#accents, share],
      [from, 1 - share],
    ];
  }

  /** Selected rows, where they are few enough for a ring of their own. */
  #ringedRows() {
    const { rows } = this.#plot.selection;
    return rows && rows.length <= MAX_RINGS ? rows : new Int32Array(0);
  }

  #layOutLinks() {
    const { screen } = this.#plot;
    /** @type {OverlayLayout['links']} */
    const links = [];
    for (const [accents, opacity] of this.#visibleAccents()) {
      for (const [start, end] of accents.links) {
        const [a, b] = [screen.placeOf(start), screen.placeOf(end)];
        if (a && b) {
          links.push({
            line: [
              [a.x, a.y],
              [b.x, b.y],
            ],
            opacity,
          });
        }
      }
    }
    return links;
  }

  #layOutArrows() {
    const { screen, state } = this.#plot;
    /** @type {ArrowShape[]} */
    const arrows = [];
    for (const [start, end, dashed] of state.scene.arrows) {
      const [from, to] = [screen.placeOf(start), screen.placeOf(end)];
      const arrow = from && to && layoutArrow(from, to, dashed === 1);
      if (arrow) arrows.push(arrow);
    }
    return arrows;
  }

  /** @param {boolean} interactive */
  #layOutRings(interactive) {
    const { screen, tooltip } = this.#plot;
    /** @type {OverlayLayout['rings']} */
    const rings = [];
    /** @type {(row: number, gap: number, strong: boolean, opacity: number) => void} */
    const add = (row, gap, strong, opacity) => {
      const place = screen.placeOf(row);
      if (place) rings.push({ ...place, radius: place.radius + gap, strong, opacity });
    };
    for (const [{ highlight }, opacity] of this.#visibleAccents()) {
      for (const row of highlight) add(row, 4, true, opacity);
    }
    for (const row of this.#ringedRows()) add(row, 2, false, 1);
    if (interactive && tooltip.row >= 0) add(tooltip.row, 3, true, 1);
    return rings;
  }

  /** The twelve edges of the bounds: without them 3-D points hang in the air. */
  #boxEdges() {
    const { screen, view } = this.#plot;
    const { camera } = screen;
    const { low, high } = view.bounds;
    /** @type {OverlayLayout['edges']} */
    const edges = [];
    if (!camera) return edges;
    /** @type {(code: number) => [number, number, number]} */
    const corner = (code) => {
      const [x, y, z] = [0, 1, 2].map((axis) => ((code >> axis) & 1 ? high : low)[axis]);
      return projectPoint(camera, x, y, z);
    };
    for (let code = 0; code < 8; code += 1) {
      for (let axis = 0; axis < 3; axis += 1) {
        if ((code >> axis) & 1) continue;
        const [a, b] = [corner(code), corner(code | (1 << axis))];
        if (a[2] > camera.near && b[2] > camera.near) edges.push([a, b]);
      }
    }
    return edges;
  }

  /**
   * Highlighted and selected rows first, then those that Python names.
   *
   * @param {ArrowShape[]} arrows
   * @param {boolean} interactive
   */
  #layOutLabels(arrows, interactive) {
    const { screen, selection, state, textWidths } = this.#plot;
    const selected = this.#ringedRows();
    const named = state.scene.labelRows.slice(0, MAX_LABEL_CANDIDATES);
    const marked = new Set(this.highlight);
    /** @type {(LabelCandidate & { strong: boolean })[]} */
    const candidates = [];
    for (const row of new Set([...this.highlight, ...selected, ...named, ...nearRows(this.#plot)])) {
      const place = screen.placeInView(row);
      const text = place && state.points.label(row);
      if (!text) continue;
      const ring = marked.has(row) ? 5 : selection.mask?.[row] && selected.length ? 3 : 0;
      const lit = selection.isLit(row) || marked.has(row);
      candidates.push({ ...place, radius: place.radius + ring, text: cutText(text, 40), lit, strong: marked.has(row) });
    }
    candidates.sort((a, b) => Number(b.lit) - Number(a.lit)); // stable: importance stays
    const first = candidates.filter(({ strong }) => strong);
    const rest = candidates.filter(({ strong }) => !strong);
    return placeLabels([...first, ...areaCandidates(this.#plot), ...rest], {
      ...screen.size,
      reserved: interactive ? this.#controlBoxes() : [],
      avoided: arrows.slice(0, 30).flatMap(arrowBoxes),
      measure: (text) => textWidths.measure(text, LABEL_SIZE, state.theme.font),
    });
  }

  /** The boxes of what lies on the plot. */
  #controlBoxes() {
    const { bar, legend, root, search, toolbar } = this.#plot.elements;
    const fills = root.classList.contains('fill');
    return [toolbar, ...(fills ? [legend, search, bar] : [])]
      .filter((element) => !element.hidden)
      .map(({ offsetLeft: left, offsetTop: top, offsetWidth: width, offsetHeight: height }) => {
        /** @type {Box} */
        const box = [left, top, left + width, top + height];
        return box;
      });
  }
}
