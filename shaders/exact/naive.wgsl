// Exact attention written to be read: every score is kept [head, row, key], one invocation a cell or a row. The independent check of the tiled kernels.
// Bindings: 0 q [head, row, dim], 1 k, 2 v, 3 bias, 4 sink [head], 5 marks | 6 out [head, row, value dim], 7 lse [head, row], 8 cells [head, row, key]; 9 params.
// Entries, in this order: scores, softmax, values. Grid: cells of a head (or rows, or output vectors) in x, heads in y.

#include "common/site.wgsl"

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> sink: array<f32>;
@group(0) @binding(5) var<storage, read> marks: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;
@group(0) @binding(8) var<storage, read_write> cells: array<f32>;
@group(0) @binding(9) var<uniform> params: Params;

@compute @workgroup_size(64)
fn scores(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x / params.keys;
  let key = id.x % params.keys;
  let head = id.y;
  if (row >= params.queries) { return; }
  var product = 0.0;
  for (var d = 0u; d < params.dim4; d++) {
    product += dot(q[head * params.q_head + row * params.q_row + d], k[head / params.group * params.k_head + key * params.k_row + d]);
  }
  cells[(head * params.queries + row) * params.keys + key] = score(head, row, key, product);
}

@compute @workgroup_size(64)
fn softmax(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.queries) { return; }
  let begin = (head * params.queries + row) * params.keys;
  var most = select(hidden, sink[head] * log2e, SINK);
  for (var j = 0u; j < params.keys; j++) { most = max(most, cells[begin + j]); }
  var total = 0.0;
  if (SINK) { total = exp2(sink[head] * log2e - most); }
  if (most >= nothing) {
    for (var j = 0u; j < params.keys; j++) { total += exp2(cells[begin + j] - most); }
  }
  let whole = most + log2(total);
  for (var j = 0u; j < params.keys; j++) {
    cells[begin + j] = select(exp2(cells[begin + j] - whole), 0.0, most < nothing);
  }
  lse[head * params.queries + row] = select(whole * ln2, hidden, most < nothing);
}

@compute @workgroup_size(64)
fn values(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x / params.value_dim4;
  let d = id.x % params.value_dim4;
  let head = id.y;
  if (row >= params.queries) { return; }
  var sum = vec4f(0.0);
  for (var j = 0u; j < params.keys; j++) {
    sum += cells[(head * params.queries + row) * params.keys + j] * v[head / params.group * params.v_head + j * params.v_row + d];
  }
  out[(head * params.queries + row) * params.value_dim4 + d] = sum;
}
