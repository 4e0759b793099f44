# The kernels of the fast path, the same for every instruction set. The including file first includes vector.pxi and a
# micro-kernel.

import numpy as np

from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

include "checks.pxi"
include "layout/blocked.pxi"
include "layout/concat.pxi"
include "layout/border.pxi"
include "winograd/transforms.pxi"
include "winograd/forward.pxi"
include "winograd/prepare.pxi"
include "winograd/backward_weight.pxi"
include "winograd/backward_weight_few.pxi"
include "winograd/backward_data.pxi"
include "products/direct.pxi"
include "products/patches.pxi"
include "products/depthwise.pxi"
include "products/inner_product.pxi"
include "winograd/thin_winograd.pxi"
include "pooling/max.pxi"
include "pooling/average.pxi"
include "pooling/places.pxi"
include "normalization/batch_norm.pxi"
include "normalization/lrn.pxi"
include "resampling/interpolation.pxi"
include "resampling/sum_repeats.pxi"
include "elementwise/affine.pxi"
include "elementwise/relu_backward.pxi"
include "elementwise/softmax_loss.pxi"
