// Reductions over the TX threads of a row of the grid inside a subgroup: TX is a power of two that divides its size, and lanes are numbered as invocations
// are. Two vec4: the thread's eight rows.

fn across_max(values: array<vec4f, 2>, tx: u32, ty: u32) -> array<vec4f, 2> {
  var out = values;
  for (var step = 1u; step < TX; step *= 2u) {
    out[0] = max(out[0], subgroupShuffleXor(out[0], step));
    out[1] = max(out[1], subgroupShuffleXor(out[1], step));
  }
  return out;
}

fn across_sum(values: array<vec4f, 2>, tx: u32, ty: u32) -> array<vec4f, 2> {
  var out = values;
  for (var step = 1u; step < TX; step *= 2u) {
    out[0] += subgroupShuffleXor(out[0], step);
    out[1] += subgroupShuffleXor(out[1], step);
  }
  return out;
}
