// Reductions over the TX threads of a row of the grid inside a subgroup: TX is a power of two that divides its size, and lanes are numbered as invocations
// are. 

fn across_max(values: Eight, tx: u32, ty: u32) -> Eight {
  var out = values;
  for (var step = 1u; step < TX; step *= 2u) {
    out.lo = max(out.lo, subgroupShuffleXor(out.lo, step));
    out.hi = max(out.hi, subgroupShuffleXor(out.hi, step));
  }
  return out;
}

fn across_sum(values: Eight, tx: u32, ty: u32) -> Eight {
  var out = values;
  for (var step = 1u; step < TX; step *= 2u) {
    out.lo += subgroupShuffleXor(out.lo, step);
    out.hi += subgroupShuffleXor(out.hi, step);
  }
  return out;
}
