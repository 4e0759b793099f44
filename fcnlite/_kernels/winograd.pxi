# The transforms of Winograd convolution F(4×4, 3×3), for one instruction set; see fcnlite/compiler/winograd.py.
#
# Points 0, ±a, ±b, ∞ with a = 3/4, b = 3/2. Each transform goes along the rows first and then along the columns, its
# inner loops over neighbouring tiles.

from libc.stdlib cimport free, malloc

cdef float A = 0.75, B = 1.5
cdef float A2 = 0.5625, B2 = 2.25, A3 = 0.421875, B3 = 3.375
cdef float A2B2 = 1.265625, SUM2 = 2.8125  # a²b², a² + b²


cdef inline void forward6(const float* x0, const float* x1, const float* x2, const float* x3, const float* x4,
                          const float* x5, float* y0, float* y1, float* y2, float* y3, float* y4, float* y5,
                          Py_ssize_t count) noexcept nogil:
    """y = Bᵀ · x for `count` vectors x of six values."""
    cdef Py_ssize_t i
    cdef float even, odd
    for i in range(count):
        y0[i] = A2B2 * x0[i] - SUM2 * x2[i] + x4[i]
        y5[i] = A2B2 * x1[i] - SUM2 * x3[i] + x5[i]
        even = x4[i] - B2 * x2[i]
        odd = A * (x3[i] - B2 * x1[i])
        y1[i] = even + odd
        y2[i] = even - odd
        even = x4[i] - A2 * x2[i]
        odd = B * (x3[i] - A2 * x1[i])
        y3[i] = even + odd
        y4[i] = even - odd


cdef inline void inverse4(const float* m0, const float* m1, const float* m2, const float* m3, const float* m4,
                          const float* m5, float* y0, float* y1, float* y2, float* y3, Py_ssize_t count) noexcept nogil:
    """y = Aᵀ · m for `count` vectors m of six values."""
    cdef Py_ssize_t i
    cdef float sum1, sum2, dif1, dif2
    for i in range(count):
        sum1, dif1 = m1[i] + m2[i], m1[i] - m2[i]
        sum2, dif2 = m3[i] + m4[i], m3[i] - m4[i]
        y0[i] = m0[i] + sum1 + sum2
        y1[i] = A * dif1 + B * dif2
        y2[i] = A2 * sum1 + B2 * sum2
        y3[i] = A3 * dif1 + B3 * dif2 + m5[i]


def transform_input(const float[:, :, ::1] x, float[:, :, ::1] v, Py_ssize_t pad, Py_ssize_t first,
                    Py_ssize_t rows, Py_ssize_t across):
    """v[:, c, t] = Bᵀ d B, flat, with d the 6×6 patch of channel c under tile t.

    x is C×H×W, v 36×C×(rows · across): tile rows `first` and on, `across` tiles in each. Outside x, d is 0.
    """
    cdef Py_ssize_t channels = x.shape[0], height = x.shape[1], width = x.shape[2]
    cdef Py_ssize_t wide = 4 * (across + 1), lane = across + 1
    cdef Py_ssize_t c, r, i, k, p, t, row, start, stop
    cdef float* scratch = <float*>malloc((6 * wide + 6 * wide + 6 * 4 * lane) * sizeof(float))
    cdef float* patch
    cdef float* turned
    cdef float* lanes
    cdef float* d
    if scratch == NULL:
        raise MemoryError("no memory for a row of tiles")
    if v.shape[0] != 36 or v.shape[1] != channels or v.shape[2] != rows * across:
        free(scratch)
        raise ValueError("v does not fit x and the tiles")
    patch, turned, lanes = scratch, scratch + 6 * wide, scratch + 12 * wide
    # Of the padded row, columns start..stop lie in x.
    start = min(pad, wide)
    stop = min(pad + width, wide)
    with nogil:
        for c in range(channels):
            for r in range(rows):
                for i in range(6):
                    row = 4 * (first + r) + i - pad
                    d = patch + i * wide
                    if row < 0 or row >= height:
                        for p in range(wide):
                            d[p] = 0
                        continue
                    for p in range(start):
                        d[p] = 0
                    for p in range(start, stop):
                        d[p] = x[c, row, p - pad]
                    for p in range(stop, wide):
                        d[p] = 0
                forward6(patch, patch + wide, patch + 2 * wide, patch + 3 * wide, patch + 4 * wide, patch + 5 * wide,
                         turned, turned + wide, turned + 2 * wide, turned + 3 * wide, turned + 4 * wide,
                         turned + 5 * wide, wide)
                for k in range(6):
                    d = lanes
                    for p in range(4):
                        for t in range(lane):
                            d[p * lane + t] = turned[k * wide + 4 * t + p]
                    t = r * across
                    forward6(d, d + lane, d + 2 * lane, d + 3 * lane, d + 1, d + lane + 1,
                             &v[6 * k, c, t], &v[6 * k + 1, c, t], &v[6 * k + 2, c, t], &v[6 * k + 3, c, t],
                             &v[6 * k + 4, c, t], &v[6 * k + 5, c, t], across)
    free(scratch)


def transform_output(const float[:, :, ::1] m, const float[::1] bias, float[:, :, ::1] y, Py_ssize_t first,
                     Py_ssize_t rows, Py_ssize_t across):
    """y of tile t = Aᵀ m[:, o, t] A + bias[o], cut off at the far edges.

    m is 36×O×(rows · across), y O×H'×W'; an empty bias is none.
    """
    cdef Py_ssize_t outputs = y.shape[0], height = y.shape[1], width = y.shape[2]
    cdef Py_ssize_t o, r, k, p, q, t, row, whole = width // 4, left = width - 4 * (width // 4)
    cdef float* scratch = <float*>malloc((24 + 16) * across * sizeof(float))
    cdef float* turned
    cdef float* done
    cdef float* line
    cdef float shift
    if scratch == NULL:
        raise MemoryError("no memory for a row of tiles")
    if m.shape[0] != 36 or m.shape[1] != outputs or m.shape[2] != rows * across or 4 * across < width or \
            bias.shape[0] not in (0, outputs):
        free(scratch)
        raise ValueError("m and bias do not fit y and the tiles")
    turned, done = scratch, scratch + 24 * across
    with nogil:
        for o in range(outputs):
            shift = bias[o] if bias.shape[0] else 0
            for r in range(rows):
                t = r * across
                for k in range(6):
                    inverse4(&m[k, o, t], &m[6 + k, o, t], &m[12 + k, o, t], &m[18 + k, o, t], &m[24 + k, o, t],
                             &m[30 + k, o, t], turned + k * across, turned + (6 + k) * across,
                             turned + (12 + k) * across, turned + (18 + k) * across, across)
                for p in range(4):
                    row = 4 * (first + r) + p
                    if row >= height:
                        break
                    line = turned + 6 * p * across
                    inverse4(line, line + across, line + 2 * across, line + 3 * across, line + 4 * across,
                             line + 5 * across, done, done + across, done + 2 * across, done + 3 * across, across)
                    line = &y[o, row, 0]
                    for t in range(whole):
                        for q in range(4):
                            line[4 * t + q] = done[q * across + t] + shift
                    for q in range(left):
                        line[4 * whole + q] = done[q * across + whole] + shift
                    t = r * across
    free(scratch)
