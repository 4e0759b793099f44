# The gradient of the kernels by Winograd's way: the transpose of each step of winograd.pxi.
#
#     dg = Gᵀ [ Σ_tiles (Bᵀ d B) ⊙ (A dy Aᵀ) ] G
#
# Buffers, beside v:
#
#     d  [frequency][chunk][tile][CHUNK]       transformed gradients of the outputs
#     s  [frequency][chunk][channel][CHUNK]    the sums


cdef void spread_tile(const Tiling* g, const float* dy, Py_ssize_t tile, Py_ssize_t block, float* d,
                      Py_ssize_t frequency) noexcept nogil:
    """d = A dy Aᵀ for one tile and one block of outputs; a block's vectors lie in one or more chunks."""
    cdef float[6 * 6 * VL] patch
    cdef float[8 * 6 * VL] half
    cdef Py_ssize_t n = g.points, s = g.side, i, j, part
    cdef Py_ssize_t image = tile // (g.down * g.across), place = tile % (g.down * g.across)
    cdef Py_ssize_t row = place // g.across * s, col = place % g.across * s
    dy += (((image * g.output_blocks + block) * g.top_height + row) * g.top_width + col) * BLOCK
    for part in range(PARTS):
        for i in range(s):
            for j in range(s):
                if row + i < g.top_height and col + j < g.top_width:
                    store(patch + (i * s + j) * VL, load(dy + (i * g.top_width + j) * BLOCK + part * VL))
                else:
                    store(patch + (i * s + j) * VL, splat(0))
        for j in range(s):
            spread_transform(n, s, patch + j * VL, s * VL, half + j * VL, s * VL)
        for i in range(n):
            spread_transform(n, s, half + i * s * VL, VL, d + i * n * frequency + part * VL, frequency)


