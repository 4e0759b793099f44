# A 1×1 convolution of stride 1 with many weights: a matrix product. Each thread computes its own outputs.
#
#     v  [panel][channel block][ROWS][BLOCK]    pixels, in the order in which the micro-kernel reads them
#     m  [pixel][groups × GROUP]                products of some groups of outputs, one buffer for each thread
#
# A picture has a panel's channels far from each other, and every group of outputs reads them: a copy soon pays off. The
# sum takes one portion of the channels after another, for some groups of outputs. So the portion's weights are in the
# cache when the next panel reads them, and its part of v is when the next group does.

cdef enum:
    BLOCKS_AT_ONCE = 32  # of channels
    GROUPS_AT_ONCE = 4  # of outputs, at most


cdef void pack_pixels(const float* x, Py_ssize_t blocks, Py_ssize_t size, Py_ssize_t first, Py_ssize_t count,
                      Py_ssize_t block, float* v) noexcept nogil:
    """Copy one block of channels of `count` pixels from `first` on, counted through all pictures of `size` pixels."""
    cdef Py_ssize_t i, place
    for i in range(count):
        place = ((first + i) // size * blocks + block) * size + (first + i) % size
        memcpy(v + ((i // ROWS * blocks + block) * ROWS + i % ROWS) * BLOCK, x + place * BLOCK, BLOCK * sizeof(float))


cdef void multiply_pixels(const float* v, Py_ssize_t blocks, const float* u, Py_ssize_t chunks, Py_ssize_t count,
                          const Py_ssize_t* offsets, float* m, Py_ssize_t m_row) noexcept nogil:
    """m = v · u for `count` pixels and `chunks` chunks of outputs. Prefetches the next weights."""
    cdef float[ROWS * CHUNK] sums
    cdef Py_ssize_t panels = whole_panels(count) // ROWS, portions = (blocks + BLOCKS_AT_ONCE - 1) // BLOCKS_AT_ONCE
    cdef Py_ssize_t portion, chunk, first, some, panel, i, part, step = (CHUNK + panels - 1) // panels
    cdef const float* filters
    cdef const float* ahead
    cdef float* to
    for portion in range(portions):
        first = portion * BLOCKS_AT_ONCE
        some = min(BLOCKS_AT_ONCE, blocks - first)
        for chunk in range(chunks):
            filters = u + (chunk * blocks + first) * BLOCK * CHUNK
            if chunk < chunks - 1:
                ahead = filters + blocks * BLOCK * CHUNK
            else:
                ahead = u + (first + some if portion < portions - 1 else chunks * blocks) * BLOCK * CHUNK
            for panel in range(panels):
                multiply(v + (panel * blocks + first) * ROWS * BLOCK, BLOCK, 1, offsets, some, BLOCK, filters, CHUNK,
                         sums, CHUNK, ahead + panel * some * BLOCK * step, step)
                to = m + panel * ROWS * m_row + chunk * CHUNK
                for i in range(ROWS):
                    for part in range(2):
                        store(to + i * m_row + part * VL, load(sums + i * CHUNK + part * VL)
                              + (load(to + i * m_row + part * VL) if portion else splat(0)))


cdef void multiply_groups(const Direct* g, const float* v, const float* u, const float* bias, Py_ssize_t first,
                          Py_ssize_t count, Py_ssize_t group, Py_ssize_t groups, const Py_ssize_t* offsets, float* m,
                          float* y) noexcept nogil:
    """y for `groups` groups of outputs from `group` on, and `count` pixels from `first` on."""
    cdef Py_ssize_t k, i, size = g.top_width
    multiply_pixels(v, g.planes, u + group * g.u_group, groups * (GROUP // CHUNK), count, offsets, m, groups * GROUP)
    for k in range(groups):
        for i in range(count):
            finish_panel(g, m + (i * groups + k) * GROUP, 1, group + k, bias,
                         y + ((first + i) // size * g.output_blocks * size + (first + i) % size) * BLOCK)


def pointwise_forward(const float[:, :, :, :, ::1] x, const float[::1] u, const float[::1] bias,
                      const float[::1] slopes, const float[:, :, :, :, ::1] add,
                      float[:, :, :, :, ::1] y,  # out
                      bint relu, float limit, Py_ssize_t pixels,
                      float[::1] scratch, int threads):
    """y[n, o] = Σ_c weight[o, c] · x[n, c] + bias[o], plus `add` and rectified as by `direct_forward`.

    u holds the weights as `prepare_direct` lays them out. v holds `pixels` pixels at a time. `scratch` needs
    `pointwise_scratch(...)` floats.
    """
    cdef Direct g
    cdef Py_ssize_t size = x.shape[2] * x.shape[3], count = x.shape[0] * size, first, here, item, groups, at_once
    threads = usable(threads)
    check_blocked(x.shape, "x")
    check_blocked(y.shape, "y")
    check(x.shape[0] == y.shape[0] and size == y.shape[2] * y.shape[3], "y")
    check(pixels > 0, "pixels")
    place_top(&g, y, add, (y.shape[2], y.shape[3]), (0, 0), (1, 1))
    g.planes, g.output_blocks, g.top_height, g.top_width, g.relu = x.shape[1], y.shape[1], 1, size, relu
    g.limit = limit
    g.slopes = &slopes[0] if slopes.shape[0] else NULL
    g.u_group = g.planes * BLOCK * GROUP
    groups = groups_of(g.output_blocks)
    at_once = max(1, min(GROUPS_AT_ONCE, groups // (4 * threads)))  # four shares for each thread
    check(u.shape[0] >= <double>groups * g.u_group and bias.shape[0] >= groups * GROUP, "u and bias")
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
        for item in prange((groups + at_once - 1) // at_once, nogil=True, schedule="dynamic", num_threads=threads):
            multiply_groups(&g, v, &u[0], &bias[0], first, here, item * at_once, min(at_once, groups - item * at_once),
                            &offsets[0], m + threadid() * padded * GROUPS_AT_ONCE * GROUP, &y[0, 0, 0, 0, 0])


def pointwise_scratch(Py_ssize_t channel_blocks, Py_ssize_t pixels, Py_ssize_t threads):
    """Floats in the buffers of `pointwise_forward`."""
    check_memory((<double>pixels + ROWS) * (<double>channel_blocks * BLOCK + <double>threads * GROUPS_AT_ONCE * GROUP),
                 min(channel_blocks, pixels, threads))
    return whole_panels(pixels) * (channel_blocks * BLOCK + threads * GROUPS_AT_ONCE * GROUP)
