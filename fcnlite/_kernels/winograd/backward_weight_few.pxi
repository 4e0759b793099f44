# The gradient of the weights as in backward_weight.pxi, for few tiles. One thread computes a group of outputs, some
# blocks of channels at a time, so that its d and s stay in its own cache.

cdef enum:
    BLOCKS_OF_SUMS = 4  # of channels


cdef void gradient_of_group(const Tiling* g, const float* v, Py_ssize_t v_frequency, const float* dy, Py_ssize_t count,
                            Py_ssize_t group, const Py_ssize_t* offsets, const float* transform, Py_ssize_t r, float* d,
                            float* s, float[:, :, :, ::1] dweight) noexcept nogil:
    """dweight of one group of outputs. v holds all tiles."""
    cdef Py_ssize_t frequencies = g.frequencies, padded = whole_panels(count)
    cdef Py_ssize_t d_frequency = spacing(padded, GROUP), s_frequency = spacing(BLOCKS_OF_SUMS * BLOCK, GROUP)
    cdef Py_ssize_t tile, half, portion, first, some, f, chunk, block, of_chunk
    memset(d, 0, frequencies * d_frequency * sizeof(float))
    for half in range(min(BLOCKS_OF_GROUP, g.output_blocks - group * BLOCKS_OF_GROUP)):
        for tile in range(count):
            spread_block(g, dy + group * BLOCKS_OF_GROUP * g.top_height * g.top_width * BLOCK, 0, tile, padded, half, d,
                         d_frequency)
    for portion in range((g.channel_blocks + BLOCKS_OF_SUMS - 1) // BLOCKS_OF_SUMS):
        first = portion * BLOCKS_OF_SUMS
        some = min(BLOCKS_OF_SUMS, g.channel_blocks - first)
        of_chunk = some * BLOCK * CHUNK
        memset(s, 0, frequencies * s_frequency * sizeof(float))
        for f in range(frequencies):
            for chunk in range(GROUP // CHUNK):
                sum_tiles(v + f * v_frequency + first * ROWS * BLOCK, some,
                          d + f * d_frequency + chunk * padded * CHUNK, padded,
                          s + f * s_frequency + chunk * of_chunk, offsets)
        for chunk in range(GROUP // CHUNK):
            for block in range(some):
                finish_filters(s + chunk * of_chunk + block * BLOCK * CHUNK, s_frequency, transform, g.points_h, r,
                               group * GROUP + chunk * CHUNK, dweight.shape[0], first + block, dweight.shape[1],
                               &dweight[0, 0, 0, 0])


def winograd_backward_few(const float[:, :, :, :, ::1] x, const float[:, :, :, :, ::1] dy, tiling,
                          const float[:, ::1] g,
                          float[:, :, :, ::1] dweight,  # out
                          float[::1] scratch, int threads):
    """`winograd_backward_weight` for few tiles, all at once. `scratch` needs `winograd_few_scratch(...)` floats."""
    cdef Tiling t
    cdef Py_ssize_t count, v_frequency, d_size, s_size, group, frequencies
    cdef float* v
    cdef float* d
    cdef float* s
    cdef list kept = []
    threads = usable(threads)
    set_gradient(&t, tiling, x, dy, g, dweight, kept)
    count, frequencies = x.shape[0] * t.down * t.across, t.frequencies
    check(scratch.shape[0] >= winograd_few_scratch(t.frequencies, t.channel_blocks, count, threads), "scratch")
    v_frequency = spacing(whole_panels(count), t.channel_blocks * BLOCK)
    d_size = frequencies * spacing(whole_panels(count), GROUP)
    s_size = frequencies * spacing(BLOCKS_OF_SUMS * BLOCK, GROUP)
    cdef Py_ssize_t[::1] offsets = panel_offsets(count, t.channel_blocks)
    v = &scratch[0]
    d = v + frequencies * v_frequency
    s = d + threads * d_size
    with nogil:
        transform_patches(&t, &x[0, 0, 0, 0, 0], 0, count, v, v_frequency, threads)
    for group in prange(groups_of(t.output_blocks), nogil=True, schedule="dynamic", num_threads=threads):
        gradient_of_group(&t, v, v_frequency, &dy[0, 0, 0, 0, 0], count, group, &offsets[0], &g[0, 0], g.shape[1],
                          d + threadid() * d_size, s + threadid() * s_size, dweight)


def winograd_few_scratch(Py_ssize_t frequencies, Py_ssize_t channel_blocks, Py_ssize_t tiles, int threads):
    """Floats in the buffers of `winograd_backward_few`."""
    check_buffers(frequencies, tiles, channel_blocks, BLOCKS_OF_SUMS, threads)
    cdef Py_ssize_t padded = whole_panels(tiles)
    own = spacing(padded, GROUP) + spacing(BLOCKS_OF_SUMS * BLOCK, GROUP)
    return frequencies * (spacing(padded, channel_blocks * BLOCK) + threads * own)