cdef void spread_block(const Tiling* g, const float* dy, Py_ssize_t first, Py_ssize_t tile, Py_ssize_t padded_tiles,
                       Py_ssize_t block, float* d, Py_ssize_t frequency) noexcept nogil:
    """`spread_tile` for a block, to where its chunk has it. Chunks are no narrower than a block, or parts of it."""
    cdef float[64 * BLOCK] whole
    cdef Py_ssize_t f, part, place
    if CHUNK >= BLOCK:
        place = block * BLOCK // CHUNK * padded_tiles * CHUNK + tile * CHUNK + block * BLOCK % CHUNK
        spread_tile(g, dy, first + tile, block, d + place, frequency)
        return
    spread_tile(g, dy, first + tile, block, whole, BLOCK)
    for f in range(g.points * g.points):
        for part in range(PARTS):
            place = ((block * BLOCK + part * VL) // CHUNK * padded_tiles + tile) * CHUNK + part * VL % CHUNK
            store(d + f * frequency + place, load(whole + f * BLOCK + part * VL))


cdef void sum_tiles(const Tiling* g, const float* v, const float* d, Py_ssize_t padded_tiles, float* s,
                    const Py_ssize_t* offsets) noexcept nogil:
    """s += vᵀ d at one frequency and for one chunk."""
    cdef Py_ssize_t block, c
    for block in range(g.channel_blocks):
        for c in range(BLOCK // SUM_ROWS):
            multiply_few(v + block * ROWS * BLOCK + c * SUM_ROWS, 1, BLOCK, offsets, padded_tiles // ROWS, ROWS, d,
                         CHUNK, s + (block * BLOCK + c * SUM_ROWS) * CHUNK, CHUNK)


cdef void finish_kernels(const float* s, Py_ssize_t frequency, const float* g, Py_ssize_t points, Py_ssize_t r,
                         Py_ssize_t first, Py_ssize_t outputs, Py_ssize_t block, Py_ssize_t channels,
                         float* dweight) noexcept nogil:
    """dg = Gᵀ s G for the kernels of one chunk of outputs (from `first` on) and one block of channels."""
    cdef float[7 * 8 * CHUNK] half
    cdef float[BLOCK * 7 * 7 * CHUNK] done
    cdef Py_ssize_t a, b, c, i, part, some = min(BLOCK, channels - block * BLOCK)
    cdef vec total
    for c in range(some):
        for part in range(2):
            for a in range(r):
                for b in range(points):
                    total = splat(0)
                    for i in range(points):
                        total = total + splat(g[i * r + a]) * load(s + (i * points + b) * frequency + part * VL)
                    store(half + (a * points + b) * CHUNK + part * VL, total)
            for a in range(r):
                for b in range(r):
                    total = splat(0)
                    for i in range(points):
                        total = total + splat(g[i * r + b]) * load(half + (a * points + i) * CHUNK + part * VL)
                    store(done + ((c * r + a) * r + b) * CHUNK + part * VL, total)
        s += CHUNK
    if first < outputs:
        from_lanes(done, min(CHUNK, outputs - first), some * r * r,
                   dweight + (first * channels + block * BLOCK) * r * r, channels * r * r)


def winograd_backward_weight(const float[:, :, :, :, ::1] x, const float[:, :, :, :, ::1] dy, const int[::1] rows,
                             const int[::1] cols, Py_ssize_t points, Py_ssize_t side, const float[:, ::1] g,
                             float[:, :, :, ::1] dweight, Py_ssize_t tiles, Py_ssize_t groups_at_once,
                             float[::1] scratch, int threads):
    """dweight, O×C×r×r = the gradient of the kernels, given the gradient dy of the outputs.

    Arguments as of `winograd_forward` and `prepare_winograd`. `tiles` and `groups_at_once` groups of outputs go through
    the buffers at once; `scratch` has `winograd_weight_scratch(...)` floats.
    """
    cdef Tiling t
    cdef Py_ssize_t r = g.shape[1], count, groups, chunks, panels, padded, v_frequency, d_frequency, s_frequency, here
    cdef Py_ssize_t item, first, group, chunk, channels, frequencies = points * points, blocks_here
    cdef float* v
    cdef float* d
    cdef float* s
    t.points, t.side, t.relu, t.pool, t.slopes = points, side, False, False, NULL
    t.channel_blocks, t.height, t.width = x.shape[1], x.shape[2], x.shape[3]
    t.output_blocks, t.top_height, t.top_width = dy.shape[1], dy.shape[2], dy.shape[3]
    t.down, t.across = (t.top_height + side - 1) // side, (t.top_width + side - 1) // side
    t.rows, t.cols = &rows[0], &cols[0]
    count, channels = x.shape[0] * t.down * t.across, x.shape[1] * BLOCK
    panels = (tiles + ROWS - 1) // ROWS
    padded = panels * ROWS
    groups = (t.output_blocks + 1) // 2
    v_frequency = padded * channels + LINE
    d_frequency = groups_at_once * GROUP * padded + LINE
    s_frequency = groups_at_once * GROUP * channels + LINE
    check(points == 6 and side == 4 or points == 8 and 2 <= side <= 6, "points and side")
    check(rows.shape[0] >= (t.down - 1) * side + points and cols.shape[0] >= (t.across - 1) * side + points, "maps")
    check(dy.shape[0] == x.shape[0] and g.shape[0] == points and dweight.shape[2] == r and dweight.shape[3] == r, "G")
    check(dweight.shape[0] <= t.output_blocks * BLOCK and dweight.shape[1] <= channels, "dweight")
    check(scratch.shape[0] >= winograd_weight_scratch(points, t.channel_blocks, tiles, groups_at_once), "scratch")
    cdef Py_ssize_t[::1] offsets = np.arange(panels) * (channels * ROWS)
    v = &scratch[0]
    d = v + frequencies * v_frequency
    s = d + frequencies * d_frequency
    for group in range(0, groups, groups_at_once):
        chunks = min(groups_at_once, groups - group) * (GROUP // CHUNK)
        blocks_here = min(groups_at_once * 2, t.output_blocks - group * 2)
        for item in prange(frequencies, nogil=True, schedule="static", num_threads=threads):
            memset(s + item * s_frequency, 0, chunks * CHUNK * channels * sizeof(float))
            memset(d + item * d_frequency, 0, chunks * CHUNK * padded * sizeof(float))
        for first in range(0, count, tiles):
            here = min(tiles, count - first)
            clear_rows(v, frequencies, v_frequency, t.channel_blocks, here)
            if group == 0 or count > tiles:
                for item in prange(here * t.channel_blocks, nogil=True, schedule="static", num_threads=threads):
                    transform_patch(&t, &x[0, 0, 0, 0, 0], first + item % here, item // here,
                                    place_of(v, &t, item % here, item // here), v_frequency)
            for item in prange(here * blocks_here, nogil=True, schedule="static", num_threads=threads):
                spread_block(&t, &dy[0, group * 2, 0, 0, 0], first, item % here, padded, item // here, d, d_frequency)
            for item in prange(frequencies * chunks, nogil=True, schedule="static", num_threads=threads):
                sum_tiles(&t, v + item // chunks * v_frequency,
                          d + item // chunks * d_frequency + item % chunks * padded * CHUNK,
                          (here + ROWS - 1) // ROWS * ROWS,
                          s + item // chunks * s_frequency + item % chunks * channels * CHUNK, &offsets[0])
        for item in prange(chunks * t.channel_blocks, nogil=True, schedule="static", num_threads=threads):
            finish_kernels(s + (item // t.channel_blocks * channels + item % t.channel_blocks * BLOCK) * CHUNK,
                           s_frequency, &g[0, 0], points, r, group * GROUP + item // t.channel_blocks * CHUNK,
                           dweight.shape[0], item % t.channel_blocks, dweight.shape[1], &dweight[0, 0, 0, 0])


def winograd_weight_scratch(Py_ssize_t points, Py_ssize_t channel_blocks, Py_ssize_t tiles, Py_ssize_t groups_at_once):
    """Floats of the buffers of `winograd_backward_weight`."""
    cdef Py_ssize_t padded = (tiles + ROWS - 1) // ROWS * ROWS, channels = channel_blocks * BLOCK
    outputs = groups_at_once * GROUP
    return points * points * (padded * channels + outputs * padded + outputs * channels + 3 * LINE)
