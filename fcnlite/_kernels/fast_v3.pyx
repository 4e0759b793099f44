# The kernels of the fast path, compiled for x86-64-v3: AVX2 and FMA.

include "vector.pxi"
include "products/micro_narrow.pxi"
include "fast.pxi"
