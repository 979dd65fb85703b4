// Reductions over the TX threads of a row of the grid through workgroup memory, where there are no subgroups. `pool` must not be in use by
// anybody; it is free again afterwards, and holds TX·TY / 4 strips.

fn across_max(values: Eight, tx: u32, ty: u32) -> Eight {
  workgroupBarrier();
  let own = tx * TY + ty;
  pool[own_pool + own / 4u][own % 4u * 2u] = values.lo;
  pool[own_pool + own / 4u][own % 4u * 2u + 1u] = values.hi;
  workgroupBarrier();
  var out = values;
  for (var t = 0u; t < TX; t++) {
    let at = t * TY + ty;
    out.lo = max(out.lo, pool[own_pool + at / 4u][at % 4u * 2u]);
    out.hi = max(out.hi, pool[own_pool + at / 4u][at % 4u * 2u + 1u]);
  }
  workgroupBarrier();
  return out;
}

fn across_sum(values: Eight, tx: u32, ty: u32) -> Eight {
  workgroupBarrier();
  let own = tx * TY + ty;
  pool[own_pool + own / 4u][own % 4u * 2u] = values.lo;
  pool[own_pool + own / 4u][own % 4u * 2u + 1u] = values.hi;
  workgroupBarrier();
  var out = Eight(vec4f(0.0), vec4f(0.0));
  for (var t = 0u; t < TX; t++) {
    let at = t * TY + ty;
    out.lo += pool[own_pool + at / 4u][at % 4u * 2u];
    out.hi += pool[own_pool + at / 4u][at % 4u * 2u + 1u];
  }
  workgroupBarrier();
  return out;
}
