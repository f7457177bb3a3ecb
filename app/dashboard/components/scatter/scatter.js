// Scatter plot for Streamlit (components v2): 2-D and 3-D points in WebGL2, or on a 2-D canvas where that is missing.
//
// Reading order: `mountScatter` at the end is what Streamlit calls on every run; it keeps one `ScatterPlot` per mount.
// A `ScatterPlot` owns the DOM, the view, the selection and the animations. It draws points through a renderer
// (`WebGLRenderer` or `CanvasRenderer`), everything else (labels, arrows, rings, lasso) through one SVG overlay.
//
// Spaces: *world* is the data moved and scaled into about [-1, 1] once (see `makeFrame`); *screen* is CSS pixels
// from the top left of the plot. A camera's 4x4 matrix (column-major, as WebGL wants it) goes from world to clip.
//
// Texts are the users': they reach the page through textContent and attributes only.

// ---------------------------------------------------------------------------------------------------- constants

// Okabe-Ito's hues extended to twelve, one set per background. Chosen by a search for the largest smallest distance
// (OKLab) under normal sight and simulated protanopia, deuteranopia and tritanopia, with contrast >= 3:1 on light and
// >= 4:1 on dark.
const PALETTE_LIGHT = [
  '#0058C0', '#D47F00', '#AF3105', '#6C9B79', '#68214C', '#0097FF',
  '#60615D', '#BB4D9A', '#4322A0', '#7C7A4F', '#005778', '#812300',
];
const PALETTE_DARK = [
  '#4593FE', '#FCD76E', '#DB3405', '#1F8272', '#E598B5', '#AFE5FF',
  '#979385', '#DE0BB1', '#7A53FE', '#9EC26D', '#00C7EE', '#E28103',
];

const DISC = 0;
const DIAMOND = 1;
const CROSS = 2;
const SQUARE = 3;
const TRIANGLE = 4;
const RING = 5;

// Markers of categories 0-11, 12-23, 24-35, 36-47; then again from the start. Diamond and cross are kept for `shapes`.
const CATEGORY_MARKERS = [DISC, SQUARE, TRIANGLE, RING];

// Size of each marker relative to a disc, so that all look about equally heavy (the diamond and the cross heavier).
const MARKER_SCALE = [1, 1.6, 1.6, 1, 1.25, 1.25];

const DIM_ALPHA = 0.13; // of points that are not selected
const LIT_ALPHA = 0.7; // at least, of points among dimmed ones
const LIT_BIT = 128; // in the fourth style byte, above the marker
const INDEX_FROM = 20_000; // points; from here on picking uses a grid and the canvas renderer plain pixels
const SVG_LIMIT = 5_000; // points
const MORPH_MS = 350;
const EMIT_DELAY_MS = 150;
const CONTEXT_RESTORE_MS = 2_000;
const DOUBLE_TAP_MS = 320;
const MAX_PIXEL_RATIO = 2;
const FIT_PADDING_X = 36; // pixels left and right
const FIT_PADDING_Y = 54; // pixels above and below: clears the toolbar
const FIELD_OF_VIEW = 0.7; // radians
const START_YAW = 0.6;
const START_PITCH = 0.35;
const ZOOM_2D = [0.2, 5_000];
const ZOOM_3D = [0.2, 25];
const LABEL_SIZE = 12; // pixels
const MAX_LABEL_CANDIDATES = 3_000;
const MAX_LABELS = 250;
const MAX_RINGS = 60; // selected points that get a ring of their own
const DETAIL_WINDOW = 260; // characters of a long detail, around its mark

const SVG_NS = 'http://www.w3.org/2000/svg';

const KEY_HELP =
  'Keys: arrows pan or orbit, plus and minus zoom, F fits, N and P step through points, Enter selects, ' +
  'L switches the lasso, Escape clears.';

// -------------------------------------------------------------------------------------------------- DOM helpers

/** Create an HTML element with attributes and children (strings become text). */
function html(tag, attributes = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Create an SVG element. */
function svg(tag, attributes = {}, children = []) {
  const element = document.createElementNS(SVG_NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Coordinates in SVG need no more than a tenth of a pixel. */
const tenth = (value) => Math.round(value * 10) / 10;

// -------------------------------------------------------------------------------------------------------- theme

/** Any CSS colour as [r, g, b], by painting one pixel. */
function parseColour(colour, context) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = '#808080';
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return Array.from(context.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

/** Read Streamlit's colours and font as they apply to `element`. */
function readTheme(element, context) {
  const style = getComputedStyle(element);
  const variable = (name, fallback) => {
    const value = style.getPropertyValue(name).trim();
    return value && value !== 'unset' ? value : fallback;
  };
  const paper = variable('--st-background-color', '#ffffff');
  const paperRgb = parseColour(paper, context);
  const dark = 0.299 * paperRgb[0] + 0.587 * paperRgb[1] + 0.114 * paperRgb[2] < 128;
  const palette = dark ? PALETTE_DARK : PALETTE_LIGHT;
  return {
    paper,
    paperRgb,
    dark,
    palette,
    paletteRgb: palette.map((colour) => parseColour(colour, context)),
    ink: variable('--st-text-color', dark ? '#fafafa' : '#31333f'),
    accent: variable('--st-primary-color', '#0072b2'),
    font: variable('--st-font', 'sans-serif'),
  };
}

// --------------------------------------------------------------------------------------------------------- data

/** Smallest and largest value of an array; [0, 0] when empty. */
function range(values) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i += 1) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return low <= high ? [low, high] : [0, 0];
}

/** The move and scale that bring raw axes into about [-1, 1]. World coordinates keep float32 precise near zero. */
function makeFrame(axes) {
  const ranges = axes.map(range);
  const span = Math.max(...ranges.map(([low, high]) => high - low));
  return { centre: ranges.map(([low, high]) => (low + high) / 2), scale: span > 0 ? 2 / span : 1 };
}

/** Whether a frame made for other data serves these axes too, without loss of precision. */
function frameServes(frame, axes) {
  if (frame.centre.length !== axes.length) return false;
  return axes.every((values, axis) => {
    const [low, high] = range(values);
    const reach = Math.max(Math.abs(low - frame.centre[axis]), Math.abs(high - frame.centre[axis])) * frame.scale;
    return reach < 1_000;
  }) && Math.max(...axes.map((values) => { const [low, high] = range(values); return high - low; })) * frame.scale > 0.001;
}

/** World coordinates, x y z interleaved (z = 0 in 2-D). */
function toWorld(axes, frame) {
  const count = axes[0].length;
  const world = new Float32Array(3 * count);
  axes.forEach((values, axis) => {
    const centre = frame.centre[axis];
    for (let i = 0; i < count; i += 1) world[3 * i + axis] = (values[i] - centre) * frame.scale;
  });
  return world;
}

/** Bounds of interleaved world coordinates: { low: [x, y, z], high: [x, y, z] }. */
function boundsOf(world) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < world.length; i += 3) {
    for (let axis = 0; axis < 3; axis += 1) {
      const value = world[i + axis];
      if (value < low[axis]) low[axis] = value;
      if (value > high[axis]) high[axis] = value;
    }
  }
  return world.length ? { low, high } : { low: [-1, -1, -1], high: [1, 1, 1] };
}

/** Whether bounds differ by more than a hundredth of their span. */
function boundsDiffer(a, b) {
  const span = Math.max(...a.high.map((high, axis) => high - a.low[axis]), 1e-6);
  return [0, 1, 2].some(
    (axis) => Math.abs(a.low[axis] - b.low[axis]) > span / 100 || Math.abs(a.high[axis] - b.high[axis]) > span / 100,
  );
}

/** Turn the component's data into points. `frame` of the points before is taken over where it still serves. */
function readPoints(data, frame) {
  const table = data.points;
  const numbers = (name) => table.getChild(name)?.toArray() ?? null;
  const texts = (name) => {
    const column = table.getChild(name);
    return column ? (row) => String(column.get(row) ?? '') : null;
  };
  const axes = (data.dim === 3 ? ['x', 'y', 'z'] : ['x', 'y']).map(numbers);
  const usedFrame = frame && axes[0].length > 0 && frameServes(frame, axes) ? frame : makeFrame(axes);
  const world = toWorld(axes, usedFrame);
  const category = numbers('category');
  const shapes = numbers('shape');
  const count = table.numRows;
  const markers = new Uint8Array(count);
  for (let row = 0; row < count; row += 1) markers[row] = shapes?.[row] || categoryMarker(category[row]);
  const starts = numbers('mark_start');
  const ends = numbers('mark_end');
  return {
    version: data.version,
    identity: data.identity,
    count,
    dim: data.dim,
    frame: usedFrame,
    world,
    bounds: boundsOf(world),
    category,
    categories: data.categories,
    markers,
    label: texts('label'),
    detail: texts('detail'),
    mark: starts ? (row) => [starts[row], ends[row]] : null,
  };
}

