// Scatter plot for Streamlit (components v2): 2-D and 3-D points in WebGL2, or on a 2-D canvas where that is missing.
//
// One ES module in several files, which Python puts together in the order of its list; they share this scope.
// Reading order: `mountScatter` (mount.js) is what Streamlit calls on every run; it keeps one `ScatterPlot` per mount.
// A `ScatterPlot` (plot.js) owns the DOM, the view, the selection and the animations. It draws points through a renderer
// (`WebGLRenderer` or `CanvasRenderer`) or as density, all else (labels, arrows, rings, lasso) through one SVG overlay.
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

// From the least to the greatest value: hues of plasma, clipped where they would fade into the background. Lightness
// goes one way, so the order also holds for eyes that miss a color, and in gray.
const RAMP_LIGHT = ['#C98200', '#C05F4E', '#9B3F7F', '#5F2A91', '#1D1462'];
const RAMP_DARK = ['#7E5FE6', '#B45BCB', '#E0688F', '#F59A5C', '#FBE57A'];

const DISC = 0;
const DIAMOND = 1;
const CROSS = 2;
const SQUARE = 3;
const TRIANGLE = 4;
const RING = 5;

// Markers of categories 0-11, 12-23, 24-35, 36-47; then again from the start. Diamond and cross are kept for `shapes`.
// Five colors have the next marker, so that no two colors that are near each other for an eye that misses a cone have the same.
const CATEGORY_MARKERS = [DISC, SQUARE, TRIANGLE, RING];
const NEXT_MARKER = [6, 8, 9, 10, 11];

// Size of each marker relative to a disc, so that all look about equally heavy (the diamond and the cross heavier).
const MARKER_SCALE = [1, 1.6, 1.6, 1, 1.25, 1.25];

const DIM_ALPHA = 0.13; // of points that are not selected
const LIT_ALPHA = 0.7; // at least, of points among dimmed ones
const LIT_BIT = 128; // in the fourth style byte, above the marker
const INDEX_FROM = 20_000; // points; from here on picking uses a grid and the canvas renderer plain pixels
const SVG_LIMIT = 5_000; // points
const MORPH_MS = 350;
const EMIT_DELAY_MS = 150;
const VIEW_DELAY_MS = 700; // after the last move and with no gesture under way: Streamlit runs the page for a view
const NOTE_DELAY_MS = 400;
const TEXT_DELAY_MS = 30;
const TEXT_BATCH = 200; // rows; the server takes 500
const MAX_TEXTS = 20_000; // kept in the browser
const RETRY_MS = [500, 1_500, 4_000, 10_000]; // while the server does not answer
const GONE_RETRY_MS = [4_000, 10_000, 20_000]; // while Python brings back what it let go of, should its word be missed
const DENSITY_FROM = 150_000; // points
const DENSITY_ZOOM = 3; // below it so many points are drawn as density
const DENSITY_CELL = 2; // pixels
const MAX_LEGEND = 200; // entries
const MAX_LABEL_LENGTH = 200; // characters in the tooltip
const MAX_HISTORY = 50;
const MAX_HISTORY_ROWS = 4_000_000;
const MAX_CORNERS = 256; // of a lasso; Python takes no more
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
  'L switches the lasso and B the box, Control Z and Control Shift Z undo and redo selections, Escape clears.';
