
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

/** Any CSS color as [r, g, b], by painting one pixel. */
function parseColor(color, context) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = '#808080';
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  return Array.from(context.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

/** 256 colors between some given ones. */
function makeRamp(stops) {
  return Array.from({ length: 256 }, (_, level) => {
    const at = (level / 255) * (stops.length - 1);
    const below = Math.min(stops.length - 2, Math.floor(at));
    return stops[below].map((from, channel) => Math.round(from + (stops[below + 1][channel] - from) * (at - below)));
  });
}

/** Read Streamlit's colors and font as they apply to `element`. */
function readTheme(element, context) {
  const style = getComputedStyle(element);
  const variable = (name, fallback) => {
    const value = style.getPropertyValue(name).trim();
    return value && value !== 'unset' ? value : fallback;
  };
  const paper = variable('--st-background-color', '#ffffff');
  const paperRgb = parseColor(paper, context);
  const dark = 0.299 * paperRgb[0] + 0.587 * paperRgb[1] + 0.114 * paperRgb[2] < 128;
  const palette = dark ? PALETTE_DARK : PALETTE_LIGHT;
  return {
    paper,
    paperRgb,
    dark,
    palette,
    paletteRgb: palette.map((color) => parseColor(color, context)),
    ramp: dark ? RAMP_DARK : RAMP_LIGHT,
    rampRgb: makeRamp((dark ? RAMP_DARK : RAMP_LIGHT).map((color) => parseColor(color, context))),
    inkRgb: parseColor(variable('--st-text-color', dark ? '#fafafa' : '#31333f'), context),
    ink: variable('--st-text-color', dark ? '#fafafa' : '#31333f'),
    accent: variable('--st-primary-color', '#0072b2'),
    font: variable('--st-font', 'sans-serif'),
  };
}
