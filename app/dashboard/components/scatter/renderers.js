
// ------------------------------------------------------------------------------------------------------ markers

/** SVG path data of a marker around (0, 0). The ring needs the even-odd rule, which suits the others too. */
function markerPath(marker, radius) {
  const r = tenth(radius * 10) / 10;
  const polygon = (corners) => `M${corners.map(([x, y]) => `${tenth(x * 10) / 10} ${tenth(y * 10) / 10}`).join('L')}Z`;
  const circle = (c) => `M${-c} 0A${c} ${c} 0 1 0 ${c} 0A${c} ${c} 0 1 0 ${-c} 0Z`;
  switch (marker) {
    case DIAMOND:
      return polygon([[0, -r], [r, 0], [0, r], [-r, 0]]);
    case CROSS: {
      const arm = r * 0.34;
      const plus = [
        [-arm, -r], [arm, -r], [arm, -arm], [r, -arm], [r, arm], [arm, arm],
        [arm, r], [-arm, r], [-arm, arm], [-r, arm], [-r, -arm], [-arm, -arm],
      ];
      return polygon(plus.map(([x, y]) => [(x - y) * Math.SQRT1_2, (x + y) * Math.SQRT1_2]));
    }
    case SQUARE: {
      const side = r * 0.88;
      return polygon([[-side, -side], [side, -side], [side, side], [-side, side]]);
    }
    case TRIANGLE:
      return polygon([[0, -r], [r * 0.866, r / 2], [-r * 0.866, r / 2]]);
    case RING:
      return circle(r) + circle(r * 0.45);
    default:
      return circle(r);
  }
}

// ---------------------------------------------------------------------------------------------------- renderers

// Both have: kind, setPositions(to, from), setStyles(bytes), draw(scene), dispose(). Styles are four bytes a point:
// red, green, blue, marker | LIT_BIT. A scene is { passes, camera, mix, size, alpha, anyDim, paperRgb, pixelRatio }, where
// `mix` says how far the points have glided from `from` to `to` and `size` is a disc's diameter in CSS pixels; `passes`
// says whether all points are drawn, only the lit ones, or none (when they are drawn as density).

const VERTEX_SHADER = `#version 300 es
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
  int marker = int(a_style.w) & 127;
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
  if (lit != (u_lit_pass > 0.5)) gl_Position = vec4(2.0, 2.0, 2.0, 1.0); // the other pass draws it
}`;

