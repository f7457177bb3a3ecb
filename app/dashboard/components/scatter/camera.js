
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
  const pixel = (2 * distance * Math.tan(FIELD_OF_VIEW / 2)) / height; // camera units of a pixel at the center
  return {
    matrix,
    width,
    height,
    /** World move of the center that shifts the picture by (dx, dy) pixels. */
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
