
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
 * Place labels so that none hides another one, a labeled marker or the toolbar (`reserved`). Candidates come with the
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
  for (const { line: [a, b], opacity } of layout.links) {
    group.append(svg('line', {
      x1: tenth(a[0]), y1: tenth(a[1]), x2: tenth(b[0]), y2: tenth(b[1]), class: 'link', stroke: theme.ink,
      'stroke-opacity': 0.45 * opacity,
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
      'stroke-opacity': ring.opacity,
    }));
  }
  for (const label of layout.labels) {
    const text = svg('text', {
      x: tenth(label.left), y: tenth(label.baseline), class: 'label', 'font-family': theme.font, 'font-size': LABEL_SIZE,
      fill: theme.ink, 'fill-opacity': label.lit ? 1 : 0.68, stroke: theme.paper, 'stroke-width': 3.5,
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

/** The first characters of a text. */
function cutText(text, length) {
  return text.length > length ? `${Array.from(text).slice(0, length - 1).join('')}…` : text;
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
