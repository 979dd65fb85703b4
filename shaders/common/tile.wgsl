// The grid of threads of a tiled kernel and its product of tiles: TY × TX threads, 8 rows and 8 columns each; rows are one operand's vectors, which
// stay in `resident` for the whole workgroup, columns the other's, which stream through `pool` DS dimensions at a time.
// Row r < 4 of a thread is 4·ty + r, row r ≥ 4 is 4·TY + 4·ty + r − 4; its column c is c·TX + tx.

override TX: u32 = 8u;
override TY: u32 = 16u;
override D: u32 = 64u;            // head size, padded with zeros to a multiple of DS
override DS: u32 = 32u;
override POOL: u32 = 1024u;       // vec4 in `pool`; the plan knows what all phases need
override THREADS: u32 = TX * TY;
override ROWS: u32 = 8u * TY;
override COLUMNS: u32 = 8u * TX;
override ROW_STEP: u32 = 2u * TY + 1u;   // vec4; odd, so that lanes that write neighbours meet in no bank
override RESIDENT: u32 = D * ROW_STEP;

var<workgroup> resident: array<vec4f, RESIDENT>;
var<workgroup> pool: array<vec4f, POOL>;

// One vector of a row is laid across four dimensions.
fn keep_resident(row: u32, d4: u32, value: vec4f) {
  let at = 4u * d4 * ROW_STEP + row / 4u;
  let e = row % 4u;
  resident[at][e] = value.x;
  resident[at + ROW_STEP][e] = value.y;
  resident[at + 2u * ROW_STEP][e] = value.z;
  resident[at + 3u * ROW_STEP][e] = value.w;
}
fn keep_streamed(column: u32, d4: u32, value: vec4f) {
  let tx = column % TX;
  let c = column / TX;
  let at = 8u * d4 * TX + (c / 4u) * TX + tx;
  let e = c % 4u;
  pool[at][e] = value.x;
  pool[at + 2u * TX][e] = value.y;
  pool[at + 4u * TX][e] = value.z;
  pool[at + 6u * TX][e] = value.w;
}

// acc += resident[rows, begin … begin + DS) · pool[columns, 0 … DS)ᵀ
fn multiply_slice(acc: ptr<function, Block>, begin: u32, tx: u32, ty: u32) {
  for (var d = 0u; d < DS; d++) {
    let row = (begin + d) * ROW_STEP + ty;
    let column = d * 2u * TX + tx;
    outer(acc, resident[row], resident[row + TY], pool[column], pool[column + TX]);
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
