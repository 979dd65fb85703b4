// One step of a register-blocked product: acc[8 × 8] += a[8] ⊗ b[8]. Row r of the thread lies in acc[2r] (columns 0 to 3) and acc[2r + 1] (4 to 7).
// A block declared in a loop is given its zeros in so many words: without them SwiftShader keeps what the last round left.

alias Block = array<vec4f, 16>;

fn outer(acc: ptr<function, Block>, a0: vec4f, a1: vec4f, b0: vec4f, b1: vec4f) {
  (*acc)[0] = fma(a0.xxxx, b0, (*acc)[0]);
  (*acc)[1] = fma(a0.xxxx, b1, (*acc)[1]);
  (*acc)[2] = fma(a0.yyyy, b0, (*acc)[2]);
  (*acc)[3] = fma(a0.yyyy, b1, (*acc)[3]);
  (*acc)[4] = fma(a0.zzzz, b0, (*acc)[4]);
  (*acc)[5] = fma(a0.zzzz, b1, (*acc)[5]);
  (*acc)[6] = fma(a0.wwww, b0, (*acc)[6]);
  (*acc)[7] = fma(a0.wwww, b1, (*acc)[7]);
  (*acc)[8] = fma(a1.xxxx, b0, (*acc)[8]);
  (*acc)[9] = fma(a1.xxxx, b1, (*acc)[9]);
  (*acc)[10] = fma(a1.yyyy, b0, (*acc)[10]);
  (*acc)[11] = fma(a1.yyyy, b1, (*acc)[11]);
  (*acc)[12] = fma(a1.zzzz, b0, (*acc)[12]);
  (*acc)[13] = fma(a1.zzzz, b1, (*acc)[13]);
  (*acc)[14] = fma(a1.wwww, b0, (*acc)[14]);
  (*acc)[15] = fma(a1.wwww, b1, (*acc)[15]);
}

fn most_of(a: vec4f, b: vec4f) -> f32 {
  let m = max(a, b);
  return max(max(m.x, m.y), max(m.z, m.w));
}
fn sum_of(a: vec4f, b: vec4f) -> f32 {
  let s = a + b;
  return (s.x + s.y) + (s.z + s.w);
}
