// What every key receives from the rows of one bin, and how far that comes: Σ_t w_t·p(t, j), from lse of the rows (card: exact-attention, algorithm 5: the
// loops turned around, so that nothing is added by two workgroups and sums are the same every time).
// Bindings: 0 q [head, row, dim], 1 k, 2 bias, 3 marks, 4 rows [head, row]: .x = lse, 5 weights [row of mask heads, row] | 6 received [head, bin, key],
// 7 far [head, tile of keys, bin]: Σ w·p·|d|, Σ w·p·d² in .xy, Σ w·p in .z; 8 params, 9 bins.
// Grid: heads × tiles of 8·TY keys × bins. Rows of the grid are keys here and its columns queries.

#include "common/site.wgsl"
#include "common/block.wgsl"
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

// The scores of one key for the queries first, first + TX, … up to `last`.
fn score_key(head: u32, key: u32, first: u32, last: u32, s: Row, inside: bool) -> Row {
  if (SOFTCAP || BIAS || MARKS || BLOCKS) {
    var out = s;
    for (var c = 0u; c < 4u; c++) {
      out.a[c] = score(head, min(first + c * TX, last), key, out.a[c]);
      out.b[c] = score(head, min(first + (c + 4u) * TX, last), key, out.b[c]);
    }
    return out;
  }
  let factor = params.scale * log2e;
  if (inside) { return Row(s.a * factor, s.b * factor); }
  let low = vec4i(select(i32(key) - params.right, 2147483647, key >= params.keys));
  let high = vec4i(i32(key) + params.left);
  let a = vec4i(i32(first) + params.offset) + vec4i(0, i32(TX), 2 * i32(TX), 3 * i32(TX));
  let b = a + vec4i(4 * i32(TX));
  return Row(select(vec4f(hidden), s.a * factor, (a >= low) & (a <= high)), select(vec4f(hidden), s.b * factor, (b >= low) & (b <= high)));
}

// lse in log2 and weight of a query; both 0 where there is none, or where it sees nothing.
fn whole_of(head: u32, row: u32, stop: u32) -> vec2f {
  if (row >= stop) { return vec2f(0.0); }
  let own = rows[head * params.queries + row].x;
  return select(vec2f(0.0), vec2f(own * log2e, weights[head * bins.weights_head + row]), own > nothing);
}

fn resident_at(kv: u32, key: u32, d4: u32) -> vec4f { return k[kv * params.k_head + key * params.k_row + d4]; }
fn streamed_at(head: u32, row: u32, d4: u32) -> vec4f { return q[head * params.q_head + row * params.q_row + d4]; }

