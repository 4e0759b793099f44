# Conversion between N×C×H×W arrays and blocked ones, N×C/16×H×W×16.


cdef int check_blocked(const Py_ssize_t* shape, str what) except -1:
    """Raise ValueError unless an array of this shape, of five axes, is blocked, and not empty."""
    check_filled(shape, 4, what)
    return check(shape[4] == BLOCK, what)


cdef inline int copy_threads(Py_ssize_t floats, int threads) noexcept:
    """The number of threads that copy so many floats: one copies a few before another is awake."""
    return threads if floats > 1 << 16 else 1


def to_blocked(const float[:, :, :, ::1] x,
               float[:, :, :, :, ::1] y,  # out
               int threads):
    """y[n, c // 16, :, :, c % 16] = x[n, c]; 0 in the channels that fill the last block."""
    cdef Py_ssize_t item, planes = y.shape[1], pixels = x.shape[2] * x.shape[3]
    check_filled(x.shape, 4, "x")
    check_blocked(y.shape, "y")
    check(y.shape[0] == x.shape[0] and planes == (x.shape[1] + BLOCK - 1) // BLOCK and y.shape[2] == x.shape[2]
          and y.shape[3] == x.shape[3], "y")
    threads = copy_threads(y.shape[0] * planes * pixels * BLOCK, usable(threads))
    for item in prange(x.shape[0] * planes * x.shape[2], nogil=True, schedule="static", num_threads=threads):
        block_row(x, y, item // x.shape[2] // planes, item // x.shape[2] % planes, item % x.shape[2])


cdef void block_row(const float[:, :, :, ::1] x, float[:, :, :, :, ::1] y, Py_ssize_t n, Py_ssize_t block,
                    Py_ssize_t row) noexcept nogil:
    cdef Py_ssize_t c, j, part, first = block * BLOCK, width = x.shape[3], own = min(BLOCK, x.shape[1] - first)
    cdef Py_ssize_t plane = x.shape[2] * width, squares = width // VL * VL if own == BLOCK else 0
    cdef const float* source = &x[n, first, row, 0]
    cdef float* to = &y[n, block, row, 0, 0]
    for part in range(PARTS):
        for j in range(squares // VL):
            transpose(source + part * VL * plane + j * VL, plane, to + j * VL * BLOCK + part * VL, BLOCK)
    for j in range(squares, width):
        for part in range(PARTS):
            store(to + j * BLOCK + part * VL, splat(0))
        for c in range(own):
            to[j * BLOCK + c] = source[c * plane + j]


def from_blocked(const float[:, :, :, :, ::1] x,
                 float[:, :, :, ::1] y,  # out
                 int threads):
    """y[n, c] = x[n, c // 16, :, :, c % 16]"""
    cdef Py_ssize_t item, channels = y.shape[1], height = y.shape[2]
    check_blocked(x.shape, "x")
    check_filled(y.shape, 4, "y")
    check(x.shape[0] == y.shape[0] and x.shape[1] == (channels + BLOCK - 1) // BLOCK and x.shape[2] == height
          and x.shape[3] == y.shape[3], "y")
    threads = copy_threads(y.shape[0] * channels * height * y.shape[3], usable(threads))
    for item in prange(y.shape[0] * x.shape[1] * height, nogil=True, schedule="static", num_threads=threads):
        unblock_row(x, y, item // height // x.shape[1], item // height % x.shape[1], item % height)


cdef void unblock_row(const float[:, :, :, :, ::1] x, float[:, :, :, ::1] y, Py_ssize_t n, Py_ssize_t block,
                      Py_ssize_t row) noexcept nogil:
    cdef Py_ssize_t c, j, part, first = block * BLOCK, width = y.shape[3], own = min(BLOCK, y.shape[1] - first)
    cdef Py_ssize_t plane = y.shape[2] * width, squares = width // VL * VL if own == BLOCK else 0
    cdef const float* source = &x[n, block, row, 0, 0]
    cdef float* to = &y[n, first, row, 0]
    for part in range(PARTS):
        for j in range(squares // VL):
            transpose(source + j * VL * BLOCK + part * VL, BLOCK, to + part * VL * plane + j * VL, plane)
    for c in range(own):
        for j in range(squares, width):
            to[c * plane + j] = source[j * BLOCK + c]
