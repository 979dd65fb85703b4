// Exact attention from float32; rows agree inside a subgroup. Bindings and equation: exact/tiled.wgsl.
enable subgroups;

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;

fn load_q(at: u32) -> vec4f { return q[at]; }
fn load_k(at: u32) -> vec4f { return k[at]; }
fn load_v(at: u32) -> vec4f { return v[at]; }

#include "exact/tiled.wgsl"
#include "common/across-subgroup.wgsl"