function categoryMarker(category) {
  return CATEGORY_MARKERS[Math.floor(category / PALETTE_LIGHT.length) % CATEGORY_MARKERS.length];
}

/** Count and marker of each category: the marker all its points share, otherwise the category's own. */
function summariseCategories(points) {
  const summary = points.categories.map((name, index) => ({ name, count: 0, marker: categoryMarker(index) }));
  for (let row = 0; row < points.count; row += 1) {
    const entry = summary[points.category[row]];
    if (entry.count === 0) entry.marker = points.markers[row];
    else if (entry.marker !== points.markers[row]) entry.marker = categoryMarker(points.category[row]);
    entry.count += 1;
  }
  return summary;
}

/** Disc diameter in CSS pixels at zoom 1: the more points, the smaller. */
function basePointSize(count) {
  return clamp(30 * Math.max(count, 1) ** -0.21, 1.8, 12);
}

/** Opacity of points when none is dimmed: the more points, the more overlap shall show. */
function basePointAlpha(count) {
  if (count <= 2_000) return 0.95;
  if (count <= 20_000) return 0.8;
  return count <= 100_000 ? 0.6 : 0.45;
}

// --------------------------------------------------------------------------------------------- view and camera

// A view is { cx, cy, cz, spanX, spanY, spanZ, zoom, yaw, pitch }: the world point in the middle, the spans that fill
// the plot at zoom 1, and for 3-D the orbit. It knows no pixels, so it outlives a resize.

/** The view that shows all of `bounds`. */
function fittedView(bounds, { yaw = START_YAW, pitch = START_PITCH } = {}) {
  const spans = bounds.high.map((high, axis) => high - bounds.low[axis]);
  const largest = Math.max(...spans);
  const usable = (span) => (span > largest / 1_000 ? span : largest || 1);
  return {
    cx: (bounds.low[0] + bounds.high[0]) / 2,
    cy: (bounds.low[1] + bounds.high[1]) / 2,
    cz: (bounds.low[2] + bounds.high[2]) / 2,
    spanX: usable(spans[0]),
    spanY: usable(spans[1]),
    spanZ: usable(spans[2]),
    zoom: 1,
    yaw,
    pitch,
  };
}

/** The view at share `t` of the way: magnitudes go by ratio, places by difference. */
function mixViews(from, to, t) {
  const mixed = {};
  for (const name of Object.keys(to)) {
    const byRatio = name.startsWith('span') || name === 'zoom';
    mixed[name] = byRatio ? from[name] * (to[name] / from[name]) ** t : from[name] + (to[name] - from[name]) * t;
  }
  return mixed;
}

/** Everything that follows from a view and the plot's size. */
function makeCamera(view, { dim, equalAxes, width, height }) {
  return dim === 3 ? makeCamera3(view, equalAxes, width, height) : makeCamera2(view, equalAxes, width, height);
}

function makeCamera2(view, equalAxes, width, height) {
  let scaleX = (Math.max(40, width - 2 * FIT_PADDING_X) / view.spanX) * view.zoom;
  let scaleY = (Math.max(40, height - 2 * FIT_PADDING_Y) / view.spanY) * view.zoom;
  if (equalAxes) scaleX = scaleY = Math.min(scaleX, scaleY);
  const x = (2 * scaleX) / width;
  const y = (2 * scaleY) / height;
  return {
    matrix: [x, 0, 0, 0, 0, y, 0, 0, 0, 0, 0, 0, -view.cx * x, -view.cy * y, 0, 1],
    width,
    height,
    scaleX, // pixels per world unit
    scaleY,
    sizeFactor: clamp(view.zoom ** 0.4, 1, 3), // of point sizes
    perspective: 0, // distance at which a point has its nominal size; 0: everywhere
    fogStart: 0,
    near: 0,
  };
}

function makeCamera3(view, equalAxes, width, height) {
  const near = 0.01;
  const far = 100;
  const aspect = width / height;
  const focal = 1 / Math.tan(FIELD_OF_VIEW / 2);
  const narrow = Math.tan(FIELD_OF_VIEW / 2) * Math.min(1, aspect);
  const fitDistance = 0.95 / Math.sin(Math.atan(narrow));
  const distance = fitDistance / view.zoom;
  const spans = [view.spanX, view.spanY, view.spanZ];
  const diagonal = Math.hypot(...spans);
  const scales = equalAxes ? spans.map(() => 2 / diagonal) : spans.map((span) => 2 / (span * Math.sqrt(3)));
  const [cosY, sinY, cosP, sinP] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
  const right = [cosY, 0, sinY];
  const up = [sinP * sinY, cosP, -sinP * cosY];
  const back = [-cosP * sinY, sinP, cosP * cosY];
  const origin = [-view.cx * scales[0], -view.cy * scales[1], -view.cz * scales[2]];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const depthScale = (far + near) / (near - far);
  const depthShift = (2 * far * near) / (near - far);
  const matrix = [];
  for (let axis = 0; axis < 3; axis += 1) {
    const scale = scales[axis];
    matrix.push(
      (scale * focal * right[axis]) / aspect, scale * focal * up[axis], scale * depthScale * back[axis], -scale * back[axis],
    );
  }
  const depth = dot(back, origin) - distance;
  matrix.push((focal * dot(right, origin)) / aspect, focal * dot(up, origin), depthScale * depth + depthShift, -depth);
  const pixel = (2 * distance * Math.tan(FIELD_OF_VIEW / 2)) / height; // camera units of a pixel at the centre
  return {
    matrix,
    width,
    height,
    /** World move of the centre that shifts the picture by (dx, dy) pixels. */
    panOffset: (dx, dy) => [0, 1, 2].map((axis) => ((-dx * right[axis] + dy * up[axis]) * pixel) / scales[axis]),
    sizeFactor: 1,
    perspective: fitDistance,
    fogStart: distance - 0.6,
    near,
  };
}

/** Screen place of a world point as [x, y, w]; w is the distance in 3-D, and at most `near` when behind the camera. */
function projectPoint(camera, x, y, z) {
  const m = camera.matrix;
  const w = m[3] * x + m[7] * y + m[11] * z + m[15];
  return [
    (((m[0] * x + m[4] * y + m[8] * z + m[12]) / w) * 0.5 + 0.5) * camera.width,
    (0.5 - ((m[1] * x + m[5] * y + m[9] * z + m[13]) / w) * 0.5) * camera.height,
    w,
  ];
}

// ------------------------------------------------------------------------------------------------------ picking

/** Screen places of all points, and above `INDEX_FROM` points a grid over them, for picking and the lasso. */
class ScreenIndex {
  constructor(world, camera) {
    const count = world.length / 3;
    this.count = count;
    this.camera = camera;
    this.x = new Float32Array(count);
    this.y = new Float32Array(count);
    this.w = new Float32Array(count);
    this.projectAll(world);
    this.cellSize = 16;
    this.columns = Math.ceil(camera.width / this.cellSize);
    this.rows = Math.ceil(camera.height / this.cellSize);
    if (count > INDEX_FROM) this.sortIntoCells();
  }

  projectAll(world) {
    const m = this.camera.matrix;
    const { width, height, near } = this.camera;
    for (let row = 0, at = 0; row < this.count; row += 1, at += 3) {
      const x = world[at];
      const y = world[at + 1];
      const z = world[at + 2];
      const w = m[3] * x + m[7] * y + m[11] * z + m[15];
      this.w[row] = w;
      // NaN is outside of everything, as a point behind the camera shall be.
      this.x[row] = w > near ? (((m[0] * x + m[4] * y + m[8] * z + m[12]) / w) * 0.5 + 0.5) * width : NaN;
      this.y[row] = (0.5 - ((m[1] * x + m[5] * y + m[9] * z + m[13]) / w) * 0.5) * height;
    }
  }

