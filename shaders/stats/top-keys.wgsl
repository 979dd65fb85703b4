// The keys with the highest scores of chosen rows of one head, by score, then by position: a workgroup streams one row, a list a thread, and merges the lists.
// Bindings: 0 q [head, row, dim], 1 k, 2 bias, 3 marks, 4 chosen [row] | 5 best [chosen row, COUNT]: score in nats, key (−1: there are not so many); 6 params, 7 of. Grid: chosen rows.

#include "common/site.wgsl"

struct Of { head: u32 }

override COUNT: u32 = 8u;         // at most 16

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> marks: array<u32>;
@group(0) @binding(4) var<storage, read> chosen: array<u32>;
@group(0) @binding(5) var<storage, read_write> best: array<vec2f>;
@group(0) @binding(6) var<uniform> params: Params;
@group(0) @binding(7) var<uniform> asked: Of;

var<workgroup> lists: array<array<vec2f, 16>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = chosen[group.x];
  var own: array<vec2f, 16>;
  for (var n = 0u; n < COUNT; n++) { own[n] = vec2f(hidden, -1.0); }
  for (var key = low_key(row) + thread; key < high_key(row); key += 64u) {
    var product = 0.0;
    for (var d = 0u; d < params.dim4; d++) { product += dot(q[asked.head * params.q_head + row * params.q_row + d], k[asked.head / params.group * params.k_head + key * params.k_row + d]); }
    var entry = vec2f(score(asked.head, row, key, product), f32(key));
    if (entry.x < nothing || entry.x <= own[COUNT - 1u].x) { continue; }
    // Keys come in order: of equals the first stays in front.
    var moving = false;
    for (var n = 0u; n < COUNT; n++) {
      moving = moving || entry.x > own[n].x;
      if (moving) { let moved = own[n]; own[n] = entry; entry = moved; }
    }
  }
  lists[thread] = own;
  workgroupBarrier();
  if (thread > 0u) { return; }
  var next: array<u32, 64>;
  for (var n = 0u; n < COUNT; n++) {
    var begin = 64u;
    var top = vec2f(hidden, -1.0);
    for (var t = 0u; t < 64u; t++) {
      if (next[t] >= COUNT) { continue; }
      let candidate = lists[t][next[t]];
      if (candidate.x > top.x || (candidate.x == top.x && candidate.x > nothing && candidate.y < top.y)) { top = candidate; begin = t; }
    }
    if (begin < 64u) { next[begin]++; }
    best[group.x * COUNT + n] = vec2f(select(top.x * ln2, hidden, top.x < nothing), top.y);
  }
}
