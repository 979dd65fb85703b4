// How often a head gives a probability of which size: bin b < 31 counts cells with 2^−(b + 1) < p ≤ 2^−b, bin 31 all smaller ones. Whole numbers: the order of adding does not matter.
// Bindings: 0 q [head, row, dim], 1 k, 2 bias, 3 marks, 4 rows [head, row]: .x = lse | 5 counts [head, 32]; 6 params. Grid: heads × tiles of 32 rows.

#include "common/site.wgsl"
#include "common/cells.wgsl"

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> marks: array<u32>;
@group(0) @binding(4) var<storage, read> rows: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(6) var<uniform> params: Params;

var<workgroup> bins: array<atomic<u32>, 32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.x;
  let top = 32u * group.y;
  let bottom = min(top + 32u, params.queries);
  if (thread < 32u) { atomicStore(&bins[thread], 0u); }
  for (var left = low_key(top); left < high_key(bottom - 1u); left += 32u) {
    let s = products(head, top, left, thread);
    for (var r = 0u; r < 4u; r++) {
      let row = top + 4u * (thread / 8u) + r;
      let whole = rows[head * params.queries + min(row, bottom - 1u)].x;
      for (var c = 0u; c < 4u; c++) {
        let value = score(head, min(row, bottom - 1u), left + 4u * (thread % 8u) + c, s[r][c]);
        if (row < bottom && whole > nothing && value > nothing) { atomicAdd(&bins[u32(clamp(floor(whole * log2e - value), 0.0, 31.0))], 1u); }
      }
    }
  }
  workgroupBarrier();
  if (thread < 32u) { atomicAdd(&counts[head * 32u + thread], atomicLoad(&bins[thread])); }
}
