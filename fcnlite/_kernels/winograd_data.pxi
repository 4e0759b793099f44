# The gradient of the bottom by Winograd's way: the transpose of each step of winograd.pxi, with the kernels as they are.
#
#     dx = Σ_tiles B [ Σ_outputs (G g Gᵀ) ⊙ (A dy Aᵀ) ] Bᵀ        each tile's patch added where it was seen
#
# Buffers:
#
#     d  [frequency][panel][output block][ROWS][BLOCK]    transformed gradients of the outputs
#     k  [output][CHUNK]                                  a frequency's kernels of CHUNK channels; a thread's own
#     s  [frequency][chunk of channels][tile][CHUNK]      the sums over outputs


cdef inline void back_transform(Py_ssize_t points, const float* v, Py_ssize_t vs, float* x, Py_ssize_t xs) noexcept nogil:
    """x = B v, the transpose of `patch_transform`."""
    cdef vec first = load(v), last = load(v + (points - 1) * vs)
    cdef vec sum1 = load(v + vs) + load(v + 2 * vs), dif1 = load(v + vs) - load(v + 2 * vs)
    cdef vec sum2 = load(v + 3 * vs) + load(v + 4 * vs), dif2 = load(v + 3 * vs) - load(v + 4 * vs), sum3, dif3
    if points == 6:
        store(x, splat(1.265625) * first)
        store(x + xs, splat(1.265625) * last - splat(1.6875) * dif1 - splat(0.84375) * dif2)
        store(x + 2 * xs, splat(-2.8125) * first - splat(2.25) * sum1 - splat(0.5625) * sum2)
        store(x + 3 * xs, splat(-2.8125) * last + splat(0.75) * dif1 + splat(1.5) * dif2)
        store(x + 4 * xs, first + sum1 + sum2)
        store(x + 5 * xs, last)
        return
    sum3 = load(v + 5 * vs) + load(v + 6 * vs)
    dif3 = load(v + 5 * vs) - load(v + 6 * vs)
    store(x, -first)
    store(x + xs, splat(2) * dif1 + dif2 + splat(0.5) * dif3 - last)
    store(x + 2 * xs, splat(5.25) * first + splat(4) * sum1 + sum2 + splat(0.25) * sum3)
    store(x + 3 * xs, splat(5.25) * last - splat(2.5) * dif1 - splat(4.25) * dif2 - splat(2.5) * dif3)
    store(x + 4 * xs, splat(-5.25) * first - splat(5) * sum1 - splat(4.25) * sum2 - splat(1.25) * sum3)
    store(x + 5 * xs, splat(0.5) * dif1 + dif2 + splat(2) * dif3 - splat(5.25) * last)
    store(x + 6 * xs, first + sum1 + sum2 + sum3)
    store(x + 7 * xs, last)


