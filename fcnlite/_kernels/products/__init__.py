"""Matrix products. Two modules, im2col and blas; the other files are parts of the fast path's modules."""
