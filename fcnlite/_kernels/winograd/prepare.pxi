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


cdef void prepare_chunk(const float* weight, const float* g, Py_ssize_t points, Py_ssize_t r, Py_ssize_t first,
                        Py_ssize_t outputs, Py_ssize_t channels, Py_ssize_t padded, Py_ssize_t o_step,
                        Py_ssize_t c_step, bint flipped, float* u) noexcept nogil:
    """u of CHUNK outputs from `first` on."""
    cdef float[BLOCK * 7 * 7 * CHUNK] filters
    cdef float[8 * 7 * VL] half
    cdef Py_ssize_t c, i, j, part
    cdef const float* w
    for c in range(padded):
        if c % BLOCK == 0:
            gather_filters(weight, r * r, first, outputs, c, channels, o_step, c_step, flipped, filters)
        w = filters + c % BLOCK * r * r * CHUNK
        for part in range(2):
            for j in range(r):
                filter_transform(points, r, g, w + j * CHUNK + part * VL, r * CHUNK, half + j * VL, r * VL)
            for i in range(points):
                filter_transform(points, r, g, half + i * r * VL, VL, u + (i * points * padded + c) * CHUNK + part * VL,
                                 padded * CHUNK)


def prepare_winograd(const float[:, :, :, ::1] weight, const float[:, ::1] g,
                     float[::1] u,  # out
                     bint flipped, int threads):
    """u = G w Gᵀ for every filter w of weight, O×C×r×r. G is points×r.

    `flipped`: of weight[:, :, ::-1, ::-1] with its first two axes exchanged, for backward data.
    """
    cdef Py_ssize_t points = g.shape[0], r = g.shape[1], o_step, c_step, outputs, channels, padded, chunk
    threads = usable(threads)
    check_filled(weight.shape, 4, "weight")
    check(weight.shape[2] == r and weight.shape[3] == r and 2 <= r <= 7 and (points == 6 or points == 8), "G")
    o_step, c_step = weight.shape[1] * r * r, r * r
    outputs, channels = weight.shape[0], weight.shape[1]
    if flipped:
        o_step, c_step, outputs, channels = c_step, o_step, channels, outputs
    padded = (channels + BLOCK - 1) // BLOCK * BLOCK
    check(u.shape[0] == (outputs + GROUP - 1) // GROUP * GROUP * points * points * padded, "u")
    for chunk in prange(u.shape[0] // (CHUNK * points * points * padded), nogil=True, schedule="dynamic",
                        num_threads=threads):
        prepare_chunk(&weight[0, 0, 0, 0], &g[0, 0], points, r, chunk * CHUNK, outputs, channels, padded, o_step,
                      c_step, flipped, &u[0] + chunk * CHUNK * points * points * padded)
