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

override KEYS: u32 = 16u;         // of a phase of the second product: whole columns of all threads, or a part of one
override WEIGHTS: u32 = KEYS / 4u * TY;   // strips of weights in `pool`, before those of values
override VALUES: u32 = KEYS * 2u * TX;    // vec4 of values of a phase

// The weights of column c of the thread, for eight rows, if it belongs to the phase that begins at key `first` of the tile.
fn offer(first: u32, c: u32, tx: u32, ty: u32, lo: vec4f, hi: vec4f) {
  let key = c * TX + tx - first;
  if (key >= KEYS) { return; }
  let strip = own_pool + key / 4u * TY + ty;
  let step = key % 4u * 2u;
  pool[strip][step] = lo;
  pool[strip][step + 1u] = hi;
}

fn resident_at(head: u32, row: u32, d4: u32) -> vec4f { return load_q(head * params.q_head + row * params.q_row + d4); }
fn streamed_at(kv: u32, key: u32, d4: u32) -> vec4f { return load_k(kv * params.k_head + key * params.k_row + d4); }

fn value_at(kv: u32, first: u32, n: u32) -> vec4f {
  let key = first + n / (2u * TX);
  let d4 = n % (2u * TX);
  if (n >= VALUES || key >= params.keys || d4 >= params.value_dim4) { return vec4f(0.0); }
  return load_v(kv * params.v_head + key * params.v_row + d4);
}
fn four_values(kv: u32, first: u32, n: u32) -> Four {
  var out: Four;
  out.a = value_at(kv, first, n);
  if (VALUES > THREADS) { out.b = value_at(kv, first, n + THREADS); }
  if (VALUES > 2u * THREADS) { out.c = value_at(kv, first, n + 2u * THREADS); }
  if (VALUES > 3u * THREADS) { out.d = value_at(kv, first, n + 3u * THREADS); }
  return out;
}
fn keep_value(n: u32, value: vec4f) {
  if (n >= VALUES) { return; }
  let key = n / (2u * TX);
  let d4 = n % (2u * TX);
  pool[own_pool + WEIGHTS + key / 4u * TX + d4 % TX][key % 4u * 2u + d4 / TX] = value;
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

@compute @workgroup_size(ALL)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let thread = index % THREADS;
  let part = index / THREADS;
  own_pool = part * POOL;
  let tx = thread % TX;
  let ty = thread / TX;
  let head = group.x;
  let kv = head / params.group;
  let top = (groups.y - 1u - group.y) * ROWS;
  let bottom = min(top + ROWS, params.queries) - 1u;
  let low_row = top + 4u * ty;
  let high_row = low_row + 4u * TY;

  load_resident(head, top, params.queries, index);

  var acc = Block();
  var most = Eight(vec4f(hidden), vec4f(hidden));
  var total = Eight(vec4f(0.0), vec4f(0.0));
  let low = low_key(top) / COLUMNS * COLUMNS;
  let high = high_key(bottom);
  var next = four_of_slice(kv, low + part * COLUMNS, params.keys, 0u, thread);
  for (var first = low; first < high; first += GROUPS * COLUMNS) {
    let begin = first + part * COLUMNS;
    var s = Block();
    for (var d = 0u; d < D; d += DS) {
      keep_slice(kv, begin, params.keys, d, thread, next);
      workgroupBarrier();
      if (d + DS < D) { next = four_of_slice(kv, begin, params.keys, d + DS, thread); } else { next = four_values(kv, begin, thread); }
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

    for (var phase = 0u; phase < COLUMNS; phase += KEYS) {
      switch (phase / TX) {
        case 0u: {
          offer(phase, 0u, tx, ty, vec4f(s.r0.a.x, s.r1.a.x, s.r2.a.x, s.r3.a.x), vec4f(s.r4.a.x, s.r5.a.x, s.r6.a.x, s.r7.a.x));
          if (KEYS > TX) { offer(phase, 1u, tx, ty, vec4f(s.r0.a.y, s.r1.a.y, s.r2.a.y, s.r3.a.y), vec4f(s.r4.a.y, s.r5.a.y, s.r6.a.y, s.r7.a.y)); }
        }
        case 1u: {
          offer(phase, 1u, tx, ty, vec4f(s.r0.a.y, s.r1.a.y, s.r2.a.y, s.r3.a.y), vec4f(s.r4.a.y, s.r5.a.y, s.r6.a.y, s.r7.a.y));
        }
        case 2u: {
          offer(phase, 2u, tx, ty, vec4f(s.r0.a.z, s.r1.a.z, s.r2.a.z, s.r3.a.z), vec4f(s.r4.a.z, s.r5.a.z, s.r6.a.z, s.r7.a.z));
          if (KEYS > TX) { offer(phase, 3u, tx, ty, vec4f(s.r0.a.w, s.r1.a.w, s.r2.a.w, s.r3.a.w), vec4f(s.r4.a.w, s.r5.a.w, s.r6.a.w, s.r7.a.w)); }
        }
        case 3u: {
          offer(phase, 3u, tx, ty, vec4f(s.r0.a.w, s.r1.a.w, s.r2.a.w, s.r3.a.w), vec4f(s.r4.a.w, s.r5.a.w, s.r6.a.w, s.r7.a.w));
        }
        case 4u: {
          offer(phase, 4u, tx, ty, vec4f(s.r0.b.x, s.r1.b.x, s.r2.b.x, s.r3.b.x), vec4f(s.r4.b.x, s.r5.b.x, s.r6.b.x, s.r7.b.x));
          if (KEYS > TX) { offer(phase, 5u, tx, ty, vec4f(s.r0.b.y, s.r1.b.y, s.r2.b.y, s.r3.b.y), vec4f(s.r4.b.y, s.r5.b.y, s.r6.b.y, s.r7.b.y)); }
        }
        case 5u: {
          offer(phase, 5u, tx, ty, vec4f(s.r0.b.y, s.r1.b.y, s.r2.b.y, s.r3.b.y), vec4f(s.r4.b.y, s.r5.b.y, s.r6.b.y, s.r7.b.y));
        }
        case 6u: {
          offer(phase, 6u, tx, ty, vec4f(s.r0.b.z, s.r1.b.z, s.r2.b.z, s.r3.b.z), vec4f(s.r4.b.z, s.r5.b.z, s.r6.b.z, s.r7.b.z));
          if (KEYS > TX) { offer(phase, 7u, tx, ty, vec4f(s.r0.b.w, s.r1.b.w, s.r2.b.w, s.r3.b.w), vec4f(s.r4.b.w, s.r5.b.w, s.r6.b.w, s.r7.b.w)); }
        }
        case 7u: {
          offer(phase, 7u, tx, ty, vec4f(s.r0.b.w, s.r1.b.w, s.r2.b.w, s.r3.b.w), vec4f(s.r4.b.w, s.r5.b.w, s.r6.b.w, s.r7.b.w));
        }
        default: {}
      }
      keep_value(thread, next.a);
      if (VALUES > THREADS) { keep_value(thread + THREADS, next.b); }
      if (VALUES > 2u * THREADS) { keep_value(thread + 2u * THREADS, next.c); }
      if (VALUES > 3u * THREADS) { keep_value(thread + 3u * THREADS, next.d); }
      for (var n = thread + 4u * THREADS; n < VALUES; n += THREADS) { keep_value(n, value_at(kv, begin + phase, n)); }
      workgroupBarrier();
      if (phase + KEYS < COLUMNS) { next = four_values(kv, begin + phase + KEYS, thread); } else { next = four_of_slice(kv, begin + GROUPS * COLUMNS, params.keys, 0u, thread); }
      for (var key4 = 0u; key4 < KEYS / 4u; key4++) {
        let r = own_pool + key4 * TY + ty;
        let c = own_pool + WEIGHTS + key4 * TX + tx;
        outer(&acc, pool[r][0], pool[r][1], pool[c][0], pool[c][1]);
        outer(&acc, pool[r][2], pool[r][3], pool[c][2], pool[c][3]);
        outer(&acc, pool[r][4], pool[r][5], pool[c][4], pool[c][5]);
        outer(&acc, pool[r][6], pool[r][7], pool[c][6], pool[c][7]);
      }
      workgroupBarrier();
    }
  }

  total = across_sum(total, tx, ty);
  if (GROUPS > 1u) {
    // The second group hands over what it has; both are made relative to the larger maximum.
    workgroupBarrier();
    let at = 2u * thread;
    let place = thread / 2u;
    let half = thread % 2u * 4u;
    if (part == 1u) {
      resident[at + 0u][0] = acc.r0.a;
      resident[at + 0u][1] = acc.r0.b;
      resident[at + 0u][2] = acc.r1.a;
      resident[at + 0u][3] = acc.r1.b;
      resident[at + 0u][4] = acc.r2.a;
      resident[at + 0u][5] = acc.r2.b;
      resident[at + 0u][6] = acc.r3.a;
      resident[at + 0u][7] = acc.r3.b;
      resident[at + 1u][0] = acc.r4.a;
      resident[at + 1u][1] = acc.r4.b;
      resident[at + 1u][2] = acc.r5.a;
      resident[at + 1u][3] = acc.r5.b;
      resident[at + 1u][4] = acc.r6.a;
      resident[at + 1u][5] = acc.r6.b;
      resident[at + 1u][6] = acc.r7.a;
      resident[at + 1u][7] = acc.r7.b;
      pool[place][half] = most.lo;
      pool[place][half + 1u] = most.hi;
      pool[place][half + 2u] = total.lo;
      pool[place][half + 3u] = total.hi;
    }
    workgroupBarrier();
    if (part == 1u) { return; }
    let other = Eight(pool[place][half], pool[place][half + 1u]);
    let now = Eight(max(most.lo, other.lo), max(most.hi, other.hi));
    let mine = Eight(exp2(max(most.lo - now.lo, vec4f(-2000.0))), exp2(max(most.hi - now.hi, vec4f(-2000.0))));
    let theirs = Eight(exp2(max(other.lo - now.lo, vec4f(-2000.0))), exp2(max(other.hi - now.hi, vec4f(-2000.0))));
    most = now;
    total = Eight(total.lo * mine.lo + pool[place][half + 2u] * theirs.lo, total.hi * mine.hi + pool[place][half + 3u] * theirs.hi);
    acc.r0 = Row(acc.r0.a * mine.lo.x + resident[at + 0u][0] * theirs.lo.x, acc.r0.b * mine.lo.x + resident[at + 0u][1] * theirs.lo.x);
    acc.r1 = Row(acc.r1.a * mine.lo.y + resident[at + 0u][2] * theirs.lo.y, acc.r1.b * mine.lo.y + resident[at + 0u][3] * theirs.lo.y);
    acc.r2 = Row(acc.r2.a * mine.lo.z + resident[at + 0u][4] * theirs.lo.z, acc.r2.b * mine.lo.z + resident[at + 0u][5] * theirs.lo.z);
    acc.r3 = Row(acc.r3.a * mine.lo.w + resident[at + 0u][6] * theirs.lo.w, acc.r3.b * mine.lo.w + resident[at + 0u][7] * theirs.lo.w);
    acc.r4 = Row(acc.r4.a * mine.hi.x + resident[at + 1u][0] * theirs.hi.x, acc.r4.b * mine.hi.x + resident[at + 1u][1] * theirs.hi.x);
    acc.r5 = Row(acc.r5.a * mine.hi.y + resident[at + 1u][2] * theirs.hi.y, acc.r5.b * mine.hi.y + resident[at + 1u][3] * theirs.hi.y);
    acc.r6 = Row(acc.r6.a * mine.hi.z + resident[at + 1u][4] * theirs.hi.z, acc.r6.b * mine.hi.z + resident[at + 1u][5] * theirs.hi.z);
    acc.r7 = Row(acc.r7.a * mine.hi.w + resident[at + 1u][6] * theirs.hi.w, acc.r7.b * mine.hi.w + resident[at + 1u][7] * theirs.hi.w);
  }
  write_row(head, low_row + 0u, acc.r0, most.lo.x, total.lo.x, tx);
  write_row(head, low_row + 1u, acc.r1, most.lo.y, total.lo.y, tx);
  write_row(head, low_row + 2u, acc.r2, most.lo.z, total.lo.z, tx);
  write_row(head, low_row + 3u, acc.r3, most.lo.w, total.lo.w, tx);
  write_row(head, high_row + 0u, acc.r4, most.hi.x, total.hi.x, tx);
  write_row(head, high_row + 1u, acc.r5, most.hi.y, total.hi.y, tx);
  write_row(head, high_row + 2u, acc.r6, most.hi.z, total.hi.z, tx);
  write_row(head, high_row + 3u, acc.r7, most.hi.w, total.hi.w, tx);
}
