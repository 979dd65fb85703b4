/** Heat maps in WebGL2: values as float textures, scale and colours in the shader, so that a change of scale uploads nothing. */
import type { Frame, HeatPainter, PlacedTile } from './heat.ts';

const vertex = `#version 300 es
uniform vec4 place; // left, top, right, bottom in clip space
out vec2 at;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  at = corner;
  gl_Position = vec4(mix(place.xy, place.zw, corner), 0.0, 1.0);
}`;
// NaN and infinities travel as numbers: shaders may assume that they do not exist.
const fragment = `#version 300 es
precision highp float;
precision highp sampler2D;
uniform sampler2D values;
uniform sampler2D colours;
uniform vec2 range; // lo, hi
uniform int kind;   // 0 linear, 1 gamma, 2 log
uniform vec3 masked;
in vec2 at;
out vec4 colour;
void main() {
  ivec2 size = textureSize(values, 0);
  float value = texelFetch(values, min(ivec2(at * vec2(size)), size - 1), 0).r;
  if (value < -2e38) { colour = vec4(masked, 1.0); return; }
  if (value > 2e38) { colour = mod(gl_FragCoord.x + gl_FragCoord.y, 6.0) < 3.0 ? vec4(1.0, 0.0, 0.0, 1.0) : vec4(0.4, 0.0, 0.0, 1.0); return; }
  float t = kind == 2 ? (value <= range.x ? 0.0 : log(value / range.x) / log(range.y / range.x)) : (value - range.x) / (range.y - range.x);
  t = clamp(t, 0.0, 1.0);
  if (kind == 1) t = sqrt(t);
  colour = vec4(texelFetch(colours, ivec2(min(int(t * 256.0), 255), 0), 0).rgb, 1.0);
}`;

/** Undefined where the browser has no WebGL2, or its shaders do not link. `lost` is called when the context is taken away, not when it is disposed of. */
export function heatGl(canvas: HTMLCanvasElement, lost: () => void): HeatPainter | undefined {
  const gl = canvas.getContext('webgl2', { antialias: false, alpha: false, preserveDrawingBuffer: true });
  if (!gl) return undefined;
  const program = link(gl);
  if (!program) return undefined;
  canvas.addEventListener('webglcontextlost', lost);
  const uniform = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(program, name);
  const places = { place: uniform('place'), range: uniform('range'), kind: uniform('kind'), masked: uniform('masked'), values: uniform('values'), colours: uniform('colours') };
  const textures = new Map<string, WebGLTexture>();
  const table = texture(gl);
  let tableOf: Uint8Array | undefined;
  gl.bindVertexArray(gl.createVertexArray());

  const upload = ({ name, texels }: PlacedTile): WebGLTexture => {
    const known = textures.get(name);
    if (known) return known;
    const made = texture(gl), data = new Float32Array(texels.data.length);
    for (let n = 0; n < data.length; n++) { const value = texels.data[n]; data[n] = value !== value ? -3e38 : value > 3e38 ? 3e38 : value < -3e38 ? 3e38 : value; }
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, texels.width, texels.height, 0, gl.RED, gl.FLOAT, data);
    textures.set(name, made);
    return made;
  };
  return {
    kind: 'webgl2',
    draw({ view, size, devicePixels, scale, colours, ground = [], pending = [], tiles, masked, background }: Frame) {
      if (tableOf !== colours) {
        gl.activeTexture(gl.TEXTURE1);
        gl.bindTexture(gl.TEXTURE_2D, table);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, colours);
        gl.activeTexture(gl.TEXTURE0);
        tableOf = colours;
      }
      const width = Math.round(size.width * devicePixels), height = Math.round(size.height * devicePixels);
      if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
      gl.viewport(0, 0, width, height);
      gl.clearColor(background[0] / 255, background[1] / 255, background[2] / 255, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.useProgram(program);
      gl.uniform2f(places.range, scale.lo, scale.hi);
      gl.uniform1i(places.kind, scale.kind === 'log' ? 2 : scale.kind === 'gamma' ? 1 : 0);
      gl.uniform3f(places.masked, masked[0] / 255, masked[1] / 255, masked[2] / 255);
      gl.uniform1i(places.values, 0);
      gl.uniform1i(places.colours, 1);
      gl.activeTexture(gl.TEXTURE1);
      gl.bindTexture(gl.TEXTURE_2D, table);
      gl.activeTexture(gl.TEXTURE0);
      const x = (col: number): number => (col - view.col) * view.cell / size.width * 2 - 1, y = (row: number): number => 1 - (row - view.row) * view.cell / size.height * 2;
      const place = (tile: PlacedTile): void => {
        gl.bindTexture(gl.TEXTURE_2D, upload(tile));
        gl.uniform4f(places.place, x(tile.cols[0]), y(tile.rows[0]), x(tile.cols[1]), y(tile.rows[1]));
        gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
      };
      for (const tile of ground) place(tile);
      if (pending.length) {
        gl.enable(gl.SCISSOR_TEST);
        for (const { rows, cols } of pending) {
          const left = Math.round((x(cols[0]) + 1) / 2 * width), right = Math.round((x(cols[1]) + 1) / 2 * width), bottom = Math.round((y(rows[1]) + 1) / 2 * height), top = Math.round((y(rows[0]) + 1) / 2 * height);
          gl.scissor(left, bottom, right - left, top - bottom);
          gl.clear(gl.COLOR_BUFFER_BIT);
        }
        gl.disable(gl.SCISSOR_TEST);
      }
      for (const tile of tiles) place(tile);
    },
    keep: names => { for (const [name, made] of textures) if (!names.has(name)) { gl.deleteTexture(made); textures.delete(name); } },
    dispose: () => { canvas.removeEventListener('webglcontextlost', lost); for (const made of textures.values()) gl.deleteTexture(made); textures.clear(); gl.getExtension('WEBGL_lose_context')?.loseContext(); },
  };
}

function texture(gl: WebGL2RenderingContext): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const [name, value] of [[gl.TEXTURE_MIN_FILTER, gl.NEAREST], [gl.TEXTURE_MAG_FILTER, gl.NEAREST], [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]]) gl.texParameteri(gl.TEXTURE_2D, name, value);
  return made;
}

function link(gl: WebGL2RenderingContext): WebGLProgram | undefined {
  const program = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
    const shader = gl.createShader(type)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : undefined;
}
