# Two convolutions in one pass: a thin direct one (products/direct.pxi), then a Winograd one (forward.pxi) of its
# outputs.
#
# The array between them is as large as the picture and has many channels. Only a rectangle of it is computed at a time,
# and read while it is in the cache. Some rows and columns at the rectangle's edges are computed twice.

cdef enum:
    LONGEST = 128  # places in a map of one rectangle, at most


cdef Py_ssize_t span(const int* places, Py_ssize_t count, int* local) noexcept nogil:
    """The first of `places` that is not −1; local = the distances from it, −1 where a place is −1."""
    cdef Py_ssize_t i, first = -1
    for i in range(count):
        if places[i] >= 0 and first < 0:
            first = places[i]
        local[i] = -1 if places[i] < 0 else <int>(places[i] - first)
    return max(first, 0)


cdef Py_ssize_t distinct(const int* local, Py_ssize_t count) noexcept nogil:
    """The number of different rows or columns among the places, without −1."""
    cdef Py_ssize_t i, found = 0
    for i in range(count):
        found = max(found, local[i] + 1)
    return found


cdef bint spans_fit(const int* places, Py_ssize_t tiles, Py_ssize_t at_once, Py_ssize_t points,
                    Py_ssize_t most) noexcept nogil:
    """Whether every rectangle of `at_once` tiles reads at most `most` neighbouring rows or columns."""
    cdef int[LONGEST] local
    cdef Py_ssize_t rectangle, first, count
    for rectangle in range((tiles + at_once - 1) // at_once):
        first = rectangle * at_once
        count = min(at_once, tiles - first) * points
        span(places + first * points, count, local)
        if distinct(local, count) > most:
            return False
    return True


cdef void thin_rectangle(const Tiling* g, const Direct* thin, const float* x, const float* first_u,
                         const float* first_bias, const float* u, const float* bias, float* y, Py_ssize_t image,
                         Py_ssize_t top, Py_ssize_t left, Py_ssize_t down, Py_ssize_t across, float* v,
                         Py_ssize_t v_frequency, float* m, Py_ssize_t m_frequency, float* between, float* copy,
                         const Py_ssize_t* offsets) noexcept nogil:
    """The rectangle of down × across tiles from tile row `top` and tile column `left` on."""
    cdef Tiling local = g[0]
    cdef Direct local_thin = thin[0]
    cdef int[LONGEST] rows
    cdef int[LONGEST] cols
    cdef Py_ssize_t[16] starts
    cdef Py_ssize_t row = span(g.rows + top * g.points_h, down * g.points_h, rows), i
    cdef Py_ssize_t col = span(g.cols + left * g.points_w, across * g.points_w, cols)
    local.height, local.width = distinct(rows, down * g.points_h), distinct(cols, across * g.points_w)
    local.down, local.across, local.rows, local.cols = down, across, rows, cols
    local.row_starts, local.col_starts = g.row_starts + top, g.col_starts + left
    if local.height > 0 and local.width > 0:
        local_thin.cols = thin.cols + col * thin.stride_w
        local_thin.padded_width = (local.width - 1) * thin.stride_w + thin.length // thin.channels
        local_thin.step = local_thin.padded_width * thin.channels
        local_thin.top_height, local_thin.top_width = local.height, local.width
        local_thin.panels = (local.width + ROWS - 1) // ROWS
        local_thin.y_row, local_thin.y_step, local_thin.y = local.width * BLOCK, BLOCK, between
        local_thin.y_block = local.height * local_thin.y_row
        local_thin.offsets = starts
        for i in range(thin.segments):
            starts[i] = i * local_thin.step
        copy_rows(&local_thin, x + image * thin.planes * thin.height * thin.width, row * thin.stride_h,
                  (local.height - 1) * thin.stride_h + thin.extent_h, copy)
        direct_panels(&local_thin, copy, first_u, first_bias, between, 0, 0, local.height * local_thin.panels, 0,
                      groups_of(thin.output_blocks))
    forward_tiles(&local, between, u, bias, y + image * g.output_blocks * g.plane_height * g.plane_width * BLOCK, 0,
                  down * across, v, v_frequency, m, m_frequency, offsets)


def thin_winograd_forward(const float[:, :, :, ::1] x, const float[::1] first_u, const float[::1] first_bias,
                          const int[::1] first_rows, const int[::1] first_cols, const float[::1] u,
                          const float[::1] bias,
                          float[:, :, :, :, ::1] y,  # out
                          tiling, *, window, stride, bint first_relu, between, top_size, margins, bint relu, bint pool,
                          rectangle,
                          float[::1] scratch, int threads):
    """y = `winograd_forward` by u of (`direct_forward`, thin, of x by first_u).

    `window` and `stride`: of the first convolution. `between`: channels, height and width of its outputs. `rectangle`:
    rows and columns of tiles at once. `scratch` needs `thin_winograd_scratch(...)` floats for each thread.
    """
    cdef Tiling g
    cdef Direct thin
    cdef Py_ssize_t channels, height, width, tile_rows, tile_cols, v_frequency, m_frequency, v_size, m_size, size, item
    cdef Py_ssize_t tall, wide, between_size, points, side, frequencies, top_height, top_width, window_h, window_w
    cdef list kept = []
    threads = usable(threads)
    channels, height, width = between
    read_pair(rectangle, 1, "rectangle", &tile_rows, &tile_cols)
    read_pair(window, 1, "window", &window_h, &window_w)
    read_pair(top_size, 1, "top_size", &top_height, &top_width)
    read_pair(stride, 1, "stride", &thin.stride_h, &thin.stride_w)
    check_filled(x.shape, 4, "x")
    check_blocked(y.shape, "y")
    check(y.shape[0] == x.shape[0], "y")
    check(0 < min(channels, height, width) and max(channels, height, width) <= INT_MAX, "between")
    set_tiling(&g, tiling, (channels + BLOCK - 1) // BLOCK, height, width, y.shape[1], top_height, top_width, kept)
    check_square(&g)
    points, side, frequencies = g.points_h, g.side_h, g.frequencies
    g.relu, g.pool = relu, pool
    set_top(&g, y.shape[2], y.shape[3], margins)
    thin.planes = thin.channels = x.shape[1]
    thin.height, thin.width, thin.thin, thin.relu = x.shape[2], x.shape[3], True, first_relu
    thin.slopes = thin.add = NULL
    thin.limit = INFINITY
    check(window_h <= 16 and x.shape[1] <= BLOCK, "window")
    thin.segments, thin.extent_h, thin.dilation_h, thin.length = window_h, window_h, 1, window_w * x.shape[1]
    thin.u_group = thin.segments * thin.length * GROUP
    thin.output_blocks = g.channel_blocks
    check(first_rows.shape[0] >= (height - 1) * thin.stride_h + window_h
          and first_cols.shape[0] >= (width - 1) * thin.stride_w + window_w, "first maps")
    thin.rows = checked(&first_rows[0], first_rows.shape[0], -1, thin.height, kept, "first_rows")
    thin.cols = checked(&first_cols[0], first_cols.shape[0], -1, thin.width, kept, "first_cols")
    check(max(tile_rows, tile_cols) * points <= LONGEST and g.dilation_h == 1, "rectangle")
    check(spans_fit(g.rows, g.down, tile_rows, points, (tile_rows - 1) * side + points)
          and spans_fit(g.cols, g.across, tile_cols, points, (tile_cols - 1) * side + points), "rectangle")
    check(u.shape[0] >= <double>groups_of(g.output_blocks) * frequencies * g.channel_blocks * BLOCK * GROUP, "u")
    check(bias.shape[0] >= g.output_blocks * BLOCK and first_bias.shape[0] >= g.channel_blocks * BLOCK
          and first_u.shape[0] >= <double>groups_of(g.channel_blocks) * thin.u_group, "bias")
    size = thin_winograd_scratch(points, side, g.channel_blocks, x.shape[1], window, stride, rectangle)
    check(scratch.shape[0] >= <double>threads * size, "scratch")
    v_frequency = spacing(whole_panels(tile_rows * tile_cols), g.channel_blocks * BLOCK)
    m_frequency = spacing(whole_panels(tile_rows * tile_cols), GROUP)
    v_size, m_size = frequencies * v_frequency, frequencies * m_frequency
    between_size = ((tile_rows - 1) * side + points) * ((tile_cols - 1) * side + points)
    between_size *= g.channel_blocks * BLOCK
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


def thin_winograd_scratch(Py_ssize_t points, Py_ssize_t side, Py_ssize_t channel_blocks, Py_ssize_t channels, window,
                          stride, rectangle):
    """Floats in one thread's buffers in `thin_winograd_forward`."""
    cdef Py_ssize_t tile_rows, tile_cols, window_h, window_w, stride_h, stride_w, tall, wide, rows, copied, buffers
    cdef Py_ssize_t least = min(points, side, channel_blocks, channels)
    read_pair(rectangle, 1, "rectangle", &tile_rows, &tile_cols)
    read_pair(window, 1, "window", &window_h, &window_w)
    read_pair(stride, 1, "stride", &stride_h, &stride_w)
    check(points <= 8, "points")
    check_buffers(points * points, tile_rows * tile_cols, channel_blocks, 1, 1)
    # The most rows of the copy, times its columns and channels; the pixels between are fewer, for each channel.
    check_memory((<double>tile_rows * max(side, points) * stride_h + window_h)
                 * (<double>tile_cols * max(side, points) * stride_w + window_w)
                 * (<double>channels + channel_blocks * <double>BLOCK), least)
    rows = whole_panels(tile_rows * tile_cols)
    tall, wide = (tile_rows - 1) * side + points, (tile_cols - 1) * side + points
    copied = ((tall - 1) * stride_h + window_h) * ((wide - 1) * stride_w + window_w) * channels
    buffers = points * points * (spacing(rows, channel_blocks * BLOCK) + spacing(rows, GROUP))
    return buffers + tall * wide * channel_blocks * BLOCK + copied + ROWS * stride_w * BLOCK
