"""Convolution as matrix products by BLAS (scipy.linalg.cython_blas), of windows laid out as columns (im2col).

It serves where the micro-kernels do not fit: groups that split blocks of channels, gradients of strided filters. In
NumPy, with seen[n, c, i, j, y, x] = the input of tap (i, j) at output (y, x):

    y[n, o] = Σ w[o, c, i, j] · seen[n, c, i, j] + bias[o]        dw[o, c, i, j] = Σ dy[n, o] · seen[n, c, i, j]

Each group of outputs has its own channels. Arrays are N×C×H×W. `rows` and `cols` give the row and column of x for each
one of the padded picture; −1 is zero. Positions of the output are counted row by row and split into bands, so that the
columns are still in the cache when the product reads them. BLAS must run on one thread; the kernels share out the work.
"""

from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset
from scipy.linalg.cython_blas cimport sgemm

include "../checks.pxi"


cdef struct Patches:
    Py_ssize_t channels, height, width  # of a group of x
    Py_ssize_t window_h, window_w, stride_h, stride_w, dilation_h, dilation_w
    Py_ssize_t out_w, positions, band, bands
    const int* rows
    const int* cols
    Py_ssize_t first, last  # padded columns first … last − 1 are neighbours in x as well
    bint pointwise  # the picture itself is the matrix of columns


cdef int set_patches(Patches* g, const Py_ssize_t* x, const Py_ssize_t* y, Py_ssize_t groups, Py_ssize_t outputs,
                     windows, bint pointwise, Py_ssize_t band, Py_ssize_t shares, const int[::1] rows,
                     const int[::1] cols, list kept) except -1:
    """Fill g, for x and y of these shapes; `kept` keeps its maps. Raises ValueError unless the arguments fit."""
    cdef Py_ssize_t first = 0, j
    size, stride, dilation = windows
    read_pair(size, 1, "the size of windows", &g.window_h, &g.window_w)
    read_pair(stride, 1, "the stride of windows", &g.stride_h, &g.stride_w)
    read_pair(dilation, 1, "the dilation of windows", &g.dilation_h, &g.dilation_w)
    check_filled(x, 4, "x")
    check_filled(y, 4, "y")
    check(x[0] == y[0] and groups > 0 and x[1] % groups == 0, "x")
    check(y[1] == <double>groups * outputs, "y")
    g.channels, g.height, g.width = x[1] // groups, x[2], x[3]
    g.out_w, g.positions, g.band, g.pointwise = y[3], y[2] * y[3], band, pointwise
    check(0 < band <= g.positions and 0 < shares <= outputs, "band or shares")
    g.bands = (g.positions + band - 1) // band
    check(rows.shape[0] >= (y[2] - 1.0) * g.stride_h + (g.window_h - 1.0) * g.dilation_h + 1, "rows")
    check(cols.shape[0] >= (g.out_w - 1.0) * g.stride_w + (g.window_w - 1.0) * g.dilation_w + 1, "cols")
    g.rows = checked(&rows[0], rows.shape[0], -1, g.height, kept, "rows")
    g.cols = checked(&cols[0], cols.shape[0], -1, g.width, kept, "cols")
    check(not pointwise or (g.window_h == g.window_w == g.stride_h == g.stride_w == 1
                            and y[2] == g.height and g.out_w == g.width), "pointwise")
    check(max(<double>g.positions, <double>outputs, <double>g.channels * g.window_h * g.window_w) <= INT_MAX,
          "y, too large for BLAS,")
    g.first = g.last = 0
    for j in range(1, cols.shape[0] + 1):  # the longest run of neighbours
        if j == cols.shape[0] or g.cols[j] != g.cols[j - 1] + 1 or g.cols[j - 1] < 0:
            if g.cols[first] >= 0 and j - first > g.last - g.first:
                g.first, g.last = first, j
            first = j
    return 0


