"""Max and average pooling of N×C×H×W arrays, forward and backward, for the reference path.

For one plane, where window (y, x) covers the pixels [y0:y1, x0:x1] of the picture:

    top[y, x] = plane[y0:y1, x0:x1].max();  mask[y, x] = the first place of the maximum
    top[y, x] = plane[y0:y1, x0:x1].sum() / size    # size counts up to one pad beyond the picture
"""

from cython.parallel cimport prange
from libc.float cimport FLT_MAX

include "../checks.pxi"

ctypedef fused real:
    float
    double

cdef struct Window:
    Py_ssize_t y0, y1, x0, x1, size


cdef inline Window window(Py_ssize_t y, Py_ssize_t x, Py_ssize_t height, Py_ssize_t width,
                          Py_ssize_t* g) noexcept nogil:
    """The window of output (y, x). `g` holds size, stride and pad, rows before columns."""
    cdef Window w
    w.y0 = y * g[2] - g[4]
    w.x0 = x * g[3] - g[5]
    w.y1 = min(w.y0 + g[0], height + g[4])
    w.x1 = min(w.x0 + g[1], width + g[5])
    w.size = max(w.y1 - w.y0, 0) * max(w.x1 - w.x0, 0)
    w.y0 = max(w.y0, 0)
    w.x0 = max(w.x0, 0)
    w.y1 = min(w.y1, height)
    w.x1 = min(w.x1, width)
    return w


cdef int pack(Py_ssize_t* g, size, stride, pad, const Py_ssize_t* bottom, const Py_ssize_t* top) except -1:
    """Fill g, as in `window`. Raises ValueError unless arrays of these shapes fit each other."""
    read_pair(size, 1, "size", &g[0], &g[1])
    read_pair(stride, 1, "stride", &g[2], &g[3])
    read_pair(pad, 0, "pad", &g[4], &g[5])
    check_filled(bottom, 3, "x")
    check_filled(top, 3, "top")
    check(top[0] == bottom[0], "top")
    return check_memory((<double>top[1] * g[2] + g[0]) * (<double>top[2] * g[3] + g[1]), 0)


def max_forward(const real[:, :, ::1] x,
                real[:, :, ::1] top,  # out
                int[:, :, ::1] mask,  # out
                size, stride, pad, int threads):
    """top, P×H'×W' = the maximum of each window of x, P×H×W; mask = its place in the plane.

    The first of equal values counts; NaN is larger than any number. An empty window gives −FLT_MAX and place −1, as in
    Caffe.
    """
    cdef Py_ssize_t[6] g
    cdef Py_ssize_t p, y, x_out, i, j, height = x.shape[1], width = x.shape[2]
    cdef Window w
    cdef real best
    cdef int place
    threads = usable(threads)
    pack(g, size, stride, pad, x.shape, top.shape)
    check_shape(mask.shape, top.shape, 3, "mask")
    check(height <= INT_MAX // width, "x, of too many pixels,")
    for p in prange(x.shape[0], nogil=True, schedule="static", num_threads=threads):
        for y in range(top.shape[1]):
            for x_out in range(top.shape[2]):
                w = window(y, x_out, height, width, g)
                best = -FLT_MAX
                place = -1
                for i in range(w.y0, w.y1):
                    for j in range(w.x0, w.x1):
                        # The negated comparison lets NaN, which compares false, replace a number.
                        if place < 0 or not (x[p, i, j] <= best) and best == best:
                            best = x[p, i, j]
                            place = <int>(i * width + j)
                top[p, y, x_out] = best
                mask[p, y, x_out] = place


def max_backward(const real[:, :, ::1] dtop, const int[:, :, ::1] mask,
                 real[:, :, ::1] dx,  # in, out
                 int threads):
    """dx[place of the maximum] += its gradient in dtop"""
    cdef Py_ssize_t p, y, x_out, width = dx.shape[2], pixels = dx.shape[1] * width, outside = 0
    cdef int place
    threads = usable(threads)
    check_filled(dx.shape, 3, "dx")
    check(dtop.shape[0] == dx.shape[0], "dtop")
    check_shape(mask.shape, dtop.shape, 3, "mask")
    for p in prange(dx.shape[0], nogil=True, schedule="static", num_threads=threads):
        for y in range(dtop.shape[1]):
            for x_out in range(dtop.shape[2]):
                place = mask[p, y, x_out]
                if place >= pixels:
                    outside += 1
                elif place >= 0:
                    dx[p, place // width, place % width] += dtop[p, y, x_out]
    check(outside == 0, "mask")


def ave_forward(const real[:, :, ::1] x,
                real[:, :, ::1] top,  # out
                size, stride, pad, int threads):
    """top, P×H'×W' = the sum of each window of x, P×H×W, divided by the window's size; 0 for an empty window."""
    cdef Py_ssize_t[6] g
    cdef Py_ssize_t p, y, x_out, i, j, height = x.shape[1], width = x.shape[2]
    cdef Window w
    cdef real total
    threads = usable(threads)
    pack(g, size, stride, pad, x.shape, top.shape)
    for p in prange(x.shape[0], nogil=True, schedule="static", num_threads=threads):
        for y in range(top.shape[1]):
            for x_out in range(top.shape[2]):
                w = window(y, x_out, height, width, g)
                total = 0
                for i in range(w.y0, w.y1):
                    for j in range(w.x0, w.x1):
                        total = total + x[p, i, j]
                top[p, y, x_out] = total / max(w.size, 1)


def ave_backward(const real[:, :, ::1] dtop,
                 real[:, :, ::1] dx,  # in, out
                 size, stride, pad, int threads):
    """dx[each place of a window] += its gradient in dtop / the window's size"""
    cdef Py_ssize_t[6] g
    cdef Py_ssize_t p, y, x_out, i, j, height = dx.shape[1], width = dx.shape[2]
    cdef Window w
    cdef real share
    threads = usable(threads)
    pack(g, size, stride, pad, dx.shape, dtop.shape)
    for p in prange(dx.shape[0], nogil=True, schedule="static", num_threads=threads):
        for y in range(dtop.shape[1]):
            for x_out in range(dtop.shape[2]):
                w = window(y, x_out, height, width, g)
                share = dtop[p, y, x_out] / max(w.size, 1)
                for i in range(w.y0, w.y1):
                    for j in range(w.x0, w.x1):
                        dx[p, i, j] += share
