// Reductions over the TX threads of a row of the grid through workgroup memory, where there are no subgroups. 
// `pool` must not be in use by anybody; it is free again afterwards.

fn across_max(values: Eight, tx: u32, ty: u32) -> Eight {
  workgroupBarrier();
  pool[tx * 2u * TY + ty] = values.lo;
  pool[tx * 2u * TY + TY + ty] = values.hi;
  workgroupBarrier();
  var out = Eight(pool[ty], pool[TY + ty]);
  for (var t = 1u; t < TX; t++) {
    out.lo = max(out.lo, pool[t * 2u * TY + ty]);
    out.hi = max(out.hi, pool[t * 2u * TY + TY + ty]);
  }
  workgroupBarrier();
  return out;
}

fn across_sum(values: Eight, tx: u32, ty: u32) -> Eight {
  workgroupBarrier();
  pool[tx * 2u * TY + ty] = values.lo;
  pool[tx * 2u * TY + TY + ty] = values.hi;
  workgroupBarrier();
  var out = Eight(vec4f(0.0), vec4f(0.0));
  for (var t = 0u; t < TX; t++) {
    out.lo += pool[t * 2u * TY + ty];
    out.hi += pool[t * 2u * TY + TY + ty];
  }
  workgroupBarrier();
  return out;
}
