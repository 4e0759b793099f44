# A convolution of copied patches: a matrix product. Each thread computes its own outputs.
#
#     v  [panel][tap and channel block][ROWS][BLOCK]    patches, in the order in which the micro-kernel reads them
#     m  [output place][groups × GROUP]                 products of some groups of outputs, one buffer for each thread
#
# For 1×1 windows with many weights or a stride, and for small pictures, whose rows would not fill a panel. A picture has
# a panel's channels far from each other, and every group of outputs reads them: a copy soon pays off. The sum takes one
# portion of the blocks after another, for some groups of outputs. So the portion's weights are in the cache when the
# next panel reads them, and its part of v is when the next group does.

cdef enum:
    BLOCKS_AT_ONCE = 32  # of channels, counted through all taps
    GROUPS_AT_ONCE = 4  # of outputs, at most


cdef void pack_block(const Direct* g, const float* x, Py_ssize_t first, Py_ssize_t count, const Py_ssize_t* places,
                     Py_ssize_t blocks, Py_ssize_t block, float* v) noexcept nogil:
    """Copy one of the `blocks` blocks of the patches of `count` outputs from `first` on, counted through all pictures.

    `places`: where the window's tap is for each output of a picture.
    """
    cdef Py_ssize_t i, place, size = g.top_width
    cdef float* to
    for i in range(count):
        place = places[block // g.planes * size + (first + i) % size]
        to = v + ((i // ROWS * blocks + block) * ROWS + i % ROWS) * BLOCK
        if place < 0:
            memset(to, 0, BLOCK * sizeof(float))
            continue
        place += ((first + i) // size * g.planes + block % g.planes) * g.height * g.width
        memcpy(to, x + place * BLOCK, BLOCK * sizeof(float))


cdef void multiply_patches(const float* v, Py_ssize_t blocks, const float* u, Py_ssize_t chunks, Py_ssize_t count,
                          const Py_ssize_t* offsets, float* m, Py_ssize_t m_row) noexcept nogil:
    """m = v · u for `count` patches and `chunks` chunks of outputs. Prefetches the next weights."""
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
                          Py_ssize_t count, Py_ssize_t group, Py_ssize_t groups, const Py_ssize_t* offsets,
                          Py_ssize_t blocks, float* m, float* y) noexcept nogil:
    """y for `groups` groups of outputs from `group` on, and `count` patches from `first` on."""
    cdef Py_ssize_t k, i, size = g.top_width
    multiply_patches(v, blocks, u + group * g.u_group, groups * (GROUP // CHUNK), count, offsets, m, groups * GROUP)
    for k in range(groups):
        for i in range(count):
            finish_panel(g, m + (i * groups + k) * GROUP, 1, group + k, bias,
                         y + ((first + i) // size * g.output_blocks * size + (first + i) % size) * BLOCK)


def patches_forward(const float[:, :, :, :, ::1] x, const float[::1] u, const float[::1] bias,
                    const float[::1] slopes, const float[:, :, :, :, ::1] add,
                    float[:, :, :, :, ::1] y,  # out
                    const Py_ssize_t[:, ::1] places, bint relu, float limit, Py_ssize_t outputs,
                    float[::1] scratch, int threads):
    """y[n, o, i] = Σ_t Σ_c weight[o, c, t] · x[n, c, places[t, i]] + bias[o], plus `add`, as by `direct_forward`.

    i counts the outputs of a picture, t the taps of the window. places[t, i] counts the pixels of a picture; −1 is
    zero. u holds the weights as `prepare_direct` lays them out. v holds the patches of `outputs` outputs at a time.
    `scratch` needs `patches_scratch(...)` floats.
    """
    cdef Direct g
    cdef Py_ssize_t size = y.shape[2] * y.shape[3], count = x.shape[0] * size, first, here, item, groups, at_once
    cdef Py_ssize_t taps = places.shape[0]
    cdef list kept = []
    cdef const Py_ssize_t* of_taps
    threads = usable(threads)
    check_blocked(x.shape, "x")
    check_blocked(y.shape, "y")
    g.height, g.width = x.shape[2], x.shape[3]
    check(x.shape[0] == y.shape[0], "y")
    check(outputs > 0, "outputs")
    check(taps > 0 and places.shape[1] == size, "places")
    of_taps = checked(&places[0, 0], taps * size, -1, g.height * g.width, kept, "places")
    place_top(&g, y, add, (y.shape[2], y.shape[3]), (0, 0), (1, 1))
    g.planes, g.output_blocks, g.top_height, g.top_width, g.relu = x.shape[1], y.shape[1], 1, size, relu
    g.limit = limit
    g.slopes = &slopes[0] if slopes.shape[0] else NULL
    check_memory(<double>taps * g.planes * BLOCK * GROUP, 1)
    cdef Py_ssize_t blocks = taps * g.planes
    g.u_group = blocks * BLOCK * GROUP
    groups = groups_of(g.output_blocks)
    at_once = max(1, min(GROUPS_AT_ONCE, groups // (4 * threads)))  # four shares for each thread
    check(u.shape[0] >= <double>groups * g.u_group and bias.shape[0] >= groups * GROUP, "u and bias")
    check(slopes.shape[0] == 0 or slopes.shape[0] >= groups * GROUP, "slopes")
    check(scratch.shape[0] >= patches_scratch(blocks, outputs, threads), "scratch")
    cdef Py_ssize_t[::1] offsets = segment_offsets(blocks)
    cdef Py_ssize_t padded = whole_panels(outputs)
    cdef float* v = &scratch[0]
    cdef float* m = v + padded * blocks * BLOCK
    for first in range(0, count, outputs):
        here = min(outputs, count - first)
        clear_rows(v, 1, 0, blocks, here)
        for item in prange(blocks, nogil=True, schedule="static", num_threads=threads):
            pack_block(&g, &x[0, 0, 0, 0, 0], first, here, of_taps, blocks, item, v)
        for item in prange((groups + at_once - 1) // at_once, nogil=True, schedule="dynamic", num_threads=threads):
            multiply_groups(&g, v, &u[0], &bias[0], first, here, item * at_once, min(at_once, groups - item * at_once),
                            &offsets[0], blocks, m + threadid() * padded * GROUPS_AT_ONCE * GROUP, &y[0, 0, 0, 0, 0])


def patches_scratch(Py_ssize_t blocks, Py_ssize_t outputs, Py_ssize_t threads):
    """Floats in the buffers of `patches_forward`; `blocks`: of channels, counted through all taps."""
    check_memory((<double>outputs + ROWS) * (<double>blocks * BLOCK + <double>threads * GROUPS_AT_ONCE * GROUP),
                 min(blocks, outputs, threads))
    return whole_panels(outputs) * (blocks * BLOCK + threads * GROUPS_AT_ONCE * GROUP)
