// The grid of threads of a tiled kernel and its product of tiles: TY × TX threads, 8 rows and 8 columns each; rows are one operand's vectors, which
// stay in `resident` for the whole workgroup, columns the other's, which stream through `pool` DS dimensions at a time.
// Row r < 4 of a thread is 4·ty + r, row r ≥ 4 is 4·TY + 4·ty + r − 4; its column c is c·TX + tx.
// What a thread needs for four steps of a product lies together as a strip: [step][half] vec4, so that one index serves eight reads (every index
// is clamped, and costs as much as a multiplication). Strips of `pool` are padded, and those of `resident` turned by ty: threads that read theirs at
// the same time meet in no bank.

override TX: u32 = 8u;
override TY: u32 = 16u;
override D: u32 = 64u;            // head size, padded with zeros to a multiple of DS
override DS: u32 = 32u;
override GROUPS: u32 = 1u;        // of TY × TX threads; they share the rows and take turns with the tiles of columns (a multiprocessor holds one workgroup at a time)
override POOL: u32 = 64u;         // strips of a group in `pool`; the plan knows what all phases need
override RESIDENT: u32 = D / 4u * TY;
override THREADS: u32 = TX * TY;          // of a group
override ALL: u32 = GROUPS * THREADS;
override ROWS: u32 = 8u * TY;
override COLUMNS: u32 = 8u * TX;

var<workgroup> resident: array<array<vec4f, 8>, RESIDENT>;
override POOLS: u32 = GROUPS * POOL;
var<workgroup> pool: array<array<vec4f, 9>, POOLS>;
var<private> own_pool: u32;        // first strip of the thread's group

struct Four { a: vec4f, b: vec4f, c: vec4f, d: vec4f }

// One vec4 of a row, or of a column, is laid across four steps.
fn keep_resident(row: u32, d4: u32, value: vec4f) {
  let half = row / (4u * TY);
  let strip = d4 * TY + row / 4u % TY;
  let e = row % 4u;
  let turn = row / 4u % TY + half;
  resident[strip][turn & 7u][e] = value.x;
  resident[strip][(turn + 2u) & 7u][e] = value.y;
  resident[strip][(turn + 4u) & 7u][e] = value.z;
  resident[strip][(turn + 6u) & 7u][e] = value.w;
}
fn keep_streamed(column: u32, d4: u32, value: vec4f) {
  let c = column / TX;
  let strip = own_pool + d4 * TX + column % TX;
  let half = c / 4u;
  let e = c % 4u;
  pool[strip][half][e] = value.x;
  pool[strip][2u + half][e] = value.y;
  pool[strip][4u + half][e] = value.z;
  pool[strip][6u + half][e] = value.w;
}

// Element n of a slice of the streamed operand: which column, and which four of its dimensions.
fn slice_place(n: u32) -> vec2u { return vec2u(n % COLUMNS, n / COLUMNS); }
override SLICE: u32 = COLUMNS * DS / 4u;

// The file that includes this one says where the operands lie: resident_at(of, row, d4) and streamed_at(of, row, d4) → vec4f, `of` being a head.

fn load_resident(head: u32, top: u32, end: u32, index: u32) {
  for (var n = index; n < ROWS * D / 4u; n += ALL) {
    let row = n % ROWS;
    let d4 = n / ROWS;
    var value = vec4f(0.0);
    if (top + row < end && d4 < params.dim4) { value = resident_at(head, top + row, d4); }
    keep_resident(row, d4, value);
  }
}

