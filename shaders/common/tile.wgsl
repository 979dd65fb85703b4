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

fn row_at(ty: u32, r: u32) -> u32 { return select(4u * TY + 4u * ty + r - 4u, 4u * ty + r, r < 4u); }

// One vector of a row is laid across four dimensions.
fn keep_resident(row: u32, d4: u32, value: vec4f) {
  for (var e = 0u; e < 4u; e++) { resident[(4u * d4 + e) * ROW_STEP + row / 4u][row % 4u] = value[e]; }
}
fn keep_streamed(column: u32, d4: u32, value: vec4f) {
  let tx = column % TX;
  let c = column / TX;
  for (var e = 0u; e < 4u; e++) { pool[(4u * d4 + e) * 2u * TX + (c / 4u) * TX + tx][c % 4u] = value[e]; }
}

// acc += resident[rows, from … from + DS) · pool[columns, 0 … DS)ᵀ
fn multiply_slice(acc: ptr<function, Block>, begin: u32, tx: u32, ty: u32) {
  for (var d = 0u; d < DS; d++) {
    let row = (begin + d) * ROW_STEP;
    let column = d * 2u * TX;
    outer(acc, resident[row + ty], resident[row + TY + ty], pool[column + tx], pool[column + TX + tx]);
  }
}
