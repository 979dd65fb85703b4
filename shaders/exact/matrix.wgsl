// Exact attention with products of subgroup matrices, f16 in and f32 out: each subgroup of 32 has 32 rows, a lane one of them for the softmax between the
// two products, which passes through workgroup memory. The running maximum may lag by a factor 2⁸ behind, so that outputs are rescaled only now and then
// (the lag cancels in o = Σ p·v / Σ p; f16 holds it).
// The file that includes this one says SIXTEENS (head size in 16s), KEYS (of a step: 32 or 64) and SUBGROUPS (of a workgroup).
// Rows of q, k, v beyond the last must be there up to whole steps, and finite.
// Bindings: 0 q [head, row, dim], 1 k, 2 v, 3 bias, 4 sink [head], 5 marks | 6 out [head, row, value dim], 7 lse [head, row]; 8 params.
// Grid: heads × tiles of 32·SUBGROUPS rows, the last rows first.

enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, subgroup_uniformity);
diagnostic(off, chromium.subgroup_matrix_uniformity);

#include "common/site.wgsl"

@group(0) @binding(0) var<storage, read> q: array<f16>;
@group(0) @binding(1) var<storage, read> k: array<f16>;
@group(0) @binding(2) var<storage, read> v: array<f16>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> sink: array<f32>;
@group(0) @binding(5) var<storage, read> marks: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Result = subgroup_matrix_result<f32, 16, 16>;

const STEP = KEYS + 4u;           // f32 from row to row of `scores`: aligned, and rows of a quarter meet in no bank
const P_STEP = KEYS + 8u;         // f16 from row to row of `weights`
const lag = 8.0;

var<workgroup> scores: array<f32, SUBGROUPS * 32u * STEP>;
var<workgroup> weights: array<f16, SUBGROUPS * 32u * P_STEP>;
// Four, so that what lies behind them is aligned: matrices that are stored to an address between are moved to the one before.
var<workgroup> rescale: array<atomic<u32>, 4>;

