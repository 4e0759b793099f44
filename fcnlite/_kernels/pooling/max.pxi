# Max pooling of blocked arrays, N×C/16×H×W×16. A byte keeps the place of each maximum in its window.

cdef struct Pool:
    Py_ssize_t height, width, top_height, top_width
    Py_ssize_t window_h, window_w, stride_h, stride_w, pad_h, pad_w


cdef int set_pool(Pool* g, const Py_ssize_t* bottom, const Py_ssize_t* top, window, stride, pad) except -1:
    """Fill g. Raises ValueError unless blocked arrays of these shapes fit each other."""
    check_blocked(bottom, "x")
    check_blocked(top, "y")
    check(bottom[0] == top[0] and bottom[1] == top[1], "y")
    g.height, g.width, g.top_height, g.top_width = bottom[2], bottom[3], top[2], top[3]
    read_pair(window, 1, "window", &g.window_h, &g.window_w)
    read_pair(stride, 1, "stride", &g.stride_h, &g.stride_w)
    read_pair(pad, 0, "pad", &g.pad_h, &g.pad_w)
    return check_memory((<double>g.top_height * g.stride_h + g.window_h) * (<double>g.top_width * g.stride_w), 0)


cdef int check_windows(const Pool* g) except -1:
    """Raise ValueError unless every window has a pixel, and a byte can number its places."""
    check(g.window_h <= 256 and g.window_w <= 256 and g.window_h * g.window_w <= 256, "window")
    check(g.pad_h < g.window_h and g.pad_w < g.window_w and (g.top_height - 1) * g.stride_h - g.pad_h < g.height
          and (g.top_width - 1) * g.stride_w - g.pad_w < g.width, "y")
    return 0


cdef extern from *:
    """
    /* best = x and won = here where x is larger than best, or where x is NaN and best is not. */
    static inline void keep_larger(vec x, int here, vec* best, mask_of_vec* won) {
        const mask_of_vec wins = ~(x <= *best) & (*best == *best);
        *best = (vec)(((mask_of_vec)x & wins) | ((mask_of_vec)*best & ~wins));
        *won = (here & wins) | (*won & ~wins);
    }
    static inline mask_of_vec everywhere(int x) { return x - (mask_of_vec){0}; }
    """
    ctypedef int mask_of_vec
    mask_of_vec everywhere(int x) noexcept nogil
    void keep_larger(vec x, int here, vec* best, mask_of_vec* won) noexcept nogil


cdef void max_pool_row(const Pool* g, const float* x, float* y, unsigned char* place, Py_ssize_t row) noexcept nogil:
    """One row of outputs of one plane. `place` may be NULL."""
    cdef Py_ssize_t i, j, k, part, col, left, top = row * g.stride_h - g.pad_h, first_i = max(top, 0), first_j
    cdef const float* pixel
    cdef vec[PARTS] best
    cdef mask_of_vec[PARTS] won
    cdef int here
    for col in range(g.top_width):
        left = col * g.stride_w - g.pad_w
        first_j = max(left, 0)
        pixel = x + (first_i * g.width + first_j) * BLOCK
        here = <int>((first_i - top) * g.window_w + first_j - left)
        for part in range(PARTS):
            best[part] = load(pixel + part * VL)
            won[part] = everywhere(here)
        for i in range(first_i, min(top + g.window_h, g.height)):
            for j in range(first_j, min(left + g.window_w, g.width)):
                pixel = x + (i * g.width + j) * BLOCK
                here = <int>((i - top) * g.window_w + j - left)
                for part in range(PARTS):
                    keep_larger(load(pixel + part * VL), here, &best[part], &won[part])
        for part in range(PARTS):
            store(y + col * BLOCK + part * VL, best[part])
        if place != NULL:
            for k in range(BLOCK):
                place[col * BLOCK + k] = <unsigned char>(<int*>won)[k]


cdef void max_pool_plane(const Pool* g, const float* x, float* y, unsigned char* place) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(g.top_height):
        max_pool_row(g, x, y + row * g.top_width * BLOCK,
                     NULL if place == NULL else place + row * g.top_width * BLOCK, row)


cdef Py_ssize_t max_pool_plane_backward(const Pool* g, const float* dy, const unsigned char* place,
                                        float* dx) noexcept nogil:
    """Returns the number of places outside the plane."""
    cdef Py_ssize_t row, col, k, i, j, outside = 0
    memset(dx, 0, g.height * g.width * BLOCK * sizeof(float))
    for row in range(g.top_height):
        for col in range(g.top_width):
            for k in range(BLOCK):
                i = row * g.stride_h - g.pad_h + place[k] // g.window_w
                j = col * g.stride_w - g.pad_w + place[k] % g.window_w
                if 0 <= i < g.height and 0 <= j < g.width:
                    dx[(i * g.width + j) * BLOCK + k] += dy[k]
                else:
                    outside += 1
            place += BLOCK
            dy += BLOCK
    return outside


def max_pool(const float[:, :, :, :, ::1] x,
             float[:, :, :, :, ::1] y,  # out
             unsigned char[:, :, :, :, ::1] place,  # out
             window, stride, pad, int threads):
    """y = the maximum of each window of x; `place`, unless empty, = its place in the window, counted row by row."""
    cdef Pool g
    cdef Py_ssize_t plane, planes = x.shape[0] * x.shape[1], size = y.shape[2] * y.shape[3] * BLOCK
    cdef bint placed = place.shape[0] > 0
    threads = usable(threads)
    set_pool(&g, x.shape, y.shape, window, stride, pad)
    check_windows(&g)
    if placed:
        check_shape(place.shape, y.shape, 5, "place")
    cdef unsigned char* places = &place[0, 0, 0, 0, 0] if placed else NULL
    for plane in prange(planes, nogil=True, schedule="static", num_threads=threads):
        max_pool_plane(&g, &x[0, 0, 0, 0, 0] + plane * g.height * g.width * BLOCK, &y[0, 0, 0, 0, 0] + plane * size,
                       places + plane * size if placed else NULL)


def max_pool_backward(const float[:, :, :, :, ::1] dy, const unsigned char[:, :, :, :, ::1] place,
                      float[:, :, :, :, ::1] dx,  # out
                      window, stride, pad, int threads):
    """dx = 0; dx[the place of each maximum] += its gradient in dy."""
    cdef Pool g
    cdef Py_ssize_t plane, planes = dx.shape[0] * dx.shape[1], size = dy.shape[2] * dy.shape[3] * BLOCK, outside = 0
    threads = usable(threads)
    set_pool(&g, dx.shape, dy.shape, window, stride, pad)
    check_windows(&g)
    check_shape(place.shape, dy.shape, 5, "place")
    for plane in prange(planes, nogil=True, schedule="static", num_threads=threads):
        outside += max_pool_plane_backward(&g, &dy[0, 0, 0, 0, 0] + plane * size, &place[0, 0, 0, 0, 0] + plane * size,
                                           &dx[0, 0, 0, 0, 0] + plane * g.height * g.width * BLOCK)
    check(outside == 0, "place")