  cellOf(x, y) {
    const column = Math.floor(x / this.cellSize);
    const line = Math.floor(y / this.cellSize);
    return column >= 0 && column < this.columns && line >= 0 && line < this.rows ? line * this.columns + column : -1;
  }

  /** Counting sort: `order` lists the points cell by cell, `starts[cell]` is where a cell begins. */
  sortIntoCells() {
    const starts = new Int32Array(this.columns * this.rows + 1);
    const cells = new Int32Array(this.count);
    for (let row = 0; row < this.count; row += 1) {
      const cell = this.cellOf(this.x[row], this.y[row]);
      cells[row] = cell;
      if (cell >= 0) starts[cell + 1] += 1;
    }
    for (let cell = 0; cell + 1 < starts.length; cell += 1) starts[cell + 1] += starts[cell];
    const next = starts.slice();
    this.order = new Int32Array(starts[starts.length - 1]);
    for (let row = 0; row < this.count; row += 1) {
      if (cells[row] >= 0) {
        this.order[next[cells[row]]] = row;
        next[cells[row]] += 1;
      }
    }
    this.starts = starts;
  }

  /** The point nearest to (x, y) within `radius` pixels, or -1. In 3-D near points win; dimmed ones lose. */
  nearest(x, y, radius, isLit) {
    let best = -1;
    let bestCost = Infinity;
    const depthWeight = this.camera.perspective ? 12 : 0;
    const consider = (row) => {
      const dx = this.x[row] - x;
      const dy = this.y[row] - y;
      const square = dx * dx + dy * dy;
      if (!(square <= radius * radius)) return;
      const cost = square + depthWeight * this.w[row] + (isLit(row) ? 0 : radius * radius);
      // The later row is drawn on top.
      if (cost <= bestCost) {
        best = row;
        bestCost = cost;
      }
    };
    if (!this.starts) {
      for (let row = 0; row < this.count; row += 1) consider(row);
      return best;
    }
    const reach = Math.ceil(radius / this.cellSize);
    const column = Math.floor(x / this.cellSize);
    const line = Math.floor(y / this.cellSize);
    for (let l = Math.max(0, line - reach); l <= Math.min(this.rows - 1, line + reach); l += 1) {
      for (let c = Math.max(0, column - reach); c <= Math.min(this.columns - 1, column + reach); c += 1) {
        const cell = l * this.columns + c;
        for (let k = this.starts[cell]; k < this.starts[cell + 1]; k += 1) consider(this.order[k]);
      }
    }
    return best;
  }

  /** Rows inside a polygon of [x, y] corners, ascending (even-odd rule). */
  inside(polygon) {
    const [left, rightmost] = range(polygon.map((corner) => corner[0]));
    const [top, bottom] = range(polygon.map((corner) => corner[1]));
    const rows = [];
    for (let row = 0; row < this.count; row += 1) {
      const x = this.x[row];
      const y = this.y[row];
      if (!(x >= left && x <= rightmost && y >= top && y <= bottom)) continue;
      let within = false;
      for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i, i += 1) {
        const [ax, ay] = polygon[i];
        const [bx, by] = polygon[j];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
      }
      if (within) rows.push(row);
    }
    return rows;
  }
}

// ------------------------------------------------------------------------------------------------------ markers

/** SVG path data of a marker around (0, 0). The ring needs the even-odd rule, which suits the others too. */
function markerPath(marker, radius) {
  const r = tenth(radius * 10) / 10;
  const polygon = (corners) => `M${corners.map(([x, y]) => `${tenth(x * 10) / 10} ${tenth(y * 10) / 10}`).join('L')}Z`;
  const circle = (c) => `M${-c} 0A${c} ${c} 0 1 0 ${c} 0A${c} ${c} 0 1 0 ${-c} 0Z`;
  switch (marker) {
    case DIAMOND:
      return polygon([[0, -r], [r, 0], [0, r], [-r, 0]]);
    case CROSS: {
      const arm = r * 0.34;
      const plus = [
        [-arm, -r], [arm, -r], [arm, -arm], [r, -arm], [r, arm], [arm, arm],
        [arm, r], [-arm, r], [-arm, arm], [-r, arm], [-r, -arm], [-arm, -arm],
      ];
      return polygon(plus.map(([x, y]) => [(x - y) * Math.SQRT1_2, (x + y) * Math.SQRT1_2]));
    }
    case SQUARE: {
      const side = r * 0.88;
      return polygon([[-side, -side], [side, -side], [side, side], [-side, side]]);
    }
    case TRIANGLE:
      return polygon([[0, -r], [r * 0.866, r / 2], [-r * 0.866, r / 2]]);
    case RING:
      return circle(r) + circle(r * 0.45);
    default:
      return circle(r);
  }
}

// ---------------------------------------------------------------------------------------------------- renderers

// Both have: kind, setPositions(to, from), setStyles(bytes), draw(scene), dispose(). Styles are four bytes a point:
// red, green, blue, marker | LIT_BIT. A scene is { camera, mix, size, alpha, anyDim, paperRgb, pixelRatio }, where
// `mix` says how far the points have glided from `from` to `to` and `size` is a disc's diameter in CSS pixels.

const VERTEX_SHADER = `#version 300 es
precision highp float;
in vec3 a_from;
in vec3 a_to;
in vec4 a_style;
uniform mat4 u_matrix;
uniform float u_mix;
uniform float u_size;
uniform float u_max_size;
uniform float u_perspective;
uniform float u_fog_start;
uniform float u_lit_pass;
uniform float u_alpha;
uniform float u_scales[6];
uniform vec3 u_paper;
out vec4 v_colour;
out float v_extent;
flat out int v_marker;

void main() {
  bool lit = a_style.w >= 128.0;
  int marker = int(a_style.w) & 127;
  gl_Position = u_matrix * vec4(mix(a_from, a_to, u_mix), 1.0);
  float size = u_size * u_scales[marker];
  float fog = 0.0;
  if (u_perspective > 0.0) {
    size *= u_perspective / max(gl_Position.w, 0.01);
    fog = clamp((gl_Position.w - u_fog_start) / 1.6, 0.0, 1.0) * 0.5;
  }
  size = clamp(size, 1.0, u_max_size - 2.0);
  v_extent = size < 3.0 ? size : size + 2.0; // a pixel on each side to smooth the edge, unless it would cost too much
  gl_PointSize = v_extent;
  v_colour = vec4(mix(a_style.rgb / 255.0, u_paper, fog), u_alpha);
  v_marker = marker;
  if (lit != (u_lit_pass > 0.5)) gl_Position = vec4(2.0, 2.0, 2.0, 1.0); // the other pass draws it
}`;

const FRAGMENT_SHADER = `#version 300 es
precision highp float;
in vec4 v_colour;
in float v_extent;
flat in int v_marker;
uniform vec3 u_paper;
uniform float u_border;
out vec4 colour;

// Distance to the marker's edge in pixels, negative inside. The same outlines as markerPath().
float distanceToEdge(vec2 p, float r) {
  vec2 q = abs(p);
  if (v_marker == 1) return (q.x + q.y - r) * 0.7071;
  if (v_marker == 2) {
    vec2 t = abs(vec2(p.x + p.y, p.x - p.y)) * 0.7071;
    return max(min(t.x, t.y) - r * 0.34, max(t.x, t.y) - r);
  }
  if (v_marker == 3) return max(q.x, q.y) - r * 0.88;
  if (v_marker == 4) return max(p.y - r * 0.5, q.x * 0.866 - p.y * 0.5 - r * 0.5);
  if (v_marker == 5) return abs(length(p) - r * 0.725) - r * 0.275;
  return length(p) - r;
}

void main() {
  if (v_extent < 3.0) { // a few pixels: no room for a shape
    colour = vec4(v_colour.rgb * v_colour.a, v_colour.a);
    return;
  }
  float radius = (v_extent - 2.0) * 0.5;
  float edge = distanceToEdge((gl_PointCoord - 0.5) * v_extent, radius);
  float cover = clamp(0.5 - edge, 0.0, 1.0);
  if (cover < 0.02) discard;
  // A thin border in the background's colour keeps touching points apart.
  float border = radius > 5.0 * u_border ? clamp(0.5 + edge + u_border, 0.0, 1.0) : 0.0;
  float alpha = v_colour.a * cover;
  colour = vec4(mix(v_colour.rgb, u_paper, border) * alpha, alpha);
}`;

