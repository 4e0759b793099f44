# What is left of BatchNorm, Scale, sums and rectifiers where no convolution takes them over, in one pass over the array.
#
#     y[n, c] = rectified(factor[c] · x[n, c] + shift[c] + add[n, c])


def affine(const float[:, :, :, :, ::1] x, const float[::1] factor, const float[::1] shift, const float[::1] slopes,
           const float[:, :, :, :, ::1] add,
           float[:, :, :, :, ::1] y,  # out
           bint relu, float limit, int threads):
    """y as above, of blocked arrays; `add` and `slopes` may be empty. Rectified as by `direct_forward`."""
    cdef Py_ssize_t row, rows = x.shape[0] * x.shape[1] * x.shape[2], size = x.shape[3] * BLOCK, block
    threads = usable(threads)
    check_blocked(x.shape, "x")
    check_shape(y.shape, x.shape, 5, "y")
    check(min(factor.shape[0], shift.shape[0]) >= x.shape[1] * BLOCK, "factor and shift")
    check(slopes.shape[0] == 0 or slopes.shape[0] >= x.shape[1] * BLOCK, "slopes")
    if add.shape[0] > 0:
        check_shape(add.shape, x.shape, 5, "add")
    threads = copy_threads(rows * size, threads)
    for row in prange(rows, nogil=True, schedule="static", num_threads=threads):
        block = row // x.shape[2] % x.shape[1]
        affine_row(&x[0, 0, 0, 0, 0] + row * size, &factor[block * BLOCK], &shift[block * BLOCK],
                   &slopes[block * BLOCK] if slopes.shape[0] else NULL,
                   &add[0, 0, 0, 0, 0] + row * size if add.shape[0] else NULL, x.shape[3], relu, limit,
                   &y[0, 0, 0, 0, 0] + row * size)


cdef void affine_row(const float* x, const float* factor, const float* shift, const float* slopes, const float* add,
                     Py_ssize_t width, bint relu, float limit, float* y) noexcept nogil:
    cdef Py_ssize_t j, part
    cdef vec value, f, s
    for part in range(PARTS):
        f, s = load(factor), load(shift)
        for j in range(width):
            value = f * load(x + j * BLOCK) + s
            if add != NULL:
                value = value + load(add + j * BLOCK)
            store(y + j * BLOCK, smaller(splat(limit), activated(value, relu, slopes)))
        x, y, factor, shift = x + VL, y + VL, factor + VL, shift + VL
        add = add + VL if add != NULL else NULL
        slopes = slopes + VL if slopes != NULL else NULL
