// Doubles a buffer: proof that this machine runs WGSL and gives the result back. y = 2x.
// Bindings: 0 values, read and written, f32. No overrides.

@group(0) @binding(0) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&values)) {
    values[id.x] = 2.0 * values[id.x];
  }
}
