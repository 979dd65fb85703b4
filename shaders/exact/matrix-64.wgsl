// Exact attention with subgroup matrices for heads of 64. Bindings and equation: exact/matrix.wgsl.

const SIXTEENS = 4u;
const KEYS = 32u;
const SUBGROUPS = 6u;

#include "exact/matrix.wgsl"
