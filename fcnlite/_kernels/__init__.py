"""The kernels: loops compiled by Cython. They know arrays and thread counts, not layers or nets.

The groups, each a folder or a file:

    products        matrix products, and convolutions as such: micro-kernels, direct, patches, im2col, inner product
    winograd        Winograd convolution: filters prepared, forward, backward data, backward weights
    pooling         max and average pooling
    normalization   batch normalisation, local response normalisation
    layout          blocked arrays to and from N×C×H×W, concatenation, borders
    resampling      interpolation, sums over repeated rows and columns
    elementwise     ReLU's backward with the bias's, softmax with its loss
    permutohedral   Gaussian filtering on the permutohedral lattice
    update          solver updates
    best_class      the class of the highest score of each pixel
    confusion       the confusion matrix of the metrics

The fast path uses one module for each instruction set, fast_v4, fast_v3 or fast_any (isa.py chooses), all compiled from
the same sources (fast.pxi). The reference path uses im2col and pooling.nchw; both use permutohedral.

Every function checks its arguments (checks.pxi): whatever Python passes, it computes or raises ValueError.

Inputs are `const` in every signature; an array without `const` is written, and its line says `# out` (written only) or
`# in, out` (read too, or written in part), unless it is `scratch`, a buffer.
"""

import os

# OpenMP reads this when the first kernel is loaded. By default its threads spin after each loop and keep BLAS's
# threads, which alternate with them, off the cores: small nets train 30 times slower on two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# They may spin for so many turns, since sleeping and waking between two short loops costs more than the loops. With
# 1,000, the second thread of small nets slept through most of them.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")
