# The fast path's kernels for any machine.

include "vector.pxi"
include "products/micro_narrow.pxi"
include "fast.pxi"
