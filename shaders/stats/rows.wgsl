// Statistics of every row in one pass over its keys: lse, entropy, largest probability and its key, with a running maximum a thread (card: exact-attention,
// algorithm 3: u = Σ (s − m)·e^(s − m) follows every new maximum). Threads of a row meet once, at its end.
// Bindings: 0 q [head, row, dim], 1 k, 2 bias, 3 sink [head], 4 marks | 5 rows [head, row]: lse, entropy of the keys, largest p, its key (−1: none); 6 params.
// Grid: heads × tiles of 8·TY rows, the last rows first. `resident` must hold a strip a thread.

#include "common/site.wgsl"
#include "common/block.wgsl"
#include "common/tile.wgsl"

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> sink: array<f32>;
@group(0) @binding(4) var<storage, read> marks: array<u32>;
@group(0) @binding(5) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding(6) var<uniform> params: Params;

// The state of a row, (maximum, total, moment, key of the maximum), after eight more scores of the keys first, first + TX, …
fn follow(state: vec4f, s: Row, first: u32) -> vec4f {
  var own = state;
  let top = most_of(s);
  if (top > own.x) {
    // The first of equals, as everywhere: columns are in the order of keys.
    var best = 7u;
    best = select(best, 6u, s.b.z == top);
    best = select(best, 5u, s.b.y == top);
    best = select(best, 4u, s.b.x == top);
    best = select(best, 3u, s.a.w == top);
    best = select(best, 2u, s.a.z == top);
    best = select(best, 1u, s.a.y == top);
    best = select(best, 0u, s.a.x == top);
    // Before any key total and moment are 0, and stay so.
    let step = max(own.x - top, -2000.0);
    let shrink = exp2(step);
    own = vec4f(top, own.y * shrink, shrink * fma(own.y, step, own.z), f32(first + best * TX));
  }
  // With nothing seen yet hidden scores must not count.
  let base = select(own.x, 0.0, own.x < nothing);
  let below = Row(max(s.a - base, vec4f(-2000.0)), max(s.b - base, vec4f(-2000.0)));
  let share = Row(exp2(below.a), exp2(below.b));
  own.y += sum_of(share);
  own.z += sum_of(Row(below.a * share.a, below.b * share.b));
  return own;
}

fn resident_at(head: u32, row: u32, d4: u32) -> vec4f { return q[head * params.q_head + row * params.q_row + d4]; }
fn streamed_at(kv: u32, key: u32, d4: u32) -> vec4f { return k[kv * params.k_head + key * params.k_row + d4]; }

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

  load_resident(head, top, params.queries, index);

  let low_row = top + 4u * ty;
  let high_row = low_row + 4u * TY;
  var state0 = vec4f(hidden, 0.0, 0.0, -1.0);
  var state1 = vec4f(hidden, 0.0, 0.0, -1.0);
  var state2 = vec4f(hidden, 0.0, 0.0, -1.0);
  var state3 = vec4f(hidden, 0.0, 0.0, -1.0);
  var state4 = vec4f(hidden, 0.0, 0.0, -1.0);
  var state5 = vec4f(hidden, 0.0, 0.0, -1.0);
  var state6 = vec4f(hidden, 0.0, 0.0, -1.0);
  var state7 = vec4f(hidden, 0.0, 0.0, -1.0);
  let low = low_key(top) / COLUMNS * COLUMNS;
  let high = high_key(bottom);
  var next = four_of_slice(kv, low + part * COLUMNS, params.keys, 0u, thread);
  for (var turn = low; turn < high; turn += GROUPS * COLUMNS) {
    let begin = turn + part * COLUMNS;
    var s = Block();
    for (var d = 0u; d < D; d += DS) {
      keep_slice(kv, begin, params.keys, d, thread, next);
      workgroupBarrier();
      if (d + DS < D) { next = four_of_slice(kv, begin, params.keys, d + DS, thread); } else { next = four_of_slice(kv, begin + GROUPS * COLUMNS, params.keys, 0u, thread); }
      multiply_slice(&s, d, tx, ty);
      workgroupBarrier();
    }
    let inside = all_seen(top, bottom, begin, begin + COLUMNS);
    let first = begin + tx;
    state0 = follow(state0, score_row(head, min(low_row + 0u, bottom), first, s.r0, inside), first);
    state1 = follow(state1, score_row(head, min(low_row + 1u, bottom), first, s.r1, inside), first);
    state2 = follow(state2, score_row(head, min(low_row + 2u, bottom), first, s.r2, inside), first);
    state3 = follow(state3, score_row(head, min(low_row + 3u, bottom), first, s.r3, inside), first);
    state4 = follow(state4, score_row(head, min(high_row + 0u, bottom), first, s.r4, inside), first);
    state5 = follow(state5, score_row(head, min(high_row + 1u, bottom), first, s.r5, inside), first);
    state6 = follow(state6, score_row(head, min(high_row + 2u, bottom), first, s.r6, inside), first);
    state7 = follow(state7, score_row(head, min(high_row + 3u, bottom), first, s.r7, inside), first);
  }

  workgroupBarrier();
  resident[index][0] = state0;
  resident[index][1] = state1;
  resident[index][2] = state2;
  resident[index][3] = state3;
  resident[index][4] = state4;
  resident[index][5] = state5;
  resident[index][6] = state6;
  resident[index][7] = state7;
  workgroupBarrier();
  for (var row = index; row < ROWS; row += ALL) {
    if (top + row >= params.queries) { continue; }
    var m = hidden;
    var key = -1.0;
    for (var t = 0u; t < TX * GROUPS; t++) {
      let part = resident[t / TX * THREADS + row / 4u % TY * TX + t % TX][row / (4u * TY) * 4u + row % 4u];
      if (part.x > m || (part.x == m && part.x >= nothing && part.w < key)) { m = part.x; key = part.w; }
    }
    var l = 0.0;
    var u = 0.0;
    for (var t = 0u; t < TX * GROUPS; t++) {
      let part = resident[t / TX * THREADS + row / 4u % TY * TX + t % TX][row / (4u * TY) * 4u + row % 4u];
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
