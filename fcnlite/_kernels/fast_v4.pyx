# The kernels of the fast path, compiled for x86-64-v4: AVX-512.

include "vector.pxi"
include "products/micro_wide.pxi"
include "fast.pxi"
