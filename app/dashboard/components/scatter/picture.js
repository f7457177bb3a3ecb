// A plot as a file.

import { DIM_ALPHA, LABEL_SIZE, SVG_LIMIT } from './constants.js';
import { SVG_NS, context2d, html, messageOf, svg, tenth } from '../dom.js';
import { markerPath } from './markers.js';
import { drawOverlay } from './overlay.js';
import { cutText, shortNumber, xmlText } from './texts.js';
import { categoryColor, pointColor } from './theme.js';

/** @import { ScatterPlot } from './plot.js' */

/**
 * The overlay and the legend of a plot as an SVG document, with whatever `points` below them.
 *
 * @param {ScatterPlot} plot
 * @param {SVGElement | null} points
 */
function pictureSvg(plot, points) {
  const { theme, scene } = plot.state;
  const { size } = plot.screen;
  const layout = plot.annotations.layOut({ interactive: false });
  layout.labels.forEach((label) => {
    label.text = xmlText(label.text);
  });
  const legend = pictureLegend(plot);
  const height = size.height + legend.height;
  const picture = svg('svg', {
    xmlns: SVG_NS,
    width: size.width,
    height,
    viewBox: `0 0 ${size.width} ${height}`,
    'font-family': theme.font,
  });
  if (points) {
    const title = svg('title');
    title.textContent = xmlText(scene.alt);
    picture.append(title, svg('rect', { width: size.width, height, fill: theme.paper }), points);
  }
  picture.append(drawOverlay(layout, theme), legend.group);
  return { text: new XMLSerializer().serializeToString(picture), height };
}

/**
 * Each point as a shape.
 *
 * @param {ScatterPlot} plot
 */
function pointShapes({ masks, screen, selection, state: { points, theme } }) {
  return svg(
    'g',
    {},
    Array.from({ length: points.count }, (_, row) => ({
      row,
      place: masks.isShown(row) ? screen.placeInView(row) : null,
      lit: selection.isLit(row),
    }))
      .flatMap(({ row, place, lit }) => (place ? [{ row, place, lit }] : []))
      .sort((a, b) => Number(a.lit) - Number(b.lit) || a.place.radius - b.place.radius)
      .map(({ row, place, lit }) =>
        svg('path', {
          d: markerPath(points.markers[row], place.radius),
          transform: `translate(${tenth(place.x)} ${tenth(place.y)})`,
          fill: lit ? pointColor(theme, points, row) : `rgb(${theme.grayRgb.join(' ')})`,
          'fill-rule': 'evenodd',
          opacity: lit ? 0.95 : DIM_ALPHA,
          stroke: theme.paper,
          'stroke-width': 0.75,
        }),
      ),
  );
}

/**
 * The legend as SVG below the plot, wrapped to its width: the gradient of the values, then the categories.
 *
 * @param {ScatterPlot} plot
 */
function pictureLegend({ legend, screen: { size }, state: { points, theme }, textWidths }) {
  const group = svg('g');
  let [x, y] = [12, size.height + 20];
  /** @type {(shown: string, left: number, line: number) => void} */
  const write = (shown, left, line) => {
    const attributes = { x: tenth(left), y: line + 4, 'font-size': LABEL_SIZE, fill: theme.ink };
    group.append(svg('text', attributes, [xmlText(shown)]));
  };
  // A saved picture has no web fonts: what another program takes instead may be wider.
  /** @type {(text: string) => number} */
  const measure = (text) =>
    Math.max(...[theme.font, 'sans-serif'].map((font) => textWidths.measure(text, LABEL_SIZE, font)));
  if (points.levels && points.count) {
    const stops = theme.ramp.map((color, i) =>
      svg('stop', { offset: i / (theme.ramp.length - 1), 'stop-color': color }),
    );
    group.append(svg('defs', {}, [svg('linearGradient', { id: 'ramp' }, stops)]));
    const [low, high] = points.valueRange.map((value) => shortNumber(value, points.valueRange));
    const head = `${points.valueName} ${low}`.trim();
    const width = measure(head);
    write(head, x, y);
    group.append(svg('rect', { x: tenth(x + width + 8), y: y - 6, width: 120, height: 12, fill: 'url(#ramp)' }));
    write(high, x + width + 136, y);
    y += 20;
  }
  for (const [category, { name, count, marker }] of legend.entries.entries()) {
    const shown = `${cutText(name, 48)} (${count.toLocaleString()})`;
    const width = 24 + measure(shown);
    if (x > 12 && x + width > size.width - 12) [x, y] = [12, y + 20];
    write(shown, x + 16, y);
    group.append(
      svg('path', {
        d: markerPath(marker, 6),
        transform: `translate(${tenth(x + 6)} ${y})`,
        'fill-rule': 'evenodd',
        fill: points.levels ? theme.ink : categoryColor(theme, category),
      }),
    );
    x += width + 12;
  }
  if (!legend.entries.length) y -= 20;
  return { group, height: y > size.height ? y - size.height + 14 : 0 };
}

/**
 * Density and points as they are on screen, on a canvas of so many lines more.
 *
 * @param {ScatterPlot} plot
 * @param {number} [extraLines]
 */
function paintPoints({ frames, layer, state: { theme } }, extraLines = 0) {
  const { canvas, pixelRatio } = layer;
  const target = html('canvas', { width: canvas.width, height: canvas.height + Math.round(extraLines * pixelRatio) });
  const context = context2d(target);
  context.fillStyle = theme.paper;
  context.fillRect(0, 0, target.width, target.height);
  frames.drawPoints(); // in this very task: WebGL forgets its picture afterwards
  context.imageSmoothingEnabled = false;
  layer.density.copyTo(context, pixelRatio);
  context.imageSmoothingEnabled = true;
  context.drawImage(canvas, 0, 0);
  return { target, context };
}

/**
 * Save as SVG: shapes, or above `SVG_LIMIT` points a picture of them under shapes for all else.
 *
 * @param {ScatterPlot} plot
 */
export function downloadSvg(plot) {
  const few = plot.state.points.count <= SVG_LIMIT;
  const points = few
    ? pointShapes(plot)
    : svg('image', { href: paintPoints(plot).target.toDataURL('image/png'), ...plot.screen.size });
  download(plot, new Blob([pictureSvg(plot, points).text], { type: 'image/svg+xml' }), 'svg');
}

/**
 * Save as PNG, in the pixels of the screen.
 *
 * @param {ScatterPlot} plot
 */
export async function downloadPng(plot) {
  try {
    const { text, height } = pictureSvg(plot, null);
    const { target, context } = paintPoints(plot, height - plot.screen.size.height);
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    context.drawImage(image, 0, 0, target.width, target.height);
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => {
      target.toBlob(resolve, 'image/png');
    });
    if (!blob) throw new Error('empty image');
    download(plot, blob, 'png');
  } catch (error) {
    plot.messages.note(`The picture could not be saved: ${messageOf(error)}`);
  }
}

/**
 * Give a file to the browser.
 *
 * @param {ScatterPlot} plot
 * @param {Blob} blob
 * @param {string} extension
 */
function download(plot, blob, extension) {
  const url = URL.createObjectURL(blob);
  const name = plot.state.scene.key.replace(/[^\w-]+/g, '-').slice(0, 60) || 'scatter';
  const link = html('a', { href: url, download: `${name}.${extension}`, hidden: '' });
  plot.elements.root.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
