// Statistics of every row in one pass over its keys: lse, entropy, largest probability and its key, with a running maximum a thread (card: exact-attention,
// algorithm 3: u = Σ (s − m)·e^(s − m) follows every new maximum). Threads of a row meet once, at its end.
// Bindings: 0 q [head, row, dim], 1 k, 2 bias, 3 sink [head], 4 marks | 5 rows [head, row]: lse, entropy of the keys, largest p, its key (−1: none); 6 params.
// Grid: heads × tiles of 8·TY rows, the last rows first. `resident` must hold 8·TY·TX vec4.

#include "common/site.wgsl"
#include "common/outer.wgsl"
#include "common/tile.wgsl"

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> sink: array<f32>;
@group(0) @binding(4) var<storage, read> marks: array<u32>;
@group(0) @binding(5) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tx = thread % TX;
  let ty = thread / TX;
  let head = group.x;
  let kv = head / params.group;
  let top = (groups.y - 1u - group.y) * ROWS;
  let bottom = min(top + ROWS, params.queries) - 1u;

  for (var n = thread; n < ROWS * D / 4u; n += THREADS) {
    let row = n % ROWS;
    let d4 = n / ROWS;
    var value = vec4f(0.0);
    if (top + row < params.queries && d4 < params.dim4) { value = q[head * params.q_head + (top + row) * params.q_row + d4]; }
    keep_resident(row, d4, value);
  }

  // A row of the thread: maximum, total, moment, key of the maximum.
  var state: array<vec4f, 8>;
  for (var r = 0u; r < 8u; r++) { state[r] = vec4f(hidden, 0.0, 0.0, -1.0); }
  let low = low_key(top) / COLUMNS * COLUMNS;
  let high = high_key(bottom);
  for (var begin = low; begin < high; begin += COLUMNS) {
    var s = Block();
    for (var d = 0u; d < D; d += DS) {
      workgroupBarrier();
      for (var n = thread; n < COLUMNS * DS / 4u; n += THREADS) {
        let column = n % COLUMNS;
        let d4 = n / COLUMNS;
        var value = vec4f(0.0);
        if (begin + column < params.keys && d / 4u + d4 < params.dim4) { value = k[kv * params.k_head + (begin + column) * params.k_row + d / 4u + d4]; }
        keep_streamed(column, d4, value);
      }
      workgroupBarrier();
      multiply_slice(&s, d, tx, ty);
    }
    let inside = all_seen(top, bottom, begin, begin + COLUMNS);
    let factor = params.scale * log2e;
    for (var r = 0u; r < 8u; r++) {
      var a = s[2u * r];
      var b = s[2u * r + 1u];
      if (inside && !SOFTCAP) {
        a *= factor;
        b *= factor;
      } else {
        let row = min(top + row_at(ty, r), bottom);
        for (var c = 0u; c < 4u; c++) {
          a[c] = score(head, row, begin + c * TX + tx, a[c]);
          b[c] = score(head, row, begin + (c + 4u) * TX + tx, b[c]);
        }
      }
      var own = state[r];
      let top_here = most_of(a, b);
      if (top_here > own.x) {
        // The first of equals, as everywhere: columns are in the order of keys.
        var best = 0u;
        for (var c = 8u; c > 0u; c--) {
          let value = select(b[(c - 1u) % 4u], a[(c - 1u) % 4u], c <= 4u);
          if (value == top_here) { best = c - 1u; }
        }
        // Before any key total and moment are 0, and stay so.
        let step = max(own.x - top_here, -2000.0);
        let shrink = exp2(step);
        own = vec4f(top_here, own.y * shrink, shrink * fma(own.y, step, own.z), f32(begin + best * TX + tx));
      }
      if (own.x >= nothing) {
        let below_a = max(a - own.x, vec4f(-2000.0));
        let below_b = max(b - own.x, vec4f(-2000.0));
        let share_a = exp2(below_a);
        let share_b = exp2(below_b);
        own.y += sum_of(share_a, share_b);
        own.z += sum_of(below_a * share_a, below_b * share_b);
      }
      state[r] = own;
    }
  }

  workgroupBarrier();
  for (var r = 0u; r < 8u; r++) { resident[row_at(ty, r) * TX + tx] = state[r]; }
  workgroupBarrier();
  for (var row = thread; row < ROWS; row += THREADS) {
    if (top + row >= params.queries) { continue; }
    var m = hidden;
    var key = -1.0;
    for (var t = 0u; t < TX; t++) {
      let part = resident[row * TX + t];
      if (part.x > m || (part.x == m && part.x >= nothing && part.w < key)) { m = part.x; key = part.w; }
    }
    var l = 0.0;
    var u = 0.0;
    for (var t = 0u; t < TX; t++) {
      let part = resident[row * TX + t];
      if (part.x < nothing) { continue; }
      let step = part.x - m;
      let shrink = exp2(step);
      l += part.y * shrink;
      u += shrink * fma(part.y, step, part.z);
    }
    // Both in nats. With a sink the keys share less than 1: P = Σ p, and −Σ p·ln p = P·(H(p/P) − ln P).
    let keys_lse = (m + log2(l)) * ln2;
    var whole = keys_lse;
    if (SINK) {
      let z = sink[head];
      let both = max(keys_lse, z);
      whole = select(both + log2(exp2((keys_lse - both) * log2e) + exp2((z - both) * log2e)) * ln2, z, m < nothing);
    }
    let share = exp2((keys_lse - whole) * log2e);
    let entropy = max(0.0, share * ((log2(l) - u / l) * ln2 - (keys_lse - whole)));
    let largest = exp2(m - whole * log2e);
    let empty = m < nothing;
    rows[head * params.queries + top + row] = select(vec4f(whole, entropy, largest, key), vec4f(select(hidden, whole, SINK), 0.0, 0.0, -1.0), empty);
  }
}
