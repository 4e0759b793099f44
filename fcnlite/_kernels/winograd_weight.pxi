# The gradient of the kernels by Winograd's way: the transpose of each step of winograd.pxi.
#
#     dg = Gᵀ [ Σ_tiles (Bᵀ d B) ⊙ (A dy Aᵀ) ] G
#
# Buffers, beside v:
#
#     d  [frequency][chunk][tile][CHUNK]       transformed gradients of the outputs
#     s  [frequency][chunk][channel][CHUNK]    the sums
#
# There are two ways. Of few tiles a thread makes the gradients of a group of outputs by itself, some channels at a time, so
# that d and s stay in its own cache. Else all threads together add up the sums of many outputs, portion by portion of tiles.

cdef enum:
    BLOCKS_OF_SUMS = 4  # of channels


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


cdef void sum_tiles(const float* v, Py_ssize_t blocks, const float* d, Py_ssize_t padded_tiles, float* s,
                    const Py_ssize_t* offsets) noexcept nogil:
    """s += vᵀ d at one frequency, for so many blocks of channels and one chunk."""
    cdef Py_ssize_t block, c
    for block in range(blocks):
        for c in range(BLOCK // SUM_ROWS):
            multiply_few(v + block * ROWS * BLOCK + c * SUM_ROWS, 1, BLOCK, offsets, padded_tiles // ROWS, ROWS, d,
                         CHUNK, s + (block * BLOCK + c * SUM_ROWS) * CHUNK, CHUNK)


cdef inline void kernel_transform_back(Py_ssize_t points, Py_ssize_t r, const float* g, const float* s, Py_ssize_t ss,
                                       float* w, Py_ssize_t ws) noexcept nogil:
    """w = Gᵀ s, the transpose of `kernel_transform`."""
    cdef Py_ssize_t k
    cdef vec first = load(s), last = load(s + (points - 1) * ss), total
    cdef vec sum1 = load(s + ss) + load(s + 2 * ss), dif1 = load(s + ss) - load(s + 2 * ss)
    cdef vec sum2 = load(s + 3 * ss) + load(s + 4 * ss), dif2 = load(s + 3 * ss) - load(s + 4 * ss)
    cdef vec sum3 = splat(0), dif3 = splat(0)
    if points == 8:
        sum3, dif3 = load(s + 5 * ss) + load(s + 6 * ss), load(s + 5 * ss) - load(s + 6 * ss)
    for k in range(r):
        if k % 2:
            total = splat(g[r + k]) * dif1 + splat(g[3 * r + k]) * dif2
        else:
            total = splat(g[r + k]) * sum1 + splat(g[3 * r + k]) * sum2
        if points == 8:
            total = total + splat(g[5 * r + k]) * (dif3 if k % 2 else sum3)
        if k == 0:
            total = total + splat(g[0]) * first
        if k == r - 1:
            total = total + last
        store(w + k * ws, total)


cdef void finish_kernels(const float* s, Py_ssize_t frequency, const float* g, Py_ssize_t points, Py_ssize_t r,
                         Py_ssize_t first, Py_ssize_t outputs, Py_ssize_t block, Py_ssize_t channels,
                         float* dweight) noexcept nogil:
    """dg = Gᵀ s G for the kernels of one chunk of outputs (from `first` on) and one block of channels."""
    cdef float[7 * 8 * VL] half
    cdef float[BLOCK * 7 * 7 * CHUNK] done
    cdef Py_ssize_t i, c, part, some = min(BLOCK, channels - block * BLOCK)
    if first >= outputs:  # they pad the last group
        return
    for c in range(some):
        for part in range(2):
            for i in range(points):
                kernel_transform_back(points, r, g, s + i * frequency + part * VL, points * frequency, half + i * VL,
                                      points * VL)
            for i in range(r):
                kernel_transform_back(points, r, g, half + i * points * VL, VL,
                                      done + (c * r + i) * r * CHUNK + part * VL, CHUNK)
        s += CHUNK
    from_lanes(done, min(CHUNK, outputs - first), some * r * r, dweight + (first * channels + block * BLOCK) * r * r,
               channels * r * r)


cdef inline Py_ssize_t floats_of_group(Py_ssize_t rows) noexcept nogil:
    """Of so many rows for one group of outputs, and what keeps frequencies apart in the cache."""
    return rows * GROUP + LINE


def winograd_backward_weight(const float[:, :, :, :, ::1] x, const float[:, :, :, :, ::1] dy, const int[::1] rows,
                             const int[::1] cols, Py_ssize_t points, Py_ssize_t side, const float[:, ::1] g,
                             float[:, :, :, ::1] dweight, Py_ssize_t tiles, Py_ssize_t groups_at_once,
                             float[::1] scratch, int threads):
    """dweight, O×C×r×r = the gradient of the kernels, given the gradient dy of the outputs.

    Arguments as of `winograd_forward` and `prepare_winograd`. `tiles` and `groups_at_once` groups of outputs go through
    the buffers at once; 0 groups: all tiles do, and each thread takes groups by itself. `scratch` has
    `winograd_weight_scratch(...)` floats.
    """
    cdef Tiling t
    cdef Py_ssize_t r = g.shape[1], count, groups, chunks, panels, padded, v_frequency, d_frequency, s_frequency, here
    cdef Py_ssize_t item, first, group, chunk, channels, frequencies = points * points, blocks_here
    cdef float* v
    cdef Py_ssize_t d_size, s_size
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
    check(scratch.shape[0] >= winograd_weight_scratch(points, t.channel_blocks, tiles, groups_at_once, threads), "scratch")
    check(tiles >= count or groups_at_once > 0, "tiles")
    cdef Py_ssize_t[::1] offsets = np.arange(panels) * (channels * ROWS)
    v = &scratch[0]
    d = v + frequencies * v_frequency
    if groups_at_once == 0:
        with nogil:
            transform_patches(&t, &x[0, 0, 0, 0, 0], 0, count, v, v_frequency, threads)
        d_size, s_size = frequencies * floats_of_group(padded), frequencies * floats_of_group(BLOCKS_OF_SUMS * BLOCK)
        s = d + threads * d_size
        for item in prange(groups, nogil=True, schedule="dynamic", num_threads=threads):
            gradient_of_group(&t, v, v_frequency, &dy[0, 0, 0, 0, 0], count, item, &offsets[0], &g[0, 0], r,
                              d + threadid() * d_size, s + threadid() * s_size, dweight)
        return
    s = d + frequencies * d_frequency
    for group in range(0, groups, groups_at_once):
        chunks = min(groups_at_once, groups - group) * (GROUP // CHUNK)
        blocks_here = min(groups_at_once * 2, t.output_blocks - group * 2)
        for item in prange(frequencies, nogil=True, schedule="static", num_threads=threads):
            memset(s + item * s_frequency, 0, chunks * CHUNK * channels * sizeof(float))
            memset(d + item * d_frequency, 0, chunks * CHUNK * padded * sizeof(float))
        for first in range(0, count, tiles):
            here = min(tiles, count - first)
            if group == 0 or count > tiles:
                with nogil:
                    transform_patches(&t, &x[0, 0, 0, 0, 0], first, here, v, v_frequency, threads)
            for item in prange(here * blocks_here, nogil=True, schedule="static", num_threads=threads):
                spread_block(&t, &dy[0, group * 2, 0, 0, 0], first, item % here, padded, item // here, d, d_frequency)
            for item in prange(frequencies * chunks, nogil=True, schedule="static", num_threads=threads):
                sum_tiles(v + item // chunks * v_frequency, t.channel_blocks,
                          d + item // chunks * d_frequency + item % chunks * padded * CHUNK,
                          (here + ROWS - 1) // ROWS * ROWS,
                          s + item // chunks * s_frequency + item % chunks * channels * CHUNK, &offsets[0])
        for item in prange(chunks * t.channel_blocks, nogil=True, schedule="static", num_threads=threads):
            finish_kernels(s + (item // t.channel_blocks * channels + item % t.channel_blocks * BLOCK) * CHUNK,
                           s_frequency, &g[0, 0], points, r, group * GROUP + item // t.channel_blocks * CHUNK,
                           dweight.shape[0], item % t.channel_blocks, dweight.shape[1], &dweight[0, 0, 0, 0])


cdef void gradient_of_group(const Tiling* g, const float* v, Py_ssize_t v_frequency, const float* dy, Py_ssize_t count,
                            Py_ssize_t group, const Py_ssize_t* offsets, const float* transform, Py_ssize_t r, float* d,
                            float* s, float[:, :, :, ::1] dweight) noexcept nogil:
    """The gradients of the kernels of one group of outputs, all tiles being in v."""
    cdef Py_ssize_t frequencies = g.points * g.points, padded = (count + ROWS - 1) // ROWS * ROWS
    cdef Py_ssize_t d_frequency = floats_of_group(padded), s_frequency = floats_of_group(BLOCKS_OF_SUMS * BLOCK)
    cdef Py_ssize_t tile, half, portion, first, some, f, chunk, block, of_chunk
    memset(d, 0, frequencies * d_frequency * sizeof(float))
    for half in range(min(2, g.output_blocks - group * 2)):
        for tile in range(count):
            spread_block(g, dy + group * 2 * g.top_height * g.top_width * BLOCK, 0, tile, padded, half, d, d_frequency)
    for portion in range((g.channel_blocks + BLOCKS_OF_SUMS - 1) // BLOCKS_OF_SUMS):
        first = portion * BLOCKS_OF_SUMS
        some = min(BLOCKS_OF_SUMS, g.channel_blocks - first)
        of_chunk = some * BLOCK * CHUNK
        memset(s, 0, frequencies * s_frequency * sizeof(float))
        for f in range(frequencies):
            for chunk in range(GROUP // CHUNK):
                sum_tiles(v + f * v_frequency + first * ROWS * BLOCK, some, d + f * d_frequency + chunk * padded * CHUNK,
                          padded, s + f * s_frequency + chunk * of_chunk, offsets)
        for chunk in range(GROUP // CHUNK):
            for block in range(some):
                finish_kernels(s + chunk * of_chunk + block * BLOCK * CHUNK, s_frequency, transform, g.points, r,
                               group * GROUP + chunk * CHUNK, dweight.shape[0], first + block, dweight.shape[1],
                               &dweight[0, 0, 0, 0])


def winograd_weight_scratch(Py_ssize_t points, Py_ssize_t channel_blocks, Py_ssize_t tiles, Py_ssize_t groups_at_once,
                            int threads):
    """Floats of the buffers of `winograd_backward_weight`."""
    cdef Py_ssize_t padded = (tiles + ROWS - 1) // ROWS * ROWS, channels = channel_blocks * BLOCK
    outputs = groups_at_once * GROUP
    if groups_at_once == 0:
        own = floats_of_group(padded) + floats_of_group(BLOCKS_OF_SUMS * BLOCK)
        return points * points * (padded * channels + LINE + threads * own)
    return points * points * (padded * channels + outputs * padded + outputs * channels + 3 * LINE)
