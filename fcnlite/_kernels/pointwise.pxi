# A 1×1 kernel of stride 1 with many weights: a matrix product, of which every thread computes its own outputs.
#
#     v  [panel][channel block][ROWS][BLOCK]    pixels, in the order in which the micro-kernel reads them
#     m  [pixel][GROUP]                         products, of GROUP outputs; a thread's own
#
# In the picture a panel's channels lie far apart, and it is read once for every group of outputs: a copy pays soon. The sum
# goes over one portion of the channels after the other, so that its kernels are near when the next panel reads them.

cdef enum:
    BLOCKS_AT_ONCE = 32  # of channels


cdef void pack_pixels(const float* x, Py_ssize_t blocks, Py_ssize_t size, Py_ssize_t first, Py_ssize_t count,
                      Py_ssize_t block, float* v) noexcept nogil:
    """One block of the channels of `count` pixels from `first` on, counted through all pictures of `size` pixels."""
    cdef Py_ssize_t i, place
    for i in range(count):
        place = ((first + i) // size * blocks + block) * size + (first + i) % size
        memcpy(v + ((i // ROWS * blocks + block) * ROWS + i % ROWS) * BLOCK, x + place * BLOCK, BLOCK * sizeof(float))


cdef void multiply_pixels(const float* v, Py_ssize_t blocks, const float* u, Py_ssize_t count, const Py_ssize_t* offsets,
                          float* m) noexcept nogil:
    """m = v · u for `count` pixels and one chunk of outputs; the kernels of the next portion are fetched meanwhile."""
    cdef float[ROWS * CHUNK] sums
    cdef Py_ssize_t panels = (count + ROWS - 1) // ROWS, portion, first, some, panel, i, part
    cdef Py_ssize_t step = (CHUNK + panels - 1) // panels
    cdef float* to
    for portion in range((blocks + BLOCKS_AT_ONCE - 1) // BLOCKS_AT_ONCE):
        first = portion * BLOCKS_AT_ONCE
        some = min(BLOCKS_AT_ONCE, blocks - first)
        for panel in range(panels):
            multiply(v + (panel * blocks + first) * ROWS * BLOCK, BLOCK, 1, offsets, some, BLOCK, u + first * BLOCK * CHUNK,
                     CHUNK, sums, CHUNK, u + ((first + some) * CHUNK + panel * some * step) * BLOCK, step)
            to = m + panel * ROWS * GROUP
            for i in range(ROWS):
                for part in range(2):
                    store(to + i * GROUP + part * VL, load(sums + i * CHUNK + part * VL)
                          + (load(to + i * GROUP + part * VL) if portion else splat(0)))


cdef void multiply_group(const Sliding* g, const float* v, const float* u, const float* bias, Py_ssize_t first,
                         Py_ssize_t count, Py_ssize_t group, const Py_ssize_t* offsets, float* m, float* y) noexcept nogil:
    """One group of outputs of `count` pixels from `first` on."""
    cdef Py_ssize_t part, i, size = g.top_width
    for part in range(GROUP // CHUNK):
        multiply_pixels(v, g.planes, u + group * g.kernels + part * (g.kernels // (GROUP // CHUNK)), count, offsets,
                        m + part * CHUNK)
    for i in range(count):
        finish_panel(g, m + i * GROUP, 1, group, bias,
                     y + ((first + i) // size * g.output_blocks * size + (first + i) % size) * BLOCK)


def pointwise_forward(const float[:, :, :, :, ::1] x, const float[::1] u, const float[::1] bias, const float[::1] slopes,
                      float[:, :, :, :, ::1] y, bint relu, Py_ssize_t pixels, float[::1] scratch, int threads):
    """y = the convolution of x by the 1×1 kernels in u, as `prepare_direct` makes them, plus bias; rectified where asked.

    `slopes`, unless there are none, are PReLU's. `pixels` are copied at once; `scratch` has
    `pointwise_scratch(...)` floats.
    """
    cdef Sliding g
    cdef Py_ssize_t size = x.shape[2] * x.shape[3], count = x.shape[0] * size, first, here, item, groups
    g.planes, g.output_blocks, g.top_height, g.top_width, g.relu = x.shape[1], y.shape[1], 1, size, relu
    g.slopes = &slopes[0] if slopes.shape[0] else NULL
    g.kernels = g.planes * BLOCK * GROUP
    groups = groups_of(g.output_blocks)
    check(x.shape[0] == y.shape[0] and size == y.shape[2] * y.shape[3] and x.shape[4] == y.shape[4] == BLOCK, "y")
    check(u.shape[0] >= groups * g.kernels and bias.shape[0] >= groups * GROUP, "u and bias")
    check(slopes.shape[0] == 0 or slopes.shape[0] >= groups * GROUP, "slopes")
    check(scratch.shape[0] >= pointwise_scratch(g.planes, pixels, threads), "scratch")
    cdef Py_ssize_t[::1] offsets = segment_offsets(g.planes)
    cdef Py_ssize_t padded = whole_panels(pixels)
    cdef float* v = &scratch[0]
    cdef float* m = v + padded * g.planes * BLOCK
    for first in range(0, count, pixels):
        here = min(pixels, count - first)
        clear_rows(v, 1, 0, g.planes, here)
        for item in prange(g.planes, nogil=True, schedule="static", num_threads=threads):
            pack_pixels(&x[0, 0, 0, 0, 0], g.planes, size, first, here, item, v)
        for item in prange(groups, nogil=True, schedule="dynamic", num_threads=threads):
            multiply_group(&g, v, &u[0], &bias[0], first, here, item, &offsets[0], m + threadid() * padded * GROUP,
                           &y[0, 0, 0, 0, 0])


def pointwise_scratch(Py_ssize_t channel_blocks, Py_ssize_t pixels, int threads):
    """Floats of the buffers of `pointwise_forward`."""
    return whole_panels(pixels) * (channel_blocks * BLOCK + threads * GROUP)
