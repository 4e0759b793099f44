# Depthwise convolution: each channel has a filter of its own.
#
#     y[n, c, i, j] = Σ_t weight[c, t] · x[n, c] under tap t + bias[c]
#
# The 16 channels of a block are side by side, and so are their weights: u is [block][tap][BLOCK]. No sum crosses lanes. A
# panel is AT_ONCE neighbouring outputs of one row: each weight is loaded once for all of them. `rows` and `cols` give
# the row and column of the bottom for each one of the padded picture; −1 is zero. Where they are not the picture itself,
# the rows that a share of the work reads are copied first.

cdef enum:
    AT_ONCE = 8  # outputs of a panel: so many sums hide the time that one multiply-add takes

cdef struct Depthwise:
    Py_ssize_t blocks, height, width, padded_width, taps
    Py_ssize_t stride_h, stride_w, extent_h, dilation_h  # extent_h: rows from the filter's first tap to its last
    Py_ssize_t top_height, top_width, rows_at_once
    Py_ssize_t first, last  # padded columns first … last − 1 are neighbours in the bottom as well
    const int* rows
    const int* cols
    const Py_ssize_t* offsets  # of the taps, in floats
    const float* bias
    const float* slopes  # of PReLU, one for each channel, or NULL
    const float* y
    const float* add  # a summand in y's order, or NULL
    float limit  # the largest value of the top
    bint relu, copied


cdef void copy_lines(const Depthwise* g, const float* x, Py_ssize_t first, Py_ssize_t count, float* to) noexcept nogil:
    """Copy `count` rows of one block of the padded picture, from `first` on."""
    cdef Py_ssize_t i, j, size = g.padded_width * BLOCK
    cdef const float* line
    for i in range(count):
        if i % g.dilation_h > count - g.extent_h:
            continue  # no tap reads it
        if g.rows[first + i] < 0:
            memset(to + i * size, 0, size * sizeof(float))
            continue
        line = x + g.rows[first + i] * g.width * BLOCK
        copy_pixels(g, line, 0, g.first, to + i * size)
        if g.last > g.first:
            memcpy(to + i * size + g.first * BLOCK, line + g.cols[g.first] * BLOCK,
                   (g.last - g.first) * BLOCK * sizeof(float))
        copy_pixels(g, line, g.last, g.padded_width, to + i * size)


cdef void copy_pixels(const Depthwise* g, const float* line, Py_ssize_t first, Py_ssize_t last,
                      float* to) noexcept nogil:
    """Copy padded columns first … last − 1 of one row."""
    cdef Py_ssize_t j
    for j in range(first, last):
        if g.cols[j] < 0:
            memset(to + j * BLOCK, 0, BLOCK * sizeof(float))
        else:
            memcpy(to + j * BLOCK, line + g.cols[j] * BLOCK, BLOCK * sizeof(float))


cdef void sum_taps(const Py_ssize_t* offsets, Py_ssize_t taps, const float* x, Py_ssize_t step, const float* u,
                   float* sums) noexcept nogil:
    """The sums of AT_ONCE outputs, whose inputs are `step` floats apart, for one vector of channels."""
    cdef Py_ssize_t t
    cdef const float* p
    cdef vec w
    cdef vec s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0)
    cdef vec s4 = splat(0), s5 = splat(0), s6 = splat(0), s7 = splat(0)
    for t in range(taps):
        w = load(u + t * BLOCK)
        p = x + offsets[t]
        s0 = s0 + load(p) * w
        s1 = s1 + load(p + step) * w
        s2 = s2 + load(p + 2 * step) * w
        s3 = s3 + load(p + 3 * step) * w
        s4 = s4 + load(p + 4 * step) * w
        s5 = s5 + load(p + 5 * step) * w
        s6 = s6 + load(p + 6 * step) * w
        s7 = s7 + load(p + 7 * step) * w
    store(sums, s0)
    store(sums + VL, s1)
    store(sums + 2 * VL, s2)
    store(sums + 3 * VL, s3)
    store(sums + 4 * VL, s4)
    store(sums + 5 * VL, s5)
    store(sums + 6 * VL, s6)
    store(sums + 7 * VL, s7)


