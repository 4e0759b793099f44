# The kernels of the fast path, for every instruction set. The including file includes vector.pxi and a micro-kernel first.

import numpy as np

from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset

include "layout/blocked.pxi"
include "winograd/transforms.pxi"
include "winograd/forward.pxi"
include "winograd/prepare.pxi"
include "winograd/backward_weight.pxi"
include "winograd/backward_weight_few.pxi"
include "winograd/backward_data.pxi"
include "products/direct.pxi"
include "products/pointwise.pxi"
include "winograd/thin_winograd.pxi"
include "elementwise/relu_backward.pxi"
include "resampling/sum_repeats.pxi"
include "layout/border.pxi"
include "pooling/max.pxi"
include "pooling/average.pxi"
include "layout/concat.pxi"
include "resampling/interpolation.pxi"
include "products/inner_product.pxi"
include "normalization/batch_norm.pxi"
include "normalization/lrn.pxi"
include "elementwise/softmax_loss.pxi"
