
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
  return { center: ranges.map(([low, high]) => (low + high) / 2), scale: span > 0 ? 2 / span : 1 };
}

/** Whether a frame made for other data serves these axes too, without loss of precision. */
function frameServes(frame, axes) {
  if (frame.center.length !== axes.length) return false;
  return axes.every((values, axis) => {
    const [low, high] = range(values);
    const reach = Math.max(Math.abs(low - frame.center[axis]), Math.abs(high - frame.center[axis])) * frame.scale;
    return reach < 1_000;
  }) && Math.max(...axes.map((values) => { const [low, high] = range(values); return high - low; })) * frame.scale > 0.001;
}

/** World coordinates, x y z interleaved (z = 0 in 2-D). */
function toWorld(axes, frame) {
  const count = axes[0].length;
  const world = new Float32Array(3 * count);
  axes.forEach((values, axis) => {
    const center = frame.center[axis];
    for (let i = 0; i < count; i += 1) world[3 * i + axis] = (values[i] - center) * frame.scale;
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

/** Columns of points that came with the data itself. */
function columnsOfTable(data) {
  const table = data.points;
  const numbers = (name) => table.getChild(name)?.toArray() ?? null;
  const texts = (name) => {
    const column = table.getChild(name);
    return column ? (row) => String(column.get(row) ?? '') : () => '';
  };
  const [label, detail] = [texts('label'), texts('detail')];
  const [starts, ends] = [numbers('mark_start'), numbers('mark_end')];
  return {
    axes: (data.dim === 3 ? ['x', 'y', 'z'] : ['x', 'y']).map(numbers),
    category: numbers('category'),
    shape: numbers('shape'),
    value: numbers('value'),
    text: (row) => ({ label: label(row), detail: detail(row), mark: starts ? [starts[row], ends[row]] : null }),
  };
}

/** Columns of points that were fetched: positions apart by axis, and texts that come when they are asked for. */
function columnsOfFetch(data, fetched, texts) {
  const { position } = fetched;
  const axes = Array.from({ length: data.dim }, (_, axis) => {
    const values = new Float32Array(data.count);
    for (let row = 0, at = axis; row < data.count; row += 1, at += data.dim) values[row] = position[at];
    return values;
  });
  return {
    axes,
    category: fetched.category,
    shape: fetched.shape ?? null,
    value: fetched.value ?? null,
    text: (row, whole = false) => texts.get(row, whole),
  };
}

/** Turn columns into points. `frame` of the points before is taken over where it still serves. */
function readPoints(data, columns, frame) {
  const { axes, category, shape, value } = columns;
  const usedFrame = frame && axes[0].length > 0 && frameServes(frame, axes) ? frame : makeFrame(axes);
  const world = toWorld(axes, usedFrame);
  const { count } = data;
  const markers = new Uint8Array(count);
  for (let row = 0; row < count; row += 1) markers[row] = shape?.[row] || categoryMarker(category[row]);
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
    value,
    valueName: data.valueName,
    ...levelsOf(value),
    markers,
    text: columns.text,
    label: (row) => columns.text(row)?.label ?? '',
  };
}

/** Values as steps of the ramp, 0 to 255, with their range. */
function levelsOf(values) {
  if (!values) return { levels: null, valueRange: null };
  const [low, high] = range(values);
  const levels = new Uint8Array(values.length);
  const step = high > low ? 255 / (high - low) : 0;
  for (let i = 0; i < values.length; i += 1) levels[i] = Math.round((values[i] - low) * step);
  return { levels, valueRange: [low, high] };
}

/** A number for people: to a thousandth of the range that it comes from. */
function shortNumber(value, [low, high]) {
  if (Math.abs(value) >= 1e9 || (high > low && high - low < 1e-9)) return value.toExponential(3);
  const digits = high > low ? clamp(3 - Math.ceil(Math.log10(high - low)), 0, 12) : 4;
  return Number(value.toFixed(digits)).toLocaleString(undefined, { maximumFractionDigits: digits });
}

function categoryMarker(category) {
  const round = Math.floor(category / PALETTE_LIGHT.length);
  const next = NEXT_MARKER.includes(category % PALETTE_LIGHT.length) ? 1 : 0;
  return CATEGORY_MARKERS[(round + next) % CATEGORY_MARKERS.length];
}

/** Count and marker of each category: the marker all its points share, otherwise the category's own. */
function summarizeCategories(points) {
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
