# The gradient of the bottom: the transpose of each step of forward.pxi, with the same transformed filters.
#
#     dx = Σ_tiles B [ Σ_outputs (G g Gᵀ) ⊙ (A dy Aᵀ) ] Bᵀ        each tile's patch added where forward read it
#
# A vector holds VL tiles here, and two vectors a bundle of CHUNK tiles. So the weights are read as single floats, in
# the order in which they were prepared for forward. Buffers:
#
#     d  [bundle][frequency][output][CHUNK]     transformed gradients of the outputs
#     s  [bundle][frequency][channel][CHUNK]    the sums over outputs

cdef enum:
    CHUNKS_AT_ONCE = 8  # of outputs: their d stays in the L1 cache during the sums of all channels
    OF_VECTOR = VL * BLOCK + LINE  # floats in a block for VL tiles; the extra line avoids conflicts in the cache


cdef void spread_lanes(const Tiling* g, const float* dy, Py_ssize_t first, Py_ssize_t count, Py_ssize_t block, float* d,
                       Py_ssize_t frequency) noexcept nogil:
    """d = A dy Aᵀ for one block of outputs of up to VL tiles, side by side; zero after the last tile."""
    cdef float[64 * OF_VECTOR] whole
    cdef Py_ssize_t tile, f, part
    if count < VL:
        memset(whole, 0, g.frequencies * OF_VECTOR * sizeof(float))
    for tile in range(min(count, VL)):
        spread_tile(g, dy, first + tile, block, whole + tile * BLOCK, OF_VECTOR)
    for f in range(g.frequencies):
        for part in range(PARTS):
            transpose(whole + f * OF_VECTOR + part * VL, BLOCK, d + f * frequency + part * VL * CHUNK, CHUNK)


