// A picture of any rectangle of one head: probabilities or scores straight from q, k and lse, pooled by mean or maximum over the cells that are seen.
// Texel a of R over T rows owns rows ⌈a·T/R⌉ to ⌈(a + 1)·T/R⌉ − 1 of the rectangle; columns likewise.
// Bindings: 0 q [head, row, dim], 1 k, 2 bias, 3 marks, 4 rows [head, row]: .x = lse, 5 over [row of the rectangle]: what its cells are multiplied with, below 0: left out
// (read where OVER) | 6 texels [height, width]: value, cells seen; 7 params, 8 tile. Grid: blocks of texels, x and y.

#include "common/site.wgsl"
#include "common/cells.wgsl"

struct Rectangle {
  head: u32,
  top: u32,
  left: u32,
  row_count: u32,
  column_count: u32,
  height: u32,
  width: u32,
  block_height: u32,     // texels of a workgroup: as many as 32 cells hold, at least one
  block_width: u32,
}

override SCORES: bool = false;
override MOST: bool = false;
override OVER: bool = false;

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> marks: array<u32>;
@group(0) @binding(4) var<storage, read> rows: array<vec4f>;
@group(0) @binding(5) var<storage, read> over: array<f32>;
@group(0) @binding(6) var<storage, read_write> texels: array<vec2f>;
@group(0) @binding(7) var<uniform> params: Params;
@group(0) @binding(8) var<uniform> tile: Rectangle;

var<workgroup> cells: array<array<f32, 33>, 32>;      // `hidden`: not seen
var<workgroup> sums: array<vec2f, 1024>;              // a texel of the block: value so far, cells seen

fn row_edge(a: u32) -> u32 { return tile.top + (a * tile.row_count + tile.height - 1u) / tile.height; }
fn column_edge(a: u32) -> u32 { return tile.left + (a * tile.column_count + tile.width - 1u) / tile.width; }
fn add(into: vec2f, value: vec2f) -> vec2f { return vec2f(select(into.x + value.x, max(into.x, value.x), MOST), into.y + value.y); }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let x = thread % 8u;
  let y = thread / 8u;
  let first = vec2u(group.y * tile.block_height, group.x * tile.block_width);
  let last = min(first + vec2u(tile.block_height, tile.block_width), vec2u(tile.height, tile.width));
  let size = last - first;
  let top = row_edge(first.x);
  let bottom = row_edge(last.x);
  let left = column_edge(first.y);
  let right = column_edge(last.y);
  let nought = vec2f(select(0.0, hidden, MOST), 0.0);
  let one = tile.block_height * tile.block_width == 1u;

  var own = nought;
  for (var n = thread; n < size.x * size.y; n += 64u) { sums[n] = nought; }
  for (var i = top; i < bottom; i += 32u) {
    let low = max(left, low_key(i));
    let high = min(right, high_key(min(i + 32u, bottom) - 1u));
    for (var j = low; j < high; j += 32u) {
      let s = products(tile.head, i, j, thread);
      for (var r = 0u; r < 4u; r++) {
        let row = i + 4u * y + r;
        let whole = rows[tile.head * params.queries + min(row, bottom - 1u)].x;
        var factor = 1.0;
        if (OVER) { factor = over[min(row, bottom - 1u) - tile.top]; }
        for (var c = 0u; c < 4u; c++) {
          let key = j + 4u * x + c;
          var value = hidden;
          if (row < bottom && key < high && whole > nothing && factor >= 0.0) {
            value = score(tile.head, row, key, s[r][c]);
            if (value > nothing) { value = select(exp2(max(value - whole * log2e, -2000.0)) * factor, value * ln2, SCORES); }
          }
          if (one) {
            if (value > nothing) { own = add(own, vec2f(value, 1.0)); }
          } else {
            cells[4u * y + r][4u * x + c] = value;
          }
        }
      }
      if (!one) {
        workgroupBarrier();
        for (var n = thread; n < size.x * size.y; n += 64u) {
          let texel = first + vec2u(n / size.y, n % size.y);
          let r0 = max(row_edge(texel.x), i);
          let r1 = min(row_edge(texel.x + 1u), i + 32u);
          let c0 = max(column_edge(texel.y), j);
          let c1 = min(column_edge(texel.y + 1u), j + 32u);
          var sum = sums[n];
          for (var r = r0; r < r1; r++) {
            for (var c = c0; c < c1; c++) {
              let value = cells[r - i][c - j];
              if (value > nothing) { sum = add(sum, vec2f(value, 1.0)); }
            }
          }
          sums[n] = sum;
        }
        workgroupBarrier();
      }
    }
  }
  if (one) {
    workgroupBarrier();
    sums[thread] = own;
    workgroupBarrier();
    if (thread == 0u) {
      for (var t = 1u; t < 64u; t++) { own = add(own, sums[t]); }
      sums[0] = own;
    }
    workgroupBarrier();
  }
  for (var n = thread; n < size.x * size.y; n += 64u) {
    var sum = sums[n];
    if (!MOST) { sum.x = sum.x / max(sum.y, 1.0); }
    texels[(first.x + n / size.y) * tile.width + first.y + n % size.y] = sum;
  }
}