class WebGLRenderer {
  constructor(canvas) {
    this.kind = 'webgl2';
    this.canvas = canvas;
    const gl = canvas.getContext('webgl2', { antialias: false, depth: true, premultipliedAlpha: true });
    if (!gl) throw new Error('WebGL2 is not available');
    this.gl = gl;
    try {
      this.build();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Make all GL objects. Also after a lost context, when the former ones are void. */
  build() {
    const { gl } = this;
    const compile = (type, source) => {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) {
        throw new Error(`shader: ${gl.getShaderInfoLog(shader) || 'context lost'}`);
      }
      return shader;
    };
    this.shaders = [compile(gl.VERTEX_SHADER, VERTEX_SHADER), compile(gl.FRAGMENT_SHADER, FRAGMENT_SHADER)];
    this.program = gl.createProgram();
    this.shaders.forEach((shader) => gl.attachShader(this.program, shader));
    ['a_from', 'a_to', 'a_style'].forEach((name, location) => gl.bindAttribLocation(this.program, location, name));
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS)) {
      throw new Error(`program: ${gl.getProgramInfoLog(this.program) || 'context lost'}`);
    }
    const uniforms = [
      'matrix', 'mix', 'size', 'max_size', 'perspective', 'fog_start', 'lit_pass', 'alpha', 'scales', 'paper', 'border',
    ];
    this.uniforms = Object.fromEntries(uniforms.map((name) => [name, gl.getUniformLocation(this.program, `u_${name}`)]));
    this.array = gl.createVertexArray();
    this.buffers = { from: gl.createBuffer(), to: gl.createBuffer(), style: gl.createBuffer() };
    this.maxSize = Math.min(96, gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE)[1]);
    this.count = 0;
  }

  upload(buffer, values) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  }

  /** Point attribute `location` at a buffer. */
  bind(location, buffer, size, type) {
    const { gl } = this;
    gl.bindVertexArray(this.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, size, type, false, 0, 0);
  }

  setPositions(to, from) {
    const { gl, buffers } = this;
    this.count = to.length / 3;
    this.upload(buffers.to, to);
    this.upload(buffers.from, from ?? new Float32Array(0));
    this.bind(0, from ? buffers.from : buffers.to, 3, gl.FLOAT);
    this.bind(1, buffers.to, 3, gl.FLOAT);
  }

  setStyles(bytes) {
    this.upload(this.buffers.style, bytes);
    this.bind(2, this.buffers.style, 4, this.gl.UNSIGNED_BYTE);
  }

  draw(scene) {
    const { gl, uniforms } = this;
    const { camera, pixelRatio } = scene;
    const paper = scene.paperRgb.map((value) => value / 255);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.depthMask(true);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (this.count === 0) return;
    gl.useProgram(this.program);
    gl.bindVertexArray(this.array);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    if (camera.perspective) gl.enable(gl.DEPTH_TEST);
    else gl.disable(gl.DEPTH_TEST);
    gl.uniformMatrix4fv(uniforms.matrix, false, camera.matrix);
    gl.uniform1f(uniforms.mix, scene.mix);
    gl.uniform1f(uniforms.size, scene.size * pixelRatio);
    gl.uniform1f(uniforms.max_size, Math.min(this.maxSize, 48 * pixelRatio));
    gl.uniform1f(uniforms.perspective, camera.perspective);
    gl.uniform1f(uniforms.fog_start, camera.fogStart);
    gl.uniform1fv(uniforms.scales, MARKER_SCALE);
    gl.uniform3fv(uniforms.paper, paper);
    gl.uniform1f(uniforms.border, 0.8 * pixelRatio);
    if (scene.anyDim) {
      // Dimmed points first and without depth, so that they never hide a lit one.
      gl.depthMask(false);
      this.drawPass(0, DIM_ALPHA);
      gl.depthMask(true);
    }
    this.drawPass(1, scene.anyDim ? Math.max(LIT_ALPHA, scene.alpha) : scene.alpha);
  }

  drawPass(lit, alpha) {
    const { gl, uniforms } = this;
    gl.uniform1f(uniforms.lit_pass, lit);
    gl.uniform1f(uniforms.alpha, alpha);
    gl.drawArrays(gl.POINTS, 0, this.count);
  }

  /** Free all GL objects and give the context back: browsers allow about sixteen. */
  dispose() {
    const { gl } = this;
    if (gl.isContextLost()) return; // all is gone already
    Object.values(this.buffers ?? {}).forEach((buffer) => gl.deleteBuffer(buffer));
    if (this.array) gl.deleteVertexArray(this.array);
    if (this.program) gl.deleteProgram(this.program);
    (this.shaders ?? []).forEach((shader) => gl.deleteShader(shader));
    gl.getExtension('WEBGL_lose_context')?.loseContext();
  }
}

class CanvasRenderer {
  constructor(canvas) {
    this.kind = 'canvas2d';
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    if (!this.context) throw new Error('the canvas can not be drawn on');
    this.to = new Float32Array(0);
    this.from = null;
    this.styles = new Uint8Array(0);
  }

  setPositions(to, from) {
    this.to = to;
    this.from = from;
  }

  setStyles(bytes) {
    this.styles = bytes;
  }

  draw(scene) {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const world = this.from && scene.mix < 1 ? mixPositions(this.from, this.to, scene.mix) : this.to;
    if (world.length / 3 > INDEX_FROM) this.drawPixels(world, scene);
    else this.drawMarkers(world, scene);
    context.globalAlpha = 1;
  }

  /** Real markers, one path each. */
  drawMarkers(world, scene) {
    const { context } = this;
    const { camera, pixelRatio } = scene;
    const count = world.length / 3;
    const places = Array.from({ length: count }, (_, row) => {
      const [x, y, w] = projectPoint(camera, world[3 * row], world[3 * row + 1], world[3 * row + 2]);
      return { row, x, y, w };
    });
    if (camera.perspective) places.sort((a, b) => b.w - a.w);
    const paths = MARKER_SCALE.map((scale, marker) => new Path2D(markerPath(marker, 10 * scale)));
    context.strokeStyle = `rgb(${scene.paperRgb.join(' ')})`;
    for (const lit of scene.anyDim ? [false, true] : [true]) {
      context.globalAlpha = lit ? (scene.anyDim ? Math.max(LIT_ALPHA, scene.alpha) : scene.alpha) : DIM_ALPHA;
      for (const { row, x, y, w } of places) {
        const flags = this.styles[4 * row + 3];
        if (flags >= LIT_BIT !== lit || w <= camera.near) continue;
        if (!(x > -50 && x < camera.width + 50 && y > -50 && y < camera.height + 50)) continue;
        const radius = (scene.size / 2) * (camera.perspective ? camera.perspective / w : 1);
        const scale = (Math.min(radius, 24) / 10) * pixelRatio;
        context.setTransform(scale, 0, 0, scale, x * pixelRatio, y * pixelRatio);
        context.fillStyle = `rgb(${this.fogged(row, w, scene).join(' ')})`;
        context.fill(paths[flags & 127], 'evenodd');
        if (radius > 4) {
          context.lineWidth = 7.5 / radius;
          context.stroke(paths[flags & 127]);
        }
      }
    }
  }

  /** Colour of a point, nearer to the background the farther it is. */
  fogged(row, w, { camera, paperRgb }) {
    const fog = camera.perspective ? clamp((w - camera.fogStart) / 1.6, 0, 1) * 0.5 : 0;
    return [0, 1, 2].map((channel) => {
      const value = this.styles[4 * row + channel];
      return Math.round(value + (paperRgb[channel] - value) * fog);
    });
  }

