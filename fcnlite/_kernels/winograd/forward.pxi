# Winograd convolution of blocked arrays (Lavin and Gray, 2016). fcnlite/compiler/convolution/winograd.py explains it.
#
# A tile is a square of outputs, and reads a patch of 6×6 or 8×8 inputs. For windows of one row or column, tiles and
# patches are one row or column too. There is a frequency for each pixel of a patch. Buffers:
#
#     v  [frequency][panel][channel block][ROWS][BLOCK]    transformed patches, one panel for every ROWS tiles
#     u  [chunk][frequency][channel][CHUNK]                transformed filters, CHUNK outputs side by side
#     m  [frequency][tile][GROUP]                          products, of GROUP outputs
#
# `rows` and `cols` give the rows and columns of the bottom that the patches of each row and column of tiles read; −1 is
# zero. They express pad, dilation and repeated rows. `row_starts` and `col_starts` give the place in the top where a
# tile begins; its outputs are `dilation` apart.

cdef enum:
    CHUNK = 2 * VL  # outputs of one micro-kernel
    GROUP = 2 * BLOCK  # outputs transformed back together
    BLOCKS_OF_GROUP = GROUP // BLOCK

cdef struct Tiling:
    Py_ssize_t points_h, points_w  # of a patch
    Py_ssize_t side_h, side_w  # of a tile
    Py_ssize_t frequencies
    Py_ssize_t channel_blocks, height, width  # of the bottom
    Py_ssize_t down, across  # tiles in a picture
    Py_ssize_t output_blocks, top_height, top_width  # of the computed part of the top, before pooling
    Py_ssize_t plane_height, plane_width, first_row, first_col  # of the top's array; where the computed part begins
    Py_ssize_t dilation_h, dilation_w  # of the filter: the distance of a tile's rows and columns
    const int* rows
    const int* cols
    const int* row_starts
    const int* col_starts
    const float* slopes  # of PReLU, one for each output, or NULL
    const float* add  # an array like the top's, or NULL
    bint relu, pool


cdef inline Py_ssize_t whole_panels(Py_ssize_t tiles) noexcept nogil:
    """The rows of the panels that hold `tiles` tiles."""
    return (tiles + ROWS - 1) // ROWS * ROWS


cdef inline Py_ssize_t spacing(Py_ssize_t rows, Py_ssize_t width) noexcept nogil:
    """Floats from one frequency of a buffer to the next. The extra line avoids conflicts in the cache."""
    return rows * width + LINE


cdef inline Py_ssize_t groups_of(Py_ssize_t blocks) noexcept nogil:
    """The number of groups that hold `blocks` blocks of outputs."""
    return (blocks + BLOCKS_OF_GROUP - 1) // BLOCKS_OF_GROUP


cdef inline bint evenly_spaced(const int* places, Py_ssize_t count, Py_ssize_t step) noexcept nogil:
    """Whether `count` rows or columns that are `step` apart in the padded picture are so in the bottom as well.

    The ends decide, since consecutive sources differ by 0 or 1 (`Problem.sources`).
    """
    return places[0] >= 0 and places[count - 1] == places[0] + (count - 1) * step


