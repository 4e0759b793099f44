# The transforms for x86-64-v3: AVX2 and FMA.

include "winograd.pxi"
