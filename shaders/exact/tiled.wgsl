// Exact attention in one pass over tiles of keys with a running maximum (Milakov 2018; Dao 2022): o = Σ p·v, p = e^(s − lse). Never holds T×T.
// The file that includes this one says how elements are stored: load_q, load_k, load_v → vec4f; and how a row's threads agree: across_max, across_sum.
// Bindings: 0 q [head, row, dim], 1 k, 2 v, 3 bias, 4 sink [head], 5 marks | 6 out [head, row, value dim], 7 lse [head, row]; 8 params.
// Grid: heads × tiles of 8·TY rows, the last rows first (with a causal rule they take longest).

#include "common/site.wgsl"
#include "common/block.wgsl"
#include "common/tile.wgsl"

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> sink: array<f32>;
@group(0) @binding(5) var<storage, read> marks: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

override PAIRS: bool = true;      // two of a thread's columns go through `pool` at a time, or one
override PHASE: u32 = select(1u, 2u, PAIRS);

// The weights of a column of all threads, for eight rows.
fn offer(place: u32, tx: u32, ty: u32, lo: vec4f, hi: vec4f) {
  let at = (place * TX + tx) * ROW_STEP + ty;
  pool[at] = lo;
  pool[at + TY] = hi;
}

fn write_row(head: u32, row: u32, acc: Row, most: f32, total: f32, tx: u32) {
  if (row >= params.queries) { return; }
  var m = most;
  var l = total;
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
  if (tx < params.value_dim4) { out[at + tx] = acc.a * factor; }
  if (TX + tx < params.value_dim4) { out[at + TX + tx] = acc.b * factor; }
  if (tx == 0u) { lse[head * params.queries + row] = select((m + log2(l)) * ln2, hidden, empty); }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tx = thread % TX;
  let ty = thread / TX;
  let head = group.x;
  let kv = head / params.group;
  let top = (groups.y - 1u - group.y) * ROWS;
  let bottom = min(top + ROWS, params.queries) - 1u;
  let low_row = top + 4u * ty;
  let high_row = low_row + 4u * TY;

  for (var n = thread; n < ROWS * D / 4u; n += THREADS) {
    let row = n % ROWS;
    let d4 = n / ROWS;
    var value = vec4f(0.0);
    if (top + row < params.queries && d4 < params.dim4) { value = load_q(head * params.q_head + (top + row) * params.q_row + d4); }
    keep_resident(row, d4, value);
  }

  var acc = Block();
  var most = Eight(vec4f(hidden), vec4f(hidden));
  var total = Eight(vec4f(0.0), vec4f(0.0));
  let low = low_key(top) / COLUMNS * COLUMNS;
  let high = high_key(bottom);
  for (var begin = low; begin < high; begin += COLUMNS) {
    var s = Block();
    for (var d = 0u; d < D; d += DS) {
      for (var n = thread; n < COLUMNS * DS / 4u; n += THREADS) {
        let column = n % COLUMNS;
        let d4 = n / COLUMNS;
        var value = vec4f(0.0);
        if (begin + column < params.keys && d / 4u + d4 < params.dim4) { value = load_k(kv * params.k_head + (begin + column) * params.k_row + d / 4u + d4); }
        keep_streamed(column, d4, value);
      }
      workgroupBarrier();
      multiply_slice(&s, d, tx, ty);
      workgroupBarrier();
    }

    let inside = all_seen(top, bottom, begin, begin + COLUMNS);
    s.r0 = score_row(head, min(low_row + 0u, bottom), begin + tx, s.r0, inside);
    s.r1 = score_row(head, min(low_row + 1u, bottom), begin + tx, s.r1, inside);
    s.r2 = score_row(head, min(low_row + 2u, bottom), begin + tx, s.r2, inside);
    s.r3 = score_row(head, min(low_row + 3u, bottom), begin + tx, s.r3, inside);
    s.r4 = score_row(head, min(high_row + 0u, bottom), begin + tx, s.r4, inside);
    s.r5 = score_row(head, min(high_row + 1u, bottom), begin + tx, s.r5, inside);
    s.r6 = score_row(head, min(high_row + 2u, bottom), begin + tx, s.r6, inside);
    s.r7 = score_row(head, min(high_row + 3u, bottom), begin + tx, s.r7, inside);

    let peak = across_max(Eight(vec4f(most_of(s.r0), most_of(s.r1), most_of(s.r2), most_of(s.r3)), vec4f(most_of(s.r4), most_of(s.r5), most_of(s.r6), most_of(s.r7))), tx, ty);
    let now = Eight(max(most.lo, peak.lo), max(most.hi, peak.hi));
    // A row that has seen nothing yet takes 0: its hidden scores then vanish.
    let base = Eight(select(now.lo, vec4f(0.0), now.lo < vec4f(nothing)), select(now.hi, vec4f(0.0), now.hi < vec4f(nothing)));
    let shrink = Eight(exp2(most.lo - base.lo), exp2(most.hi - base.hi));
    most = now;
    s.r0 = power(s.r0, base.lo.x);
    s.r1 = power(s.r1, base.lo.y);
    s.r2 = power(s.r2, base.lo.z);
    s.r3 = power(s.r3, base.lo.w);
    s.r4 = power(s.r4, base.hi.x);
    s.r5 = power(s.r5, base.hi.y);
    s.r6 = power(s.r6, base.hi.z);
    s.r7 = power(s.r7, base.hi.w);
    acc.r0 = times(acc.r0, shrink.lo.x);
    acc.r1 = times(acc.r1, shrink.lo.y);
    acc.r2 = times(acc.r2, shrink.lo.z);
    acc.r3 = times(acc.r3, shrink.lo.w);
    acc.r4 = times(acc.r4, shrink.hi.x);
    acc.r5 = times(acc.r5, shrink.hi.y);
    acc.r6 = times(acc.r6, shrink.hi.z);
    acc.r7 = times(acc.r7, shrink.hi.w);
    total.lo = fma(total.lo, shrink.lo, vec4f(sum_of(s.r0), sum_of(s.r1), sum_of(s.r2), sum_of(s.r3)));
    total.hi = fma(total.hi, shrink.hi, vec4f(sum_of(s.r4), sum_of(s.r5), sum_of(s.r6), sum_of(s.r7)));

    for (var phase = 0u; phase < 8u; phase += PHASE) {
      switch (phase) {
        case 0u: {
          offer(0u, tx, ty, vec4f(s.r0.a.x, s.r1.a.x, s.r2.a.x, s.r3.a.x), vec4f(s.r4.a.x, s.r5.a.x, s.r6.a.x, s.r7.a.x));
          if (PAIRS) { offer(1u, tx, ty, vec4f(s.r0.a.y, s.r1.a.y, s.r2.a.y, s.r3.a.y), vec4f(s.r4.a.y, s.r5.a.y, s.r6.a.y, s.r7.a.y)); }
        }
        case 1u: { offer(0u, tx, ty, vec4f(s.r0.a.y, s.r1.a.y, s.r2.a.y, s.r3.a.y), vec4f(s.r4.a.y, s.r5.a.y, s.r6.a.y, s.r7.a.y)); }
        case 2u: {
          offer(0u, tx, ty, vec4f(s.r0.a.z, s.r1.a.z, s.r2.a.z, s.r3.a.z), vec4f(s.r4.a.z, s.r5.a.z, s.r6.a.z, s.r7.a.z));
          if (PAIRS) { offer(1u, tx, ty, vec4f(s.r0.a.w, s.r1.a.w, s.r2.a.w, s.r3.a.w), vec4f(s.r4.a.w, s.r5.a.w, s.r6.a.w, s.r7.a.w)); }
        }
        case 3u: { offer(0u, tx, ty, vec4f(s.r0.a.w, s.r1.a.w, s.r2.a.w, s.r3.a.w), vec4f(s.r4.a.w, s.r5.a.w, s.r6.a.w, s.r7.a.w)); }
        case 4u: {
          offer(0u, tx, ty, vec4f(s.r0.b.x, s.r1.b.x, s.r2.b.x, s.r3.b.x), vec4f(s.r4.b.x, s.r5.b.x, s.r6.b.x, s.r7.b.x));
          if (PAIRS) { offer(1u, tx, ty, vec4f(s.r0.b.y, s.r1.b.y, s.r2.b.y, s.r3.b.y), vec4f(s.r4.b.y, s.r5.b.y, s.r6.b.y, s.r7.b.y)); }
        }
        case 5u: { offer(0u, tx, ty, vec4f(s.r0.b.y, s.r1.b.y, s.r2.b.y, s.r3.b.y), vec4f(s.r4.b.y, s.r5.b.y, s.r6.b.y, s.r7.b.y)); }
        case 6u: {
          offer(0u, tx, ty, vec4f(s.r0.b.z, s.r1.b.z, s.r2.b.z, s.r3.b.z), vec4f(s.r4.b.z, s.r5.b.z, s.r6.b.z, s.r7.b.z));
          if (PAIRS) { offer(1u, tx, ty, vec4f(s.r0.b.w, s.r1.b.w, s.r2.b.w, s.r3.b.w), vec4f(s.r4.b.w, s.r5.b.w, s.r6.b.w, s.r7.b.w)); }
        }
        case 7u: { offer(0u, tx, ty, vec4f(s.r0.b.w, s.r1.b.w, s.r2.b.w, s.r3.b.w), vec4f(s.r4.b.w, s.r5.b.w, s.r6.b.w, s.r7.b.w)); }
        default: {}
      }
      for (var n = thread; n < PHASE * TX * 2u * TX; n += THREADS) {
        let key = begin + phase * TX + n / (2u * TX);
        let d4 = n % (2u * TX);
        var value = vec4f(0.0);
        if (key < params.keys && d4 < params.value_dim4) { value = load_v(kv * params.v_head + key * params.v_row + d4); }
        pool[PHASE * TX * ROW_STEP + n] = value;
      }
      workgroupBarrier();
      for (var key = 0u; key < PHASE * TX; key++) {
        let row = key * ROW_STEP + ty;
        let column = PHASE * TX * ROW_STEP + key * 2u * TX + tx;
        outer(&acc, pool[row], pool[row + TY], pool[column], pool[column + TX]);
      }
      workgroupBarrier();
    }
  }

  total = across_sum(total, tx, ty);
  write_row(head, low_row + 0u, acc.r0, most.lo.x, total.lo.x, tx);
  write_row(head, low_row + 1u, acc.r1, most.lo.y, total.lo.y, tx);
  write_row(head, low_row + 2u, acc.r2, most.lo.z, total.lo.z, tx);
  write_row(head, low_row + 3u, acc.r3, most.lo.w, total.lo.w, tx);
  write_row(head, high_row + 0u, acc.r4, most.hi.x, total.hi.x, tx);
  write_row(head, high_row + 1u, acc.r5, most.hi.y, total.hi.y, tx);
  write_row(head, high_row + 2u, acc.r6, most.hi.z, total.hi.z, tx);
  write_row(head, high_row + 3u, acc.r7, most.hi.w, total.hi.w, tx);
}