  /** Squares of pixels straight into the image: the only fast way for very many points. */
  drawPixels(world, scene) {
    const { canvas, context, styles } = this;
    const { camera, pixelRatio } = scene;
    const { width, height } = canvas;
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const depths = camera.perspective ? new Float32Array(pixels.length).fill(Infinity) : null;
    const side = Math.max(1, Math.round(scene.size * pixelRatio));
    const m = camera.matrix;
    const dimAlpha = Math.round(DIM_ALPHA * 255) << 24;
    for (const lit of scene.anyDim ? [true, false] : [true]) {
      for (let row = 0, at = 0; at < world.length; row += 1, at += 3) {
        if (styles[4 * row + 3] >= LIT_BIT !== lit) continue;
        const x = world[at];
        const y = world[at + 1];
        const z = world[at + 2];
        const w = m[3] * x + m[7] * y + m[11] * z + m[15];
        if (!(w > camera.near)) continue;
        const left = Math.round((((m[0] * x + m[4] * y + m[8] * z + m[12]) / w) * 0.5 + 0.5) * width - side / 2);
        const top = Math.round((0.5 - ((m[1] * x + m[5] * y + m[9] * z + m[13]) / w) * 0.5) * height - side / 2);
        if (left < 0 || top < 0 || left + side > width || top + side > height) continue;
        const style = 4 * row;
        // Little-endian RGBA, as on every machine with a browser.
        const rgb = styles[style] | (styles[style + 1] << 8) | (styles[style + 2] << 16);
        const colour = (rgb | (lit ? 0xff000000 : dimAlpha)) >>> 0;
        for (let v = top; v < top + side; v += 1) {
          for (let pixel = v * width + left, end = pixel + side; pixel < end; pixel += 1) {
            if (!lit && pixels[pixel] !== 0) continue; // dimmed points go below
            if (depths) {
              if (w > depths[pixel]) continue;
              depths[pixel] = w;
            }
            pixels[pixel] = colour;
          }
        }
      }
    }
    context.putImageData(image, 0, 0);
  }

  dispose() {
    this.canvas.width = 0;
    this.canvas.height = 0;
  }
}

/** Positions at share `t` of the way. */
function mixPositions(from, to, t) {
  const mixed = new Float32Array(to.length);
  for (let i = 0; i < to.length; i += 1) mixed[i] = from[i] + (to[i] - from[i]) * t;
  return mixed;
}

// ------------------------------------------------------------------------------------------------------ overlay

/** Whether boxes [left, top, right, bottom] overlap. */
const boxesOverlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/** Small boxes along an arrow, for labels to keep away from. */
function arrowBoxes({ line: [[ax, ay], [bx, by]] }) {
  const steps = Math.max(1, Math.round(Math.hypot(bx - ax, by - ay) / 8));
  return Array.from({ length: steps + 1 }, (_, step) => {
    const [x, y] = [ax + ((bx - ax) * step) / steps, ay + ((by - ay) * step) / steps];
    return [x - 3, y - 3, x + 3, y + 3];
  });
}

/**
 * Place labels so that none hides another one, a labelled marker or the toolbar (`reserved`). Candidates come with the
 * most important first; each tries right, left, above and below its point, first clear of the arrows (`avoided`), then
 * across them.
 */
function placeLabels(candidates, { width, height, reserved, avoided, measure }) {
  const taken = [...reserved];
  const markers = candidates
    .slice(0, MAX_LABELS)
    .map(({ x, y, radius }) => [x - radius, y - radius, x + radius, y + radius]);
  const placed = [];
  for (const [index, candidate] of candidates.entries()) {
    if (placed.length >= MAX_LABELS) break;
    const { x, y, radius } = candidate;
    const w = measure(candidate.text);
    const h = LABEL_SIZE + 3;
    const gap = radius + 4;
    const spots = [
      [x + gap, y - h / 2],
      [x - gap - w, y - h / 2],
      [x - w / 2, y - gap - h + 2],
      [x - w / 2, y + gap - 2],
    ];
    const free = spots
      .map(([left, top]) => [left, top, left + w, top + h])
      .filter((box) => box[0] >= 2 && box[1] >= 2 && box[2] <= width - 2 && box[3] <= height - 2)
      .filter((box) => !taken.some((other) => boxesOverlap(box, other)))
      .filter((box) => !markers.some((other, marker) => marker !== index && boxesOverlap(box, other)));
    const box = free.find((spot) => !avoided.some((other) => boxesOverlap(spot, other))) ?? free[0];
    if (!box) continue;
    taken.push(box);
    placed.push({ ...candidate, left: box[0], baseline: box[1] + LABEL_SIZE - 1 });
  }
  return placed;
}

/** Line and head of an arrow that ends at the edges of both markers, or null when there is no room for one. */
function layoutArrow(from, to, dashed) {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.hypot(dx, dy);
  const start = from.radius + 1;
  const tip = length - to.radius - 2;
  const head = Math.min(9, tip - start);
  if (!(head > 2)) return null;
  const [ux, uy] = [dx / length, dy / length];
  const along = (distance, aside = 0) => [from.x + ux * distance - uy * aside, from.y + uy * distance + ux * aside];
  return {
    dashed,
    line: [along(start), along(tip - head * 0.8)],
    head: [along(tip), along(tip - head, head * 0.45), along(tip - head, -head * 0.45)],
  };
}

/** Draw a layout (see ScatterPlot.layOut) as one SVG group. Attributes only: the group must stand alone in exports. */
function drawOverlay(layout, theme) {
  const group = svg('g');
  const cornerList = (corners) => corners.map(([x, y]) => `${tenth(x)},${tenth(y)}`).join(' ');
  for (const [a, b] of layout.edges) {
    group.append(svg('line', {
      x1: tenth(a[0]), y1: tenth(a[1]), x2: tenth(b[0]), y2: tenth(b[1]), stroke: theme.ink, 'stroke-opacity': 0.18,
    }));
  }
  for (const arrow of layout.arrows) {
    const [a, b] = arrow.line;
    const ends = { x1: tenth(a[0]), y1: tenth(a[1]), x2: tenth(b[0]), y2: tenth(b[1]) };
    group.append(
      svg('line', { ...ends, stroke: theme.paper, 'stroke-width': 4, 'stroke-opacity': 0.7 }),
      svg('line', {
        ...ends, class: 'arrow', stroke: theme.ink, 'stroke-width': 1.75, 'stroke-dasharray': arrow.dashed ? '5 4' : 'none',
      }),
      svg('polygon', { points: cornerList(arrow.head), fill: theme.ink, stroke: theme.paper, 'stroke-width': 0.75 }),
    );
  }
  for (const ring of layout.rings) {
    group.append(svg('circle', {
      cx: tenth(ring.x), cy: tenth(ring.y), r: tenth(ring.radius), fill: 'none',
      stroke: ring.strong ? theme.accent : theme.ink, 'stroke-width': ring.strong ? 2.5 : 1.5,
    }));
  }
  for (const label of layout.labels) {
    const text = svg('text', {
      x: tenth(label.left), y: tenth(label.baseline), class: 'label', 'font-family': theme.font, 'font-size': LABEL_SIZE,
      fill: theme.ink, 'fill-opacity': label.lit ? 1 : 0.4, stroke: theme.paper, 'stroke-width': 3.5,
      'stroke-linejoin': 'round', 'paint-order': 'stroke',
    });
    text.textContent = label.text;
    group.append(text);
  }
  if (layout.lasso.length > 1) {
    group.append(svg('polygon', {
      points: cornerList(layout.lasso), class: 'lasso', fill: theme.accent, 'fill-opacity': 0.12, stroke: theme.accent,
      'stroke-width': 1.5, 'stroke-dasharray': '4 3',
    }));
  }
  return group;
}

/** Text that XML can hold: control characters and halves of surrogate pairs would void the whole file. */
function xmlText(text) {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd');
}

// ----------------------------------------------------------------------------------------------------- tooltip

/**
 * Cut a detail into { text, bold } pieces. Marks count Unicode code points, JavaScript counts UTF-16 units, hence the
 * array. A long detail is shown around its mark.
 */
function detailPieces(detail, mark) {
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
  const piece = (from, to, bold) => ({ text: characters.slice(from, to).join(''), bold });
  const pieces = [piece(first, start, false), piece(start, end, true), piece(end, last, false)];
  if (first > 0) pieces.unshift({ text: '… ', bold: false });
  if (last < characters.length) pieces.push({ text: ' …', bold: false });
  return pieces.filter(({ text }) => text);
}

// ---------------------------------------------------------------------------------------------------- the plot

