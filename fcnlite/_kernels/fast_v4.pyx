# The fast path's kernels for x86-64-v4: AVX-512.

include "vector.pxi"
include "micro_wide.pxi"
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
