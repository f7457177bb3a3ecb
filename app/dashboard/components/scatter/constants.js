// Colors, markers, limits and times of the plot.

// Okabe-Ito's hues extended to twelve, one set per background. Chosen by a search for the largest smallest distance
// (OKLab) under normal sight and simulated protanopia, deuteranopia and tritanopia, with contrast >= 3:1 on light and
// >= 4:1 on dark.
export const PALETTE_LIGHT = [
  '#0058C0',
  '#D47F00',
  '#AF3105',
  '#6C9B79',
  '#68214C',
  '#0097FF',
  '#60615D',
  '#BB4D9A',
  '#4322A0',
  '#7C7A4F',
  '#005778',
  '#812300',
];
export const PALETTE_DARK = [
  '#4593FE',
  '#FCD76E',
  '#DB3405',
  '#1F8272',
  '#E598B5',
  '#AFE5FF',
  '#979385',
  '#DE0BB1',
  '#7A53FE',
  '#9EC26D',
  '#00C7EE',
  '#E28103',
];

// From the least to the greatest value: hues of plasma, clipped where they would fade into the background. Lightness
// goes one way, so the order also holds for eyes that miss a color, and in gray.
export const RAMP_LIGHT = ['#C98200', '#C05F4E', '#9B3F7F', '#5F2A91', '#1D1462'];
export const RAMP_DARK = ['#7E5FE6', '#B45BCB', '#E0688F', '#F59A5C', '#FBE57A'];

export const DISC = 0;
export const DIAMOND = 1;
export const CROSS = 2;
export const SQUARE = 3;
export const TRIANGLE = 4;
export const RING = 5;

// Markers of categories, by place in `MARKERS`. Diamond and cross are kept for `shapes`. Chosen by a
// search, so that of all that share a marker the two colors that are nearest each other, in either palette, under normal
// sight or for an eye that misses a cone, are as far apart as can be: among the first twelve above all, then the next.
export const MARKERS = [DISC, TRIANGLE, SQUARE, RING];
export const CATEGORY_MARKERS = [0, 2, 0, 1, 2, 1, 0, 2, 3, 3, 3, 1, 1, 1, 3, 2, 1, 2, 3, 1, 2, 0, 0, 2];

// Size of each marker relative to a disc, so that all look about equally heavy (the diamond and the cross heavier).
export const MARKER_SCALE = [1, 1.6, 1.6, 1, 1.25, 1.25];

export const DIM_ALPHA = 0.28; // of points that are not selected, which are gray
export const LIT_ALPHA = 0.7; // at least, of points among dimmed ones
export const LIT_BIT = 128; // in the fourth style byte, above the marker
export const HIDDEN_BIT = 64; // of a point that is not drawn
export const MARKER_BITS = 63;
export const GRAY_LIGHT = [150, 158, 166];
export const GRAY_DARK = [98, 108, 118];
export const INDEX_FROM = 20_000; // points; from here on picking uses a grid and the canvas renderer plain pixels
export const SVG_LIMIT = 5_000; // points
export const MORPH_MS = 350;
export const EMIT_DELAY_MS = 150;
export const VIEW_DELAY_MS = 700; // after the last move and with no gesture under way: Streamlit runs the page for a view
export const NOTE_DELAY_MS = 400;
export const TEXT_DELAY_MS = 30;
export const TEXT_BATCH = 200; // rows; the server takes 500
export const MAX_TEXTS = 20_000; // kept in the browser
export const RETRY_MS = [500, 1_500, 4_000, 10_000]; // while the server does not answer
export const GONE_RETRY_MS = [4_000, 10_000, 20_000]; // while Python brings back what it let go of, should its word be missed
export const DENSITY_FROM = 150_000; // points
export const DENSITY_ZOOM = 3; // below it so many points are drawn as density
export const DENSITY_CELL = 2; // pixels
export const MAX_LEGEND = 200; // entries
export const MAX_LABEL_LENGTH = 200; // characters in the tooltip
export const MAX_HISTORY = 50;
export const MAX_HISTORY_ROWS = 4_000_000;
export const MAX_CORNERS = 256; // of a lasso; Python takes no more
export const CONTEXT_RESTORE_MS = 2_000;
export const DOUBLE_TAP_MS = 320;
export const MAX_PIXEL_RATIO = 2;
export const FIT_PADDING_X = 36; // pixels left and right
export const FIT_PADDING_Y = 54; // pixels above and below: clears the toolbar
export const FIELD_OF_VIEW = 0.7; // radians
export const START_YAW = 0.6;
export const START_PITCH = 0.35;
export const ZOOM_2D = [0.2, 5_000];
export const ZOOM_3D = [0.2, 25];
export const LABEL_SIZE = 12; // pixels
export const AREA_LABEL_SIZE = 14;
export const AREA_ZOOMS = [2, 5]; // from which on the second and the third level of areas are named
export const POINT_LABEL_ZOOM = 9; // from which on points in view are named
export const MAX_NEAR_LABELS = 120;
export const SEARCH_DELAY_MS = 120; // after the last key
export const MAX_LABEL_CANDIDATES = 3_000;
export const MAX_LABELS = 250;
export const MAX_RINGS = 60; // selected points that get a ring of their own
export const DETAIL_WINDOW = 260; // characters of a long detail, around its mark

export const KEY_HELP =
  'Keys: arrows pan or orbit, plus and minus zoom, F fits, N and P step through points, Enter selects, ' +
  'L switches the lasso and B the box, Control Z and Control Shift Z undo and redo selections, Escape clears.';
