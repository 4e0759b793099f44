# The transpose of repeating rows and columns: each gradient is the sum over the copies.


def check_members(starts, members, count, limit):
    """Raise ValueError unless all `members` are in 0 … `limit` − 1 and `starts` divides them into `count` parts."""
    check(len(starts) == count + 1 and starts[0] == 0 and starts[count] == len(members), "starts")
    check((np.diff(starts) >= 0).all() and ((members >= 0) & (members < limit)).all(), "members")


def sum_repeats(const float[:, :, :, :, ::1] x, const long long[::1] row_starts, const long long[::1] rows,
                const long long[::1] column_starts, const long long[::1] columns,
                float[:, :, :, :, ::1] y,  # out
                int threads):
    """y[:, :, i, j] = Σ x[:, :, r, c] over r in rows[row_starts[i] : row_starts[i + 1]], and c likewise.

    The last axis holds 16 lanes, or 1 for N×C×H×W.
    """
    cdef Py_ssize_t item, height = y.shape[2], planes = y.shape[0] * y.shape[1], lanes = y.shape[4]
    cdef Py_ssize_t size = x.shape[2] * x.shape[3] * lanes, y_size = y.shape[2] * y.shape[3] * lanes
    check(lanes == BLOCK or lanes == 1, "y")
    check(x.shape[0] == y.shape[0] and x.shape[1] == y.shape[1] and x.shape[4] == lanes, "y")
    check_members(np.asarray(row_starts), np.asarray(rows), y.shape[2], x.shape[2])
    check_members(np.asarray(column_starts), np.asarray(columns), y.shape[3], x.shape[3])
    if y.size == 0 or x.size == 0:
        np.asarray(y)[...] = 0
        return
    # Dynamic, since one row may have a hundred copies. One thread sums each row, in order.
    for item in prange(planes * height, nogil=True, schedule="dynamic", num_threads=threads):
        sum_row(&x[0, 0, 0, 0, 0] + item // height * size, x.shape[3], row_starts[item % height],
                row_starts[item % height + 1], &rows[0] if rows.shape[0] else NULL, &column_starts[0],
                &columns[0] if columns.shape[0] else NULL,
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
