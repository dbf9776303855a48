// @ts-check
/** Puts the two halves of a picture together: colours on the left, their opacity as grey on the right. */

const CORNERS = `
attribute vec2 corner;
varying vec2 at;
void main() {
  at = vec2(corner.x, -corner.y) * 0.5 + 0.5;
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

/**
 * The codec stores colour at half the size, so that at the seam a pixel of the one half tints its
 * neighbour in the other: the outermost one and a half are not looked at. It leaves noise of some
 * levels where alpha is 0 or 255: cut off, or the air around the presenter would shimmer.
 */
const JOIN = `
precision highp float;
uniform sampler2D picture;
uniform float width;
varying vec2 at;
void main() {
  float edge = 1.5 / width;
  float x = clamp(at.x * 0.5, edge, 0.5 - edge);
  vec3 colour = texture2D(picture, vec2(x, at.y)).rgb;
  float grey = dot(texture2D(picture, vec2(x + 0.5, at.y)).rgb, vec3(0.299, 0.587, 0.114));
  float alpha = clamp((grey * 255.0 - 6.0) / 243.0, 0.0, 1.0);
  gl_FragColor = vec4(colour * alpha, alpha);
}`;

export class Joiner {
  #canvas;
  /** @type {WebGLRenderingContext} */ #gl;
  /** @type {WebGLUniformLocation | null} */ #width = null;

  /** @param {HTMLCanvasElement} canvas Throws an Error where there is no WebGL. */
  constructor(canvas) {
    const gl = canvas.getContext("webgl", { alpha: true, premultipliedAlpha: true, antialias: false, depth: false });
    if (!gl) throw new Error("no WebGL");
    this.#canvas = canvas;
    this.#gl = gl;
    this.#prepare();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault()); // then it comes back
    canvas.addEventListener("webglcontextrestored", () => this.#prepare());
  }

  #prepare() {
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [kind, source] of /** @type {const} */ ([[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, JOIN]])) {
      const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.bindAttribLocation(program, 0, "corner");
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`shader: ${gl.getProgramInfoLog(program)}`);
    }
    gl.useProgram(program);
    this.#width = gl.getUniformLocation(program, "width");
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    // Sizes that are no powers of two can be neither repeated nor made smaller in steps.
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
  }

  /** @param {HTMLVideoElement} video with a frame to show */
  draw(video) {
    const gl = this.#gl;
    const { videoWidth, videoHeight } = video;
    resize(this.#canvas, videoWidth / 2, videoHeight);
    gl.viewport(0, 0, this.#canvas.width, this.#canvas.height);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, video);
    gl.uniform1f(this.#width, videoWidth);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}

/** Shows pictures as they are. */
export class Copier {
  #canvas;
  #brush;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#brush = canvas.getContext("2d");
  }

  /** @param {HTMLVideoElement} video with a frame to show */
  draw(video) {
    resize(this.#canvas, video.videoWidth, video.videoHeight);
    this.#brush?.drawImage(video, 0, 0);
  }
}

/** Setting a size clears a canvas, so only when it changes. @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
function resize(canvas, width, height) {
  if (canvas.width === width && canvas.height === height) return;
  canvas.width = width;
  canvas.height = height;
}
