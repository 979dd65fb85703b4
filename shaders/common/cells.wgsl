// A tile of 32 × 32 scores of one head for 64 threads, in little workgroup memory: thread (x, y) of 8 × 8 gets rows 4y … 4y + 3 and keys 4x … 4x + 3.

var<workgroup> some_q: array<array<vec4f, 8>, 8>;     // [dimension][row / 4]
var<workgroup> some_k: array<array<vec4f, 8>, 8>;

// Raw products q·k; rows and keys beyond the ends count as zeros.
fn products(head: u32, top: u32, left: u32, thread: u32) -> mat4x4f {
  let x = thread % 8u;
  let y = thread / 8u;
  var acc = mat4x4f();                                   // acc[row] = four keys
  for (var d4 = 0u; d4 < params.dim4; d4 += 2u) {
    workgroupBarrier();
    let at = thread % 32u;
    let part = thread / 32u;
    var a = vec4f(0.0);
    var b = vec4f(0.0);
    if (d4 + part < params.dim4) {
      if (top + at < params.queries) { a = q[head * params.q_head + (top + at) * params.q_row + d4 + part]; }
      if (left + at < params.keys) { b = k[head / params.group * params.k_head + (left + at) * params.k_row + d4 + part]; }
    }
    for (var e = 0u; e < 4u; e++) {
      some_q[4u * part + e][at / 4u][at % 4u] = a[e];
      some_k[4u * part + e][at / 4u][at % 4u] = b[e];
    }
    workgroupBarrier();
    for (var d = 0u; d < 8u; d++) {
      let rows_of = some_q[d][y];
      let keys_of = some_k[d][x];
      acc[0] = fma(rows_of.xxxx, keys_of, acc[0]);
      acc[1] = fma(rows_of.yyyy, keys_of, acc[1]);
      acc[2] = fma(rows_of.zzzz, keys_of, acc[2]);
      acc[3] = fma(rows_of.wwww, keys_of, acc[3]);
    }
  }
  return acc;
}
