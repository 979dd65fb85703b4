// Exact attention from float16 (two a word), products and sums in float32. Bindings and equation: exact/tiled.wgsl.

@group(0) @binding(0) var<storage, read> q: array<vec2u>;
@group(0) @binding(1) var<storage, read> k: array<vec2u>;
@group(0) @binding(2) var<storage, read> v: array<vec2u>;

fn load_q(at: u32) -> vec4f { return vec4f(unpack2x16float(q[at].x), unpack2x16float(q[at].y)); }
fn load_k(at: u32) -> vec4f { return vec4f(unpack2x16float(k[at].x), unpack2x16float(k[at].y)); }
fn load_v(at: u32) -> vec4f { return vec4f(unpack2x16float(v[at].x), unpack2x16float(v[at].y)); }

#include "exact/tiled.wgsl"
#include "common/across-shared.wgsl"