cdef void gather_line(const Patches* g, const float* line, Py_ssize_t col, Py_ssize_t count, float* to) noexcept nogil:
    """to = the values of one row of x that `count` outputs read, from padded column `col` on."""
    cdef Py_ssize_t k, near = 0, far = 0
    if g.stride_w == 1:
        near = min(max(g.first - col, 0), count)
        far = min(max(g.last - col, near), count)
    for k in range(near):
        to[k] = line[g.cols[col + k]] if g.cols[col + k] >= 0 else 0
    if far > near:
        memcpy(to + near, line + g.cols[col + near], (far - near) * sizeof(float))
    for k in range(far, count):
        to[k] = line[g.cols[col + k * g.stride_w]] if g.cols[col + k * g.stride_w] >= 0 else 0


cdef const float* columns(const Patches* g, const float* x, Py_ssize_t start, Py_ssize_t stop, float* to,
                          int* step) noexcept nogil:
    """The inputs of a group at positions start … stop − 1, in C·KH·KW rows; step = the floats from row to row."""
    cdef Py_ssize_t c, i, j, position, count, row
    cdef float* filled = to
    if g.pointwise:
        step[0] = <int>(g.height * g.width)
        return x + start
    step[0] = <int>(stop - start)
    for c in range(g.channels):
        for i in range(g.window_h):
            for j in range(g.window_w):
                position = start
                while position < stop:
                    count = min(g.out_w - position % g.out_w, stop - position)
                    row = g.rows[position // g.out_w * g.stride_h + i * g.dilation_h]
                    if row < 0:
                        memset(filled, 0, count * sizeof(float))
                    else:
                        gather_line(g, x + (c * g.height + row) * g.width,
                                    position % g.out_w * g.stride_w + j * g.dilation_w, count, filled)
                    filled += count
                    position += count
    return to


def convolve(const float[:, :, :, ::1] x, const float[:, :, ::1] w, const float[:, ::1] bias,
             const float[:, ::1] slopes,
             float[:, :, :, ::1] y,  # out
             const int[::1] rows, const int[::1] cols, *, windows, bint pointwise, bint relu, Py_ssize_t band,
             Py_ssize_t shares,
             float[::1] scratch, int threads):
    """y = the convolution of x by w, G×O/G×C/G·KH·KW, plus bias, then (`relu`) ReLU, or PReLU unless `slopes` is empty.

    `windows`: (size, stride, dilation), each (rows, columns). `pointwise`: the window is 1×1 and covers x exactly once.
    The outputs of a band are split into `shares`. `scratch` has room for each thread's columns, unless pointwise.
    """
    cdef Py_ssize_t groups = w.shape[0], outputs = w.shape[1], item, size
    cdef Patches g
    cdef list kept = []
    threads = usable(threads)
    set_patches(&g, x.shape, y.shape, groups, outputs, windows, pointwise, band, shares, rows, cols, kept)
    size = 0 if pointwise else g.channels * g.window_h * g.window_w * band
    check(w.shape[2] == g.channels * g.window_h * g.window_w, "w")
    check(bias.shape[0] == slopes.shape[0] == groups and bias.shape[1] >= outputs, "bias")
    check(slopes.shape[1] == 0 or slopes.shape[1] >= outputs, "slopes")
    check(scratch.shape[0] >= <double>threads * size, "scratch")
    for item in prange(x.shape[0] * groups * g.bands * shares, nogil=True, schedule="dynamic", num_threads=threads):
        convolve_band(&g, item // shares // g.bands, item // shares % g.bands, outputs, item % shares, shares,
                      &x[0, 0, 0, 0], &w[item // shares // g.bands % groups, 0, 0],
                      &bias[item // shares // g.bands % groups, 0],
                      &slopes[item // shares // g.bands % groups, 0] if slopes.shape[1] else NULL, relu,
                      &scratch[0] + threadid() * size if size else NULL, &y[0, 0, 0, 0])


cdef void convolve_band(const Patches* g, Py_ssize_t part, Py_ssize_t band, Py_ssize_t outputs, Py_ssize_t share,
                        Py_ssize_t shares, const float* x, const float* w, const float* bias, const float* slopes,
                        bint relu, float* scratch, float* y) noexcept nogil:
    """A band of positions, for a share of the outputs. `part` counts groups, picture by picture."""
    cdef Py_ssize_t start = band * g.band, stop = min(start + g.band, g.positions), o, i
    cdef Py_ssize_t first = outputs * share // shares, last = outputs * (share + 1) // shares
    cdef int count = <int>(stop - start), terms = <int>(g.channels * g.window_h * g.window_w)
    cdef int many = <int>(last - first), positions = <int>g.positions, step
    cdef const float* cols = columns(g, x + part * g.channels * g.height * g.width, start, stop, scratch, &step)
    cdef float* to = y + (part * outputs + first) * g.positions + start
    cdef float one = 1, none = 0, value
    # BLAS stores matrices by columns: it sees each of these transposed.
    sgemm(b"N", b"N", &count, &many, &terms, &one, <float*>cols, &step, <float*>w + first * terms, &terms, &none, to,
          &positions)
    for o in range(first, last):
        for i in range(count):
            value = to[i] + bias[o]
            if relu and value < 0:
                value = slopes[o] * value if slopes != NULL else 0
            to[i] = value
        to += g.positions


def convolve_backward_weight(const float[:, :, :, ::1] x, const float[:, :, :, ::1] dy,
                             float[:, :, :, ::1] sums,  # out
                             const int[::1] rows, const int[::1] cols, *, windows, bint pointwise, Py_ssize_t band,
                             Py_ssize_t shares,
                             float[::1] scratch, int threads):
    """sums[part], G×O/G×C/G·KH·KW = dw over the part's share of the bands; the sum over all parts is dw.

    Arguments as in `convolve`; the outputs of every part are split into `shares`.
    """
    cdef Py_ssize_t parts = sums.shape[0], groups = sums.shape[1], outputs = sums.shape[2], item, size
    cdef Patches g
    cdef list kept = []
    threads = usable(threads)
    set_patches(&g, x.shape, dy.shape, groups, outputs, windows, pointwise, band, shares, rows, cols, kept)
    size = 0 if pointwise else g.channels * g.window_h * g.window_w * band
    check(sums.shape[3] == g.channels * g.window_h * g.window_w, "sums")
    check(scratch.shape[0] >= <double>threads * size, "scratch")
    for item in prange(parts * groups * shares, nogil=True, schedule="dynamic", num_threads=threads):
        add_bands(&g, x.shape[0] * g.bands, item // shares // groups, parts, item // shares % groups, groups, outputs,
                  item % shares, shares, &x[0, 0, 0, 0], &dy[0, 0, 0, 0],
                  &scratch[0] + threadid() * size if size else NULL, &sums[item // shares // groups, 0, 0, 0])


cdef void add_bands(const Patches* g, Py_ssize_t bands, Py_ssize_t part, Py_ssize_t parts, Py_ssize_t group,
                    Py_ssize_t groups, Py_ssize_t outputs, Py_ssize_t share, Py_ssize_t shares, const float* x,
                    const float* dy, float* scratch, float* sums) noexcept nogil:
    """A share of a group's outputs, summed over one part of all pictures' bands."""
    cdef Py_ssize_t first = outputs * share // shares, last = outputs * (share + 1) // shares, i, start, stop, place
    cdef int count, terms = <int>(g.channels * g.window_h * g.window_w), many = <int>(last - first)
    cdef int positions = <int>g.positions, step
    cdef const float* cols
    cdef float one = 1, before = 0
    sums += (group * outputs + first) * terms
    if bands * part // parts == bands * (part + 1) // parts:
        memset(sums, 0, <size_t>many * terms * sizeof(float))
    for i in range(bands * part // parts, bands * (part + 1) // parts):
        start = i % g.bands * g.band
        stop = min(start + g.band, g.positions)
        count = <int>(stop - start)
        place = i // g.bands * groups + group  # of the group, counted through all pictures
        cols = columns(g, x + place * g.channels * g.height * g.width, start, stop, scratch, &step)
        sgemm(b"T", b"N", &terms, &many, &count, &one, <float*>cols, &step,
              <float*>dy + (place * outputs + first) * g.positions + start, &positions, &before, sums, &terms)
        before = 1
