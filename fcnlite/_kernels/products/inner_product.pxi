# The product of a few rows and a large matrix: InnerProduct for one or a few pictures.
#
#     y[n, o] = bias[o] + Σ_k x[n, k] · w[o, k]
#
# Reading w from memory takes most of the time. So w is read once, in its own order. One thread reads a row, in
# stretches; all rows of x use a stretch while it is in the cache.

cdef enum:
    STRETCH = 256


cdef inline float sum_of(vec x) noexcept nogil:
    cdef float[VL] lanes
    cdef float total = 0
    cdef Py_ssize_t i
    store(lanes, x)
    for i in range(VL):
        total += lanes[i]
    return total


cdef void dot_four(const float* x, Py_ssize_t x_row, Py_ssize_t rows, const float* w, Py_ssize_t count, float* y,
                   Py_ssize_t y_row) noexcept nogil:
    """y[n · y_row] += Σ_k x[n, k] · w[k] for the first four rows of x, or all `rows` if fewer."""
    cdef const float* x1 = x + min(1, rows - 1) * x_row
    cdef const float* x2 = x + min(2, rows - 1) * x_row
    cdef const float* x3 = x + min(3, rows - 1) * x_row
    cdef vec s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0), value
    cdef float[4] left
    cdef Py_ssize_t k = 0, n
    while k + VL <= count:
        value = load(w + k)
        s0 = s0 + value * load(x + k)
        s1 = s1 + value * load(x1 + k)
        s2 = s2 + value * load(x2 + k)
        s3 = s3 + value * load(x3 + k)
        k += VL
    left[0], left[1], left[2], left[3] = sum_of(s0), sum_of(s1), sum_of(s2), sum_of(s3)
    while k < count:
        left[0] += w[k] * x[k]
        left[1] += w[k] * x1[k]
        left[2] += w[k] * x2[k]
        left[3] += w[k] * x3[k]
        k += 1
    for n in range(min(4, rows)):
        y[n * y_row] += left[n]


cdef void dot_one(const float* x, const float* w, Py_ssize_t count, float* y) noexcept nogil:
    """y += Σ_k x[k] · w[k]"""
    cdef vec s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0)
    cdef float left
    cdef Py_ssize_t k = 0
    while k + 4 * VL <= count:
        s0 = s0 + load(w + k) * load(x + k)
        s1 = s1 + load(w + k + VL) * load(x + k + VL)
        s2 = s2 + load(w + k + 2 * VL) * load(x + k + 2 * VL)
        s3 = s3 + load(w + k + 3 * VL) * load(x + k + 3 * VL)
        k += 4 * VL
    left = sum_of((s0 + s1) + (s2 + s3))
    while k < count:
        left += w[k] * x[k]
        k += 1
    y[0] += left


cdef void output_columns(const float* x, Py_ssize_t rows, Py_ssize_t size, const float* w, Py_ssize_t count,
                         const float* bias, float* y, Py_ssize_t y_row) noexcept nogil:
    """`count` columns of y, stretch by stretch."""
    cdef Py_ssize_t n, o, line, k = 0
    for o in range(count):
        for n in range(rows):
            y[n * y_row + o] = bias[o] if bias != NULL else 0
        if rows == 1:
            dot_one(x, w + o * size, size, y + o)
    while k < size and rows > 1:
        for o in range(count):
            # The processor does not prefetch beyond a stretch by itself.
            for line in range(STRETCH // LINE):
                fcn_prefetch(w + o * size + k + STRETCH + line * LINE)
            for n in range(0, rows, 4):
                dot_four(x + n * size + k, size, rows - n, w + o * size + k, min(STRETCH, size - k),
                         y + n * y_row + o, y_row)
        k += STRETCH


def inner_product(const float[:, ::1] x, const float[:, ::1] w, const float[::1] bias,
                  float[:, ::1] y,  # out
                  int threads):
    """y = x @ w.T + bias, or x @ w.T if bias is empty. x is N×K, w is O×K, y is N×O."""
    cdef Py_ssize_t item, rows = w.shape[0]
    threads = usable(threads)
    check_filled(x.shape, 2, "x")
    check_filled(w.shape, 2, "w")
    check(x.shape[1] == w.shape[1] and y.shape[0] == x.shape[0] and y.shape[1] == rows, "y")
    check(bias.shape[0] in (0, rows), "bias")
    for item in prange((rows + 3) // 4, nogil=True, schedule="static", num_threads=threads):
        output_columns(&x[0, 0], x.shape[0], x.shape[1], &w[4 * item, 0], min(4, rows - 4 * item),
                       &bias[4 * item] if bias.shape[0] else NULL, &y[0, 4 * item], rows)