@compute @workgroup_size(32u * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let lane = thread % 32u;
  let subgroup = thread / 32u;
  let head = group.x;
  let tile = (groups.y - 1u - group.y) * 32u * SUBGROUPS;
  let top = tile + 32u * subgroup;
  let bottom = min(tile + 32u * SUBGROUPS, params.queries) - 1u;
  let row = min(top + lane, params.queries - 1u);
  let s_base = subgroup * 32u * STEP;
  let p_base = subgroup * 32u * P_STEP;
  let own_s = s_base + lane * STEP;
  let own_p = p_base + lane * P_STEP;
  let q_row = 4u * params.q_row;
  let k_row = 4u * params.k_row;
  let v_row = 4u * params.v_row;
  let q_at = 4u * (head * params.q_head) + top * q_row;
  let k_at = 4u * (head / params.group * params.k_head);
  let v_at = 4u * (head / params.group * params.v_head);

  var acc: array<Result, 2u * SIXTEENS>;
  for (var n = 0u; n < 2u * SIXTEENS; n++) { acc[n] = Result(); }
  var most = hidden;              // what exponents are taken relative to
  var total = 0.0;
  let factor = params.scale * log2e;
  let low = low_key(tile) / KEYS * KEYS;
  let high = high_key(bottom);
  var round = 0u;
  for (var begin = low; begin < high; begin += KEYS) {
    round++;
    var s: array<Result, KEYS / 8u>;
    for (var n = 0u; n < KEYS / 8u; n++) { s[n] = Result(); }
    for (var d = 0u; d < SIXTEENS; d++) {
      let q0 = subgroupMatrixLoad<Left, row_major>(&q, q_at + 16u * d, q_row);
      let q1 = subgroupMatrixLoad<Left, row_major>(&q, q_at + 16u * q_row + 16u * d, q_row);
      for (var c = 0u; c < KEYS / 16u; c++) {
        let keys = subgroupMatrixLoad<Right, col_major>(&k, k_at + (begin + 16u * c) * k_row + 16u * d, k_row);
        s[2u * c] = subgroupMatrixMultiplyAccumulate(q0, keys, s[2u * c]);
        s[2u * c + 1u] = subgroupMatrixMultiplyAccumulate(q1, keys, s[2u * c + 1u]);
      }
    }
    for (var c = 0u; c < KEYS / 16u; c++) {
      subgroupMatrixStore<row_major>(&scores, s_base + 16u * c, s[2u * c], STEP);
      subgroupMatrixStore<row_major>(&scores, s_base + 16u * STEP + 16u * c, s[2u * c + 1u], STEP);
    }
    workgroupBarrier();

    var values: array<vec4f, KEYS / 4u>;
    for (var c = 0u; c < KEYS / 4u; c++) {
      let at = own_s + 4u * c;
      values[c] = vec4f(scores[at], scores[at + 1u], scores[at + 2u], scores[at + 3u]);
    }
    if (all_seen(tile, bottom, begin, begin + KEYS) && !SOFTCAP) {
      for (var c = 0u; c < KEYS / 4u; c++) { values[c] *= factor; }
    } else {
      for (var c = 0u; c < KEYS / 4u; c++) {
        for (var e = 0u; e < 4u; e++) { values[c][e] = score(head, row, begin + 4u * c + e, values[c][e]); }
      }
    }
    var peak = values[0];
    for (var c = 1u; c < KEYS / 4u; c++) { peak = max(peak, values[c]); }
    let highest = max(max(peak.x, peak.y), max(peak.z, peak.w));
    if (highest > most + lag) { atomicStore(&rescale[0], round); }
    // Reading it waits for everybody, so that all take the same way.
    if (workgroupUniformLoad(&rescale[0]) == round) {
      let now = max(most, highest);
      let shrink = exp2(max(most - now, -2000.0));
      most = now;
      total *= shrink;
      for (var n = 0u; n < SIXTEENS; n++) {
        subgroupMatrixStore<row_major>(&scores, s_base, acc[2u * n], STEP);
        subgroupMatrixStore<row_major>(&scores, s_base + 16u * STEP, acc[2u * n + 1u], STEP);
        workgroupBarrier();
        for (var c = 0u; c < 16u; c++) { scores[own_s + c] *= shrink; }
        workgroupBarrier();
        acc[2u * n] = subgroupMatrixLoad<Result, row_major>(&scores, s_base, STEP);
        acc[2u * n + 1u] = subgroupMatrixLoad<Result, row_major>(&scores, s_base + 16u * STEP, STEP);
        workgroupBarrier();
      }
    }
    let base = select(most, 0.0, most < nothing);
    var sum = vec4f(0.0);
    for (var c = 0u; c < KEYS / 4u; c++) {
      let p = exp2(values[c] - base);
      sum += p;
      let at = own_p + 4u * c;
      weights[at] = f16(p.x);
      weights[at + 1u] = f16(p.y);
      weights[at + 2u] = f16(p.z);
      weights[at + 3u] = f16(p.w);
    }
    total += (sum.x + sum.y) + (sum.z + sum.w);
    workgroupBarrier();
    for (var c = 0u; c < KEYS / 16u; c++) {
      let p0 = subgroupMatrixLoad<Left, row_major>(&weights, p_base + 16u * c, P_STEP);
      let p1 = subgroupMatrixLoad<Left, row_major>(&weights, p_base + 16u * P_STEP + 16u * c, P_STEP);
      for (var d = 0u; d < SIXTEENS; d++) {
        let some = subgroupMatrixLoad<Right, row_major>(&v, v_at + (begin + 16u * c) * v_row + 16u * d, v_row);
        acc[2u * d] = subgroupMatrixMultiplyAccumulate(p0, some, acc[2u * d]);
        acc[2u * d + 1u] = subgroupMatrixMultiplyAccumulate(p1, some, acc[2u * d + 1u]);
      }
    }
  }

  var m = most;
  var l = total;
  var share = 1.0;
  if (SINK) {
    let z = sink[head] * log2e;
    let both = max(m, z);
    share = exp2(max(m - both, -2000.0));
    l = l * share + exp2(max(z - both, -2000.0));
    m = both;
  }
  let empty = m < nothing;
  let last = select(share / l, 0.0, empty);
  for (var n = 0u; n < SIXTEENS; n++) {
    workgroupBarrier();
    subgroupMatrixStore<row_major>(&scores, s_base, acc[2u * n], STEP);
    subgroupMatrixStore<row_major>(&scores, s_base + 16u * STEP, acc[2u * n + 1u], STEP);
    workgroupBarrier();
    if (top + lane < params.queries) {
      let at = (head * params.queries + row) * params.value_dim4 + 4u * n;
      for (var c = 0u; c < 4u; c++) {
        let here = own_s + 4u * c;
        out[at + c] = vec4f(scores[here], scores[here + 1u], scores[here + 2u], scores[here + 3u]) * last;
      }
    }
  }
  if (top + lane < params.queries) { lse[head * params.queries + row] = select((m + log2(l)) * ln2, hidden, empty); }
}