cdef inline Py_ssize_t rows_inside(const Tiling* g, Py_ssize_t start) noexcept nogil:
    """The number of a tile's rows, from `start` on, that are inside the top."""
    return min(g.side_h, (g.top_height - start + g.dilation_h - 1) // g.dilation_h)


cdef inline Py_ssize_t columns_inside(const Tiling* g, Py_ssize_t start) noexcept nogil:
    """The number of a tile's columns, from `start` on, that are inside the top."""
    return min(g.side_w, (g.top_width - start + g.dilation_w - 1) // g.dilation_w)


cdef void copy_patch(const float* plane, Py_ssize_t width, const int* rows, const int* cols, Py_ssize_t height_of,
                     Py_ssize_t width_of, float* patch) noexcept nogil:
    """Copy a patch, pixel by pixel, from a plane H×W×BLOCK."""
    cdef Py_ssize_t i, j, k
    cdef float* to = patch
    cdef const float* pixel
    for i in range(height_of):
        for j in range(width_of):
            if rows[i] < 0 or cols[j] < 0:
                memset(to, 0, BLOCK * sizeof(float))
            else:
                pixel = plane + (rows[i] * width + cols[j]) * BLOCK
                for k in range(PARTS):
                    store(to + k * VL, load(pixel + k * VL))
            to += BLOCK


cdef inline void fetch(const float* values, Py_ssize_t count, Py_ssize_t step) noexcept nogil:
    """Prefetch `count` lines, `step` floats apart, that the next transform will write.

    A store waits until its line arrives from a far cache, and a transform writes one line for each frequency. The
    prefetch is for reading; a prefetch for writing took longer.
    """
    cdef Py_ssize_t i
    for i in range(count):
        fcn_prefetch(values + i * step)


cdef void transform_patch(const Tiling* g, const float* x, Py_ssize_t tile, Py_ssize_t block, float* v,
                          const float* following, Py_ssize_t frequency) noexcept nogil:
    """v = Bᵀ d B for one channel block of one tile, counted over all pictures.

    Frequencies are `frequency` floats apart. `following`: the v of the patch that is transformed next.
    """
    cdef float[8 * 8 * BLOCK] patch
    cdef float[8 * 8 * VL] half
    cdef Py_ssize_t height = g.points_h, width = g.points_w, i, part, row = width * BLOCK, pixel = BLOCK
    cdef Py_ssize_t image = tile // (g.down * g.across), place = tile % (g.down * g.across)
    cdef const int* rows = g.rows + place // g.across * height
    cdef const int* cols = g.cols + place % g.across * width
    cdef const float* d = x + (image * g.channel_blocks + block) * g.height * g.width * BLOCK
    if evenly_spaced(rows, height, g.dilation_h) and evenly_spaced(cols, width, g.dilation_w):
        d += (rows[0] * g.width + cols[0]) * BLOCK
        row, pixel = g.dilation_h * g.width * BLOCK, g.dilation_w * BLOCK
    else:
        copy_patch(d, g.width, rows, cols, height, width, patch)
        d = patch
    for part in range(PARTS):
        if height == 1 or width == 1:
            patch_transform(g.frequencies, d, pixel if height == 1 else row, v, frequency)
            fetch(following, g.frequencies if part == 0 else 0, frequency)
        else:
            for i in range(width):
                patch_transform(height, d + i * pixel, row, half + i * VL, width * VL)
            for i in range(height):
                patch_transform(width, half + i * width * VL, VL, v + i * width * frequency, frequency)
                fetch(following + i * width * frequency, width if part == 0 else 0, frequency)
        d += VL
        v += VL


cdef void pool_tile(const Tiling* g, const float* out, Py_ssize_t height, Py_ssize_t width, vec shift,
                    float* y) noexcept nogil:
    """y = the maximum of each 2×2 of the `height` × `width` outputs inside the picture, shifted and activated."""
    cdef Py_ssize_t i, j, k, l
    cdef vec value
    for i in range(0, height, 2):
        for j in range(0, width, 2):
            value = load(out + (i * g.side_w + j) * VL)
            for k in range(i, min(i + 2, height)):
                for l in range(j, min(j + 2, width)):
                    value = larger(load(out + (k * g.side_w + l) * VL), value)
            value = value + shift
            store(y + (i // 2 * g.plane_width + j // 2) * BLOCK, activated(value, g.relu, NULL))


cdef void finish_tile(const Tiling* g, const float* m, Py_ssize_t frequency, Py_ssize_t tile, Py_ssize_t block,
                      const float* bias, float* y) noexcept nogil:
    """Write one block of outputs of one tile into the top: Aᵀ m A + bias + `add`, then ReLU and pooling if asked."""
    cdef float[8 * 8 * VL] half
    cdef float[6 * 6 * VL] out
    cdef Py_ssize_t i, j, part, height, width, start, at
    cdef Py_ssize_t image = tile // (g.down * g.across), place = tile % (g.down * g.across)
    cdef Py_ssize_t row = g.row_starts[place // g.across], col = g.col_starts[place % g.across]
    cdef const float* slopes = NULL
    cdef vec shift, value
    height, width = rows_inside(g, row), columns_inside(g, col)
    if g.pool:
        row, col = row // 2, col // 2
    row, col = g.first_row + row, g.first_col + col
    start = (((image * g.output_blocks + block) * g.plane_height + row) * g.plane_width + col) * BLOCK
    for part in range(PARTS):
        if g.points_h == 1 or g.points_w == 1:
            tile_transform(g.frequencies, g.side_h * g.side_w, m, frequency, out, VL)
        else:
            for j in range(g.points_w):
                tile_transform(g.points_h, g.side_h, m + j * frequency, g.points_w * frequency, half + j * VL,
                               g.points_w * VL)
            for i in range(g.side_h):
                tile_transform(g.points_w, g.side_w, half + i * g.points_w * VL, VL, out + i * g.side_w * VL, VL)
        shift = load(bias + part * VL)
        if g.slopes != NULL:
            slopes = g.slopes + block * BLOCK + part * VL
        if not g.pool:
            for i in range(height):
                at = start + i * g.dilation_h * g.plane_width * BLOCK
                for j in range(width):
                    value = load(out + (i * g.side_w + j) * VL) + shift
                    if g.add != NULL:
                        value = value + load(g.add + at)
                    store(y + at, activated(value, g.relu, slopes))
                    at += g.dilation_w * BLOCK
        else:
            pool_tile(g, out, height, width, shift, y + start)
        m += VL
        start += VL


cdef void multiply_panels(const float* v, Py_ssize_t blocks, const float* u, float* m, Py_ssize_t m_row,
                          Py_ssize_t count, const Py_ssize_t* offsets) noexcept nogil:
    """m = v · u for `count` tiles of `blocks` channel blocks and one chunk. Prefetches the weights after u."""
    cdef Py_ssize_t panels = (count + ROWS - 1) // ROWS, size = blocks * BLOCK, panel, row
    cdef bint short_last = panels > 1 and count - (panels - 1) * ROWS <= SUM_ROWS
    # The next weights come from memory while these are used.
    cdef Py_ssize_t whole = panels - short_last, step = (CHUNK + whole - 1) // whole
    cdef float* products = m
    for panel in range(panels):
        if short_last and panel == panels - 1:
            for row in range(SUM_ROWS):
                store(products + row * m_row, splat(0))
                store(products + row * m_row + VL, splat(0))
            multiply_few(v, BLOCK, 1, offsets, blocks, BLOCK, u, CHUNK, products, m_row)
        else:
            multiply(v, BLOCK, 1, offsets, blocks, BLOCK, u, CHUNK, products, m_row,
                     u + size * CHUNK + panel * size * step, step)
        v += size * ROWS
        products += ROWS * m_row


cdef void multiply_tiles(const Tiling* g, const float* v, Py_ssize_t v_frequency, const float* u, float* m,
                         Py_ssize_t m_frequency, Py_ssize_t count, const Py_ssize_t* offsets) noexcept nogil:
    """m = v · u at every frequency, for `count` tiles and one group of outputs."""
    cdef Py_ssize_t f, part
    for part in range(GROUP // CHUNK):
        for f in range(g.frequencies):
            multiply_panels(v + f * v_frequency, g.channel_blocks,
                            u + (part * g.frequencies + f) * g.channel_blocks * BLOCK * CHUNK,
                            m + f * m_frequency + part * CHUNK, GROUP, count, offsets)


cdef void clear_rows(float* v, Py_ssize_t frequencies, Py_ssize_t frequency, Py_ssize_t channel_blocks,
                     Py_ssize_t count) noexcept nogil:
    """Zero the rows of the last panel after the last of `count` tiles."""
    cdef Py_ssize_t f, block, left = count % ROWS
    if left == 0:
        return
    for f in range(frequencies):
        for block in range(channel_blocks):
            memset(v + f * frequency + ((count // ROWS * channel_blocks + block) * ROWS + left) * BLOCK, 0,
                   (ROWS - left) * BLOCK * sizeof(float))


cdef inline float* place_of(float* v, const Tiling* g, Py_ssize_t tile, Py_ssize_t block) noexcept nogil:
    return v + ((tile // ROWS * g.channel_blocks + block) * ROWS + tile % ROWS) * BLOCK


cdef inline void transform_one(const Tiling* g, const float* x, Py_ssize_t first, Py_ssize_t tile, Py_ssize_t count,
                               Py_ssize_t block, float* v, Py_ssize_t frequency) noexcept nogil:
    """`transform_patch` for one of `count` tiles from `first` on. After the last comes the first of the next block."""
    cdef Py_ssize_t last = tile == count - 1
    transform_patch(g, x, first + tile, block, place_of(v, g, tile, block),
                    place_of(v, g, 0 if last else tile + 1, block + last), frequency)


cdef void transform_patches(const Tiling* g, const float* x, Py_ssize_t first, Py_ssize_t count, float* v,
                            Py_ssize_t frequency, int threads) noexcept nogil:
    """Transform all channels of `count` tiles from `first` on; zero the rest of their last panel."""
    cdef Py_ssize_t item
    clear_rows(v, g.frequencies, frequency, g.channel_blocks, count)
    for item in prange(count * g.channel_blocks, schedule="static", num_threads=threads):
        transform_one(g, x, first, item % count, count, item // count, v, frequency)


cdef void finish_group(const Tiling* g, const float* m, Py_ssize_t frequency, Py_ssize_t first, Py_ssize_t count,
                       Py_ssize_t group, const float* bias, float* y) noexcept nogil:
    """Transform the products of one group of outputs back, tile by tile."""
    cdef Py_ssize_t tile, half, block
    for half in range(BLOCKS_OF_GROUP):
        block = group * BLOCKS_OF_GROUP + half
        if block < g.output_blocks:
            for tile in range(count):
                finish_tile(g, m + tile * GROUP + half * BLOCK, frequency, first + tile, block, bias + block * BLOCK, y)


cdef void forward_tiles(const Tiling* g, const float* x, const float* u, const float* bias, float* y, Py_ssize_t first,
                        Py_ssize_t count, float* v, Py_ssize_t v_frequency, float* m, Py_ssize_t m_frequency,
                        const Py_ssize_t* offsets) noexcept nogil:
    """All steps for `count` tiles from `first` on."""
    cdef Py_ssize_t tile, block, group
    cdef Py_ssize_t u_group = g.frequencies * g.channel_blocks * BLOCK * GROUP
    for block in range(g.channel_blocks):
        for tile in range(count):
            transform_one(g, x, first, tile, count, block, v, v_frequency)
    clear_rows(v, g.frequencies, v_frequency, g.channel_blocks, count)
    for group in range(groups_of(g.output_blocks)):
        multiply_tiles(g, v, v_frequency, u + group * u_group, m, m_frequency, count, offsets)
        finish_group(g, m, m_frequency, first, count, group, bias, y)


cdef inline bint known_transform(Py_ssize_t points, Py_ssize_t side) noexcept nogil:
    """Whether there are transforms for this many points and outputs; one point stays as it is."""
    return points == side == 1 or points == 6 and side == 4 or points == 8 and 2 <= side <= 6


cdef inline int check_square(const Tiling* g) except -1:
    """Raise ValueError unless tiles are squares of more than one output."""
    return check(g.points_h == g.points_w > 1 and g.side_h == g.side_w and g.dilation_h == g.dilation_w, "tiling")


cdef int set_tiling(Tiling* g, tiling, Py_ssize_t channel_blocks, Py_ssize_t height, Py_ssize_t width,
                    Py_ssize_t output_blocks, Py_ssize_t top_height, Py_ssize_t top_width, list kept) except -1:
    """Fill g from `tiling` (`Tiling` of convolution/winograd.py) and the sizes of bottom and top; `kept` keeps its maps.

    g has no ReLU, no pooling and no `add`. Raises ValueError for unknown transforms and for maps that do not fit.
    """
    cdef const int[:, ::1] rows = tiling.rows, cols = tiling.cols
    cdef const int[::1] row_starts = tiling.row_starts, col_starts = tiling.col_starts
    read_pair(tiling.points, 1, "points", &g.points_h, &g.points_w)
    read_pair(tiling.side, 1, "side", &g.side_h, &g.side_w)
    read_pair(tiling.dilation, 1, "dilation", &g.dilation_h, &g.dilation_w)
    g.relu, g.pool, g.slopes, g.add = False, False, NULL, NULL
    g.channel_blocks, g.height, g.width = channel_blocks, height, width
    g.output_blocks, g.top_height, g.top_width = output_blocks, top_height, top_width
    g.down, g.across = rows.shape[0], cols.shape[0]
    check(known_transform(g.points_h, g.side_h) and known_transform(g.points_w, g.side_w)
          and g.points_h * g.points_w > 1, "points and side")
    check(max(g.dilation_h, g.dilation_w, height, width, top_height, top_width) <= INT_MAX, "dilation")
    g.frequencies = g.points_h * g.points_w
    check(g.down > 0 and g.across > 0 and rows.shape[1] == g.points_h and cols.shape[1] == g.points_w, "maps")
    check(row_starts.shape[0] == g.down and col_starts.shape[0] == g.across, "starts")
    g.rows = checked(&rows[0, 0], g.down * g.points_h, -1, height, kept, "rows")
    g.cols = checked(&cols[0, 0], g.across * g.points_w, -1, width, kept, "cols")
    g.row_starts = checked(&row_starts[0], g.down, 0, top_height, kept, "row_starts")
    g.col_starts = checked(&col_starts[0], g.across, 0, top_width, kept, "col_starts")
    return 0


cdef int set_top(Tiling* g, Py_ssize_t height, Py_ssize_t width, margins) except -1:
    """Set the place of the outputs in arrays of this height and width. Raises ValueError if they do not fit."""
    cdef Py_ssize_t step = 2 if g.pool else 1, last_rows, last_cols
    rows, cols = margins
    read_pair(rows, 0, "a margin", &g.first_row, &last_rows)
    read_pair(cols, 0, "a margin", &g.first_col, &last_cols)
    g.plane_height, g.plane_width = height, width
    return check(height == g.first_row + (g.top_height + step - 1) // step + last_rows
          and width == g.first_col + (g.top_width + step - 1) // step + last_cols
          and (not g.pool or g.side_h % 2 == g.side_w % 2 == 0 and g.dilation_h == g.dilation_w == 1), "y")


def winograd_forward(const float[:, :, :, :, ::1] x, const float[::1] u, const float[::1] bias,
                     const float[::1] slopes, const float[:, :, :, :, ::1] add,
                     float[:, :, :, :, ::1] y,  # out
                     tiling, *, top_size, margins, bint relu, bint pool, Py_ssize_t at_once, bint by_outputs,
                     float[::1] scratch, int threads):
    """y = the convolution of x by the filters in u, plus bias and `add`, then (`relu`) ReLU and (`pool`) 2×2 pooling.

    Pooling takes the maximum. x and y are N×C/16×H×W×16. `add` has y's shape, or is empty; it excludes pooling. bias has a value for each output
    of y's groups. So have `slopes`, of PReLU, which excludes pooling too; empty slopes mean ReLU. Margins, the first and last rows and columns of y, are not written;
    `tiling` covers the rest, which has top_size before pooling. The buffers hold `at_once` tiles: each thread has its
    own, or (`by_outputs`) all threads share v and split the outputs. `scratch` needs `winograd_scratch(...)` floats.
    """
    cdef Tiling g
    cdef Py_ssize_t count, groups, v_frequency, m_frequency, v_size, m_size, item, first, here
    cdef Py_ssize_t group, u_group, top_height, top_width
    cdef list kept = []
    cdef float* v
    cdef float* m
    threads = usable(threads)
    read_pair(top_size, 1, "top_size", &top_height, &top_width)
    check_blocked(x.shape, "x")
    check_blocked(y.shape, "y")
    check(y.shape[0] == x.shape[0], "y")
    set_tiling(&g, tiling, x.shape[1], x.shape[2], x.shape[3], y.shape[1], top_height, top_width, kept)
    g.relu, g.pool, g.slopes = relu, pool, &slopes[0] if slopes.shape[0] else NULL
    set_top(&g, y.shape[2], y.shape[3], margins)
    if add.shape[0] > 0:
        check_shape(add.shape, y.shape, 5, "add")
        check(not pool, "add")
        g.add = &add[0, 0, 0, 0, 0]
    count = x.shape[0] * g.down * g.across
    groups = groups_of(g.output_blocks)
    u_group = g.frequencies * g.channel_blocks * BLOCK * GROUP
    check(u.shape[0] >= <double>groups * u_group and bias.shape[0] >= groups * GROUP, "u and bias")
    check(slopes.shape[0] == 0 or slopes.shape[0] >= groups * GROUP and not pool, "slopes")
    check(at_once > 0
          and scratch.shape[0] >= winograd_scratch(g.frequencies, g.channel_blocks, at_once, by_outputs, threads),
          "scratch")
    v_frequency = spacing(whole_panels(at_once), g.channel_blocks * BLOCK)
    m_frequency = spacing(whole_panels(at_once), GROUP)
    v_size, m_size = g.frequencies * v_frequency, g.frequencies * m_frequency
    cdef Py_ssize_t[::1] offsets = segment_offsets(g.channel_blocks)
    if not by_outputs:
        for item in prange((count + at_once - 1) // at_once, nogil=True, schedule="dynamic", num_threads=threads):
            forward_tiles(&g, &x[0, 0, 0, 0, 0], &u[0], &bias[0], &y[0, 0, 0, 0, 0], item * at_once,
                          min(at_once, count - item * at_once), &scratch[0] + threadid() * (v_size + m_size),
                          v_frequency, &scratch[0] + threadid() * (v_size + m_size) + v_size, m_frequency, &offsets[0])
        return
    v, m = &scratch[0], &scratch[0] + v_size
    for first in range(0, count, at_once):
        here = min(at_once, count - first)
        with nogil:
            transform_patches(&g, &x[0, 0, 0, 0, 0], first, here, v, v_frequency, threads)
        for group in prange(groups, nogil=True, schedule="dynamic", num_threads=threads):
            multiply_tiles(&g, v, v_frequency, &u[0] + group * u_group, m + threadid() * m_size, m_frequency,
                           here, &offsets[0])
            finish_group(&g, m + threadid() * m_size, m_frequency, first, here, group, &bias[0], &y[0, 0, 0, 0, 0])


def winograd_scratch(Py_ssize_t frequencies, Py_ssize_t channel_blocks, Py_ssize_t at_once, bint by_outputs,
                     int threads):
    """Floats in the buffers v and m of `winograd_forward`."""
    check_buffers(frequencies, at_once, channel_blocks, 1, threads)
    v = frequencies * spacing(whole_panels(at_once), channel_blocks * BLOCK)
    m = frequencies * spacing(whole_panels(at_once), GROUP)
    return v + threads * m if by_outputs else threads * (v + m)


cdef int check_buffers(Py_ssize_t frequencies, Py_ssize_t tiles, Py_ssize_t channel_blocks, Py_ssize_t output_blocks,
                       Py_ssize_t threads) except -1:
    """Raise ValueError if the products of tiles, channels and outputs overflow, or if one of the sizes is negative."""
    cdef double channels = (channel_blocks + <double>BLOCKS_OF_GROUP) * GROUP
    cdef double outputs = (output_blocks + <double>BLOCKS_OF_GROUP) * GROUP, padded = tiles + <double>GROUP
    return check_memory(<double>frequencies * (padded * (channels + outputs) + channels * outputs) * threads,
                        min(frequencies, tiles, channel_blocks, output_blocks, threads))


cdef segment_offsets(Py_ssize_t channel_blocks):
    """The place of each channel block in a panel of v."""
    return np.arange(channel_blocks) * (ROWS * BLOCK)
