"""Patches of a picture as the columns of a matrix, and back.

Column p of `im2col` holds the window at output position start + p. Its row (c·KH + i)·KW + j is tap (i, j) of
channel c. In NumPy, with x padded:

    cols[c, i, j, y, x] = x[c, y * stride_h + i * dilation_h, x * stride_w + j * dilation_w]
`col2im` is the transpose: x[c, ...] += cols[c, i, j, y, x] at the same places.

Both run on the calling thread without the GIL; callers share out pictures, bands or channels.
"""

from libc.string cimport memset

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


cdef Geometry geometry(Py_ssize_t height, Py_ssize_t width, window, stride, pad, dilation, Py_ssize_t out_w):
    return Geometry(height, width, window[0], window[1], stride[0], stride[1],
                    pad[0], pad[1], dilation[0], dilation[1], out_w)


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
    cdef Geometry g = geometry(x.shape[1], x.shape[2], window, stride, pad, dilation, out_w)
    cdef Py_ssize_t taps = g.window_h * g.window_w, rows = x.shape[0] * taps, r
    if cols.shape[0] != rows or cols.shape[1] != stop - start:
        raise ValueError("cols has the wrong shape")
    if rows == 0 or stop == start:
        return
    with nogil:
        for r in range(rows):
            gather_row(&x[r // taps, 0, 0], &cols[r, 0], g, r % taps // g.window_w, r % g.window_w, start, stop)


def col2im(real[:, :, ::1] x,  # in, out
           const real[:, ::1] cols, window, stride, pad, dilation, Py_ssize_t out_w, Py_ssize_t start, Py_ssize_t stop):
    """x += cols at the places where `im2col` reads, with the same arguments: its transpose."""
    cdef Geometry g = geometry(x.shape[1], x.shape[2], window, stride, pad, dilation, out_w)
    cdef Py_ssize_t taps = g.window_h * g.window_w, channels = x.shape[0], c, t
    if cols.shape[0] != channels * taps or cols.shape[1] != stop - start:
        raise ValueError("cols has the wrong shape")
    if channels == 0 or stop == start:
        return
    with nogil:
        for c in range(channels):
            for t in range(taps):
                scatter_row(&x[c, 0, 0], &cols[c * taps + t, 0], g, t // g.window_w, t % g.window_w, start, stop)
