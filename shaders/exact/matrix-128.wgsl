// Exact attention with subgroup matrices for heads of 128. Bindings and equation: exact/matrix.wgsl.

const SIXTEENS = 8u;
const KEYS = 32u;
const SUBGROUPS = 6u;

#include "exact/matrix.wgsl"