cdef void depthwise_rows(const Depthwise* g, const float* x, const float* u, Py_ssize_t block, Py_ssize_t rows,
                         float* y) noexcept nogil:
    """`rows` rows of outputs of one block; x: the first row of the padded picture that they read, y: the first."""
    cdef float[AT_ONCE * VL] sums
    cdef Py_ssize_t row, panel, col, part, i, step = g.stride_w * BLOCK
    cdef const float* slopes = NULL
    cdef vec value, shift
    cdef float* to
    for row in range(rows):
        for panel in range((g.top_width + AT_ONCE - 1) // AT_ONCE):
            col = panel * AT_ONCE
            if not g.copied and col + AT_ONCE > g.top_width:
                col = g.top_width - AT_ONCE  # the last panel overlaps the one before
            for part in range(PARTS):
                sum_taps(g.offsets, g.taps, x + (row * g.stride_h * g.padded_width + col * g.stride_w) * BLOCK
                         + part * VL, step, u + part * VL, sums)
                to = y + (row * g.top_width + col) * BLOCK + part * VL
                shift = load(g.bias + block * BLOCK + part * VL)
                if g.slopes != NULL:
                    slopes = g.slopes + block * BLOCK + part * VL
                for i in range(min(AT_ONCE, g.top_width - col)):
                    value = load(sums + i * VL) + shift
                    if g.add != NULL:
                        value = value + load(g.add + (to - g.y) + i * BLOCK)
                    store(to + i * BLOCK, smaller(splat(g.limit), activated(value, g.relu, slopes)))


cdef void depthwise_share(const Depthwise* g, const float* x, const float* u, Py_ssize_t plane, Py_ssize_t share,
                          float* copy, float* y) noexcept nogil:
    """One share of the rows of one block of one picture, counted by `plane`."""
    cdef Py_ssize_t first = share * g.rows_at_once, rows = min(g.rows_at_once, g.top_height - first)
    cdef Py_ssize_t block = plane % g.blocks
    x += plane * g.height * g.width * BLOCK
    y += (plane * g.top_height + first) * g.top_width * BLOCK
    if g.copied:
        copy_lines(g, x, first * g.stride_h, (rows - 1) * g.stride_h + g.extent_h, copy)
        x = copy
    else:
        x += first * g.stride_h * g.width * BLOCK
    depthwise_rows(g, x, u + block * g.taps * BLOCK, block, rows, y)


def depthwise_forward(const float[:, :, :, :, ::1] x, const float[:, :, ::1] u, const float[::1] bias,
                      const float[::1] slopes, const float[:, :, :, :, ::1] add,
                      float[:, :, :, :, ::1] y,  # out
                      const int[::1] rows, const int[::1] cols, *, window, stride, dilation, bint relu, float limit,
                      bint copied, Py_ssize_t rows_at_once,
                      float[::1] scratch, int threads):
    """y = each channel of x convolved by its filter in u, blocks×KH·KW×16, plus bias and `add`, rectified.

    `add`, `relu`, `slopes` and `limit` as in `direct_forward`. The copy of the rows that `rows_at_once` rows of outputs
    read (`copied`) needs `depthwise_scratch(...)` floats of `scratch` for each thread.
    """
    cdef Depthwise g
    cdef Py_ssize_t window_h, window_w, dilation_w, item, shares, size = 0, i, first = 0
    cdef list kept = []
    threads = usable(threads)
    read_pair(window, 1, "window", &window_h, &window_w)
    read_pair(stride, 1, "stride", &g.stride_h, &g.stride_w)
    read_pair(dilation, 1, "dilation", &g.dilation_h, &dilation_w)
    check_blocked(x.shape, "x")
    check_blocked(y.shape, "y")
    check(x.shape[0] == y.shape[0] and x.shape[1] == y.shape[1], "y")
    g.blocks, g.height, g.width, g.padded_width = x.shape[1], x.shape[2], x.shape[3], cols.shape[0]
    g.top_height, g.top_width, g.relu, g.limit, g.copied = y.shape[2], y.shape[3], relu, limit, copied
    check_memory(<double>window_h * window_w, 1)
    g.taps = window_h * window_w
    check(u.shape[0] == g.blocks and u.shape[1] == g.taps and u.shape[2] == BLOCK, "u")
    check(bias.shape[0] >= g.blocks * BLOCK, "bias")
    check(slopes.shape[0] == 0 or slopes.shape[0] >= g.blocks * BLOCK, "slopes")
    check((window_h - 1.0) * g.dilation_h < INT_MAX, "window")
    g.extent_h = (window_h - 1) * g.dilation_h + 1
    check(rows.shape[0] >= (g.top_height - 1.0) * g.stride_h + g.extent_h, "rows")
    check(cols.shape[0] >= (g.top_width - 1.0) * g.stride_w + (window_w - 1.0) * dilation_w + 1, "cols")
    check(copied or (rows.shape[0] == g.height and g.padded_width == g.width and g.top_width >= AT_ONCE), "copied")
    check(rows_at_once > 0, "rows_at_once")
    g.rows_at_once = min(rows_at_once, g.top_height)
    if copied:
        size = depthwise_scratch(g.padded_width, g.extent_h, g.stride_h, g.stride_w, g.rows_at_once)
    check(scratch.shape[0] >= <double>threads * size, "scratch")
    g.bias, g.slopes = &bias[0], &slopes[0] if slopes.shape[0] else NULL
    g.y, g.add = &y[0, 0, 0, 0, 0], NULL
    if add.shape[0] > 0:
        check_shape(add.shape, y.shape, 5, "add")
        g.add = &add[0, 0, 0, 0, 0]
    g.rows = checked(&rows[0], rows.shape[0], -1, g.height, kept, "rows")
    g.cols = checked(&cols[0], g.padded_width, -1, g.width, kept, "cols")
    g.first = g.last = 0
    for i in range(1, g.padded_width + 1):  # the longest run of neighbours
        if i == g.padded_width or g.cols[i] != g.cols[i - 1] + 1 or g.cols[i - 1] < 0:
            if g.cols[first] >= 0 and i - first > g.last - g.first:
                g.first, g.last = first, i
            first = i
    cdef Py_ssize_t[::1] offsets = np.add.outer(np.arange(window_h) * g.dilation_h * g.padded_width,
                                                np.arange(window_w) * dilation_w).reshape(-1) * BLOCK
    g.offsets = &offsets[0]
    shares = (g.top_height + g.rows_at_once - 1) // g.rows_at_once
    for item in prange(x.shape[0] * g.blocks * shares, nogil=True, schedule="dynamic", num_threads=threads):
        depthwise_share(&g, &x[0, 0, 0, 0, 0], &u[0, 0, 0], item // shares, item % shares,
                        &scratch[0] + threadid() * size if size else NULL, &y[0, 0, 0, 0, 0])


def depthwise_scratch(Py_ssize_t padded_width, Py_ssize_t extent_h, Py_ssize_t stride_h, Py_ssize_t stride_w,
                      Py_ssize_t rows_at_once):
    """Floats in one thread's copy in `depthwise_forward`: the rows that it reads, and what the last panel reads beyond."""
    check_memory(((rows_at_once - 1.0) * stride_h + extent_h) * padded_width * BLOCK + AT_ONCE * <double>stride_w * BLOCK,
                 min(padded_width, extent_h, stride_h, stride_w, rows_at_once))
    return (((rows_at_once - 1) * stride_h + extent_h) * padded_width + AT_ONCE * stride_w) * BLOCK


def depthwise_panel():
    """The outputs that the kernel computes at once."""
    return AT_ONCE
