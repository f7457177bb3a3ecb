// What the graphics card runs for each point and each of its pixels.

export const VERTEX_SHADER = `#version 300 es
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
out vec4 v_color;
out float v_extent;
flat out int v_marker;

void main() {
  bool lit = a_style.w >= 128.0;
  int marker = int(a_style.w) & 63;
  bool hidden = (int(a_style.w) & 64) != 0;
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
  v_color = vec4(mix(a_style.rgb / 255.0, u_paper, fog), u_alpha);
  v_marker = marker;
  if (hidden || lit != (u_lit_pass > 0.5)) gl_Position = vec4(2.0, 2.0, 2.0, 1.0); // the other pass draws it
}`;

export const FRAGMENT_SHADER = `#version 300 es
precision highp float;
in vec4 v_color;
in float v_extent;
flat in int v_marker;
uniform vec3 u_paper;
uniform float u_border;
out vec4 color;

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
    color = vec4(v_color.rgb * v_color.a, v_color.a);
    return;
  }
  float radius = (v_extent - 2.0) * 0.5;
  float edge = distanceToEdge((gl_PointCoord - 0.5) * v_extent, radius);
  float cover = clamp(0.5 - edge, 0.0, 1.0);
  if (cover < 0.02) discard;
  // A thin border in the background's color keeps touching points apart.
  float border = radius > 5.0 * u_border ? clamp(0.5 + edge + u_border, 0.0, 1.0) : 0.0;
  float alpha = v_color.a * cover;
  color = vec4(mix(v_color.rgb, u_paper, border) * alpha, alpha);
}`;
