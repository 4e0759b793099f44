# Batch normalisation of blocked arrays, N×C/16×H×W×16, with the ReLU after it. A value for each channel is given as
# blocks×16. A value for each row and channel is given as blocks×rows×16, where rows are counted picture by picture.


cdef inline float* row_of(const float[:, :, :, :, ::1] x, Py_ssize_t item) noexcept nogil:
    """Row `item` of all, counted by block, then picture, then row."""
    cdef Py_ssize_t height = x.shape[2], per_block = x.shape[0] * height
    return <float*>&x[item % per_block // height, item // per_block, item % height, 0, 0]


cdef int check_channels(const Py_ssize_t* values, const Py_ssize_t* x, str what) except -1:
    """Raise ValueError unless `values` is the shape of a value for each channel of the blocked shape `x`."""
    return check(values[0] == x[1] and values[1] == BLOCK, what)


cdef int check_rows(const Py_ssize_t* rows, const Py_ssize_t* x, str what) except -1:
    """Raise ValueError unless `rows` is the shape of two values for each row and channel of the blocked shape `x`."""
    return check(rows[0] == x[1] and rows[1] == x[0] * x[2] and rows[2] == 2 and rows[3] == BLOCK, what)


def row_moments(const float[:, :, :, :, ::1] x,
                float[:, :, :, ::1] moments,  # out
                int threads):
    """moments[block, n·H + i] = for each channel the mean m of row i, and Σ (x − m)² over the row."""
    cdef Py_ssize_t item, per_block = x.shape[0] * x.shape[2], blocks = x.shape[1]
    threads = usable(threads)
    check_blocked(x.shape, "x")
    check_rows(moments.shape, x.shape, "moments")
    for item in prange(blocks * per_block, nogil=True, schedule="static", num_threads=threads):
        moments_of_row(row_of(x, item), x.shape[3], &moments[item // per_block, item % per_block, 0, 0])


cdef void moments_of_row(const float* x, Py_ssize_t width, float* moments) noexcept nogil:
    cdef vec[PARTS] mean, squares
    cdef vec value, one_over_width = splat(<float>1 / width)
    cdef Py_ssize_t j, part
    for part in range(PARTS):
        mean[part] = splat(0)
        squares[part] = splat(0)
    for j in range(width):
        for part in range(PARTS):
            mean[part] = mean[part] + load(x + j * BLOCK + part * VL)
    for part in range(PARTS):
        mean[part] = mean[part] * one_over_width
    for j in range(width):
        for part in range(PARTS):
            value = load(x + j * BLOCK + part * VL) - mean[part]
            squares[part] = squares[part] + value * value
    for part in range(PARTS):
        store(moments + part * VL, mean[part])
        store(moments + BLOCK + part * VL, squares[part])


cdef inline vec normalized(vec x, vec mean, vec factor, vec shift) noexcept nogil:
    return (x - mean) * factor + shift


def batch_norm(const float[:, :, :, :, ::1] x, const float[:, ::1] mean, const float[:, ::1] factor,
               const float[:, ::1] shift, bint relu,
               float[:, :, :, :, ::1] y,  # out
               int threads):
    """y = (x − mean) · factor + shift, then ReLU if `relu`."""
    cdef Py_ssize_t item, per_block = x.shape[0] * x.shape[2], blocks = x.shape[1]
    threads = usable(threads)
    check_blocked(x.shape, "x")
    check_channels(mean.shape, x.shape, "mean")
    check_channels(factor.shape, x.shape, "factor")
    check_channels(shift.shape, x.shape, "shift")
    check_shape(y.shape, x.shape, 5, "y")
    for item in prange(blocks * per_block, nogil=True, schedule="static", num_threads=threads):
        batch_norm_row(row_of(x, item), x.shape[3], &mean[item // per_block, 0], &factor[item // per_block, 0],
                       &shift[item // per_block, 0], relu, row_of(y, item))


cdef void batch_norm_row(const float* x, Py_ssize_t width, const float* mean, const float* factor, const float* shift,
                         bint relu, float* y) noexcept nogil:
    cdef vec m, f, s
    cdef Py_ssize_t j, part
    for part in range(PARTS):
        m, f, s = load(mean + part * VL), load(factor + part * VL), load(shift + part * VL)
        for j in range(width):
            store(y + j * BLOCK + part * VL,
                  activated(normalized(load(x + j * BLOCK + part * VL), m, f, s), relu, NULL))


def batch_norm_sums(const float[:, :, :, :, ::1] dy, const float[:, :, :, :, ::1] x, const float[:, ::1] mean,
                    const float[:, ::1] factor, const float[:, ::1] shift, bint relu,
                    float[:, :, :, ::1] sums,  # out
                    int threads):
    """sums[block, n·H + i] = for each channel Σ g and Σ g · (x − mean) over row i; g = dy through ReLU's backward."""
    cdef Py_ssize_t item, per_block = x.shape[0] * x.shape[2], blocks = x.shape[1]
    threads = usable(threads)
    check_blocked(x.shape, "x")
    check_channels(mean.shape, x.shape, "mean")
    check_channels(factor.shape, x.shape, "factor")
    check_channels(shift.shape, x.shape, "shift")
    check_shape(dy.shape, x.shape, 5, "dy")
    check_rows(sums.shape, x.shape, "sums")
    for item in prange(blocks * per_block, nogil=True, schedule="static", num_threads=threads):
        batch_norm_row_sums(row_of(dy, item), row_of(x, item), x.shape[3], &mean[item // per_block, 0],
                            &factor[item // per_block, 0], &shift[item // per_block, 0], relu,
                            &sums[item // per_block, item % per_block, 0, 0])


cdef inline vec through_relu(vec dy, vec x, vec mean, vec factor, vec shift, bint relu) noexcept nogil:
    return where_positive(dy, normalized(x, mean, factor, shift)) if relu else dy


cdef void batch_norm_row_sums(const float* dy, const float* x, Py_ssize_t width, const float* mean, const float* factor,
                              const float* shift, bint relu, float* sums) noexcept nogil:
    cdef vec m, f, s, value, g, total, product
    cdef Py_ssize_t j, part
    for part in range(PARTS):
        m, f, s = load(mean + part * VL), load(factor + part * VL), load(shift + part * VL)
        total, product = splat(0), splat(0)
        for j in range(width):
            value = load(x + j * BLOCK + part * VL)
            g = through_relu(load(dy + j * BLOCK + part * VL), value, m, f, s, relu)
            total = total + g
            product = product + g * (value - m)
        store(sums + part * VL, total)
        store(sums + BLOCK + part * VL, product)


def batch_norm_backward(const float[:, :, :, :, ::1] dy, const float[:, :, :, :, ::1] x, const float[:, ::1] mean,
                        const float[:, ::1] factor, const float[:, ::1] shift, bint relu, const float[:, ::1] mean_dy,
                        const float[:, ::1] slope,
                        float[:, :, :, :, ::1] dx,  # out
                        int threads):
    """dx = factor · (g − mean_dy − slope · (x − mean)); g = dy through ReLU's backward."""
    cdef Py_ssize_t item, per_block = x.shape[0] * x.shape[2], blocks = x.shape[1]
    threads = usable(threads)
    check_blocked(x.shape, "x")
    check_channels(mean.shape, x.shape, "mean")
    check_channels(factor.shape, x.shape, "factor")
    check_channels(shift.shape, x.shape, "shift")
    check_channels(mean_dy.shape, x.shape, "mean_dy")
    check_channels(slope.shape, x.shape, "slope")
    check_shape(dy.shape, x.shape, 5, "dy")
    check_shape(dx.shape, x.shape, 5, "dx")
    for item in prange(blocks * per_block, nogil=True, schedule="static", num_threads=threads):
        batch_norm_row_backward(row_of(dy, item), row_of(x, item), x.shape[3], &mean[item // per_block, 0],
                                &factor[item // per_block, 0], &shift[item // per_block, 0], relu,
                                &mean_dy[item // per_block, 0], &slope[item // per_block, 0], row_of(dx, item))


cdef void batch_norm_row_backward(const float* dy, const float* x, Py_ssize_t width, const float* mean,
                                  const float* factor, const float* shift, bint relu, const float* mean_dy,
                                  const float* slope, float* dx) noexcept nogil:
    cdef vec m, f, s, value, g, mg, k
    cdef Py_ssize_t j, part
    for part in range(PARTS):
        m, f, s = load(mean + part * VL), load(factor + part * VL), load(shift + part * VL)
        mg, k = load(mean_dy + part * VL), load(slope + part * VL)
        for j in range(width):
            value = load(x + j * BLOCK + part * VL)
            g = through_relu(load(dy + j * BLOCK + part * VL), value, m, f, s, relu)
            store(dx + j * BLOCK + part * VL, f * (g - mg - k * (value - m)))
