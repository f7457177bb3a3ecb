
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

}

/** What Python needs to find the same rows: the polygon of [x, y] pixels in clip coordinates, and the camera. */
function makeRegion(polygon, camera, frame, category) {
  const stride = Math.ceil(polygon.length / MAX_CORNERS);
  return {
    corners: polygon
      .filter((_, i) => i % stride === 0)
      .map(([x, y]) => [(2 * x) / camera.width - 1, 1 - (2 * y) / camera.height]),
    matrix: camera.matrix,
    center: frame.center,
    scale: frame.scale,
    near: camera.near,
    category,
  };
}

/**
 * Rows inside a region, ascending (even-odd rule). The same operations on the same numbers in the same order as
 * `rows_inside` in selection.py, so that both find the very same rows.
 */
function rowsInside(points, region) {
  const { world, category: categories } = points;
  const { corners, matrix: m, near, category } = region;
  const [left, right] = range(corners.map((corner) => corner[0]));
  const [low, high] = range(corners.map((corner) => corner[1]));
  const rows = [];
  for (let row = 0, at = 0; row < points.count; row += 1, at += 3) {
    if (category >= 0 && categories[row] !== category) continue;
    const px = world[at];
    const py = world[at + 1];
    const pz = world[at + 2];
    const w = m[3] * px + m[7] * py + m[11] * pz + m[15];
    if (!(w > near)) continue;
    const x = (m[0] * px + m[4] * py + m[8] * pz + m[12]) / w;
    if (!(x >= left && x <= right)) continue;
    const y = (m[1] * px + m[5] * py + m[9] * pz + m[13]) / w;
    if (!(y >= low && y <= high)) continue;
    let within = false;
    for (let i = 0, j = corners.length - 1; i < corners.length; j = i, i += 1) {
      const [ax, ay] = corners[i];
      const [bx, by] = corners[j];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
    }
    if (within) rows.push(row);
  }
  return Int32Array.from(rows);
}
