# The kernels of the fast path, whatever the instruction set: vector.pxi and a micro-kernel go before them.

include "blocked.pxi"
include "winograd.pxi"
include "winograd_weight.pxi"
include "direct.pxi"
include "thin_winograd.pxi"
include "gate.pxi"
include "fold.pxi"
include "maxpool.pxi"
include "interpolation.pxi"
include "inner_product.pxi"
include "normalization.pxi"
include "softmax_loss.pxi"
