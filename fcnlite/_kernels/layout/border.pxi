# Borders: an array surrounded by rows and columns of another one, or by one value for each channel.


def add_border(const float[:, :, :, ::1] x, const float[:, :, :, ::1] border, const int[::1] rows, const int[::1] cols,
               const int[::1] border_rows, const int[::1] border_cols,
               float[:, :, :, ::1] y,  # out
               int threads):
    """y[p, i, j] = x[p, rows[i], cols[j]], or where rows[i] or cols[j] is −1
    y[p, i, j] = border[p % len(border), border_rows[i], border_cols[j]].

    Planes are P×H×W×L, with L channels side by side.
    """
    cdef Py_ssize_t item, height = y.shape[1], width = y.shape[2], lanes = y.shape[3], planes = border.shape[0]
    cdef list kept = []
    check_filled(x.shape, 4, "x")
    check_filled(y.shape, 4, "y")
    check_filled(border.shape, 4, "border")
    check(x.shape[0] == y.shape[0] and x.shape[3] == border.shape[3] == lanes and y.shape[0] % planes == 0, "y")
    check(rows.shape[0] == border_rows.shape[0] == height and cols.shape[0] == border_cols.shape[0] == width,
          "a row or column")
    cdef const int* row = checked(&rows[0], height, -1, x.shape[1], kept, "rows")
    cdef const int* col = checked(&cols[0], width, -1, x.shape[2], kept, "cols")
    cdef const int* border_row = checked(&border_rows[0], height, 0, border.shape[1], kept, "border_rows")
    cdef const int* border_col = checked(&border_cols[0], width, 0, border.shape[2], kept, "border_cols")
    threads = copy_threads(y.shape[0] * height * width * lanes, usable(threads))
    for item in prange(y.shape[0] * height, nogil=True, schedule="static", num_threads=threads):
        bordered_row(&x[item // height, row[item % height], 0, 0] if row[item % height] >= 0 else NULL,
                     &border[item // height % planes, border_row[item % height], 0, 0], col, border_col, width, lanes,
                     &y[item // height, item % height, 0, 0])


cdef void bordered_row(const float* x, const float* border, const int* cols, const int* border_cols, Py_ssize_t width,
                       Py_ssize_t lanes, float* y) noexcept nogil:
    cdef Py_ssize_t j = 0, count
    cdef const float* source
    while j < width:
        count = 1
        if x == NULL or cols[j] < 0:
            source = border + border_cols[j] * lanes
        else:
            source = x + cols[j] * lanes
            while j + count < width and cols[j + count] == cols[j] + count:
                count = count + 1
        memcpy(y + j * lanes, source, count * lanes * sizeof(float))
        j = j + count


def fill_margins(const float[::1] values, row_margins, col_margins,
                 float[:, :, :, :, ::1] y,  # in, out
                 int threads):
    """y[n, b, i, j] = values[16·b : 16·b + 16] in the margins, which are the first and last rows and columns of y.

    `row_margins`: the number of first and of last rows; `col_margins`: of columns. The rest of y is not touched.
    """
    cdef Py_ssize_t item, height = y.shape[2], width = y.shape[3], count = y.shape[1], top, bottom, left, right
    read_pair(row_margins, 0, "row_margins", &top, &bottom)
    read_pair(col_margins, 0, "col_margins", &left, &right)
    check_blocked(y.shape, "y")
    check(values.shape[0] == count * BLOCK, "values")
    check(top + bottom <= height and left + right <= width, "a margin")
    threads = copy_threads(y.shape[0] * count * height * width, usable(threads))
    for item in prange(y.shape[0] * count * height, nogil=True, schedule="static", num_threads=threads):
        fill_row(&values[item // height % count * BLOCK], top <= item % height < height - bottom, left, right, width,
                 &y[item // height // count, item // height % count, item % height, 0, 0])


cdef void fill_row(const float* values, bint within, Py_ssize_t left, Py_ssize_t right, Py_ssize_t width,
                   float* y) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(left if within else width):
        memcpy(y + j * BLOCK, values, BLOCK * sizeof(float))
    if within:
        for j in range(width - right, width):
            memcpy(y + j * BLOCK, values, BLOCK * sizeof(float))
