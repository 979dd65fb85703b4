// Eight rows of eight columns that one thread holds in registers, and a step of a register-blocked product on them. Everything is named, nothing is indexed:
// arrays that a driver does not unroll live in slow memory; and a block is never passed by value, which costs SwiftShader gigabytes.
// A block declared in a loop is given its zeros in so many words: without them SwiftShader keeps what the last round left.

struct Row { a: vec4f, b: vec4f }       // columns 0 to 3 and 4 to 7
struct Block { r0: Row, r1: Row, r2: Row, r3: Row, r4: Row, r5: Row, r6: Row, r7: Row }
struct Eight { lo: vec4f, hi: vec4f }   // a number a row: rows 0 to 3 and 4 to 7

// acc += a[8 rows] ⊗ b[8 columns]; a in two vec4 of rows, b in two of columns
fn outer(acc: ptr<function, Block>, a_lo: vec4f, a_hi: vec4f, b_lo: vec4f, b_hi: vec4f) {
  (*acc).r0.a = fma(a_lo.xxxx, b_lo, (*acc).r0.a);
  (*acc).r0.b = fma(a_lo.xxxx, b_hi, (*acc).r0.b);
  (*acc).r1.a = fma(a_lo.yyyy, b_lo, (*acc).r1.a);
  (*acc).r1.b = fma(a_lo.yyyy, b_hi, (*acc).r1.b);
  (*acc).r2.a = fma(a_lo.zzzz, b_lo, (*acc).r2.a);
  (*acc).r2.b = fma(a_lo.zzzz, b_hi, (*acc).r2.b);
  (*acc).r3.a = fma(a_lo.wwww, b_lo, (*acc).r3.a);
  (*acc).r3.b = fma(a_lo.wwww, b_hi, (*acc).r3.b);
  (*acc).r4.a = fma(a_hi.xxxx, b_lo, (*acc).r4.a);
  (*acc).r4.b = fma(a_hi.xxxx, b_hi, (*acc).r4.b);
  (*acc).r5.a = fma(a_hi.yyyy, b_lo, (*acc).r5.a);
  (*acc).r5.b = fma(a_hi.yyyy, b_hi, (*acc).r5.b);
  (*acc).r6.a = fma(a_hi.zzzz, b_lo, (*acc).r6.a);
  (*acc).r6.b = fma(a_hi.zzzz, b_hi, (*acc).r6.b);
  (*acc).r7.a = fma(a_hi.wwww, b_lo, (*acc).r7.a);
  (*acc).r7.b = fma(a_hi.wwww, b_hi, (*acc).r7.b);
}

fn most_of(row: Row) -> f32 {
  let m = max(row.a, row.b);
  return max(max(m.x, m.y), max(m.z, m.w));
}
fn sum_of(row: Row) -> f32 {
  let s = row.a + row.b;
  return (s.x + s.y) + (s.z + s.w);
}
fn times(row: Row, factor: f32) -> Row { return Row(row.a * factor, row.b * factor); }
// 2^(s − base)
fn power(row: Row, base: f32) -> Row { return Row(exp2(row.a - base), exp2(row.b - base)); }
