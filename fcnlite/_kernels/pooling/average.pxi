# Average pooling of blocked arrays, N×C/16×H×W×16. The size of a window counts the pad, but nothing beyond it (see
# layers/pooling.py). max.pxi defines the windows.


cdef inline float window_size(const Pool* g, Py_ssize_t top, Py_ssize_t left) noexcept nogil:
    cdef Py_ssize_t rows = min(top + g.window_h, g.height + g.pad_h) - top
    cdef Py_ssize_t columns = min(left + g.window_w, g.width + g.pad_w) - left
    return <float>max(max(rows, 0) * max(columns, 0), 1)


cdef void average_pool_row(const Pool* g, const float* x, float* y, Py_ssize_t row) noexcept nogil:
    """One row of outputs of one plane."""
    cdef Py_ssize_t i, j, part, col, left, top = row * g.stride_h - g.pad_h
    cdef vec[PARTS] total
    cdef vec size
    for col in range(g.top_width):
        left = col * g.stride_w - g.pad_w
        size = splat(window_size(g, top, left))
        for part in range(PARTS):
            total[part] = splat(0)
        for i in range(max(top, 0), min(top + g.window_h, g.height)):
            for j in range(max(left, 0), min(left + g.window_w, g.width)):
                for part in range(PARTS):
                    total[part] = total[part] + load(x + (i * g.width + j) * BLOCK + part * VL)
        for part in range(PARTS):
            store(y + col * BLOCK + part * VL, total[part] / size)


cdef void average_pool_plane_backward(const Pool* g, const float* dy, float* dx) noexcept nogil:
    cdef Py_ssize_t row, col, top, left, i, j, part
    cdef vec[PARTS] share
    cdef float* pixel
    memset(dx, 0, g.height * g.width * BLOCK * sizeof(float))
    for row in range(g.top_height):
        top = row * g.stride_h - g.pad_h
        for col in range(g.top_width):
            left = col * g.stride_w - g.pad_w
            for part in range(PARTS):
                share[part] = load(dy + part * VL) / splat(window_size(g, top, left))
            for i in range(max(top, 0), min(top + g.window_h, g.height)):
                for j in range(max(left, 0), min(left + g.window_w, g.width)):
                    pixel = dx + (i * g.width + j) * BLOCK
                    for part in range(PARTS):
                        store(pixel + part * VL, load(pixel + part * VL) + share[part])
            dy += BLOCK


def average_pool(const float[:, :, :, :, ::1] x,
                 float[:, :, :, :, ::1] y,  # out
                 window, stride, pad, int threads):
    """y = the sum of each window of x, divided by the window's size; 0 for a window outside x."""
    cdef Pool g
    cdef Py_ssize_t item, planes = x.shape[0] * x.shape[1], size = y.shape[3] * BLOCK
    threads = usable(threads)
    set_pool(&g, x.shape, y.shape, window, stride, pad)
    for item in prange(planes * g.top_height, nogil=True, schedule="static", num_threads=threads):
        average_pool_row(&g, &x[0, 0, 0, 0, 0] + item // g.top_height * g.height * g.width * BLOCK,
                         &y[0, 0, 0, 0, 0] + item * size, item % g.top_height)


def average_pool_backward(const float[:, :, :, :, ::1] dy,
                          float[:, :, :, :, ::1] dx,  # out
                          window, stride, pad, int threads):
    """dx[place] = Σ dy / size over the windows that contain the place."""
    cdef Pool g
    cdef Py_ssize_t plane, planes = dx.shape[0] * dx.shape[1], size = dy.shape[2] * dy.shape[3] * BLOCK
    threads = usable(threads)
    set_pool(&g, dx.shape, dy.shape, window, stride, pad)
    for plane in prange(planes, nogil=True, schedule="static", num_threads=threads):
        average_pool_plane_backward(&g, &dy[0, 0, 0, 0, 0] + plane * size,
                                    &dx[0, 0, 0, 0, 0] + plane * g.height * g.width * BLOCK)
