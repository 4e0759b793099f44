# The transpose of repeating rows and columns: each gradient is the sum over the copies.


cdef const long long* checked_starts(const long long[::1] starts, Py_ssize_t count, Py_ssize_t members, list kept,
                                     str what) except NULL:
    """A copy of `starts`. Raises ValueError unless it divides so many members into `count` parts."""
    cdef Py_ssize_t i
    check(starts.shape[0] == count + 1, what)
    cdef const long long* copy = checked(&starts[0], count + 1, 0, members + 1, kept, what)
    check(copy[0] == 0 and copy[count] == members, what)
    for i in range(count):
        check(copy[i] <= copy[i + 1], what)
    return copy


def sum_repeats(const float[:, :, :, :, ::1] x, const long long[::1] row_starts, const long long[::1] rows,
                const long long[::1] column_starts, const long long[::1] columns,
                float[:, :, :, :, ::1] y,  # out
                int threads):
    """y[:, :, i, j] = Σ x[:, :, r, c] over r in rows[row_starts[i] : row_starts[i + 1]], and c likewise.

    The last axis holds 16 lanes, or 1 for N×C×H×W.
    """
    cdef Py_ssize_t item, height = y.shape[2], planes = y.shape[0] * y.shape[1], lanes = y.shape[4]
    cdef Py_ssize_t size = x.shape[2] * x.shape[3] * lanes, y_size = y.shape[2] * y.shape[3] * lanes
    cdef list kept = []
    threads = usable(threads)
    check_filled(x.shape, 5, "x")
    check_filled(y.shape, 5, "y")
    check(lanes == BLOCK or lanes == 1, "y")
    check(x.shape[0] == y.shape[0] and x.shape[1] == y.shape[1] and x.shape[4] == lanes, "y")
    cdef const long long* row_start = checked_starts(row_starts, height, rows.shape[0], kept, "row_starts")
    cdef const long long* column_start = checked_starts(column_starts, y.shape[3], columns.shape[0], kept,
                                                        "column_starts")
    cdef const long long* row = checked(&rows[0], rows.shape[0], 0, x.shape[2], kept, "rows")
    cdef const long long* column = checked(&columns[0], columns.shape[0], 0, x.shape[3], kept, "columns")
    # Dynamic, since one row may have a hundred copies. One thread sums each row, in order.
    for item in prange(planes * height, nogil=True, schedule="dynamic", num_threads=threads):
        sum_row(&x[0, 0, 0, 0, 0] + item // height * size, x.shape[3], row_start[item % height],
                row_start[item % height + 1], row, column_start, column,
                &y[0, 0, 0, 0, 0] + item // height * y_size + item % height * y.shape[3] * lanes, y.shape[3], lanes)


cdef void sum_row(const float* x, Py_ssize_t width, Py_ssize_t first, Py_ssize_t last, const long long* rows,
                  const long long* column_starts, const long long* columns, float* y, Py_ssize_t y_width,
                  Py_ssize_t lanes) noexcept nogil:
    cdef Py_ssize_t r, j, c, part
    cdef const float* row
    memset(y, 0, y_width * lanes * sizeof(float))
    for r in range(first, last):
        row = x + rows[r] * width * lanes
        for j in range(y_width):
            for c in range(column_starts[j], column_starts[j + 1]):
                if lanes == 1:
                    y[j] += row[columns[c]]
                else:
                    for part in range(PARTS):
                        store(y + j * BLOCK + part * VL,
                              load(y + j * BLOCK + part * VL) + load(row + columns[c] * BLOCK + part * VL))
