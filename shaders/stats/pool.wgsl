// From what each key received a bin of rows: column sums over all bins, and the sums of a small picture, always added in the same order.
// Bindings: 0 received [head, bin, key] | 1 columns [head, key], 2 picture [head, bin, bin of keys]; 3 sizes. Entries: columns_of (keys in x), picture_of (bins of keys in x, of rows in z); heads in y.

struct Sizes {
  keys: u32,
  bins: u32,
  key_bins: u32,
}

@group(0) @binding(0) var<storage, read> received: array<f32>;
@group(0) @binding(1) var<storage, read_write> columns: array<f32>;
@group(0) @binding(2) var<storage, read_write> picture: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn columns_of(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.keys) { return; }
  var sum = 0.0;
  for (var bin = 0u; bin < sizes.bins; bin++) { sum += received[(id.y * sizes.bins + bin) * sizes.keys + id.x]; }
  columns[id.y * sizes.keys + id.x] = sum;
}

@compute @workgroup_size(64)
fn picture_of(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.key_bins) { return; }
  let first = (id.x * sizes.keys + sizes.key_bins - 1u) / sizes.key_bins;
  let end = ((id.x + 1u) * sizes.keys + sizes.key_bins - 1u) / sizes.key_bins;
  var sum = 0.0;
  for (var key = first; key < end; key++) { sum += received[(id.y * sizes.bins + id.z) * sizes.keys + key]; }
  picture[(id.y * sizes.bins + id.z) * sizes.key_bins + id.x] = sum;
}