cdef void turn_kernels(const float* u, Py_ssize_t chunk, Py_ssize_t outputs, Py_ssize_t channels,
                       float* k) noexcept nogil:
    """k[o, c] = the kernel of output o for channel c; `chunk` floats lie between u's chunks of outputs."""
    cdef Py_ssize_t i, j, o
    for i in range(outputs // VL):
        o = i * VL
        for j in range(channels // VL):
            transpose(u + o // CHUNK * chunk + j * VL * CHUNK + o % CHUNK, CHUNK, k + o * CHUNK + j * VL, CHUNK)


cdef void add_patch(const Tiling* g, const float* s, Py_ssize_t frequency, Py_ssize_t padded_tiles, Py_ssize_t first,
                    Py_ssize_t tile, Py_ssize_t block, float* dx) noexcept nogil:
    """dx += B s Bᵀ where tile `first` + `tile` saw it, for one block of channels."""
    cdef float[8 * 8 * VL] half
    cdef float[8 * 8 * VL] patch
    cdef Py_ssize_t n = g.points, i, j, part, channel, place = (first + tile) % (g.down * g.across)
    cdef const int* rows = g.rows + place // g.across * g.side
    cdef const int* cols = g.cols + place % g.across * g.side
    cdef const float* sums
    cdef float* pixel
    dx += ((first + tile) // (g.down * g.across) * g.channel_blocks + block) * g.height * g.width * BLOCK
    for part in range(PARTS):
        channel = block * BLOCK + part * VL
        sums = s + (channel // CHUNK * padded_tiles + tile) * CHUNK + channel % CHUNK
        for j in range(n):
            back_transform(n, sums + j * frequency, n * frequency, half + j * VL, n * VL)
        for i in range(n):
            back_transform(n, half + i * n * VL, VL, patch + i * n * VL, VL)
        for i in range(n):
            for j in range(n):
                if rows[i] >= 0 and cols[j] >= 0:
                    pixel = dx + (rows[i] * g.width + cols[j]) * BLOCK + part * VL
                    store(pixel, load(pixel) + load(patch + (i * n + j) * VL))


cdef void add_patches(const Tiling* g, const float* s, Py_ssize_t frequency, Py_ssize_t padded_tiles, Py_ssize_t first,
                      Py_ssize_t count, Py_ssize_t block, float* dx) noexcept nogil:
    cdef Py_ssize_t tile
    for tile in range(count):
        add_patch(g, s, frequency, padded_tiles, first, tile, block, dx)


def winograd_backward_data(const float[:, :, :, :, ::1] dy, const float[::1] u, float[:, :, :, :, ::1] dx,
                           const int[::1] rows, const int[::1] cols, Py_ssize_t points, Py_ssize_t side,
                           Py_ssize_t tiles, float[::1] scratch, int threads):
    """dx = the gradient of the bottom, given the gradient dy of the outputs.

    Arguments as of `winograd_forward`; a row of dx that stands for several gets the sum of theirs. `tiles` go through
    the buffers at once; `scratch` has `winograd_data_scratch(...)` floats.
    """
    cdef Tiling t
    cdef Py_ssize_t frequencies = points * points, count, chunks, outputs, padded, d_frequency, s_frequency, here
    cdef Py_ssize_t item, first, of_kernels, size
    cdef float* d
    cdef float* s
    cdef float* k
    t.points, t.side, t.relu, t.pool, t.slopes = points, side, False, False, NULL
    t.channel_blocks, t.height, t.width = dx.shape[1], dx.shape[2], dx.shape[3]
    t.output_blocks, t.top_height, t.top_width = dy.shape[1], dy.shape[2], dy.shape[3]
    t.down, t.across = (t.top_height + side - 1) // side, (t.top_width + side - 1) // side
    t.rows, t.cols = &rows[0], &cols[0]
    count, outputs = dx.shape[0] * t.down * t.across, t.output_blocks * BLOCK
    chunks = (t.channel_blocks * BLOCK + CHUNK - 1) // CHUNK
    padded = (tiles + ROWS - 1) // ROWS * ROWS
    d_frequency, s_frequency = padded * outputs + LINE, padded * chunks * CHUNK + LINE
    of_kernels = frequencies * t.channel_blocks * BLOCK * CHUNK
    size = outputs * CHUNK
    check(points == 6 and side == 4 or points == 8 and 2 <= side <= 6, "points and side")
    check(rows.shape[0] >= (t.down - 1) * side + points and cols.shape[0] >= (t.across - 1) * side + points, "maps")
    check(np.asarray(rows).max() < t.height and np.asarray(cols).max() < t.width, "maps")
    check(dy.shape[0] == dx.shape[0] and dx.shape[4] == dy.shape[4] == BLOCK, "dy")
    check(u.shape[0] >= (outputs + GROUP - 1) // GROUP * (GROUP // CHUNK) * of_kernels, "u")
    check(scratch.shape[0] >= winograd_data_scratch(points, t.channel_blocks, t.output_blocks, tiles, threads), "scratch")
    cdef Py_ssize_t[::1] offsets = segment_offsets(t.output_blocks)
    d = &scratch[0]
    s = d + frequencies * d_frequency
    k = s + frequencies * s_frequency
    np.asarray(dx)[...] = 0
    for first in range(0, count, tiles):
        here = min(tiles, count - first)
        clear_rows(d, frequencies, d_frequency, t.output_blocks, here)
        for item in prange(here * t.output_blocks, nogil=True, schedule="static", num_threads=threads):
            spread_tile(&t, &dy[0, 0, 0, 0, 0], first + item % here, item // here,
                        d + ((item % here // ROWS * t.output_blocks + item // here) * ROWS + item % here % ROWS) * BLOCK,
                        d_frequency)
        for item in prange(frequencies * chunks, nogil=True, schedule="dynamic", num_threads=threads):
            turn_kernels(&u[0] + (item // chunks * t.channel_blocks * BLOCK + item % chunks * CHUNK) * CHUNK, of_kernels,
                         outputs, min(CHUNK, t.channel_blocks * BLOCK - item % chunks * CHUNK), k + threadid() * size)
            multiply_panels(d + item // chunks * d_frequency, t.output_blocks, k + threadid() * size,
                            s + item // chunks * s_frequency + item % chunks * padded * CHUNK, CHUNK, here, &offsets[0])
        for item in prange(t.channel_blocks, nogil=True, schedule="static", num_threads=threads):
            add_patches(&t, s, s_frequency, padded, first, here, item, &dx[0, 0, 0, 0, 0])


def winograd_data_scratch(Py_ssize_t points, Py_ssize_t channel_blocks, Py_ssize_t output_blocks, Py_ssize_t tiles,
                          int threads):
    """Floats of the buffers of `winograd_backward_data`."""
    cdef Py_ssize_t padded = (tiles + ROWS - 1) // ROWS * ROWS, outputs = output_blocks * BLOCK
    cdef Py_ssize_t chunked = (channel_blocks * BLOCK + CHUNK - 1) // CHUNK * CHUNK
    return points * points * (padded * (outputs + chunked) + 2 * LINE) + threads * outputs * CHUNK