const BUTTONS = [
  { name: 'fit', title: 'Fit all points (F)', path: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4' },
  {
    name: 'lasso',
    title: 'Lasso: drag around points (L, or Shift and drag)',
    path: 'M8 2.5c3.6 0 6 1.6 6 4s-2.4 4-6 4-6-1.6-6-4 2.4-4 6-4zM5 10c-1.6.8-1.6 2.6 0 3s1.8.8 1.4 1.8',
  },
  { name: 'zoom-in', title: 'Zoom in (+)', path: 'M3 8h10M8 3v10' },
  { name: 'zoom-out', title: 'Zoom out (-)', path: 'M3 8h10' },
  { name: 'png', title: 'Download as PNG', path: 'M2 3h12v10H2zM2 11l4-4 3 3 2-2 3 3M10.5 6h.01' },
  { name: 'svg', title: 'Download as SVG', path: 'M8 2v8M4.5 7L8 10.5 11.5 7M2.5 13.5h11' },
];

// Selections by the plot's key, for a plot that is taken down and put up again (a tab, another page and back).
const rememberedSelections = new Map();
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
    this.selected = null; // ascending rows, or null
    this.selectedMask = null;
    this.focusCategory = -1; // chosen in the legend
    this.hoverRow = -1;
    this.stepRow = -1; // where N and P are
    this.lassoMode = false;
    this.lasso = [];
    this.pointers = new Map();
    this.gesture = null;
    this.lastTap = null;
    this.frameRequest = 0;
    this.contextLost = false;
    this.failed = false;
    this.emitted = null; // JSON of what Python was last told
    this.size = { width: 0, height: 0 };
    this.reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
    this.buildDom();
    this.attachListeners();
    this.observer = new ResizeObserver(this.guarded(() => this.onResize()));
    this.observer.observe(this.stage);
  }

  // ---- DOM

  buildDom() {
    this.overlay = svg('svg', { class: 'overlay', 'aria-hidden': 'true' });
    this.tooltip = html('div', { class: 'tooltip', hidden: '', role: 'presentation' });
    this.readout = html('div', { class: 'readout', 'aria-hidden': 'true' });
    this.stage = html('div', { class: 'stage' }, [this.overlay, this.tooltip, this.readout]);
    this.buttons = {};
    this.toolbar = html('div', { class: 'toolbar', role: 'toolbar', 'aria-label': 'Plot tools' }, BUTTONS.map((spec) => {
      const icon = svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, [svg('path', { d: spec.path })]);
      const attributes = { type: 'button', 'aria-label': spec.title, title: spec.title, 'data-tool': spec.name };
      const button = html('button', attributes, [icon]);
      this.buttons[spec.name] = button;
      return button;
    }));
    this.buttons.lasso.setAttribute('aria-pressed', 'false');
    this.legend = html('ul', { class: 'legend', 'aria-label': 'Legend: choose a category to dim the others' });
    this.note = html('p', { class: 'note', hidden: '' });
    this.help = html('span', { class: 'spoken', id: 'scatter-keys' }, [KEY_HELP]);
    this.spoken = html('div', { class: 'spoken', 'aria-live': 'polite' });
    this.root = html('div', { class: 'polysema-scatter' }, [
      this.stage, this.toolbar, this.legend, this.note, this.help, this.spoken,
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
    const slow = 'Drawn without WebGL: works the same, but slower with many points.';
    this.showNote(this.renderer.kind === 'canvas2d' ? slow : '');
    this.uploadAll();
  }

  /** Send the present points to the renderer, for example after it was made anew. */
  uploadAll() {
    if (!this.points) return;
    this.renderer.setPositions(this.points.world, this.morph?.from ?? null);
    this.restyle();
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
    if (!data?.points) throw new Error('no data arrived');
    this.scene = data;
    this.canvas.setAttribute('aria-label', data.alt);
    this.root.style.setProperty('--plot-height', `${data.height}px`);

    const theme = readTheme(this.root, this.scratch);
    const themeKey = JSON.stringify(theme);
    const newTheme = themeKey !== this.themeKey;
    this.theme = theme;
    this.themeKey = themeKey;
    if (newTheme) this.textWidths.clear();

    const newPoints = data.version !== this.points?.version;
    if (newPoints) this.setPoints(data);
    if (newPoints || newTheme) {
      this.summary = summariseCategories(this.points);
      this.buildLegend();
      this.restyle();
    }
    this.requestFrame();
  }

  /** Replace the points: glide if they are as many as before, start over otherwise. */
  setPoints(data) {
    const before = this.points;
    const alike = before !== null && before.count === data.points.numRows && before.dim === data.dim;
    const shown = alike ? this.currentWorld() : null;
    const points = readPoints(data, alike ? before.frame : null);
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
    } else if (boundsDiffer(this.bounds, points.bounds)) {
      this.bounds = points.bounds;
      this.moveView(fittedView(points.bounds, this.view));
    }
    if (!alike) {
      this.stepRow = -1;
      this.setHover(-1);
    }
    if (this.focusCategory >= points.categories.length) this.focusCategory = -1;
    if (before === null) this.restoreSelection();
    else if (!alike || before.identity !== points.identity) this.select(null);
    this.buttons.svg.hidden = points.count > SVG_LIMIT;
    if (this.hoverRow >= 0) this.setHover(this.hoverRow, true);
  }

  /** World positions as they are on screen now, also in the middle of a glide. */
  currentWorld() {
    if (!this.morph) return this.points.world;
    return mixPositions(this.morph.from, this.points.world, this.morphShare(performance.now()));
  }

  // ---- legend

  buildLegend() {
    const entries = this.summary.map(({ name, count, marker }, category) => {
      const button = html('button', {
        type: 'button',
        'data-category': category,
        title: `${name}: ${count.toLocaleString()} points. Click to dim the others.`,
      }, [this.swatch(category, marker), html('span', { class: 'name' }, [name])]);
      return html('li', {}, [button]);
    });
    this.legend.replaceChildren(...entries);
    this.legend.hidden = entries.length === 0;
    this.showFocus();
  }

  swatch(category, marker) {
    const colour = this.theme.palette[category % this.theme.palette.length];
    const path = svg('path', { d: markerPath(marker, 6), fill: colour, 'fill-rule': 'evenodd' });
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

  /** Select rows (ascending) or nothing (null), and tell Python soon. */
  select(rows) {
    const chosen = rows && rows.length ? rows : null;
    if (chosen === null && this.selected === null) return;
    this.selected = chosen;
    this.selectedMask = null;
    if (chosen) {
      this.selectedMask = new Uint8Array(this.points.count);
      for (const row of chosen) this.selectedMask[row] = 1;
    }
    this.remember();
    this.showReadout();
    this.speak(this.selectionText() || 'Selection cleared.');
    this.restyle();
    this.emitSoon();
  }

  selectionText() {
    if (!this.selected) return '';
    const [count, all] = [this.selected.length, this.points.count].map((value) => value.toLocaleString());
    if (this.selected.length === 1) return `Selected: ${this.points.label(this.selected[0])}`;
    return `${count} of ${all} points selected`;
  }

  showReadout() {
    this.readout.textContent = this.selectionText();
  }

  speak(text) {
    this.spoken.textContent = text;
  }

  remember() {
    const { key } = this.scene;
    rememberedSelections.delete(key);
    if (this.selected) rememberedSelections.set(key, { identity: this.points.identity, rows: this.selected });
    if (rememberedSelections.size > MAX_REMEMBERED) rememberedSelections.delete(rememberedSelections.keys().next().value);
  }

  restoreSelection() {
    const memory = rememberedSelections.get(this.scene.key);
    if (memory?.identity !== this.points.identity) return;
    this.emitted = ''; // what Python holds by now is unknown
    this.select(memory.rows);
  }

  /** Debounced, because Streamlit may drop a value that arrives while a run starts. */
  emitSoon() {
    clearTimeout(this.emitTimer);
    this.emitTimer = setTimeout(this.guarded(() => {
      const value = this.selected && {
        identity: this.points.identity,
        count: this.selected.length,
        rows: Array.from(this.selected.slice(0, this.scene.maxRows)),
      };
      const text = JSON.stringify(value);
      if (text === (this.emitted ?? 'null')) return;
      this.emitted = text;
      this.setStateValue('selection', value);
    }), EMIT_DELAY_MS);
  }

  /** Colours, markers and dimming of all points, for the renderer. */
  restyle() {
    const { points, theme } = this;
    if (!points || !theme) return;
    const styles = new Uint8Array(4 * points.count);
    const colours = theme.paletteRgb;
    this.anyDim = false;
    for (let row = 0, at = 0; row < points.count; row += 1, at += 4) {
      const colour = colours[points.category[row] % colours.length];
      const lit = this.isLit(row);
      if (!lit) this.anyDim = true;
      styles[at] = colour[0];
      styles[at + 1] = colour[1];
      styles[at + 2] = colour[2];
      styles[at + 3] = points.markers[row] | (lit ? LIT_BIT : 0);
    }
    this.renderer.setStyles(styles);
    this.requestFrame();
  }

  // ---- frames and animation

  requestFrame() {
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
  }

  drawFrame(now) {
    if (!this.points || !this.theme || this.contextLost || !this.fitCanvas()) return;
    this.animate(now);
    this.camera = makeCamera(this.view, { dim: this.points.dim, equalAxes: this.scene.equalAxes, ...this.size });
    this.mix = this.morphShare(now);
    this.drawPoints();
    this.overlay.replaceChildren(drawOverlay(this.layOut(), this.theme));
    this.placeTooltip();
    const moving = this.viewMove !== null || this.morph !== null;
    Object.assign(this.root.dataset, {
      n: this.points.count,
      dim: this.points.dim,
      version: this.points.version,
      settled: moving ? '0' : '1',
      ready: '1',
    });
    if (moving) this.requestFrame();
  }

  drawPoints() {
    this.renderer.draw({
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

  /** Where everything of the overlay goes: { edges, arrows, rings, labels, lasso }. */
  layOut({ interactive = true } = {}) {
    const rings = [];
    if (this.selected && this.selected.length <= MAX_RINGS) {
      for (const row of this.selected) {
        const place = this.placeOf(row);
        if (place) rings.push({ ...place, radius: place.radius + 2, strong: false });
      }
    }
    const hover = interactive && this.hoverRow >= 0 ? this.placeOf(this.hoverRow) : null;
    if (hover) rings.push({ ...hover, radius: hover.radius + 3, strong: true });
    const arrows = this.scene.arrows
      .map(([start, end, dashed]) => [this.placeOf(start), this.placeOf(end), dashed === 1])
      .filter(([start, end]) => start && end)
      .map(([start, end, dashed]) => layoutArrow(start, end, dashed))
      .filter(Boolean);
    return {
      edges: this.points.dim === 3 ? this.boxEdges() : [],
      arrows,
      rings,
      labels: this.layOutLabels(arrows, interactive),
      lasso: interactive ? this.lasso : [],
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
    const rows = new Set([...selected, ...this.scene.labelRows.slice(0, MAX_LABEL_CANDIDATES)]);
    const candidates = [];
    for (const row of rows) {
      const place = this.placeOf(row);
      if (!place || !this.isInside(place)) continue;
      const text = this.points.label(row);
      if (!text) continue;
      const ring = this.selectedMask?.[row] && selected.length ? 3 : 0;
      candidates.push({
        ...place,
        radius: place.radius + ring,
        text: text.length > 40 ? `${text.slice(0, 39)}…` : text,
        lit: this.isLit(row),
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

  textWidth(text, size) {
    const key = `${size} ${text}`;
    let width = this.textWidths.get(key);
    if (width === undefined) {
      this.scratch.font = `${size}px ${this.theme.font}`;
      width = this.scratch.measureText(text).width;
      this.textWidths.set(key, width);
    }
    return width;
  }

  // ---- hover and tooltip

  setHover(row, force = false) {
    if (row === this.hoverRow && !force) return;
    this.hoverRow = row;
    this.stage.classList.toggle('pointing', row >= 0);
    this.tooltip.hidden = row < 0;
    if (row >= 0) this.fillTooltip(row);
    this.requestFrame();
  }

  fillTooltip(row) {
    const { points } = this;
    const category = points.category[row];
    const children = [html('div', { class: 'title' }, [points.label(row)])];
    if (points.categories[category]) {
      children.push(html('div', { class: 'category' }, [
        this.swatch(category, points.markers[row]), html('span', {}, [points.categories[category]]),
      ]));
    }
    if (points.detail) {
      const pieces = detailPieces(points.detail(row), points.mark?.(row));
      const nodes = pieces.map(({ text, bold }) => (bold ? html('strong', {}, [text]) : text));
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
  }

  orbit(yaw, pitch) {
    this.setView({ yaw: this.view.yaw + yaw, pitch: clamp(this.view.pitch + pitch, -1.55, 1.55) });
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
  }

  /** Zoom about the middle, smoothly; several presses add up. */
  zoomStep(factor) {
    const { width, height } = this.size;
    this.moveView(this.zoomedView(this.viewMove?.to ?? this.view, factor, width / 2, height / 2));
  }

  fit() {
    this.bounds = this.points.bounds;
    this.moveView(fittedView(this.bounds));
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

  listen(target, type, handler, options = {}) {
    target.addEventListener(type, this.guarded(handler), { ...options, signal: this.listeners.signal });
  }

  attachListeners() {
    const { stage } = this;
    this.listen(stage, 'pointerdown', (event) => this.onPointerDown(event));
    this.listen(stage, 'pointermove', (event) => this.onPointerMove(event));
    this.listen(stage, 'pointerup', (event) => this.onPointerUp(event));
    this.listen(stage, 'pointercancel', (event) => this.onPointerCancel(event));
    this.listen(stage, 'pointerleave', (event) => {
      if (event.pointerType !== 'touch') this.setHover(-1);
    });
    this.listen(stage, 'wheel', (event) => this.onWheel(event), { passive: false });
    this.listen(stage, 'keydown', (event) => this.onKey(event));
    // Context events don't bubble, but they pass the stage on their way down.
    this.listen(stage, 'webglcontextlost', (event) => this.onContextLost(event), { capture: true });
    this.listen(stage, 'webglcontextrestored', () => this.onContextRestored(), { capture: true });
    this.listen(this.toolbar, 'click', (event) => this.onTool(event.target.closest('button')?.dataset.tool));
    this.listen(this.legend, 'click', (event) => {
      const category = event.target.closest('button')?.dataset.category;
      if (category === undefined) return;
      this.setFocusCategory(Number(category) === this.focusCategory ? -1 : Number(category));
    });
    this.listen(this.legend, 'keydown', (event) => {
      if (event.key === 'Escape') this.clear();
    });
  }

  placeOfEvent(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left - this.stage.clientLeft, y: event.clientY - box.top - this.stage.clientTop };
  }

  onPointerDown(event) {
    if (!this.camera || event.button > 1) return;
    if (event.button === 1) event.preventDefault(); // no autoscroll
    this.canvas.focus({ preventScroll: true });
    this.stage.setPointerCapture(event.pointerId);
    const place = this.placeOfEvent(event);
    this.pointers.set(event.pointerId, place);
    if (this.pointers.size === 2) {
      this.lasso = [];
      this.gesture = { kind: 'pinch', ...this.pinch() };
    } else if (this.pointers.size === 1) {
      const lasso = this.lassoMode || event.shiftKey;
      const shifts = this.points.dim === 2 || event.ctrlKey || event.metaKey || event.button === 1;
      this.gesture = { kind: lasso ? 'lasso' : shifts ? 'pan' : 'orbit', start: place, last: place, moved: false };
      if (lasso) this.lasso = [[place.x, place.y]];
    }
    if (event.pointerType === 'touch') this.setHover(-1);
  }

  onPointerMove(event) {
    if (!this.camera) return;
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
      this.setHover(-1);
      this.stage.classList.toggle('dragging', gesture.kind !== 'lasso');
    }
    const [dx, dy] = [place.x - gesture.last.x, place.y - gesture.last.y];
    if (gesture.kind === 'lasso') {
      if (Math.hypot(dx, dy) < 3) return;
      this.lasso.push([place.x, place.y]);
      this.requestFrame();
    } else if (gesture.kind === 'orbit') {
      this.orbit(dx * 0.008, dy * 0.008);
    } else {
      this.pan(dx, dy);
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
    this.pan(middle.x - this.gesture.middle.x, middle.y - this.gesture.middle.y);
    this.zoomAt(distance / this.gesture.distance, middle.x, middle.y);
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
    if (gesture.kind === 'lasso' && gesture.moved) this.finishLasso();
    else if (!gesture.moved) this.onTap(this.placeOfEvent(event), event.pointerType === 'touch', event.timeStamp);
  }

  onPointerCancel(event) {
    this.pointers.delete(event.pointerId);
    this.lasso = [];
    this.endGesture();
    this.requestFrame();
  }

  endGesture() {
    this.gesture = null;
    this.stage.classList.remove('dragging');
  }

  finishLasso() {
    const polygon = this.lasso;
    this.lasso = [];
    this.requestFrame();
    if (polygon.length < 3 || this.morph) return;
    this.index ??= new ScreenIndex(this.points.world, this.currentCamera());
    const rows = this.index.inside(polygon);
    // What the legend dimmed is not meant.
    this.select(this.focusCategory < 0 ? rows : rows.filter((row) => this.points.category[row] === this.focusCategory));
  }

  /** A click or tap selects the point there; the second of two clears. */
  onTap(place, touch, time) {
    this.lasso = [];
    const { lastTap } = this;
    this.lastTap = { ...place, time };
    if (lastTap && time - lastTap.time < DOUBLE_TAP_MS && Math.hypot(place.x - lastTap.x, place.y - lastTap.y) < 24) {
      this.lastTap = null;
      this.clear();
      return;
    }
    const row = this.pick(place.x, place.y, this.pickRadius(touch));
    if (row >= 0) {
      this.stepRow = row;
      this.select([row]);
    }
    if (row >= 0 || touch) this.setHover(row);
    this.requestFrame();
  }

  /** Look for the point under the mouse once per frame. */
  hoverSoon(place) {
    this.hoverPlace = place;
    if (this.hoverRequest) return;
    this.hoverRequest = requestAnimationFrame(this.guarded(() => {
      this.hoverRequest = 0;
      if (this.gesture || this.viewMove) return;
      this.setHover(this.pick(this.hoverPlace.x, this.hoverPlace.y, this.pickRadius(false)));
    }));
  }

  onWheel(event) {
    if (!this.camera) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.0016; // with Ctrl it is a trackpad's pinch
    const place = this.placeOfEvent(event);
    this.zoomAt(Math.exp(-clamp(event.deltaY * lines, -400, 400) * speed), place.x, place.y);
  }

  onKey(event) {
    if (!this.camera || event.ctrlKey || event.metaKey || event.altKey) return;
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
      return () => (this.points.dim === 3 ? this.orbit(dx * 0.12, dy * 0.12) : this.pan(dx * 40, dy * 40));
    }
    return {
      '+': () => this.zoomStep(1.4),
      '=': () => this.zoomStep(1.4),
      '-': () => this.zoomStep(1 / 1.4),
      _: () => this.zoomStep(1 / 1.4),
      f: () => this.fit(),
      n: () => this.step(1),
      p: () => this.step(-1),
      l: () => this.setLassoMode(!this.lassoMode),
      Enter: () => this.selectStep(),
      ' ': () => this.selectStep(),
      Escape: () => this.clear(),
    }[key.length === 1 ? key.toLowerCase() : key];
  }

  onTool(name) {
    const actions = {
      fit: () => this.fit(),
      lasso: () => this.setLassoMode(!this.lassoMode),
      'zoom-in': () => this.zoomStep(1.4),
      'zoom-out': () => this.zoomStep(1 / 1.4),
      png: () => this.downloadPng(),
      svg: () => this.downloadSvg(),
    };
    if (this.camera) actions[name]?.();
  }

  setLassoMode(on) {
    this.lassoMode = on;
    this.buttons.lasso.setAttribute('aria-pressed', String(on));
    this.stage.classList.toggle('lassoing', on);
  }

  /** Escape or double click: no selection, no legend focus, no lasso. */
  clear() {
    this.lasso = [];
    this.setLassoMode(false);
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
      this.speak(this.describeRow(row));
      return;
    }
  }

  showRow(row) {
    const place = this.placeOf(row);
    if (place && this.isInside(place)) return;
    const [cx, cy, cz] = this.points.world.subarray(3 * row, 3 * row + 3);
    this.moveView({ ...this.view, cx, cy, cz });
  }

  describeRow(row) {
    const { points } = this;
    const parts = [points.label(row), points.categories[points.category[row]], points.detail?.(row)];
    return `${parts.filter(Boolean).join(', ')}. Point ${row + 1} of ${points.count}.`;
  }

  selectStep() {
    if (this.stepRow >= 0) this.select([this.stepRow]);
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
    this.showNote('');
    this.renderer.build();
    this.uploadAll();
    this.requestFrame();
  }

  // ---- downloads

  /** The picture as an SVG document: points (optional), overlay and legend. */
  exportSvg({ withPoints }) {
    const { theme, size } = this;
    const layout = this.layOut({ interactive: false });
    layout.labels.forEach((label) => { label.text = xmlText(label.text); });
    const legend = this.exportLegend();
    const height = size.height + legend.height;
    const document_ = svg('svg', {
      xmlns: SVG_NS, width: size.width, height, viewBox: `0 0 ${size.width} ${height}`, 'font-family': theme.font,
    });
    if (withPoints) {
      const title = svg('title');
      title.textContent = xmlText(this.scene.alt);
      document_.append(title, svg('rect', { width: size.width, height, fill: theme.paper }), this.exportPoints());
    }
    document_.append(drawOverlay(layout, theme), legend.group);
    return { text: new XMLSerializer().serializeToString(document_), height };
  }

  exportPoints() {
    const { points, theme } = this;
    const rows = Array.from({ length: points.count }, (_, row) => row);
    const places = rows
      .map((row) => ({ row, place: this.placeOf(row), lit: this.isLit(row) }))
      .filter(({ place }) => place && this.isInside(place))
      .sort((a, b) => Number(a.lit) - Number(b.lit) || a.place.radius - b.place.radius);
    return svg('g', {}, places.map(({ row, place, lit }) => svg('path', {
      d: markerPath(points.markers[row], place.radius),
      transform: `translate(${tenth(place.x)} ${tenth(place.y)})`,
      fill: theme.palette[points.category[row] % theme.palette.length],
      'fill-rule': 'evenodd',
      opacity: lit ? 0.95 : DIM_ALPHA,
      stroke: theme.paper,
      'stroke-width': 0.75,
    })));
  }

  /** The legend as SVG below the plot, wrapped to its width. */
  exportLegend() {
    const { theme, size } = this;
    const group = svg('g');
    let [x, y] = [12, size.height + 20];
    for (const [category, { name, marker }] of this.summary.entries()) {
      const shown = name.length > 48 ? `${name.slice(0, 47)}…` : name;
      const width = 24 + this.textWidth(shown, LABEL_SIZE);
      if (x > 12 && x + width > size.width - 12) [x, y] = [12, y + 20];
      const text = svg('text', { x: tenth(x + 16), y: y + 4, 'font-size': LABEL_SIZE, fill: theme.ink });
      text.textContent = xmlText(shown);
      group.append(
        svg('path', {
          d: markerPath(marker, 6), transform: `translate(${tenth(x + 6)} ${y})`, 'fill-rule': 'evenodd',
          fill: theme.palette[category % theme.palette.length],
        }),
        text,
      );
      x += width + 12;
    }
    return { group, height: this.summary.length ? y - size.height + 14 : 0 };
  }

  downloadSvg() {
    if (this.points.count > SVG_LIMIT) return;
    const { text } = this.exportSvg({ withPoints: true });
    this.download(new Blob([text], { type: 'image/svg+xml' }), 'svg');
  }

  /** The canvas with the overlay and the legend above it. */
  async downloadPng() {
    try {
      const { text, height } = this.exportSvg({ withPoints: false });
      const ratio = this.pixelRatio;
      const target = html('canvas', { width: this.canvas.width, height: Math.round(height * ratio) });
      const context = target.getContext('2d');
      context.fillStyle = this.theme.paper;
      context.fillRect(0, 0, target.width, target.height);
      this.drawPoints(); // in this very task: WebGL forgets its picture afterwards
      context.drawImage(this.canvas, 0, 0);
      const image = new Image();
      image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
      await image.decode();
      context.drawImage(image, 0, 0, target.width, target.height);
      const blob = await new Promise((resolve) => { target.toBlob(resolve, 'image/png'); });
      if (!blob) throw new Error('empty image');
      this.download(blob, 'png');
    } catch (error) {
      this.showNote(`The picture could not be saved: ${error.message}`);
    }
  }

  download(blob, extension) {
    const url = URL.createObjectURL(blob);
    const name = this.scene.key.replace(/[^\w-]+/g, '-').slice(0, 60) || 'scatter';
    const link = html('a', { href: url, download: `${name}.${extension}`, hidden: '' });
    this.root.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
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
    cancelAnimationFrame(this.hoverRequest);
    clearTimeout(this.emitTimer);
    clearTimeout(this.restoreTimer);
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
