# The kernels of the fast path, compiled for any machine.

include "vector.pxi"
include "products/micro_narrow.pxi"
include "fast.pxi"
