// Points in WebGL2.

import { DIM_ALPHA, LIT_ALPHA, MARKER_SCALE } from './constants.js';
import { FRAGMENT_SHADER, VERTEX_SHADER } from './shaders.js';

/** @import { Picture } from './rendering.js' */

const UNIFORMS = /** @type {const} */ ([
  'matrix',
  'mix',
  'size',
  'max_size',
  'perspective',
  'fog_start',
  'lit_pass',
  'alpha',
  'scales',
  'paper',
  'border',
]);

/**
 * What was made on the graphics card.
 *
 * @typedef {object} GlObjects
 * @property {WebGLShader[]} shaders
 * @property {WebGLProgram} program
 * @property {Record<typeof UNIFORMS[number], WebGLUniformLocation | null>} uniforms
 * @property {WebGLVertexArrayObject} array
 * @property {{ from: WebGLBuffer, to: WebGLBuffer, style: WebGLBuffer }} buffers
 */

/** The renderer where there is WebGL2. */
export class WebGLRenderer {
  kind = 'webgl2';
  #count = 0;
  #maxSize = 1;
  /** @type {Partial<GlObjects>} */
  #made = {};

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
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
    this.#made = {};
    const shaders = [
      this.#compile(gl.VERTEX_SHADER, VERTEX_SHADER),
      this.#compile(gl.FRAGMENT_SHADER, FRAGMENT_SHADER),
    ];
    const program = gl.createProgram();
    Object.assign(this.#made, { shaders, program });
    shaders.forEach((shader) => gl.attachShader(program, shader));
    ['a_from', 'a_to', 'a_style'].forEach((name, location) => gl.bindAttribLocation(program, location, name));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
      throw new Error(`program: ${gl.getProgramInfoLog(program) || 'context lost'}`);
    }
    this.#made.uniforms = /** @type {GlObjects['uniforms']} */ (
      Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(program, `u_${name}`)]))
    );
    this.#made.array = gl.createVertexArray();
    this.#made.buffers = { from: gl.createBuffer(), to: gl.createBuffer(), style: gl.createBuffer() };
    this.#maxSize = Math.min(96, gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE)[1]);
    this.#count = 0;
  }

  /**
   * @param {number} type
   * @param {string} source
   */
  #compile(type, source) {
    const { gl } = this;
    const shader = gl.createShader(type);
    if (!shader) throw new Error('shader: context lost');
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) {
      throw new Error(`shader: ${gl.getShaderInfoLog(shader) || 'context lost'}`);
    }
    return shader;
  }

  /** All that `build` makes. */
  get #objects() {
    return /** @type {GlObjects} */ (this.#made);
  }

  /**
   * @param {WebGLBuffer} buffer
   * @param {Float32Array | Uint8Array} values
   */
  #upload(buffer, values) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, /** @type {BufferSource} */ (values), gl.STATIC_DRAW);
  }

  /**
   * Point attribute `location` at a buffer.
   *
   * @param {number} location
   * @param {WebGLBuffer} buffer
   * @param {number} size
   * @param {number} type
   */
  #bind(location, buffer, size, type) {
    const { gl } = this;
    gl.bindVertexArray(this.#objects.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, size, type, false, 0, 0);
  }

  /**
   * @param {Float32Array} to
   * @param {Float32Array | null} from
   */
  setPositions(to, from) {
    const { gl } = this;
    const { buffers } = this.#objects;
    this.#count = to.length / 3;
    this.#upload(buffers.to, to);
    this.#upload(buffers.from, from ?? new Float32Array(0));
    this.#bind(0, from ? buffers.from : buffers.to, 3, gl.FLOAT);
    this.#bind(1, buffers.to, 3, gl.FLOAT);
  }

  /** @param {Uint8Array} bytes */
  setStyles(bytes) {
    const { style } = this.#objects.buffers;
    this.#upload(style, bytes);
    this.#bind(2, style, 4, this.gl.UNSIGNED_BYTE);
  }

  /** @param {Picture} picture */
  draw(picture) {
    const { gl } = this;
    const { program, array, uniforms } = this.#objects;
    const { camera, pixelRatio } = picture;
    const paper = picture.paperRgb.map((value) => value / 255);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.depthMask(true);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (this.#count === 0) return;
    gl.useProgram(program);
    gl.bindVertexArray(array);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    if (camera.perspective) gl.enable(gl.DEPTH_TEST);
    else gl.disable(gl.DEPTH_TEST);
    gl.uniformMatrix4fv(uniforms.matrix, false, camera.matrix);
    gl.uniform1f(uniforms.mix, picture.mix);
    gl.uniform1f(uniforms.size, picture.size * pixelRatio);
    gl.uniform1f(uniforms.max_size, Math.min(this.#maxSize, 48 * pixelRatio));
    gl.uniform1f(uniforms.perspective, camera.perspective);
    gl.uniform1f(uniforms.fog_start, camera.fogStart);
    gl.uniform1fv(uniforms.scales, MARKER_SCALE);
    gl.uniform3fv(uniforms.paper, paper);
    gl.uniform1f(uniforms.border, 0.8 * pixelRatio);
    if (picture.passes === 'none') return;
    if (picture.anyDim && picture.passes === 'all') {
      // Dimmed points first and without depth, so that they never hide a lit one.
      gl.depthMask(false);
      this.#drawPass(0, DIM_ALPHA);
      gl.depthMask(true);
    }
    this.#drawPass(1, picture.anyDim ? Math.max(LIT_ALPHA, picture.alpha) : picture.alpha);
  }

  /**
   * @param {number} lit
   * @param {number} alpha
   */
  #drawPass(lit, alpha) {
    const { gl } = this;
    const { uniforms } = this.#objects;
    gl.uniform1f(uniforms.lit_pass, lit);
    gl.uniform1f(uniforms.alpha, alpha);
    gl.drawArrays(gl.POINTS, 0, this.#count);
  }

  /** Free all GL objects and give the context back: browsers allow about sixteen. */
  dispose() {
    const { gl } = this;
    if (gl.isContextLost()) return; // all is gone already
    const { buffers, array, program, shaders } = this.#made;
    Object.values(buffers ?? {}).forEach((buffer) => gl.deleteBuffer(buffer));
    if (array) gl.deleteVertexArray(array);
    if (program) gl.deleteProgram(program);
    (shaders ?? []).forEach((shader) => gl.deleteShader(shader));
    gl.getExtension('WEBGL_lose_context')?.loseContext();
  }
}