cdef void sum_chunks(const float* u, Py_ssize_t u_chunk, const Py_ssize_t* offsets, Py_ssize_t chunks,
                     Py_ssize_t channels, const float* d, float* s) noexcept nogil:
    """s += u d at one frequency, for a bundle and `chunks` chunks of outputs. Prefetches the next weights."""
    cdef Py_ssize_t rows = SUM_ROWS * CHUNK, channel, chunk, i
    for channel in range(channels // SUM_ROWS):
        for chunk in range(chunks):
            for i in range(rows // LINE):
                fcn_prefetch(u + chunk * u_chunk + (channel + 1) * rows + i * LINE)
        multiply_few(u + channel * rows, CHUNK, 1, offsets, chunks, CHUNK, d, CHUNK, s + channel * rows, CHUNK)


cdef void sum_outputs(const float* u, Py_ssize_t u_chunk, const Py_ssize_t* offsets, Py_ssize_t chunks,
                      Py_ssize_t channels, const float* d, Py_ssize_t of_d, float* s, Py_ssize_t of_s,
                      Py_ssize_t bundles) noexcept nogil:
    """s = u d at one frequency, for `bundles` bundles, which are of_d and of_s floats apart."""
    cdef Py_ssize_t portion, first, bundle
    for bundle in range(bundles):
        memset(s + bundle * of_s, 0, channels * CHUNK * sizeof(float))
    for portion in range((chunks + CHUNKS_AT_ONCE - 1) // CHUNKS_AT_ONCE):
        first = portion * CHUNKS_AT_ONCE
        for bundle in range(bundles):
            sum_chunks(u + first * u_chunk, u_chunk, offsets, min(CHUNKS_AT_ONCE, chunks - first), channels,
                       d + bundle * of_d + first * CHUNK * CHUNK, s + bundle * of_s)


cdef void add_patch(const Tiling* g, const float* s, Py_ssize_t tile, Py_ssize_t block, float* dx) noexcept nogil:
    """dx += B s Bᵀ where the tile read its patch, for one block of channels; s has OF_VECTOR floats a frequency."""
    cdef float[8 * 8 * VL] half
    cdef float[8 * 8 * VL] patch
    cdef Py_ssize_t n = g.points_h, i, j, part, place = tile % (g.down * g.across)
    cdef const int* rows = g.rows + place // g.across * n
    cdef const int* cols = g.cols + place % g.across * n
    cdef float* pixel
    dx += (tile // (g.down * g.across) * g.channel_blocks + block) * g.height * g.width * BLOCK
    for part in range(PARTS):
        for j in range(n):
            back_transform(n, s + j * OF_VECTOR + part * VL, n * OF_VECTOR, half + j * VL, n * VL)
        for i in range(n):
            back_transform(n, half + i * n * VL, VL, patch + i * n * VL, VL)
        for i in range(n):
            for j in range(n):
                if rows[i] >= 0 and cols[j] >= 0:
                    pixel = dx + (rows[i] * g.width + cols[j]) * BLOCK + part * VL
                    store(pixel, load(pixel) + load(patch + (i * n + j) * VL))


cdef void add_patches(const Tiling* g, const float* s, Py_ssize_t of_bundle, Py_ssize_t frequency, Py_ssize_t first,
                      Py_ssize_t count, Py_ssize_t block, float* dx) noexcept nogil:
    """`add_patch` for `count` tiles from `first` on. Bundles are of_bundle floats apart."""
    cdef float[64 * OF_VECTOR] whole
    cdef Py_ssize_t vector, tile, f, part
    cdef const float* sums
    for vector in range((count + VL - 1) // VL):
        sums = s + vector * VL // CHUNK * of_bundle + block * BLOCK * CHUNK + vector * VL % CHUNK
        for f in range(g.frequencies):
            for part in range(PARTS):
                transpose(sums + f * frequency + part * VL * CHUNK, CHUNK, whole + f * OF_VECTOR + part * VL, BLOCK)
        for tile in range(min(VL, count - vector * VL)):
            add_patch(g, whole + tile * BLOCK, first + vector * VL + tile, block, dx)


def winograd_backward_data(const float[:, :, :, :, ::1] dy, const float[::1] u,
                           float[:, :, :, :, ::1] dx,  # out
                           tiling, Py_ssize_t at_once,
                           float[::1] scratch, int threads):
    """dx = the gradient of the bottom, given dy, that of the outputs.

    Arguments as in `winograd_forward`. Each row of dx is the sum over the copies of that row. The buffers hold
    `at_once` tiles; `scratch` needs `winograd_data_scratch(...)` floats.
    """
    cdef Tiling t
    cdef Py_ssize_t frequencies, count, channels, outputs, chunks, d_frequency, s_frequency, here
    cdef Py_ssize_t item, first, u_chunk, bundles, d_bundle, s_bundle, vector
    cdef float* d
    cdef float* s
    cdef list kept = []
    threads = usable(threads)
    check_blocked(dy.shape, "dy")
    check_blocked(dx.shape, "dx")
    check(dy.shape[0] == dx.shape[0], "dy")
    set_tiling(&t, tiling, dx.shape[1], dx.shape[2], dx.shape[3], dy.shape[1], dy.shape[2], dy.shape[3], kept)
    check_square(&t)
    frequencies = t.frequencies
    count, channels = dx.shape[0] * t.down * t.across, t.channel_blocks * BLOCK
    chunks = (t.output_blocks * BLOCK + CHUNK - 1) // CHUNK
    outputs = chunks * CHUNK
    u_chunk = frequencies * channels * CHUNK
    d_frequency, s_frequency = spacing(outputs, CHUNK), spacing(channels, CHUNK)
    d_bundle, s_bundle = frequencies * d_frequency, frequencies * s_frequency
    check(u.shape[0] >= <double>chunks * u_chunk, "u")
    check(at_once > 0
          and scratch.shape[0] >= winograd_data_scratch(t.frequencies, t.channel_blocks, t.output_blocks, at_once),
          "scratch")
    cdef Py_ssize_t[::1] offsets = np.arange(chunks) * u_chunk
    d = &scratch[0]
    s = d + (at_once + CHUNK - 1) // CHUNK * d_bundle
    np.asarray(dx)[...] = 0
    if outputs > t.output_blocks * BLOCK:  # the last half chunk has no outputs
        memset(d, 0, (at_once + CHUNK - 1) // CHUNK * d_bundle * sizeof(float))
    for first in range(0, count, at_once):
        here = min(at_once, count - first)
        bundles = (here + CHUNK - 1) // CHUNK
        for item in prange(bundles * (CHUNK // VL) * t.output_blocks, nogil=True, schedule="static",
                           num_threads=threads):
            vector = item // t.output_blocks
            spread_lanes(&t, &dy[0, 0, 0, 0, 0], first + vector * VL, here - vector * VL, item % t.output_blocks,
                         d + vector * VL // CHUNK * d_bundle + item % t.output_blocks * BLOCK * CHUNK
                         + vector * VL % CHUNK, d_frequency)
        for item in prange(frequencies, nogil=True, schedule="dynamic", num_threads=threads):
            sum_outputs(&u[0] + item * channels * CHUNK, u_chunk, &offsets[0], chunks, channels, d + item * d_frequency,
                        d_bundle, s + item * s_frequency, s_bundle, bundles)
        for item in prange(t.channel_blocks, nogil=True, schedule="static", num_threads=threads):
            add_patches(&t, s, s_bundle, s_frequency, first, here, item, &dx[0, 0, 0, 0, 0])


def winograd_data_scratch(Py_ssize_t frequencies, Py_ssize_t channel_blocks, Py_ssize_t output_blocks,
                          Py_ssize_t at_once):
    """Floats in the buffers of `winograd_backward_data`."""
    check_buffers(frequencies, at_once, channel_blocks, output_blocks, 1)
    cdef Py_ssize_t outputs = (output_blocks * BLOCK + CHUNK - 1) // CHUNK * CHUNK
    of_bundle = frequencies * (spacing(outputs, CHUNK) + spacing(channel_blocks * BLOCK, CHUNK))
    return (at_once + CHUNK - 1) // CHUNK * of_bundle
