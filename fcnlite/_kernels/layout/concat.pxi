# Concatenation of blocked arrays, N×C/16×H×W×16, along the channels, and its inverse. Where a part does not begin at a
# block of the whole, the channels of each of its blocks go to two blocks.


cdef void move_row(const float* x, const float* next_x, Py_ssize_t width, Py_ssize_t skip, Py_ssize_t channels,
                   float* y) noexcept nogil:
    """y = `channels` channels of every pixel: from number `skip` of x's block on, then from the next block's start."""
    cdef Py_ssize_t j, near = min(BLOCK - skip, channels)
    if near == BLOCK:
        memcpy(y, x, width * BLOCK * sizeof(float))
        return
    for j in range(width):
        memcpy(y + j * BLOCK, x + j * BLOCK + skip, near * sizeof(float))
        if channels > near:
            memcpy(y + j * BLOCK + near, next_x + j * BLOCK, (channels - near) * sizeof(float))


def take_channels(const float[:, :, :, :, ::1] x, Py_ssize_t first, Py_ssize_t channels,
                  float[:, :, :, :, ::1] y,  # out
                  int threads):
    """y[:, c] = x[:, first + c] for channels c < `channels`; 0 in those that fill y's last block."""
    cdef Py_ssize_t item, blocks = y.shape[1], height = y.shape[2], block, own, skip = first % BLOCK, source
    check_blocked(x.shape, "x")
    check_blocked(y.shape, "y")
    check(x.shape[0] == y.shape[0] and x.shape[2] == height and x.shape[3] == y.shape[3], "y")
    check(0 <= first < x.shape[1] * BLOCK and 0 < channels <= x.shape[1] * BLOCK - first
          and blocks == (channels + BLOCK - 1) // BLOCK, "channels")
    threads = copy_threads(y.shape[0] * blocks * height * y.shape[3] * BLOCK, usable(threads))
    for item in prange(y.shape[0] * blocks * height, nogil=True, schedule="static", num_threads=threads):
        block, own = item // height % blocks, min(BLOCK, channels - item // height % blocks * BLOCK)
        source = first // BLOCK + block
        if own < BLOCK:
            memset(&y[item // height // blocks, block, item % height, 0, 0], 0, y.shape[3] * BLOCK * sizeof(float))
        move_row(&x[item // height // blocks, source, item % height, 0, 0],
                 &x[item // height // blocks, min(source + 1, x.shape[1] - 1), item % height, 0, 0], y.shape[3], skip,
                 own, &y[item // height // blocks, block, item % height, 0, 0])


def put_channels(const float[:, :, :, :, ::1] x, Py_ssize_t channels,
                 float[:, :, :, :, ::1] y,  # in, out
                 Py_ssize_t first, int threads):
    """y[:, first + c] = x[:, c] for channels c < `channels`; 0 in later channels of y's last block."""
    cdef Py_ssize_t item, height = y.shape[2], start, last
    check_blocked(x.shape, "x")
    check_blocked(y.shape, "y")
    check(x.shape[0] == y.shape[0] and x.shape[2] == height and x.shape[3] == y.shape[3], "x")
    check(0 <= first < y.shape[1] * BLOCK and 0 < channels <= min(x.shape[1], y.shape[1]) * BLOCK, "channels")
    start, last = first // BLOCK, (first + channels + BLOCK - 1) // BLOCK
    check(last <= y.shape[1], "channels")
    threads = copy_threads(x.shape[0] * x.shape[1] * height * x.shape[3] * BLOCK, usable(threads))
    for item in prange(y.shape[0] * (last - start) * height, nogil=True, schedule="static", num_threads=threads):
        put_row(x, channels, y, first, item // height // (last - start), start + item // height % (last - start),
                item % height)


cdef void put_row(const float[:, :, :, :, ::1] x, Py_ssize_t channels, float[:, :, :, :, ::1] y, Py_ssize_t first,
                  Py_ssize_t n, Py_ssize_t block, Py_ssize_t row) noexcept nogil:
    """Write one row of one block of y: the channels that x has."""
    cdef Py_ssize_t j, width = y.shape[3]
    cdef Py_ssize_t begin = max(first - block * BLOCK, 0)  # channel in y's block
    cdef Py_ssize_t end = min(first + channels - block * BLOCK, BLOCK)
    cdef Py_ssize_t source = block * BLOCK + begin - first  # channel in x
    cdef float* to = &y[n, block, row, 0, 0]
    if end < BLOCK and block == y.shape[1] - 1:
        for j in range(width):
            memset(to + j * BLOCK + end, 0, (BLOCK - end) * sizeof(float))
    move_row(&x[n, source // BLOCK, row, 0, 0], &x[n, min(source // BLOCK + 1, x.shape[1] - 1), row, 0, 0], width,
             source % BLOCK, end - begin, to + begin)
