# The fast path's kernels for x86-64-v3: AVX2 and FMA.

include "vector.pxi"
include "micro_narrow.pxi"
include "blocked.pxi"
include "winograd.pxi"
include "direct.pxi"
include "maxpool.pxi"
include "interpolation.pxi"
include "winograd_weight.pxi"
include "gate.pxi"
include "inner_product.pxi"
include "softmax_loss.pxi"
include "thin_winograd.pxi"
