# Separable interpolation of planes: a deconvolution in which each channel has one bilinear filter.
#
#     y[p, i, j] = Σ_s Σ_t row_weight[i, s] · col_weight[j, t] · x[p, row[i, s], col[j, t]]
#
# The last axis of every array holds lanes: 16 channels in the blocked layout, 1 for N×C×H×W.


cdef const int* checked_taps(const int[:, ::1] taps, const float[:, ::1] weight, Py_ssize_t outputs, Py_ssize_t inputs,
                             list kept, str what) except NULL:
    """A copy of the places of each output's inputs. Raises ValueError unless they and their weights fit."""
    check(taps.shape[0] == outputs and taps.shape[1] > 0, what)
    check_shape(weight.shape, taps.shape, 2, what)
    return checked(&taps[0, 0], outputs * taps.shape[1], 0, inputs, kept, what)


cdef int check_planes(const Py_ssize_t* x, const Py_ssize_t* y) except -1:
    """Raise ValueError unless these are shapes of arrays with the same planes, P×H×W×L."""
    check_filled(x, 4, "x")
    check_filled(y, 4, "y")
    return check(x[0] == y[0] and x[3] == y[3] and (x[3] == BLOCK or x[3] == 1), "y")


def interpolate(const float[:, :, :, ::1] x, const int[:, ::1] row, const float[:, ::1] row_weight,
                const int[:, ::1] col, const float[:, ::1] col_weight, const float[:, :, :, ::1] add,
                Py_ssize_t add_row, Py_ssize_t add_col,
                float[:, :, :, ::1] y,  # out
                int threads):
    """y as above, plus add[p, add_row + i, add_col + j] unless `add` is empty. x is P×H×W×L, y is P×H'×W'×L."""
    cdef Py_ssize_t item, height = y.shape[1], width = x.shape[2], lanes = x.shape[3]
    cdef list kept = []
    threads = usable(threads)
    check_planes(x.shape, y.shape)
    cdef const int* rows = checked_taps(row, row_weight, height, x.shape[1], kept, "row")
    cdef const int* cols = checked_taps(col, col_weight, y.shape[2], width, kept, "col")
    if add.shape[0] > 0:
        check(add.shape[0] == y.shape[0] and 0 <= add_row <= add.shape[1] - height
              and 0 <= add_col <= add.shape[2] - y.shape[2] and add.shape[3] == lanes, "add")
    cdef float[:, ::1] blended = np.empty((threads, width * lanes), np.float32)
    for item in prange(y.shape[0] * height, nogil=True, schedule="static", num_threads=threads):
        interpolate_row(&x[item // height, 0, 0, 0], width, lanes, rows + item % height * row.shape[1],
                        &row_weight[item % height, 0], row.shape[1], cols, &col_weight[0, 0], col.shape[1],
                        y.shape[2], &blended[threadid(), 0],
                        &add[item // height, add_row + item % height, add_col, 0] if add.shape[0] else NULL,
                        &y[item // height, item % height, 0, 0])


cdef void interpolate_row(const float* x, Py_ssize_t width, Py_ssize_t lanes, const int* row, const float* row_weight,
                          Py_ssize_t row_taps, const int* col, const float* col_weight, Py_ssize_t col_taps,
                          Py_ssize_t count, float* blended, const float* add, float* y) noexcept nogil:
    cdef Py_ssize_t j, s, part
    cdef float total, weight
    cdef vec sum
    cdef const float* line
    for s in range(row_taps):
        line, weight = x + row[s] * width * lanes, row_weight[s]
        for j in range(width * lanes):
            blended[j] = weight * line[j] + (blended[j] if s else 0)
    if lanes == BLOCK:
        for j in range(count):
            for part in range(PARTS):
                sum = splat(col_weight[j * col_taps]) * load(blended + col[j * col_taps] * BLOCK + part * VL)
                for s in range(1, col_taps):
                    sum = sum + (splat(col_weight[j * col_taps + s])
                                 * load(blended + col[j * col_taps + s] * BLOCK + part * VL))
                store(y + j * BLOCK + part * VL, sum)
    elif col_taps == 2:
        for j in range(count):
            y[j] = col_weight[2 * j] * blended[col[2 * j]] + col_weight[2 * j + 1] * blended[col[2 * j + 1]]
    else:
        for j in range(count):
            total = 0
            for s in range(col_taps):
                total = total + col_weight[j * col_taps + s] * blended[col[j * col_taps + s]]
            y[j] = total
    if add != NULL:
        for j in range(count * lanes):
            y[j] += add[j]


def interpolate_backward(const float[:, :, :, ::1] dy, const int[:, ::1] row, const float[:, ::1] row_weight,
                         const int[:, ::1] col, const float[:, ::1] col_weight,
                         float[:, :, :, ::1] dx,  # out
                         int threads):
    """dx = 0; dx[p, row[i, s], col[j, t]] += row_weight[i, s] · col_weight[j, t] · dy[p, i, j]"""
    cdef Py_ssize_t plane, width = dx.shape[2], lanes = dx.shape[3]
    cdef list kept = []
    threads = usable(threads)
    check_planes(dx.shape, dy.shape)
    cdef const int* rows = checked_taps(row, row_weight, dy.shape[1], dx.shape[1], kept, "row")
    cdef const int* cols = checked_taps(col, col_weight, dy.shape[2], width, kept, "col")
    cdef float[:, ::1] gathered = np.empty((threads, width * lanes), np.float32)
    for plane in prange(dx.shape[0], nogil=True, schedule="static", num_threads=threads):
        interpolate_plane_backward(&dy[plane, 0, 0, 0], dy.shape[1], dy.shape[2], lanes, rows,
                                   &row_weight[0, 0], row.shape[1], cols, &col_weight[0, 0], col.shape[1],
                                   &gathered[threadid(), 0], &dx[plane, 0, 0, 0], dx.shape[1], width)


cdef void interpolate_plane_backward(const float* dy, Py_ssize_t height, Py_ssize_t count, Py_ssize_t lanes,
                                     const int* row, const float* row_weight, Py_ssize_t row_taps, const int* col,
                                     const float* col_weight, Py_ssize_t col_taps, float* gathered, float* dx,
                                     Py_ssize_t rows, Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t i, j, s, part
    cdef float weight
    cdef float* line
    memset(dx, 0, rows * width * lanes * sizeof(float))
    for i in range(height):
        memset(gathered, 0, width * lanes * sizeof(float))
        for j in range(count):
            for s in range(col_taps):
                if lanes == 1:
                    gathered[col[j * col_taps + s]] += col_weight[j * col_taps + s] * dy[i * count + j]
                    continue
                line = gathered + col[j * col_taps + s] * BLOCK
                for part in range(PARTS):
                    store(line + part * VL, load(line + part * VL) + (splat(col_weight[j * col_taps + s])
                                                                      * load(dy + (i * count + j) * BLOCK + part * VL)))
        for s in range(row_taps):
            line, weight = dx + row[i * row_taps + s] * width * lanes, row_weight[i * row_taps + s]
            for j in range(width * lanes):
                line[j] += weight * gathered[j]
