# Two convolutions in one go: a thin one (direct.pxi), and Winograd's (winograd.pxi) of what it makes.
#
# What lies between is as large as the picture and has many channels. It is made here for a rectangle of tiles at a time,
# and read while it is in the cache; at the rectangle's edges a few of its rows and columns are made twice.

cdef enum:
    LONGEST = 128  # rows or columns of what lies between, for one rectangle


cdef Py_ssize_t span(const int* places, Py_ssize_t count, int* local) noexcept nogil:
    """The first of `places` that is none outside (−1); `local` gets their distances from it, −1 where outside."""
    cdef Py_ssize_t i, first = -1
    for i in range(count):
        if places[i] >= 0 and first < 0:
            first = places[i]
        local[i] = -1 if places[i] < 0 else <int>(places[i] - first)
    return max(first, 0)


cdef Py_ssize_t reach(const int* local, Py_ssize_t count) noexcept nogil:
    """How many rows or columns the places lie in: those outside do not count, equal ones once."""
    cdef Py_ssize_t i, found = 0
    for i in range(count):
        found = max(found, local[i] + 1)
    return found


cdef void thin_rectangle(const Tiling* g, const Sliding* thin, const float* x, const float* first_u,
                         const float* first_bias, const float* u, const float* bias, float* y, Py_ssize_t image,
                         Py_ssize_t top, Py_ssize_t left, Py_ssize_t down, Py_ssize_t across, float* v,
                         Py_ssize_t v_frequency, float* m, Py_ssize_t m_frequency, float* between, float* copy,
                         const Py_ssize_t* offsets) noexcept nogil:
    """The rectangle of down × across tiles whose first is in tile row `top` and tile column `left`."""
    cdef Tiling local = g[0]
    cdef Sliding sliding = thin[0]
    cdef int[LONGEST] rows
    cdef int[LONGEST] cols
    cdef Py_ssize_t[16] starts
    cdef Py_ssize_t height = (down - 1) * g.side + g.points, width = (across - 1) * g.side + g.points
    cdef Py_ssize_t row = span(g.rows + top * g.side, height, rows), col = span(g.cols + left * g.side, width, cols)
    cdef Py_ssize_t i, tile, block, group, half, count = down * across, frequencies = g.points * g.points
    cdef Py_ssize_t kernels = frequencies * g.channel_blocks * BLOCK * GROUP
    local.height, local.width = reach(rows, height), reach(cols, width)
    local.down, local.across, local.rows, local.cols = down, across, rows, cols
    if local.height > 0 and local.width > 0:
        sliding.cols = thin.cols + col * thin.stride_w
        sliding.padded_width = (local.width - 1) * thin.stride_w + thin.length // thin.channels
        sliding.step = sliding.padded_width * thin.channels
        sliding.top_height, sliding.top_width = local.height, local.width
        sliding.panels = (local.width + ROWS - 1) // ROWS
        sliding.offsets = starts
        for i in range(thin.segments):
            starts[i] = i * sliding.step
        copy_rows(&sliding, x + image * thin.planes * thin.height * thin.width, row * thin.stride_h,
                  (local.height - 1) * thin.stride_h + thin.reach, copy)
        slide(&sliding, copy, first_u, first_bias, between, 0, 0, local.height * sliding.panels, 0,
              (thin.output_blocks + 1) // 2)
    for tile in range(count):
        for block in range(g.channel_blocks):
            transform_one(&local, between, 0, tile, count, block, v, v_frequency)
    clear_rows(v, frequencies, v_frequency, g.channel_blocks, count)
    for group in range((g.output_blocks + 1) // 2):
        multiply_tiles(g, v, v_frequency, u + group * kernels, m, m_frequency, count, offsets)
        for half in range(GROUP // BLOCK):
            block = group * (GROUP // BLOCK) + half
            if block < g.output_blocks:
                for tile in range(count):
                    finish_tile(g, m + tile * GROUP + half * BLOCK, m_frequency,
                                (image * g.down + top + tile // across) * g.across + left + tile % across, block,
                                bias + block * BLOCK, y)


def thin_winograd_forward(const float[:, :, :, ::1] x, const float[::1] first_u, const float[::1] first_bias,
                          const int[::1] first_rows, const int[::1] first_cols, kernel, stride, bint first_relu, between,
                          const float[::1] u, const float[::1] bias, float[:, :, :, :, ::1] y, const int[::1] rows,
                          const int[::1] cols, Py_ssize_t points, Py_ssize_t side, Py_ssize_t top_height,
                          Py_ssize_t top_width, row_margins, col_margins, bint relu, bint pool, rectangle,
                          float[::1] scratch, int threads):
    """y = the convolution by u of the convolution of x by first_u: `direct_forward`, thin, then `winograd_forward`.

    `between`: channels, height and width of what lies between; `rectangle`: rows and columns of tiles at once;
    `scratch` has `thin_winograd_scratch(...)` floats.
    """
    cdef Tiling g
    cdef Sliding thin
    cdef Py_ssize_t channels, height, width, tile_rows, tile_cols, v_frequency, m_frequency, v_size, m_size, size, item
    cdef Py_ssize_t tall, wide, between_size, panels
    channels, height, width = between
    tile_rows, tile_cols = rectangle
    tile_up(&g, points, side, ((channels + BLOCK - 1) // BLOCK, height, width), (y.shape[1], top_height, top_width), rows,
            cols)
    g.relu, g.pool = relu, pool
    place_top(&g, y.shape[2], y.shape[3], row_margins, col_margins)
    thin.planes = thin.channels = x.shape[1]
    thin.height, thin.width, thin.thin, thin.relu = x.shape[2], x.shape[3], True, first_relu
    thin.slopes = NULL
    thin.segments, thin.reach, thin.length = kernel[0], kernel[0], kernel[1] * x.shape[1]
    thin.stride_h, thin.stride_w = stride
    thin.kernels = thin.segments * thin.length * GROUP
    thin.output_blocks = g.channel_blocks
    thin.rows, thin.cols = &first_rows[0], &first_cols[0]
    check(kernel[0] <= 16 and first_rows.shape[0] >= (height - 1) * thin.stride_h + kernel[0]
          and first_cols.shape[0] >= (width - 1) * thin.stride_w + kernel[1], "first maps")
    check((tile_rows - 1) * side + points <= LONGEST and (tile_cols - 1) * side + points <= LONGEST, "rectangle")
    check(u.shape[0] >= (g.output_blocks + 1) // 2 * points * points * g.channel_blocks * BLOCK * GROUP, "u")
    check(bias.shape[0] >= g.output_blocks * BLOCK and first_bias.shape[0] >= g.channel_blocks * BLOCK
          and first_u.shape[0] >= (g.channel_blocks + 1) // 2 * thin.kernels, "bias")
    size = thin_winograd_scratch(points, side, g.channel_blocks, x.shape[1], kernel, stride, rectangle)
    check(scratch.shape[0] >= threads * size and y.shape[0] == x.shape[0], "scratch")
    panels = (tile_rows * tile_cols + ROWS - 1) // ROWS
    v_frequency = panels * ROWS * g.channel_blocks * BLOCK + LINE
    m_frequency = panels * ROWS * GROUP + LINE
    v_size, m_size = points * points * v_frequency, points * points * m_frequency
    between_size = ((tile_rows - 1) * side + points) * ((tile_cols - 1) * side + points) * g.channel_blocks * BLOCK
    tall, wide = (g.down + tile_rows - 1) // tile_rows, (g.across + tile_cols - 1) // tile_cols
    cdef Py_ssize_t[::1] offsets = segment_offsets(g.channel_blocks)
    for item in prange(x.shape[0] * tall * wide, nogil=True, schedule="dynamic", num_threads=threads):
        thin_rectangle(&g, &thin, &x[0, 0, 0, 0], &first_u[0], &first_bias[0], &u[0], &bias[0], &y[0, 0, 0, 0, 0],
                       item // (tall * wide), item // wide % tall * tile_rows, item % wide * tile_cols,
                       min(tile_rows, g.down - item // wide % tall * tile_rows),
                       min(tile_cols, g.across - item % wide * tile_cols), &scratch[0] + threadid() * size, v_frequency,
                       &scratch[0] + threadid() * size + v_size, m_frequency,
                       &scratch[0] + threadid() * size + v_size + m_size,
                       &scratch[0] + threadid() * size + v_size + m_size + between_size, &offsets[0])


def thin_winograd_scratch(Py_ssize_t points, Py_ssize_t side, Py_ssize_t channel_blocks, Py_ssize_t channels, kernel,
                          stride, rectangle):
    """Floats of one thread's buffers in `thin_winograd_forward`."""
    tiles = (rectangle[0] * rectangle[1] + ROWS - 1) // ROWS * ROWS
    tall, wide = ((each - 1) * side + points for each in rectangle)
    copied = ((tall - 1) * stride[0] + kernel[0]) * ((wide - 1) * stride[1] + kernel[1]) * channels
    buffers = points * points * (tiles * channel_blocks * BLOCK + tiles * GROUP + 2 * LINE)
    return buffers + tall * wide * channel_blocks * BLOCK + copied + ROWS * stride[1] * BLOCK