const FRAGMENT_SHADER = `#version 300 es
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

class WebGLRenderer {
  constructor(canvas) {
    this.kind = 'webgl2';
    this.canvas = canvas;
    const gl = canvas.getContext('webgl2', { antialias: false, depth: true, premultipliedAlpha: true });
    if (!gl) throw new Error('WebGL2 is not available');
    this.gl = gl;
    try {
      this.build();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Make all GL objects. Also after a lost context, when the former ones are void. */
  build() {
    const { gl } = this;
    const compile = (type, source) => {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) {
        throw new Error(`shader: ${gl.getShaderInfoLog(shader) || 'context lost'}`);
      }
      return shader;
    };
    this.shaders = [compile(gl.VERTEX_SHADER, VERTEX_SHADER), compile(gl.FRAGMENT_SHADER, FRAGMENT_SHADER)];
    this.program = gl.createProgram();
    this.shaders.forEach((shader) => gl.attachShader(this.program, shader));
    ['a_from', 'a_to', 'a_style'].forEach((name, location) => gl.bindAttribLocation(this.program, location, name));
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS)) {
      throw new Error(`program: ${gl.getProgramInfoLog(this.program) || 'context lost'}`);
    }
    const uniforms = [
      'matrix', 'mix', 'size', 'max_size', 'perspective', 'fog_start', 'lit_pass', 'alpha', 'scales', 'paper', 'border',
    ];
    this.uniforms = Object.fromEntries(uniforms.map((name) => [name, gl.getUniformLocation(this.program, `u_${name}`)]));
    this.array = gl.createVertexArray();
    this.buffers = { from: gl.createBuffer(), to: gl.createBuffer(), style: gl.createBuffer() };
    this.maxSize = Math.min(96, gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE)[1]);
    this.count = 0;
  }

  upload(buffer, values) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  }

  /** Point attribute `location` at a buffer. */
  bind(location, buffer, size, type) {
    const { gl } = this;
    gl.bindVertexArray(this.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, size, type, false, 0, 0);
  }

  setPositions(to, from) {
    const { gl, buffers } = this;
    this.count = to.length / 3;
    this.upload(buffers.to, to);
    this.upload(buffers.from, from ?? new Float32Array(0));
    this.bind(0, from ? buffers.from : buffers.to, 3, gl.FLOAT);
    this.bind(1, buffers.to, 3, gl.FLOAT);
  }

  setStyles(bytes) {
    this.upload(this.buffers.style, bytes);
    this.bind(2, this.buffers.style, 4, this.gl.UNSIGNED_BYTE);
  }

  draw(scene) {
    const { gl, uniforms } = this;
    const { camera, pixelRatio } = scene;
    const paper = scene.paperRgb.map((value) => value / 255);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.depthMask(true);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (this.count === 0) return;
    gl.useProgram(this.program);
    gl.bindVertexArray(this.array);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    if (camera.perspective) gl.enable(gl.DEPTH_TEST);
    else gl.disable(gl.DEPTH_TEST);
    gl.uniformMatrix4fv(uniforms.matrix, false, camera.matrix);
    gl.uniform1f(uniforms.mix, scene.mix);
    gl.uniform1f(uniforms.size, scene.size * pixelRatio);
    gl.uniform1f(uniforms.max_size, Math.min(this.maxSize, 48 * pixelRatio));
    gl.uniform1f(uniforms.perspective, camera.perspective);
    gl.uniform1f(uniforms.fog_start, camera.fogStart);
    gl.uniform1fv(uniforms.scales, MARKER_SCALE);
    gl.uniform3fv(uniforms.paper, paper);
    gl.uniform1f(uniforms.border, 0.8 * pixelRatio);
    if (scene.passes === 'none') return;
    if (scene.anyDim && scene.passes === 'all') {
      // Dimmed points first and without depth, so that they never hide a lit one.
      gl.depthMask(false);
      this.drawPass(0, DIM_ALPHA);
      gl.depthMask(true);
    }
    this.drawPass(1, scene.anyDim ? Math.max(LIT_ALPHA, scene.alpha) : scene.alpha);
  }

  drawPass(lit, alpha) {
    const { gl, uniforms } = this;
    gl.uniform1f(uniforms.lit_pass, lit);
    gl.uniform1f(uniforms.alpha, alpha);
    gl.drawArrays(gl.POINTS, 0, this.count);
  }

  /** Free all GL objects and give the context back: browsers allow about sixteen. */
  dispose() {
    const { gl } = this;
    if (gl.isContextLost()) return; // all is gone already
    Object.values(this.buffers ?? {}).forEach((buffer) => gl.deleteBuffer(buffer));
    if (this.array) gl.deleteVertexArray(this.array);
    if (this.program) gl.deleteProgram(this.program);
    (this.shaders ?? []).forEach((shader) => gl.deleteShader(shader));
    gl.getExtension('WEBGL_lose_context')?.loseContext();
  }
}

class CanvasRenderer {
  constructor(canvas) {
    this.kind = 'canvas2d';
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    if (!this.context) throw new Error('the canvas can not be drawn on');
    this.to = new Float32Array(0);
    this.from = null;
    this.styles = new Uint8Array(0);
  }

  setPositions(to, from) {
    this.to = to;
    this.from = from;
  }

  setStyles(bytes) {
    this.styles = bytes;
  }

  draw(scene) {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (scene.passes === 'none') return;
    const world = this.from && scene.mix < 1 ? mixPositions(this.from, this.to, scene.mix) : this.to;
    if (world.length / 3 > INDEX_FROM) this.drawPixels(world, scene);
    else this.drawMarkers(world, scene);
    context.globalAlpha = 1;
  }

  /** Real markers, one path each. */
  drawMarkers(world, scene) {
    const { context } = this;
    const { camera, pixelRatio } = scene;
    const count = world.length / 3;
    const places = Array.from({ length: count }, (_, row) => {
      const [x, y, w] = projectPoint(camera, world[3 * row], world[3 * row + 1], world[3 * row + 2]);
      return { row, x, y, w };
    });
    if (camera.perspective) places.sort((a, b) => b.w - a.w);
    const paths = MARKER_SCALE.map((scale, marker) => new Path2D(markerPath(marker, 10 * scale)));
    context.strokeStyle = `rgb(${scene.paperRgb.join(' ')})`;
    for (const lit of scene.anyDim && scene.passes === 'all' ? [false, true] : [true]) {
      context.globalAlpha = lit ? (scene.anyDim ? Math.max(LIT_ALPHA, scene.alpha) : scene.alpha) : DIM_ALPHA;
      for (const { row, x, y, w } of places) {
        const flags = this.styles[4 * row + 3];
        if (flags >= LIT_BIT !== lit || w <= camera.near) continue;
        if (!(x > -50 && x < camera.width + 50 && y > -50 && y < camera.height + 50)) continue;
        const radius = (scene.size / 2) * (camera.perspective ? camera.perspective / w : 1);
        const scale = (Math.min(radius, 24) / 10) * pixelRatio;
        context.setTransform(scale, 0, 0, scale, x * pixelRatio, y * pixelRatio);
        context.fillStyle = `rgb(${this.fogged(row, w, scene).join(' ')})`;
        context.fill(paths[flags & 127], 'evenodd');
        if (radius > 4) {
          context.lineWidth = 7.5 / radius;
          context.stroke(paths[flags & 127]);
        }
      }
    }
  }

  /** Color of a point, nearer to the background the farther it is. */
  fogged(row, w, { camera, paperRgb }) {
    const fog = camera.perspective ? clamp((w - camera.fogStart) / 1.6, 0, 1) * 0.5 : 0;
    return [0, 1, 2].map((channel) => {
      const value = this.styles[4 * row + channel];
      return Math.round(value + (paperRgb[channel] - value) * fog);
    });
  }

  /** Squares of pixels straight into the image: the only fast way for very many points. */
  drawPixels(world, scene) {
    const { canvas, context, styles } = this;
    const { camera, pixelRatio } = scene;
    const { width, height } = canvas;
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const depths = camera.perspective ? new Float32Array(pixels.length).fill(Infinity) : null;
    const side = Math.max(1, Math.round(scene.size * pixelRatio));
    const m = camera.matrix;
    const dimAlpha = Math.round(DIM_ALPHA * 255) << 24;
    for (const lit of scene.anyDim && scene.passes === 'all' ? [true, false] : [true]) {
      for (let row = 0, at = 0; at < world.length; row += 1, at += 3) {
        if (styles[4 * row + 3] >= LIT_BIT !== lit) continue;
        const x = world[at];
        const y = world[at + 1];
        const z = world[at + 2];
        const w = m[3] * x + m[7] * y + m[11] * z + m[15];
        if (!(w > camera.near)) continue;
        const left = Math.round((((m[0] * x + m[4] * y + m[8] * z + m[12]) / w) * 0.5 + 0.5) * width - side / 2);
        const top = Math.round((0.5 - ((m[1] * x + m[5] * y + m[9] * z + m[13]) / w) * 0.5) * height - side / 2);
        if (left < 0 || top < 0 || left + side > width || top + side > height) continue;
        const style = 4 * row;
        // Little-endian RGBA, as on every machine with a browser.
        const rgb = styles[style] | (styles[style + 1] << 8) | (styles[style + 2] << 16);
        const color = (rgb | (lit ? 0xff000000 : dimAlpha)) >>> 0;
        for (let v = top; v < top + side; v += 1) {
          for (let pixel = v * width + left, end = pixel + side; pixel < end; pixel += 1) {
            if (!lit && pixels[pixel] !== 0) continue; // dimmed points go below
            if (depths) {
              if (w > depths[pixel]) continue;
              depths[pixel] = w;
            }
            pixels[pixel] = color;
          }
        }
      }
    }
    context.putImageData(image, 0, 0);
  }

  dispose() {
    this.canvas.width = 0;
    this.canvas.height = 0;
  }
}

/** Positions at share `t` of the way. */
function mixPositions(from, to, t) {
  const mixed = new Float32Array(to.length);
  for (let i = 0; i < to.length; i += 1) mixed[i] = from[i] + (to[i] - from[i]) * t;
  return mixed;
}
