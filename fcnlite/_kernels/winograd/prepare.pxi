# Preparation of filters for forward.pxi: u there, transformed and laid out in the order in which it is read.

cdef void to_lanes(const float* x, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t columns, float* y) noexcept nogil:
    """y[k, i] = x[i, k]. The `rows` rows of x are `row` floats apart; those of y have CHUNK floats."""
    cdef Py_ssize_t i, k, whole_rows = rows // VL * VL, whole_columns = columns // VL * VL
    for i in range(whole_rows // VL):
        for k in range(whole_columns // VL):
            transpose(x + i * VL * row + k * VL, row, y + k * VL * CHUNK + i * VL, CHUNK)
    for i in range(rows):
        for k in range(whole_columns if i < whole_rows else 0, columns):
            y[k * CHUNK + i] = x[i * row + k]


cdef void from_lanes(const float* y, Py_ssize_t rows, Py_ssize_t columns, float* x, Py_ssize_t row) noexcept nogil:
    """x[i, k] = y[k, i]: the inverse of `to_lanes`."""
    cdef Py_ssize_t i, k, whole_rows = rows // VL * VL, whole_columns = columns // VL * VL
    for i in range(whole_rows // VL):
        for k in range(whole_columns // VL):
            transpose(y + k * VL * CHUNK + i * VL, CHUNK, x + i * VL * row + k * VL, row)
    for i in range(rows):
        for k in range(whole_columns if i < whole_rows else 0, columns):
            x[i * row + k] = y[k * CHUNK + i]


cdef void gather_filters(const float* weight, Py_ssize_t taps, Py_ssize_t first, Py_ssize_t outputs, Py_ssize_t channel,
                         Py_ssize_t channels, Py_ssize_t o_step, Py_ssize_t c_step, bint flipped,
                         float* w) noexcept nogil:
    """w[c, k, o] = tap k of output `first` + o and channel `channel` + c, for CHUNK outputs and BLOCK channels."""
    cdef Py_ssize_t c, o, k, some = min(CHUNK, outputs - first), many = min(BLOCK, channels - channel)
    cdef const float* filter_
    if some < CHUNK or many < BLOCK:
        memset(w, 0, BLOCK * taps * CHUNK * sizeof(float))
    weight += first * o_step + channel * c_step
    if not flipped:
        to_lanes(weight, o_step, some, many * taps, w)
        return
    for c in range(many):
        for o in range(some):
            filter_ = weight + o * o_step + c * c_step
            for k in range(taps):
                w[(c * taps + k) * CHUNK + o] = filter_[taps - 1 - k]


cdef void prepare_chunk(const float* weight, const float* g, Py_ssize_t points_h, Py_ssize_t points_w,
                        Py_ssize_t height, Py_ssize_t width, Py_ssize_t first, Py_ssize_t outputs, Py_ssize_t channels, Py_ssize_t padded,
                        Py_ssize_t o_step, Py_ssize_t c_step, bint flipped, float* u) noexcept nogil:
    """u of CHUNK outputs from `first` on, for windows height × width."""
    cdef float[BLOCK * 7 * 7 * CHUNK] filters
    cdef float[8 * 7 * VL] half
    cdef Py_ssize_t c, i, j, part, taps = height * width
    cdef const float* w
    for c in range(padded):
        if c % BLOCK == 0:
            gather_filters(weight, taps, first, outputs, c, channels, o_step, c_step, flipped, filters)
        w = filters + c % BLOCK * taps * CHUNK
        for part in range(2):
            for j in range(width):
                filter_transform(points_h, height, g, w + j * CHUNK + part * VL, width * CHUNK, half + j * VL,
                                 width * VL)
            for i in range(points_h):
                filter_transform(points_w, width, g, half + i * width * VL, VL,
                                 u + (i * points_w * padded + c) * CHUNK + part * VL, padded * CHUNK)


def prepare_winograd(const float[:, :, :, ::1] weight, const float[:, ::1] g,
                     float[::1] u,  # out
                     bint flipped, int threads):
    """u = G w Gᵀ for every filter w of weight, O×C×r×r, O×C×r×1 or O×C×1×r. G is points×r.

    Nothing is transformed along an axis of length 1.
    `flipped`: of weight[:, :, ::-1, ::-1] with its first two axes exchanged, for backward data.
    """
    cdef Py_ssize_t points = g.shape[0], r = g.shape[1], height = weight.shape[2], width = weight.shape[3], taps
    cdef Py_ssize_t o_step, c_step, outputs, channels, padded, chunk, points_h, points_w, of_chunk
    threads = usable(threads)
    check_filled(weight.shape, 4, "weight")
    check((height == r or height == 1) and (width == r or width == 1), "weight")
    check(2 <= r <= 7 and (points == 6 or points == 8), "G")
    points_h, points_w = points if height == r else 1, points if width == r else 1
    taps = height * width
    o_step, c_step = weight.shape[1] * taps, taps
    outputs, channels = weight.shape[0], weight.shape[1]
    if flipped:
        o_step, c_step, outputs, channels = c_step, o_step, channels, outputs
    padded = (channels + BLOCK - 1) // BLOCK * BLOCK
    of_chunk = CHUNK * points_h * points_w * padded
    check(u.shape[0] == (outputs + GROUP - 1) // GROUP * (GROUP // CHUNK) * of_chunk, "u")
    for chunk in prange(u.shape[0] // of_chunk, nogil=True, schedule="dynamic", num_threads=threads):
        prepare_chunk(&weight[0, 0, 0, 0], &g[0, 0], points_h, points_w, height, width, chunk * CHUNK, outputs,
                      channels, padded, o_step, c_step, flipped, &u[0] + chunk * of_chunk)
