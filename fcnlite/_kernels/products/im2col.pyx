"""Patches of a picture as the columns of a matrix, and back.

Column p of `im2col` holds the window at output position start + p. Its row (c·KH + i)·KW + j is tap (i, j) of
channel c. In NumPy, with x padded:

    cols[c, i, j, y, x] = x[c, y * stride_h + i * dilation_h, x * stride_w + j * dilation_w]
`col2im` is the transpose: x[c, ...] += cols[c, i, j, y, x] at the same places.

Both run on the calling thread without the GIL; callers share out pictures, bands or channels.
"""

from libc.string cimport memset

include "../checks.pxi"

ctypedef fused real:
    float
    double

cdef extern from *:
    """
    #ifdef _OPENMP
    #define FCNLITE_OPENMP 1
    #else
    #define FCNLITE_OPENMP 0
    #endif
    """
    const int FCNLITE_OPENMP


def openmp():
    """Whether the kernels were built with OpenMP."""
    return bool(FCNLITE_OPENMP)


cdef struct Geometry:
    Py_ssize_t height, width
    Py_ssize_t window_h, window_w
    Py_ssize_t stride_h, stride_w
    Py_ssize_t pad_h, pad_w
    Py_ssize_t dilation_h, dilation_w
    Py_ssize_t out_w


cdef int set_geometry(Geometry* g, const Py_ssize_t* x, const Py_ssize_t* cols, window, stride, pad, dilation,
                      Py_ssize_t out_w, Py_ssize_t start, Py_ssize_t stop) except -1:
    """Fill g. Raises ValueError unless a picture and columns of these shapes fit it."""
    cdef double taps
    read_pair(window, 1, "window", &g.window_h, &g.window_w)
    read_pair(stride, 1, "stride", &g.stride_h, &g.stride_w)
    read_pair(pad, 0, "pad", &g.pad_h, &g.pad_w)
    read_pair(dilation, 1, "dilation", &g.dilation_h, &g.dilation_w)
    g.height, g.width, g.out_w = x[1], x[2], out_w
    check(0 < out_w <= INT_MAX and 0 <= start <= stop, "out_w, start or stop")
    check_memory(<double>stop * g.stride_h + <double>out_w * g.stride_w, 0)
    taps = <double>g.window_h * g.window_w
    return check(cols[0] == taps * x[0] and cols[1] == stop - start, "cols")


cdef inline Py_ssize_t ceil_div(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    """⌈a / b⌉ for b > 0, 0 for negative a."""
    return (a + b - 1) // b if a > 0 else 0


cdef inline void gather_row(const real* plane, real* row, Geometry g, Py_ssize_t i, Py_ssize_t j, Py_ssize_t start,
                            Py_ssize_t stop) noexcept nogil:
    """row = tap (i, j) of one channel at positions start … stop − 1."""
    cdef Py_ssize_t position = start, y, x0, x1, first, last, x, in_y, in_x
    cdef const real* source
    cdef real* target
    while position < stop:
        y = position // g.out_w
        x0 = position - y * g.out_w
        x1 = min(g.out_w, x0 + stop - position)
        target = row + (position - start) - x0
        in_y = y * g.stride_h - g.pad_h + i * g.dilation_h
        in_x = j * g.dilation_w - g.pad_w
        # Outputs first … last − 1 of this line read the picture; the others read padding.
        first = min(max(x0, ceil_div(-in_x, g.stride_w)), x1)
        last = max(min(x1, ceil_div(g.width - in_x, g.stride_w)), first)
        if in_y < 0 or in_y >= g.height:
            first = last = x1
        memset(target + x0, 0, (first - x0) * sizeof(real))
        source = plane + in_y * g.width + in_x
        if g.stride_w == 1:
            for x in range(first, last):
                target[x] = source[x]
        else:
            for x in range(first, last):
                target[x] = source[x * g.stride_w]
        memset(target + last, 0, (x1 - last) * sizeof(real))
        position += x1 - x0


cdef inline void scatter_row(real* plane, const real* row, Geometry g, Py_ssize_t i, Py_ssize_t j, Py_ssize_t start,
                             Py_ssize_t stop) noexcept nogil:
    """Add the row to the picture: the transpose of gather_row."""
    cdef Py_ssize_t position = start, y, x0, x1, first, last, x, in_y, in_x
    cdef const real* source
    cdef real* target
    while position < stop:
        y = position // g.out_w
        x0 = position - y * g.out_w
        x1 = min(g.out_w, x0 + stop - position)
        in_y = y * g.stride_h - g.pad_h + i * g.dilation_h
        if 0 <= in_y < g.height:
            in_x = j * g.dilation_w - g.pad_w
            first = max(x0, ceil_div(-in_x, g.stride_w))
            last = min(x1, ceil_div(g.width - in_x, g.stride_w))
            source = row + (position - start) - x0
            target = plane + in_y * g.width + in_x
            if g.stride_w == 1:
                for x in range(first, last):
                    target[x] += source[x]
            else:
                for x in range(first, last):
                    target[x * g.stride_w] += source[x]
        position += x1 - x0


def im2col(const real[:, :, ::1] x,
           real[:, ::1] cols,  # out
           window, stride, pad, dilation, Py_ssize_t out_w, Py_ssize_t start, Py_ssize_t stop):
    """cols, C·KH·KW × (stop − start) = the windows of x, C×H×W, as above.

    `window`, `stride`, `pad` and `dilation` are pairs (rows, columns). Positions are counted row by row in an output
    `out_w` wide.
    """
    cdef Geometry g
    cdef Py_ssize_t taps, rows = cols.shape[0], r
    set_geometry(&g, x.shape, cols.shape, window, stride, pad, dilation, out_w, start, stop)
    if rows == 0 or stop == start:
        return
    taps = g.window_h * g.window_w
    with nogil:
        for r in range(rows):
            gather_row(&x[r // taps, 0, 0], &cols[r, 0], g, r % taps // g.window_w, r % g.window_w, start, stop)


def col2im(real[:, :, ::1] x,  # in, out
           const real[:, ::1] cols, window, stride, pad, dilation, Py_ssize_t out_w, Py_ssize_t start, Py_ssize_t stop):
    """x += cols at the places where `im2col` reads, with the same arguments: its transpose."""
    cdef Geometry g
    cdef Py_ssize_t taps, channels = x.shape[0], c, t
    set_geometry(&g, x.shape, cols.shape, window, stride, pad, dilation, out_w, start, stop)
    if channels == 0 or stop == start:
        return
    taps = g.window_h * g.window_w
    with nogil:
        for c in range(channels):
            for t in range(taps):
                scatter_row(&x[c, 0, 0], &cols[c * taps + t, 0], g, t // g.window_w, t % g.window_w, start, stop)
