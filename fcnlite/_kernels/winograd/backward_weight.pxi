# The gradient of the weights: the transpose of each step of forward.pxi.
#
#     dg = Gᵀ [ Σ_tiles (Bᵀ d B) ⊙ (A dy Aᵀ) ] G
#
# Buffers, besides v:
#
#     d  [frequency][chunk][tile][CHUNK]       transformed gradients of the outputs
#     s  [frequency][chunk][channel][CHUNK]    the sums
#
# All threads together compute the sums of many outputs, one portion of tiles after another. backward_weight_few.pxi is
# for few tiles.


cdef void spread_tile(const Tiling* g, const float* dy, Py_ssize_t tile, Py_ssize_t block, float* d,
                      Py_ssize_t frequency) noexcept nogil:
    """d = A dy Aᵀ for one block of outputs of one tile. Frequencies are `frequency` floats apart."""
    cdef float[6 * 6 * VL] patch
    cdef float[8 * 6 * VL] half
    cdef Py_ssize_t n = g.points_h, s = g.side_h, i, j, part
    cdef Py_ssize_t image = tile // (g.down * g.across), place = tile % (g.down * g.across)
    cdef Py_ssize_t row = g.row_starts[place // g.across], col = g.col_starts[place % g.across]
    cdef Py_ssize_t height = rows_inside(g, row), width = columns_inside(g, col)
    dy += (((image * g.output_blocks + block) * g.top_height + row) * g.top_width + col) * BLOCK
    for part in range(PARTS):
        for i in range(s):
            for j in range(s):
                if i < height and j < width:
                    store(patch + (i * s + j) * VL, load(dy + (i * g.top_width + j) * g.dilation_h * BLOCK + part * VL))
                else:
                    store(patch + (i * s + j) * VL, splat(0))
        for j in range(s):
            spread_transform(n, s, patch + j * VL, s * VL, half + j * VL, s * VL)
        for i in range(n):
            spread_transform(n, s, half + i * s * VL, VL, d + i * n * frequency + part * VL, frequency)


cdef void spread_block(const Tiling* g, const float* dy, Py_ssize_t first, Py_ssize_t tile, Py_ssize_t padded_tiles,
                       Py_ssize_t block, float* d, Py_ssize_t frequency) noexcept nogil:
    """`spread_tile` for one block, into its place in d. A chunk holds whole blocks, or a block holds whole chunks."""
    cdef float[64 * BLOCK] whole
    cdef Py_ssize_t f, part, place
    if CHUNK >= BLOCK:
        place = block * BLOCK // CHUNK * padded_tiles * CHUNK + tile * CHUNK + block * BLOCK % CHUNK
        fetch(d + place + CHUNK, g.frequencies, frequency)
        spread_tile(g, dy, first + tile, block, d + place, frequency)
        return
    spread_tile(g, dy, first + tile, block, whole, BLOCK)
    for f in range(g.frequencies):
        for part in range(PARTS):
            place = ((block * BLOCK + part * VL) // CHUNK * padded_tiles + tile) * CHUNK + part * VL % CHUNK
            store(d + f * frequency + place, load(whole + f * BLOCK + part * VL))


cdef void sum_tiles(const float* v, Py_ssize_t blocks, const float* d, Py_ssize_t padded_tiles, float* s,
                    const Py_ssize_t* offsets) noexcept nogil:
    """s += vᵀ d at one frequency, for `blocks` blocks of channels and one chunk."""
    cdef Py_ssize_t block, c
    for block in range(blocks):
        for c in range(BLOCK // SUM_ROWS):
            multiply_few(v + block * ROWS * BLOCK + c * SUM_ROWS, 1, BLOCK, offsets, padded_tiles // ROWS, ROWS, d,
                         CHUNK, s + (block * BLOCK + c * SUM_ROWS) * CHUNK, CHUNK)


cdef void finish_filters(const float* s, Py_ssize_t frequency, const float* g, Py_ssize_t points, Py_ssize_t r,
                         Py_ssize_t first, Py_ssize_t outputs, Py_ssize_t block, Py_ssize_t channels,
                         float* dweight) noexcept nogil:
    """dweight = Gᵀ s G for one chunk of outputs (from `first` on) and one block of channels."""
    cdef float[7 * 8 * VL] half
    cdef float[BLOCK * 7 * 7 * CHUNK] done
    cdef Py_ssize_t i, c, part, some = min(BLOCK, channels - block * BLOCK)
    if first >= outputs:  # they only fill the last group
        return
    for c in range(some):
        for part in range(2):
            for i in range(points):
                filter_transform_back(points, r, g, s + i * frequency + part * VL, points * frequency, half + i * VL,
                                      points * VL)
            for i in range(r):
                filter_transform_back(points, r, g, half + i * points * VL, VL,
                                      done + (c * r + i) * r * CHUNK + part * VL, CHUNK)
        s += CHUNK
    from_lanes(done, min(CHUNK, outputs - first), some * r * r, dweight + (first * channels + block * BLOCK) * r * r,
               channels * r * r)


def winograd_backward_weight(const float[:, :, :, :, ::1] x, const float[:, :, :, :, ::1] dy, tiling,
                             const float[:, ::1] g,
                             float[:, :, :, ::1] dweight,  # out
                             Py_ssize_t at_once, Py_ssize_t groups_at_once,
                             float[::1] scratch, int threads):
    """dweight, O×C×r×r = the gradient of the weights, given dy, that of the outputs.

    Arguments as in `winograd_forward` and `prepare_winograd`. The buffers hold `at_once` tiles and `groups_at_once`
    groups of outputs; `scratch` needs `winograd_weight_scratch(...)` floats.
    """
    cdef Tiling t
    cdef Py_ssize_t r = dweight.shape[2], count, groups, chunks, padded, v_frequency, d_frequency, s_frequency
    cdef Py_ssize_t item, first, group, channels, frequencies, blocks_here, here
    cdef float* v
    cdef float* d
    cdef float* s
    cdef list kept = []
    threads = usable(threads)
    set_gradient(&t, tiling, x, dy, g, dweight, kept)
    check(min(at_once, groups_at_once) > 0 and scratch.shape[0]
          >= winograd_weight_scratch(t.frequencies, t.channel_blocks, at_once, groups_at_once), "scratch")
    count, channels = x.shape[0] * t.down * t.across, t.channel_blocks * BLOCK
    frequencies = t.frequencies
    padded, groups = whole_panels(at_once), groups_of(t.output_blocks)
    v_frequency = spacing(padded, channels)
    d_frequency, s_frequency = spacing(padded, groups_at_once * GROUP), spacing(channels, groups_at_once * GROUP)
    cdef Py_ssize_t[::1] offsets = panel_offsets(at_once, t.channel_blocks)
    v = &scratch[0]
    d = v + frequencies * v_frequency
    s = d + frequencies * d_frequency
    for group in range(0, groups, groups_at_once):
        chunks = min(groups_at_once, groups - group) * (GROUP // CHUNK)
        blocks_here = min(groups_at_once * BLOCKS_OF_GROUP, t.output_blocks - group * BLOCKS_OF_GROUP)
        for item in prange(frequencies, nogil=True, schedule="static", num_threads=threads):
            memset(s + item * s_frequency, 0, chunks * CHUNK * channels * sizeof(float))
            memset(d + item * d_frequency, 0, chunks * CHUNK * padded * sizeof(float))
        for first in range(0, count, at_once):
            here = min(at_once, count - first)
            if group == 0 or count > at_once:
                with nogil:
                    transform_patches(&t, &x[0, 0, 0, 0, 0], first, here, v, v_frequency, threads)
            for item in prange(here * blocks_here, nogil=True, schedule="static", num_threads=threads):
                spread_block(&t, &dy[0, group * BLOCKS_OF_GROUP, 0, 0, 0], first, item % here, padded, item // here, d,
                             d_frequency)
            for item in prange(frequencies * chunks, nogil=True, schedule="static", num_threads=threads):
                sum_tiles(v + item // chunks * v_frequency, t.channel_blocks,
                          d + item // chunks * d_frequency + item % chunks * padded * CHUNK,
                          whole_panels(here),
                          s + item // chunks * s_frequency + item % chunks * channels * CHUNK, &offsets[0])
        for item in prange(chunks * t.channel_blocks, nogil=True, schedule="static", num_threads=threads):
            finish_filters(s + (item // t.channel_blocks * channels + item % t.channel_blocks * BLOCK) * CHUNK,
                           s_frequency, &g[0, 0], t.points_h, r, group * GROUP + item // t.channel_blocks * CHUNK,
                           dweight.shape[0], item % t.channel_blocks, dweight.shape[1], &dweight[0, 0, 0, 0])


def winograd_weight_scratch(Py_ssize_t frequencies, Py_ssize_t channel_blocks, Py_ssize_t at_once,
                            Py_ssize_t groups_at_once):
    """Floats in the buffers of `winograd_backward_weight`."""
    check_buffers(frequencies, at_once, channel_blocks, groups_at_once, 1)
    cdef Py_ssize_t padded = whole_panels(at_once), channels = channel_blocks * BLOCK
    outputs = groups_at_once * GROUP
    return frequencies * (spacing(padded, channels) + spacing(padded, outputs) + spacing(channels, outputs))


cdef int set_gradient(Tiling* t, tiling, const float[:, :, :, :, ::1] x, const float[:, :, :, :, ::1] dy,
                      const float[:, ::1] g, const float[:, :, :, ::1] dweight, list kept) except -1:
    """`set_tiling` for a gradient of weights. Raises ValueError unless its arguments fit together."""
    cdef Py_ssize_t r = dweight.shape[2]
    check_blocked(x.shape, "x")
    check_blocked(dy.shape, "dy")
    check_filled(dweight.shape, 4, "dweight")
    set_tiling(t, tiling, x.shape[1], x.shape[2], x.shape[3], dy.shape[1], dy.shape[2], dy.shape[3], kept)
    check(x.shape[0] == dy.shape[0], "dy")
    check_square(t)
    check(g.shape[0] == t.points_h and g.shape[1] == dweight.shape[3] == r and t.points_h == t.side_h + r - 1, "G")
    return check(dweight.shape[0] <= t.output_blocks * BLOCK and dweight.shape[1] <= t.channel_blocks * BLOCK,
                 "dweight")


cdef panel_offsets(Py_ssize_t tiles, Py_ssize_t channel_blocks):
    """The place of each panel of `tiles` tiles in a frequency of v."""
    return np.arange(whole_panels(tiles) // ROWS) * (channel_blocks * BLOCK * ROWS)
