// ---------------------------------------------------------------------------------------------------- downloads

/** The overlay and the legend of a plot as an SVG document, with whatever `points` (an SVG element) below them. */
function pictureSvg(plot, points) {
  const { theme, size } = plot;
  const layout = plot.layOut({ interactive: false });
  layout.labels.forEach((label) => { label.text = xmlText(label.text); });
  const legend = pictureLegend(plot);
  const height = size.height + legend.height;
  const picture = svg('svg', {
    xmlns: SVG_NS, width: size.width, height, viewBox: `0 0 ${size.width} ${height}`, 'font-family': theme.font,
  });
  if (points) {
    const title = svg('title');
    title.textContent = xmlText(plot.scene.alt);
    picture.append(title, svg('rect', { width: size.width, height, fill: theme.paper }), points);
  }
  picture.append(drawOverlay(layout, theme), legend.group);
  return { text: new XMLSerializer().serializeToString(picture), height };
}

/** Each point as a shape. */
function pointShapes(plot) {
  const { points, theme } = plot;
  const places = Array.from({ length: points.count }, (_, row) => row)
    .map((row) => ({ row, place: plot.placeOf(row), lit: plot.isLit(row) }))
    .filter(({ place }) => place && plot.isInside(place))
    .sort((a, b) => Number(a.lit) - Number(b.lit) || a.place.radius - b.place.radius);
  return svg('g', {}, places.map(({ row, place, lit }) => svg('path', {
    d: markerPath(points.markers[row], place.radius),
    transform: `translate(${tenth(place.x)} ${tenth(place.y)})`,
    fill: plot.colorOf(row),
    'fill-rule': 'evenodd',
    opacity: lit ? 0.95 : DIM_ALPHA,
    stroke: theme.paper,
    'stroke-width': 0.75,
  })));
}

/** The legend as SVG below the plot, wrapped to its width: the gradient of the values, then the categories. */
function pictureLegend(plot) {
  const { theme, size, points } = plot;
  const group = svg('g');
  let [x, y] = [12, size.height + 20];
  const write = (shown, left, line) => {
    const text = svg('text', { x: tenth(left), y: line + 4, 'font-size': LABEL_SIZE, fill: theme.ink });
    text.textContent = xmlText(shown);
    group.append(text);
  };
  // A saved picture has no web fonts: what another program takes instead may be wider.
  const measure = (text) => Math.max(plot.textWidth(text, LABEL_SIZE), plot.textWidth(text, LABEL_SIZE, 'sans-serif'));
  if (points.levels && points.count) {
    const stops = theme.ramp.map((color, i) => svg('stop', { offset: i / (theme.ramp.length - 1), 'stop-color': color }));
    group.append(svg('defs', {}, [svg('linearGradient', { id: 'ramp' }, stops)]));
    const [low, high] = points.valueRange.map((value) => shortNumber(value, points.valueRange));
    const head = `${points.valueName} ${low}`.trim();
    const width = measure(head);
    write(head, x, y);
    group.append(svg('rect', { x: tenth(x + width + 8), y: y - 6, width: 120, height: 12, fill: 'url(#ramp)' }));
    write(high, x + width + 136, y);
    y += 20;
  }
  const entries = plot.legendEntries();
  for (const [category, { name, count, marker }] of entries.entries()) {
    const shown = `${cutText(name, 48)} (${count.toLocaleString()})`;
    const width = 24 + measure(shown);
    if (x > 12 && x + width > size.width - 12) [x, y] = [12, y + 20];
    write(shown, x + 16, y);
    group.append(svg('path', {
      d: markerPath(marker, 6), transform: `translate(${tenth(x + 6)} ${y})`, 'fill-rule': 'evenodd',
      fill: points.levels ? theme.ink : plot.categoryColor(category),
    }));
    x += width + 12;
  }
  if (!entries.length) y -= 20;
  return { group, height: y > size.height ? y - size.height + 14 : 0 };
}

/** Density and points as they are on screen, on a canvas of so many lines more. */
function paintPoints(plot, extraLines = 0) {
  const { canvas, pixelRatio, theme } = plot;
  const target = html('canvas', { width: canvas.width, height: canvas.height + Math.round(extraLines * pixelRatio) });
  const context = target.getContext('2d');
  context.fillStyle = theme.paper;
  context.fillRect(0, 0, target.width, target.height);
  plot.drawPoints(); // in this very task: WebGL forgets its picture afterwards
  context.imageSmoothingEnabled = false;
  plot.density.copyTo(context, pixelRatio);
  context.imageSmoothingEnabled = true;
  context.drawImage(canvas, 0, 0);
  return { target, context };
}

/** Save as SVG: shapes, or above `SVG_LIMIT` points a picture of them under shapes for all else. */
function downloadSvg(plot) {
  let points;
  if (plot.points.count <= SVG_LIMIT) {
    points = pointShapes(plot);
  } else {
    const { width, height } = plot.size;
    points = svg('image', { href: paintPoints(plot).target.toDataURL('image/png'), width, height });
  }
  download(plot, new Blob([pictureSvg(plot, points).text], { type: 'image/svg+xml' }), 'svg');
}

/** Save as PNG, in the pixels of the screen. */
async function downloadPng(plot) {
  try {
    const { text, height } = pictureSvg(plot, null);
    const { target, context } = paintPoints(plot, height - plot.size.height);
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    context.drawImage(image, 0, 0, target.width, target.height);
    const blob = await new Promise((resolve) => { target.toBlob(resolve, 'image/png'); });
    if (!blob) throw new Error('empty image');
    download(plot, blob, 'png');
  } catch (error) {
    plot.showNote(`The picture could not be saved: ${error.message}`);
  }
}

function download(plot, blob, extension) {
  const url = URL.createObjectURL(blob);
  const name = plot.scene.key.replace(/[^\w-]+/g, '-').slice(0, 60) || 'scatter';
  const link = html('a', { href: url, download: `${name}.${extension}`, hidden: '' });
  plot.root.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
