// What every attention kernel knows of its site: shapes, strides, the rule of what a query sees, and how a raw product q·k becomes a score.
// Scores are kept in units of log2, so that e^x is one exp2; `hidden` stands for −∞, which WGSL does not promise to keep.

struct Params {
  group: u32,          // query heads that share a key/value head
  queries: u32,
  keys: u32,
  dim4: u32,           // head size of q and k, in vec4
  value_dim4: u32,
  q_head: u32,         // strides in vec4: from head to head, from row to row
  q_row: u32,
  k_head: u32,
  k_row: u32,
  v_head: u32,
  v_row: u32,
  offset: i32,         // position of query 0 among the keys
  left: i32,           // keys before and after its own position that a query sees
  right: i32,
  scale: f32,
  softcap: f32,
  bias_head: u32,      // strides in elements; 0 broadcasts
  bias_row: u32,
  bias_key: u32,
  block_size: u32,     // of a table of visible blocks, which lies behind the marks of the keys
  block_offset: u32,
  block_rows: u32,
  block_columns: u32,
  block_layouts: u32,
}

override SOFTCAP: bool = false;
override BIAS: bool = false;
override SINK: bool = false;
override MARKS: bool = false;     // keys hidden from everybody (padding)
override BLOCKS: bool = false;

const hidden = -1.0e38;
const nothing = -5.0e37;          // a maximum below this: no key was seen
const log2e = 1.4426950408889634;
const ln2 = 0.6931471805599453;
const hidden_at = -1.0e4;         // an additive mask at or below this hides its key

// Half-open range of keys that the rule leaves to the rows [first, last].
fn low_key(first: u32) -> u32 { return u32(clamp(i32(first) + params.offset - params.left, 0, i32(params.keys))); }
fn high_key(last: u32) -> u32 { return u32(clamp(i32(last) + params.offset + params.right + 1, 0, i32(params.keys))); }

// True when every row of [first, last] sees every key of [low, high): no cell has to be asked.
fn all_seen(first: u32, last: u32, low: u32, high: u32) -> bool {
  return !BIAS && !MARKS && !BLOCKS && high <= params.keys && i32(low) >= i32(last) + params.offset - params.left && i32(high) <= i32(first) + params.offset + params.right + 1;
}

fn sees(head: u32, row: u32, key: u32) -> bool {
  let position = i32(row) + params.offset;
  if (key >= params.keys || i32(key) < position - params.left || i32(key) > position + params.right) { return false; }
  if (MARKS && marks[key] == 0u) { return false; }
  if (BLOCKS) {
    let block = vec2u((row + params.block_offset) / params.block_size, key / params.block_size);
    if (block.x >= params.block_rows || block.y >= params.block_columns) { return false; }
    let begin = select(0u, params.keys, MARKS);
    if (marks[begin + ((head % params.block_layouts) * params.block_rows + block.x) * params.block_columns + block.y] == 0u) { return false; }
  }
  return true;
}

// s = softcap·tanh(scale·q·k / softcap), in log2; the argument is bounded, since tanh overflows on some drivers.
fn capped(product: f32) -> f32 {
  let raw = product * params.scale;
  if (SOFTCAP) { return params.softcap * tanh(clamp(raw / params.softcap, -20.0, 20.0)) * log2e; }
  return raw * log2e;
}

// The score of one cell: cap, then bias, then the rule.
fn score(head: u32, row: u32, key: u32, product: f32) -> f32 {
  if (!sees(head, row, key)) { return hidden; }
  let s = capped(product);
  if (BIAS) {
    let added = bias[head * params.bias_head + row * params.bias_row + key * params.bias_key];
    return select(s + added * log2e, hidden, added <= hidden_at);
  }
  return s;
}
