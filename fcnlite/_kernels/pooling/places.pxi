# Places of maxima in their planes, and max unpooling, of blocked arrays. A place is row · W + column, as a float.


def pooled_places(const unsigned char[:, :, :, :, ::1] place,
                  float[:, :, :, :, ::1] places,  # out
                  Py_ssize_t width, window, stride, pad, int threads):
    """The places in planes of this width, from those in windows that `max_pool` gives, counted row by row."""
    cdef Py_ssize_t window_h, window_w, stride_h, stride_w, pad_h, pad_w, row, col, k, height = place.shape[2], i
    cdef Py_ssize_t item
    cdef float[256] inside
    threads = usable(threads)
    check_blocked(place.shape, "place")
    check_shape(places.shape, place.shape, 5, "places")
    read_pair(window, 1, "window", &window_h, &window_w)
    read_pair(stride, 1, "stride", &stride_h, &stride_w)
    read_pair(pad, 0, "pad", &pad_h, &pad_w)
    check(0 < width <= INT_MAX, "width")
    for i in range(256):
        inside[i] = <float>(i // window_w * width + i % window_w)
    for item in prange(place.shape[0] * place.shape[1] * height, nogil=True, schedule="static", num_threads=threads):
        places_of_row(&place[0, 0, 0, 0, 0] + item * place.shape[3] * BLOCK, place.shape[3],
                      <float>((item % height * stride_h - pad_h) * width - pad_w), <float>stride_w, inside,
                      &places[0, 0, 0, 0, 0] + item * place.shape[3] * BLOCK)


cdef void places_of_row(const unsigned char* place, Py_ssize_t count, float first, float step, const float* inside,
                        float* places) noexcept nogil:
    cdef Py_ssize_t j, k
    for j in range(count):
        for k in range(BLOCK):
            places[j * BLOCK + k] = first + j * step + inside[place[j * BLOCK + k]]


def unpool(const float[:, :, :, :, ::1] x, const float[:, :, :, :, ::1] places,
           float[:, :, :, :, ::1] y,  # out
           int threads):
    """y = 0; y[n, c, places[n, c, i]] = x[n, c, i], the last of several. Returns how many places are not in the plane."""
    cdef Py_ssize_t plane, planes = x.shape[0] * x.shape[1], outside = 0
    cdef Py_ssize_t size = x.shape[2] * x.shape[3] * BLOCK, whole = y.shape[2] * y.shape[3]
    threads = usable(threads)
    check_blocked(x.shape, "x")
    check_blocked(y.shape, "y")
    check_shape(places.shape, x.shape, 5, "places")
    check(x.shape[0] == y.shape[0] and x.shape[1] == y.shape[1], "y")
    for plane in prange(planes, nogil=True, schedule="static", num_threads=threads):
        outside += unpool_plane(&x[0, 0, 0, 0, 0] + plane * size, &places[0, 0, 0, 0, 0] + plane * size, x.shape[2],
                                x.shape[3], &y[0, 0, 0, 0, 0] + plane * whole * BLOCK, whole, y.shape[3])
    return outside


cdef Py_ssize_t unpool_plane(const float* x, const float* places, Py_ssize_t height, Py_ssize_t width, float* y,
                             Py_ssize_t size, Py_ssize_t top_width) noexcept nogil:
    """One plane of one block. Clears y just before values are put there, while it is in the cache."""
    cdef Py_ssize_t i, j, k, place, last, cleared = 0, outside = 0
    for i in range(height):
        last = -1
        for j in range(width * BLOCK):
            if 0 <= places[j] < size:
                last = max(last, <Py_ssize_t>places[j])
        last = min((last // top_width + 1) * top_width, size) if last >= 0 else 0
        if last > cleared:
            memset(y + cleared * BLOCK, 0, (last - cleared) * BLOCK * sizeof(float))
            cleared = last
        for j in range(width):
            for k in range(BLOCK):
                place = <Py_ssize_t>places[k] if 0 <= places[k] < size else -1
                if place < 0 or place != places[k]:
                    outside += 1
                else:
                    y[place * BLOCK + k] = x[k]
            x += BLOCK
            places += BLOCK
    memset(y + cleared * BLOCK, 0, (size - cleared) * BLOCK * sizeof(float))
    return outside
