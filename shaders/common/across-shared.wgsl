// Reductions over the TX threads of a row of the grid through workgroup memory, where there are no subgroups. Two vec4: the thread's eight rows.
// `pool` must not be in use by anybody; it is free again afterwards.

fn across_max(values: array<vec4f, 2>, tx: u32, ty: u32) -> array<vec4f, 2> {
  workgroupBarrier();
  pool[tx * 2u * TY + ty] = values[0];
  pool[tx * 2u * TY + TY + ty] = values[1];
  workgroupBarrier();
  var out = array<vec4f, 2>(pool[ty], pool[TY + ty]);
  for (var t = 1u; t < TX; t++) {
    out[0] = max(out[0], pool[t * 2u * TY + ty]);
    out[1] = max(out[1], pool[t * 2u * TY + TY + ty]);
  }
  workgroupBarrier();
  return out;
}

fn across_sum(values: array<vec4f, 2>, tx: u32, ty: u32) -> array<vec4f, 2> {
  workgroupBarrier();
  pool[tx * 2u * TY + ty] = values[0];
  pool[tx * 2u * TY + TY + ty] = values[1];
  workgroupBarrier();
  var out = array<vec4f, 2>(vec4f(0.0), vec4f(0.0));
  for (var t = 0u; t < TX; t++) {
    out[0] += pool[t * 2u * TY + ty];
    out[1] += pool[t * 2u * TY + TY + ty];
  }
  workgroupBarrier();
  return out;
}