@compute @workgroup_size(ALL)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let thread = index % THREADS;
  let part = index / THREADS;
  own_pool = part * POOL;
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

  load_resident(kv, left, params.keys, index);

  let low_row = left + 4u * ty;
  let high_row = low_row + 4u * TY;
  var sums = Eight(vec4f(0.0), vec4f(0.0));
  var near = vec4f(0.0);
  var square = vec4f(0.0);
  var next = four_of_slice(head, start + part * COLUMNS, stop, 0u, thread);
  for (var turn = start; turn < stop; turn += GROUPS * COLUMNS) {
    let begin = turn + part * COLUMNS;
    var s = Block();
    for (var d = 0u; d < D; d += DS) {
      keep_slice(head, begin, stop, d, thread, next);
      workgroupBarrier();
      if (d + DS < D) { next = four_of_slice(head, begin, stop, d + DS, thread); } else { next = four_of_slice(head, begin + GROUPS * COLUMNS, stop, 0u, thread); }
      multiply_slice(&s, d, tx, ty);
      workgroupBarrier();
    }
    let last = min(begin + COLUMNS, stop) - 1u;
    let inside = all_seen(begin, last, left, left + ROWS);
    let first = begin + tx;
    let own0 = whole_of(head, first + 0u * TX, stop);
    let own1 = whole_of(head, first + 1u * TX, stop);
    let own2 = whole_of(head, first + 2u * TX, stop);
    let own3 = whole_of(head, first + 3u * TX, stop);
    let own4 = whole_of(head, first + 4u * TX, stop);
    let own5 = whole_of(head, first + 5u * TX, stop);
    let own6 = whole_of(head, first + 6u * TX, stop);
    let own7 = whole_of(head, first + 7u * TX, stop);
    let whole = Row(vec4f(own0.x, own1.x, own2.x, own3.x), vec4f(own4.x, own5.x, own6.x, own7.x));
    let weight = Row(vec4f(own0.y, own1.y, own2.y, own3.y), vec4f(own4.y, own5.y, own6.y, own7.y));
    let place = vec4f(f32(i32(first) + params.offset)) + vec4f(0.0, f32(TX), f32(2u * TX), f32(3u * TX));
    {
      let x = score_key(head, low_row + 0u, first, last, s.r0, inside);
      let p = Row(weight.a * exp2(max(x.a - whole.a, vec4f(-2000.0))), weight.b * exp2(max(x.b - whole.b, vec4f(-2000.0))));
      let far_a = place - f32(low_row + 0u);
      let far_b = far_a + f32(4u * TX);
      sums.lo.x += sum_of(p);
      near = fma(p.a, abs(far_a), fma(p.b, abs(far_b), near));
      square = fma(p.a * far_a, far_a, fma(p.b * far_b, far_b, square));
    }
    {
      let x = score_key(head, low_row + 1u, first, last, s.r1, inside);
      let p = Row(weight.a * exp2(max(x.a - whole.a, vec4f(-2000.0))), weight.b * exp2(max(x.b - whole.b, vec4f(-2000.0))));
      let far_a = place - f32(low_row + 1u);
      let far_b = far_a + f32(4u * TX);
      sums.lo.y += sum_of(p);
      near = fma(p.a, abs(far_a), fma(p.b, abs(far_b), near));
      square = fma(p.a * far_a, far_a, fma(p.b * far_b, far_b, square));
    }
    {
      let x = score_key(head, low_row + 2u, first, last, s.r2, inside);
      let p = Row(weight.a * exp2(max(x.a - whole.a, vec4f(-2000.0))), weight.b * exp2(max(x.b - whole.b, vec4f(-2000.0))));
      let far_a = place - f32(low_row + 2u);
      let far_b = far_a + f32(4u * TX);
      sums.lo.z += sum_of(p);
      near = fma(p.a, abs(far_a), fma(p.b, abs(far_b), near));
      square = fma(p.a * far_a, far_a, fma(p.b * far_b, far_b, square));
    }
    {
      let x = score_key(head, low_row + 3u, first, last, s.r3, inside);
      let p = Row(weight.a * exp2(max(x.a - whole.a, vec4f(-2000.0))), weight.b * exp2(max(x.b - whole.b, vec4f(-2000.0))));
      let far_a = place - f32(low_row + 3u);
      let far_b = far_a + f32(4u * TX);
      sums.lo.w += sum_of(p);
      near = fma(p.a, abs(far_a), fma(p.b, abs(far_b), near));
      square = fma(p.a * far_a, far_a, fma(p.b * far_b, far_b, square));
    }
    {
      let x = score_key(head, high_row + 0u, first, last, s.r4, inside);
      let p = Row(weight.a * exp2(max(x.a - whole.a, vec4f(-2000.0))), weight.b * exp2(max(x.b - whole.b, vec4f(-2000.0))));
      let far_a = place - f32(high_row + 0u);
      let far_b = far_a + f32(4u * TX);
      sums.hi.x += sum_of(p);
      near = fma(p.a, abs(far_a), fma(p.b, abs(far_b), near));
      square = fma(p.a * far_a, far_a, fma(p.b * far_b, far_b, square));
    }
    {
      let x = score_key(head, high_row + 1u, first, last, s.r5, inside);
      let p = Row(weight.a * exp2(max(x.a - whole.a, vec4f(-2000.0))), weight.b * exp2(max(x.b - whole.b, vec4f(-2000.0))));
      let far_a = place - f32(high_row + 1u);
      let far_b = far_a + f32(4u * TX);
      sums.hi.y += sum_of(p);
      near = fma(p.a, abs(far_a), fma(p.b, abs(far_b), near));
      square = fma(p.a * far_a, far_a, fma(p.b * far_b, far_b, square));
    }
    {
      let x = score_key(head, high_row + 2u, first, last, s.r6, inside);
      let p = Row(weight.a * exp2(max(x.a - whole.a, vec4f(-2000.0))), weight.b * exp2(max(x.b - whole.b, vec4f(-2000.0))));
      let far_a = place - f32(high_row + 2u);
      let far_b = far_a + f32(4u * TX);
      sums.hi.z += sum_of(p);
      near = fma(p.a, abs(far_a), fma(p.b, abs(far_b), near));
      square = fma(p.a * far_a, far_a, fma(p.b * far_b, far_b, square));
    }
    {
      let x = score_key(head, high_row + 3u, first, last, s.r7, inside);
      let p = Row(weight.a * exp2(max(x.a - whole.a, vec4f(-2000.0))), weight.b * exp2(max(x.b - whole.b, vec4f(-2000.0))));
      let far_a = place - f32(high_row + 3u);
      let far_b = far_a + f32(4u * TX);
      sums.hi.w += sum_of(p);
      near = fma(p.a, abs(far_a), fma(p.b, abs(far_b), near));
      square = fma(p.a * far_a, far_a, fma(p.b * far_b, far_b, square));
    }
  }

  workgroupBarrier();
  pool[index / 4u][index % 4u * 2u] = sums.lo;
  pool[index / 4u][index % 4u * 2u + 1u] = sums.hi;
  workgroupBarrier();
  for (var key = index; key < ROWS; key += ALL) {
    if (left + key >= params.keys) { continue; }
    let half = key / (4u * TY);
    var sum = 0.0;
    for (var t = 0u; t < TX * GROUPS; t++) {
      let at = t / TX * THREADS + key / 4u % TY * TX + t % TX;
      sum += pool[at / 4u][at % 4u * 2u + half][key % 4u];
    }
    received[(head * bins.bins + group.z) * params.keys + left + key] = sum;
  }
  let distances = vec4f((near.x + near.y) + (near.z + near.w), (square.x + square.y) + (square.z + square.w), sum_of(Row(sums.lo, sums.hi)), 0.0);
  workgroupBarrier();
  pool[index / 4u][index % 4u] = distances;
  workgroupBarrier();
  if (index == 0u) {
    var sum = vec4f(0.0);
    for (var t = 0u; t < ALL; t++) { sum += pool[t / 4u][t % 4u]; }
    far[(head * groups.y + group.y) * bins.bins + group.z] = sum;
  }
}