// Element n of the slice of columns begin, begin + 1, … before `end`, dimensions d, d + 1, …
fn slice_at(head: u32, begin: u32, end: u32, d: u32, n: u32) -> vec4f {
  let at = slice_place(n);
  if (n >= SLICE || begin + at.x >= end || d / 4u + at.y >= params.dim4) { return vec4f(0.0); }
  return streamed_at(head, begin + at.x, d / 4u + at.y);
}
// What a thread moves is asked for before the product of the slice before it, so that it has come when it is needed.
fn four_of_slice(head: u32, begin: u32, end: u32, d: u32, n: u32) -> Four {
  var out: Four;
  out.a = slice_at(head, begin, end, d, n);
  if (SLICE > THREADS) { out.b = slice_at(head, begin, end, d, n + THREADS); }
  if (SLICE > 2u * THREADS) { out.c = slice_at(head, begin, end, d, n + 2u * THREADS); }
  if (SLICE > 3u * THREADS) { out.d = slice_at(head, begin, end, d, n + 3u * THREADS); }
  return out;
}
// Puts the thread's elements of a slice into the pool: four that have come, the others as they come.
fn keep_slice(head: u32, begin: u32, end: u32, d: u32, thread: u32, four: Four) {
  keep_four(thread, four);
  for (var n = thread + 4u * THREADS; n < SLICE; n += THREADS) {
    let at = slice_place(n);
    keep_streamed(at.x, at.y, slice_at(head, begin, end, d, n));
  }
}

// Puts up to four elements of a slice, `thread`, `thread` + THREADS, …, into the pool.
fn keep_four(begin: u32, four: Four) {
  if (begin < SLICE) { let at = slice_place(begin); keep_streamed(at.x, at.y, four.a); }
  if (SLICE > THREADS && begin + THREADS < SLICE) { let at = slice_place(begin + THREADS); keep_streamed(at.x, at.y, four.b); }
  if (SLICE > 2u * THREADS && begin + 2u * THREADS < SLICE) { let at = slice_place(begin + 2u * THREADS); keep_streamed(at.x, at.y, four.c); }
  if (SLICE > 3u * THREADS && begin + 3u * THREADS < SLICE) { let at = slice_place(begin + 3u * THREADS); keep_streamed(at.x, at.y, four.d); }
}

// acc += resident[rows, begin … begin + DS) · pool[columns, 0 … DS)ᵀ
fn multiply_slice(acc: ptr<function, Block>, begin: u32, tx: u32, ty: u32) {
  let e0 = ty & 7u;
  let e1 = (ty + 1u) & 7u;
  let e2 = (ty + 2u) & 7u;
  let e3 = (ty + 3u) & 7u;
  let e4 = (ty + 4u) & 7u;
  let e5 = (ty + 5u) & 7u;
  let e6 = (ty + 6u) & 7u;
  let e7 = (ty + 7u) & 7u;
  for (var d4 = 0u; d4 < DS / 4u; d4++) {
    let r = (begin / 4u + d4) * TY + ty;
    let c = own_pool + d4 * TX + tx;
    outer(acc, resident[r][e0], resident[r][e1], pool[c][0], pool[c][1]);
    outer(acc, resident[r][e2], resident[r][e3], pool[c][2], pool[c][3]);
    outer(acc, resident[r][e4], resident[r][e5], pool[c][4], pool[c][5]);
    outer(acc, resident[r][e6], resident[r][e7], pool[c][6], pool[c][7]);
  }
}

// The scores of one row of a tile, from its products. Columns of the thread are the keys first, first + TX, …
fn score_row(head: u32, row: u32, first: u32, s: Row, inside: bool) -> Row {
  if (SOFTCAP || BIAS || MARKS || BLOCKS) {
    var out = s;
    for (var c = 0u; c < 4u; c++) {
      out.a[c] = score(head, row, first + c * TX, out.a[c]);
      out.b[c] = score(head, row, first + (c + 4u) * TX, out.b[c]);
    }
    return out;
  }
  let factor = params.scale * log2e;
  if (inside) { return Row(s.a * factor, s.b * factor); }
  let position = i32(row) + params.offset;
  let low = vec4i(position - params.left);
  let high = vec4i(min(position + params.right, i32(params.keys) - 1));
  let a = vec4i(i32(first)) + vec4i(0, i32(TX), 2 * i32(TX), 3 * i32(TX));
  let b = a + vec4i(4 * i32(TX));
  return Row(select(vec4f(hidden), s.a * factor, (a >= low) & (a <= high)), select(vec4f(hidden), s.b * factor, (b >= low) & (b <= high)));
}
