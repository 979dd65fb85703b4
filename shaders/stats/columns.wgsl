// What every key receives from the rows of one bin, and how far that comes: Σ_t w_t·p(t, j), from lse of the rows (card: exact-attention, algorithm 5: the
// loops turned around, so that nothing is added by two workgroups and sums are the same every time).
// Bindings: 0 q [head, row, dim], 1 k, 2 bias, 3 marks, 4 rows [head, row]: .x = lse, 5 weights [row of mask heads, row] | 6 received [head, bin, key],
// 7 far [head, tile of keys, bin]: Σ w·p·|d|, Σ w·p·d² in .xy, Σ w·p in .z; 8 params, 9 bins.
// Grid: heads × tiles of 8·TY keys × bins. Rows of the grid are keys here and its columns queries.

#include "common/site.wgsl"
#include "common/outer.wgsl"
#include "common/tile.wgsl"

struct Bins {
  bins: u32,
  weights_head: u32,     // 0: one row of weights for all heads
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> marks: array<u32>;
@group(0) @binding(4) var<storage, read> rows: array<vec4f>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;
@group(0) @binding(6) var<storage, read_write> received: array<f32>;
@group(0) @binding(7) var<storage, read_write> far: array<vec4f>;
@group(0) @binding(8) var<uniform> params: Params;
@group(0) @binding(9) var<uniform> bins: Bins;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tx = thread % TX;
  let ty = thread / TX;
  let head = group.x;
  let kv = head / params.group;
  let left = group.y * ROWS;
  let right = min(left + ROWS, params.keys) - 1u;
  // Bin a owns rows ⌈a·T/R⌉ to ⌈(a + 1)·T/R⌉ − 1.
  let first = (group.z * params.queries + bins.bins - 1u) / bins.bins;
  let end = ((group.z + 1u) * params.queries + bins.bins - 1u) / bins.bins;
  // Rows that can see one of these keys.
  let start = max(first, u32(clamp(i32(left) - params.offset - params.right, 0, i32(end))));
  let stop = min(end, u32(clamp(i32(right) - params.offset + params.left + 1, 0, i32(end))));

  for (var n = thread; n < ROWS * D / 4u; n += THREADS) {
    let key = n % ROWS;
    let d4 = n / ROWS;
    var value = vec4f(0.0);
    if (left + key < params.keys && d4 < params.dim4) { value = k[kv * params.k_head + (left + key) * params.k_row + d4]; }
    keep_resident(key, d4, value);
  }

  var sums = array<vec4f, 2>(vec4f(0.0), vec4f(0.0));
  var distances = vec4f(0.0);
  for (var begin = start; begin < stop; begin += COLUMNS) {
    var s = Block();
    for (var d = 0u; d < D; d += DS) {
      workgroupBarrier();
      for (var n = thread; n < COLUMNS * DS / 4u; n += THREADS) {
        let column = n % COLUMNS;
        let d4 = n / COLUMNS;
        var value = vec4f(0.0);
        if (begin + column < stop && d / 4u + d4 < params.dim4) { value = q[head * params.q_head + (begin + column) * params.q_row + d / 4u + d4]; }
        keep_streamed(column, d4, value);
      }
      workgroupBarrier();
      multiply_slice(&s, d, tx, ty);
    }
    let last = min(begin + COLUMNS, stop) - 1u;
    let inside = all_seen(begin, last, left, left + ROWS) && !SOFTCAP;
    let factor = params.scale * log2e;
    for (var c = 0u; c < 8u; c++) {
      let row = begin + c * TX + tx;
      let there = row < stop;
      let place = head * params.queries + min(row, last);
      let own = rows[place].x;
      let weight = select(0.0, weights[head * bins.weights_head + min(row, last)], there && own > nothing);
      let whole = own * log2e;
      for (var r = 0u; r < 8u; r++) {
        let key = left + row_at(ty, r);
        var value = s[2u * r + c / 4u][c % 4u];
        if (inside) { value *= factor; } else { value = score(head, min(row, last), key, value); }
        let p = weight * exp2(max(value - whole, -2000.0));
        sums[r / 4u][r % 4u] += p;
        let distance = f32(i32(row) + params.offset - i32(key));
        distances.x = fma(p, abs(distance), distances.x);
        distances.y = fma(p * distance, distance, distances.y);
      }
    }
  }

  workgroupBarrier();
  for (var half = 0u; half < 2u; half++) { pool[(half * TX + tx) * TY + ty] = sums[half]; }
  workgroupBarrier();
  for (var key = thread; key < ROWS; key += THREADS) {
    if (left + key >= params.keys) { continue; }
    let half = key / (4u * TY);
    var sum = 0.0;
    for (var t = 0u; t < TX; t++) { sum += pool[(half * TX + t) * TY + (key / 4u) % TY][key % 4u]; }
    received[(head * bins.bins + group.z) * params.keys + left + key] = sum;
  }
  distances.z = sum_of(sums[0], sums[1]);
  workgroupBarrier();
  pool[thread] = distances;
  workgroupBarrier();
  if (thread == 0u) {
    var sum = vec4f(0.0);
    for (var t = 0u; t < THREADS; t++) { sum += pool[t]; }
    far[(head * groups.y + group.y) * bins.bins + group.z] = sum;
  }
}
