// Exact attention in one pass over tiles of keys with a running maximum (Milakov 2018; Dao 2022): o = Σ p·v, p = e^(s − lse). Never holds T×T.
// The file that includes this one says how elements are stored: load_q, load_k, load_v → vec4f; and how a row's threads agree: across_max, across_sum.
// Bindings: 0 q [head, row, dim], 1 k, 2 v, 3 bias, 4 sink [head], 5 marks | 6 out [head, row, value dim], 7 lse [head, row]; 8 params.
// Grid: heads × tiles of 8·TY rows, the last rows first (with a causal rule they take longest).

#include "common/site.wgsl"
#include "common/outer.wgsl"
#include "common/tile.wgsl"

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> sink: array<f32>;
@group(0) @binding(5) var<storage, read> marks: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

override PS: u32 = 16u;           // keys whose probabilities and values are in `pool` at a time

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
    if (top + row < params.queries && d4 < params.dim4) { value = load_q(head * params.q_head + (top + row) * params.q_row + d4); }
    keep_resident(row, d4, value);
  }

  var acc = Block();
  var most = array<vec4f, 2>(vec4f(hidden), vec4f(hidden));
  var total = array<vec4f, 2>(vec4f(0.0), vec4f(0.0));
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
        if (begin + column < params.keys && d / 4u + d4 < params.dim4) { value = load_k(kv * params.k_head + (begin + column) * params.k_row + d / 4u + d4); }
        keep_streamed(column, d4, value);
      }
      workgroupBarrier();
      multiply_slice(&s, d, tx, ty);
    }

    if (all_seen(top, bottom, begin, begin + COLUMNS)) {
      if (SOFTCAP) {
        for (var n = 0u; n < 16u; n++) { for (var c = 0u; c < 4u; c++) { s[n][c] = capped(s[n][c]); } }
      } else {
        let factor = params.scale * log2e;
        for (var n = 0u; n < 16u; n++) { s[n] *= factor; }
      }
    } else {
      for (var n = 0u; n < 16u; n++) {
        let row = top + row_at(ty, n / 2u);
        for (var c = 0u; c < 4u; c++) { s[n][c] = score(head, min(row, bottom), begin + ((n % 2u) * 4u + c) * TX + tx, s[n][c]); }
      }
    }

    var tile = array<vec4f, 2>(
      vec4f(most_of(s[0], s[1]), most_of(s[2], s[3]), most_of(s[4], s[5]), most_of(s[6], s[7])),
      vec4f(most_of(s[8], s[9]), most_of(s[10], s[11]), most_of(s[12], s[13]), most_of(s[14], s[15])),
    );
    tile = across_max(tile, tx, ty);
    for (var half = 0u; half < 2u; half++) {
      let now = max(most[half], tile[half]);
      // A row that has seen nothing yet takes 0: its hidden scores then vanish.
      let base = select(now, vec4f(0.0), now < vec4f(nothing));
      let shrink = exp2(most[half] - base);
      most[half] = now;
      for (var r = 0u; r < 4u; r++) {
        let n = 8u * half + 2u * r;
        s[n] = exp2(s[n] - base[r]);
        s[n + 1u] = exp2(s[n + 1u] - base[r]);
        acc[n] *= shrink[r];
        acc[n + 1u] *= shrink[r];
        total[half][r] = fma(total[half][r], shrink[r], sum_of(s[n], s[n + 1u]));
      }
    }

    for (var slice = 0u; slice < COLUMNS; slice += PS) {
      workgroupBarrier();
      for (var c = 0u; c < 8u; c++) {
        let at = c * TX + tx;
        if (at >= slice && at < slice + PS) {
          let place = (at - slice) * ROW_STEP + ty;
          let n = c / 4u;
          let e = c % 4u;
          pool[place] = vec4f(s[n][e], s[2u + n][e], s[4u + n][e], s[6u + n][e]);
          pool[place + TY] = vec4f(s[8u + n][e], s[10u + n][e], s[12u + n][e], s[14u + n][e]);
        }
      }
      for (var n = thread; n < PS * 2u * TX; n += THREADS) {
        let key = begin + slice + n / (2u * TX);
        let d4 = n % (2u * TX);
        var value = vec4f(0.0);
        if (key < params.keys && d4 < params.value_dim4) { value = load_v(kv * params.v_head + key * params.v_row + d4); }
        pool[PS * ROW_STEP + n] = value;
      }
      workgroupBarrier();
      for (var key = 0u; key < PS; key++) {
        let row = key * ROW_STEP + ty;
        let column = PS * ROW_STEP + key * 2u * TX + tx;
        outer(&acc, pool[row], pool[row + TY], pool[column], pool[column + TX]);
      }
    }
  }

  total = across_sum(total, tx, ty);
  for (var r = 0u; r < 8u; r++) {
    let row = top + row_at(ty, r);
    if (row >= params.queries) { continue; }
    var m = most[r / 4u][r % 4u];
    var l = total[r / 4u][r % 4u];
    var share = 1.0;
    if (SINK) {
      let z = sink[head] * log2e;
      let both = max(m, z);
      share = exp2(m - both);
      l = l * share + exp2(z - both);
      m = both;
    }
    let empty = m < nothing;
    let factor = select(share / l, 0.0, empty);
    let at = (head * params.queries + row) * params.value_dim4;
    if (tx < params.value_dim4) { out[at + tx] = acc[2u * r] * factor; }
    if (TX + tx < params.value_dim4) { out[at + TX + tx] = acc[2u * r + 1u] * factor; }
    if (tx == 0u) { lse[head * params.queries + row] = select((m + log2(l)) * ln2, hidden, empty); }
  }
}
