# Direct convolution: the micro-kernel reads the picture itself. Its sum has one segment for each tap of the filter.
#
# A panel is ROWS neighbouring outputs of one row. Pictures are blocked, or thin: of few channels, which are side by
# side in each pixel, so that a row of the filter is one segment. u holds the filters as [chunk][tap][channel][CHUNK].
#
# Where the picture has a pad or repeated rows, the rows that a share of the work reads are copied first. `rows` and
# `cols` give the row and column of the bottom for each one of the padded picture; −1 is zero.

cdef struct Direct:
    Py_ssize_t planes, height, width, channels  # of the bottom; channels in a pixel of it
    Py_ssize_t step, padded_width  # floats in a row of the padded picture or of its copy; its width
    Py_ssize_t stride_h, stride_w, extent_h, dilation_h  # extent_h: rows from the filter's first tap to its last
    Py_ssize_t segments, length, u_group  # u_group: floats of u for a group of outputs
    Py_ssize_t output_blocks, top_height, top_width, panels  # panels in a row of outputs
    Py_ssize_t y_block, y_row, y_step  # floats from one block, row and output of y to the next
    const int* rows
    const int* cols
    const Py_ssize_t* offsets
    const float* slopes  # of PReLU, one for each output, or NULL
    const float* y  # where the top begins,
    const float* add  # and a summand in the same order, or NULL
    float limit  # the largest value of the top
    bint thin, relu


cdef void copy_rows(const Direct* g, const float* x, Py_ssize_t first, Py_ssize_t count, float* to) noexcept nogil:
    """Copy `count` rows of the padded picture from `first` on. A row holds plane after plane; a thin one, pixels.

    Rows that no tap reads, because of the dilation, are not written.
    """
    cdef Py_ssize_t i, j, c
    cdef const float* row
    cdef float* pixel
    for i in range(count):
        if i % g.dilation_h > count - g.extent_h:
            continue
        for c in range(g.planes):
            if not g.thin:
                copy_patch(x + c * g.height * g.width * BLOCK, g.width, g.rows + first + i, g.cols, 1, g.padded_width,
                           to + (i * g.planes + c) * g.padded_width * BLOCK)
                continue
            row = x + (c * g.height + g.rows[first + i]) * g.width
            pixel = to + i * g.step + c
            for j in range(g.padded_width):
                pixel[j * g.channels] = 0 if g.rows[first + i] < 0 or g.cols[j] < 0 else row[g.cols[j]]


cdef void finish_panel(const Direct* g, const float* sums, Py_ssize_t count, Py_ssize_t group, const float* bias,
                       float* y) noexcept nogil:
    """Add bias and summand and rectify `count` neighbouring outputs of one group; y: the first one's place in block 0."""
    cdef Py_ssize_t half, i, part, block
    cdef const float* slopes = NULL
    cdef float* to
    cdef vec value
    for half in range(BLOCKS_OF_GROUP):
        block = group * BLOCKS_OF_GROUP + half
        if block >= g.output_blocks:
            return
        to = y + block * g.y_block
        for i in range(count):
            for part in range(PARTS):
                value = load(sums + i * GROUP + half * BLOCK + part * VL) + load(bias + block * BLOCK + part * VL)
                if g.add != NULL:
                    value = value + load(g.add + (to - g.y) + i * g.y_step + part * VL)
                if g.slopes != NULL:
                    slopes = g.slopes + block * BLOCK + part * VL
                store(to + i * g.y_step + part * VL, smaller(splat(g.limit), activated(value, g.relu, slopes)))


cdef void direct_panels(const Direct* g, const float* x, const float* u, const float* bias, float* y,
                        Py_ssize_t first_row, Py_ssize_t first_panel, Py_ssize_t last_panel, Py_ssize_t first_group,
                        Py_ssize_t last_group) noexcept nogil:
    """Panels first_panel … last_panel − 1 of one picture, counted along its rows, for some groups of outputs.

    x begins at the first row of the padded picture that output row `first_row` reads.
    """
    cdef float[ROWS * GROUP] sums
    cdef Py_ssize_t group, panel, row, first, col, part
    cdef const float* a
    cdef const float* filters
    for group in range(first_group, last_group):
        for panel in range(first_panel, last_panel):
            row, first = panel // g.panels, panel % g.panels * ROWS
            col = min(first, max(0, g.top_width - ROWS))  # the last panel overlaps the one before, which writes its own
            a = x + (row - first_row) * g.stride_h * g.step + col * g.stride_w * g.channels
            for part in range(GROUP // CHUNK):
                filters = u + group * g.u_group + part * (g.u_group // (GROUP // CHUNK))
                multiply(a, g.stride_w * g.channels, 1, g.offsets, g.segments, g.length, filters, CHUNK,
                         sums + part * CHUNK, GROUP, filters, CHUNK)
            finish_panel(g, sums + (first - col) * GROUP, min(ROWS, g.top_width - first), group, bias,
                         y + row * g.y_row + first * g.y_step)


def direct_forward(const float[::1] x, x_shape, const float[::1] u, const float[::1] bias, const float[::1] slopes,
                   const float[:, :, :, :, ::1] add,
                   float[:, :, :, :, ::1] y,  # out
                   const int[::1] rows, const int[::1] cols, const Py_ssize_t[::1] offsets, *, blocks, top_size, place,
                   spread, Py_ssize_t length, Py_ssize_t extent_h, Py_ssize_t dilation_h, stride, bint thin, bint relu,
                   float limit, bint copied, Py_ssize_t panels_at_once, Py_ssize_t groups_at_once,
                   float[::1] scratch, int threads):
    """y = the convolution of x by the filters in u, plus bias and, unless it is empty, `add`, rectified.

    `relu`: ReLU, or PReLU unless `slopes` is empty; then values above `limit` become `limit`. The outputs, of
    `top_size`, are every spread-th row and column of y from `place` on; the others are not written.
    x is flat: blocked, N×C/16×H×W×16, or (`thin`) N×C×H×W. x_shape is its first four axes. y is blocked. `blocks`: the
    first block of x, their number, the first block of y, their number, for convolution in groups. `offsets`: where the
    segments of the sum begin, each of `length` floats, in the picture or (`copied`) in the copy that `copy_rows` makes
    by `rows` and `cols`. The copy needs `direct_scratch(...)` floats of `scratch` for each thread. `extent_h`: rows
    that the filter spans, with taps `dilation_h` apart. One piece of work is `panels_at_once` × `groups_at_once`.
    """
    cdef Direct g
    cdef Py_ssize_t n, planes, height, width, first_in, first_out, item, panels, groups, shares, group_shares, size
    cdef Py_ssize_t rows_at_once, room, first_row, first_col
    cdef list kept = []
    threads = usable(threads)
    n, planes, height, width = x_shape
    first_row, first_col = place
    first_in, g.planes, first_out, g.output_blocks = blocks
    read_pair(stride, 1, "stride", &g.stride_h, &g.stride_w)
    check_blocked(y.shape, "y")
    check(min(n, planes, height, width) > 0 and x.shape[0] == <double>n * planes * height * width
          * (1 if thin else BLOCK) and y.shape[0] == n, "x")
    check(0 <= first_in < planes and 0 < g.planes <= planes - first_in
          and 0 <= first_out < y.shape[1] and 0 < g.output_blocks <= y.shape[1] - first_out, "blocks")
    check(not thin or g.planes == planes, "blocks")
    check(min(length, extent_h, dilation_h) > 0 and max(length, extent_h, dilation_h) <= INT_MAX, "extent_h")
    check(0 < min(panels_at_once, groups_at_once), "a piece")
    g.height, g.width, g.padded_width, g.thin, g.relu = height, width, cols.shape[0], thin, relu
    g.extent_h, g.dilation_h = extent_h, dilation_h
    g.channels = planes if thin else BLOCK
    g.step = g.padded_width * (g.channels if thin else g.planes * BLOCK) if copied else width * BLOCK
    place_top(&g, y, add, top_size, place, spread)
    g.limit = limit
    g.panels = (g.top_width + ROWS - 1) // ROWS
    g.slopes = &slopes[0] if slopes.shape[0] else NULL
    g.segments, g.length = offsets.shape[0], length
    panels, groups = g.top_height * g.panels, groups_of(g.output_blocks)
    panels_at_once, groups_at_once = min(panels_at_once, panels), min(groups_at_once, groups)
    size = direct_scratch((planes if thin else g.planes * BLOCK), g.padded_width, extent_h, g.stride_h, g.stride_w,
                          g.top_width, panels_at_once) if copied else 0
    check(rows.shape[0] >= (g.top_height - 1.0) * g.stride_h + extent_h, "rows")
    check(copied or not thin and g.top_width >= ROWS and rows.shape[0] == height and g.padded_width == width, "copied")
    check(scratch.shape[0] >= <double>threads * size, "scratch")
    check(u.shape[0] >= <double>groups * g.segments * length * GROUP and bias.shape[0] >= groups * GROUP, "u and bias")
    check(slopes.shape[0] == 0 or slopes.shape[0] >= groups * GROUP, "slopes")
    g.u_group = g.segments * length * GROUP
    g.rows = checked(&rows[0], rows.shape[0], -1, height, kept, "rows")
    g.cols = checked(&cols[0], cols.shape[0], -1, width, kept, "cols")
    rows_at_once, room = g.top_height, (planes - first_in) * height * width * BLOCK
    if copied:
        rows_at_once, room = output_rows(panels_at_once, g.panels), size
    g.offsets = checked_offsets(&g, offsets, rows_at_once, length, room, kept)
    shares = (panels + panels_at_once - 1) // panels_at_once
    group_shares = (groups + groups_at_once - 1) // groups_at_once
    for item in prange(n * shares * group_shares, nogil=True, schedule="dynamic", num_threads=threads):
        direct_piece(&g, &x[0] + (item // (shares * group_shares) * planes + first_in) * height * width
                     * (1 if thin else BLOCK), &u[0], &bias[0],
                     &y[item // (shares * group_shares), first_out, first_row, first_col, 0],
                     item // group_shares % shares * panels_at_once,
                     min((item // group_shares % shares + 1) * panels_at_once, panels),
                     item % group_shares * groups_at_once, min((item % group_shares + 1) * groups_at_once, groups),
                     copied, &scratch[0] + threadid() * size)


cdef int place_top(Direct* g, const float[:, :, :, :, ::1] y, const float[:, :, :, :, ::1] add, top_size, place,
                   spread) except -1:
    """Fill the fields of g that say where the top is. Raises ValueError unless it is inside y."""
    cdef Py_ssize_t row, col, down, across
    read_pair(top_size, 1, "top_size", &g.top_height, &g.top_width)
    read_pair(place, 0, "place", &row, &col)
    read_pair(spread, 1, "spread", &down, &across)
    check(row + (g.top_height - 1.0) * down < y.shape[2] and col + (g.top_width - 1.0) * across < y.shape[3], "y")
    g.y_block, g.y_row, g.y_step = y.shape[2] * y.shape[3] * BLOCK, down * y.shape[3] * BLOCK, across * BLOCK
    g.y, g.add = &y[0, 0, 0, 0, 0], NULL
    if add.shape[0] > 0:
        check_shape(add.shape, y.shape, 5, "add")
        g.add = &add[0, 0, 0, 0, 0]
    return 0


cdef void direct_piece(const Direct* g, const float* x, const float* u, const float* bias, float* y,
                       Py_ssize_t first_panel, Py_ssize_t last_panel, Py_ssize_t first_group, Py_ssize_t last_group,
                       bint copied, float* copy) noexcept nogil:
    """`direct_panels` on the picture, or on a copy of the rows that these panels read."""
    cdef Py_ssize_t first_row = first_panel // g.panels, rows = (last_panel - 1) // g.panels - first_row + 1
    if copied:
        copy_rows(g, x, first_row * g.stride_h, (rows - 1) * g.stride_h + g.extent_h, copy)
        x = copy
    else:
        x += first_row * g.stride_h * g.step
    direct_panels(g, x, u, bias, y, first_row, first_panel, last_panel, first_group, last_group)


def direct_scratch(Py_ssize_t channels, Py_ssize_t padded_width, Py_ssize_t extent_h, Py_ssize_t stride_h,
                   Py_ssize_t stride_w, Py_ssize_t top_width, Py_ssize_t panels_at_once):
    """Floats in one thread's copy in `direct_forward`: the rows that its panels read, and what the last reads beyond.

    `channels`: the number that is read, in whole blocks unless thin.
    """
    cdef Py_ssize_t rows, least = min(channels, padded_width, extent_h, stride_h, stride_w, top_width, panels_at_once)
    check(least > 0, "the size of a buffer")
    check_memory((<double>panels_at_once * stride_h + extent_h) * (<double>padded_width + ROWS * <double>stride_w)
                 * (<double>channels + BLOCK) + top_width, least)
    rows = (output_rows(panels_at_once, (top_width + ROWS - 1) // ROWS) - 1) * stride_h + extent_h
    return rows * padded_width * channels + ROWS * stride_w * max(channels, BLOCK)


cdef Py_ssize_t output_rows(Py_ssize_t panels_at_once, Py_ssize_t in_row) noexcept:
    """The most rows of outputs that so many panels touch, wherever they begin."""
    return (panels_at_once + in_row - 2) // in_row + 1


cdef const Py_ssize_t* checked_offsets(const Direct* g, const Py_ssize_t[::1] offsets, Py_ssize_t rows,
                                       Py_ssize_t length, Py_ssize_t room, list kept) except NULL:
    """A copy of `offsets`. Raises ValueError if a segment, for the last of `rows` rows of outputs, ends after `room`.

    In a row of fewer than ROWS outputs, the micro-kernel reads what ROWS outputs would.
    """
    cdef double last = (rows - 1.0) * g.stride_h * g.step + (max(g.top_width, ROWS) - 1.0) * g.stride_w * g.channels
    check(last + length <= room, "offsets")
    return checked(&offsets[0], offsets.shape[0], 0, room - length - <Py_ssize_t>last + 1, kept, "offsets")


def thin_backward_weight(const float[::1] x, x_shape, const float[:, :, :, :, ::1] dy, const int[::1] rows,
                         const int[::1] cols, const Py_ssize_t[::1] offsets, Py_ssize_t length, Py_ssize_t extent_h,
                         stride,
                         float[:, :, :, ::1] sums,  # in, out
                         float[::1] scratch, int threads):
    """sums[part, s, i, o] += Σ x under tap i of segment s · dy[o], over the part's share of the output rows.

    Arguments as in `direct_forward` with a thin x. The caller passes zeros in sums, parts×S×T×O: T is `length` rounded
    up to a multiple of `sum_rows()`, O counts whole groups. `scratch` needs `thin_weight_scratch(...)` floats for each
    part.
    """
    cdef Direct g
    cdef Py_ssize_t n, channels, height, width, part, parts = sums.shape[0], size, last
    cdef list kept = []
    threads = usable(threads)
    n, channels, height, width = x_shape
    read_pair(stride, 1, "stride", &g.stride_h, &g.stride_w)
    check_blocked(dy.shape, "dy")
    check_filled(sums.shape, 4, "sums")
    check(dy.shape[0] == n and min(channels, height, width) > 0
          and x.shape[0] == <double>n * channels * height * width, "x")
    check(min(length, extent_h) > 0 and max(length, extent_h) <= INT_MAX, "extent_h")
    g.planes = g.channels = channels
    g.height, g.width, g.padded_width, g.extent_h, g.dilation_h = height, width, cols.shape[0], extent_h, 1
    g.thin = True
    g.step = g.padded_width * channels
    g.segments, g.length = offsets.shape[0], length
    g.output_blocks, g.top_height, g.top_width = dy.shape[1], dy.shape[2], dy.shape[3]
    size = thin_weight_scratch(channels, g.padded_width, extent_h, g.top_width)
    check(rows.shape[0] >= (g.top_height - 1.0) * g.stride_h + extent_h, "rows")
    check(sums.shape[1] == g.segments and sums.shape[2] >= length and sums.shape[2] % SUM_ROWS == 0
          and sums.shape[3] == groups_of(g.output_blocks) * GROUP, "sums")
    check(scratch.shape[0] >= <double>parts * size, "scratch")
    g.rows = checked(&rows[0], rows.shape[0], -1, height, kept, "rows")
    g.cols = checked(&cols[0], cols.shape[0], -1, width, kept, "cols")
    check(extent_h * g.step >= (g.top_width - 1.0) * g.stride_w * channels + length, "cols")
    last = (g.top_width - 1) * g.stride_w * channels + sums.shape[2]
    g.offsets = checked(&offsets[0], g.segments, 0, extent_h * g.step + SUM_ROWS - last + 1, kept, "offsets")
    for part in prange(parts, nogil=True, schedule="static", num_threads=threads):
        sum_rows_of(&g, &x[0], n, &dy[0, 0, 0, 0, 0], g.top_height * part // parts, g.top_height * (part + 1) // parts,
                    &sums[part, 0, 0, 0], sums.shape[2], sums.shape[3], &scratch[0] + part * size)


cdef void sum_rows_of(const Direct* g, const float* x, Py_ssize_t count, const float* dy, Py_ssize_t first,
                      Py_ssize_t last, float* sums, Py_ssize_t padded, Py_ssize_t outputs,
                      float* scratch) noexcept nogil:
    """Add output rows first … last − 1 of all pictures."""
    cdef Py_ssize_t n, row, chunk, j, part, segment, i, block, zero = 0
    cdef float* copy = scratch
    cdef float* gradients = scratch + g.extent_h * g.step + SUM_ROWS
    cdef const float* line
    for n in range(count):
        for row in range(first, last):
            copy_rows(g, x + n * g.planes * g.height * g.width, row * g.stride_h, g.extent_h, copy)
            for chunk in range(outputs // CHUNK):
                for part in range(2):
                    block = (chunk * CHUNK + part * VL) // BLOCK
                    line = dy + (((n * g.output_blocks + block) * g.top_height + row) * g.top_width * BLOCK
                                 + (chunk * CHUNK + part * VL) % BLOCK)
                    for j in range(g.top_width):
                        store(gradients + j * CHUNK + part * VL,
                              load(line + j * BLOCK) if block < g.output_blocks else splat(0))
                for segment in range(g.segments):
                    for i in range(padded // SUM_ROWS):
                        multiply_few(copy + g.offsets[segment] + i * SUM_ROWS, 1, g.stride_w * g.channels, &zero, 1,
                                     g.top_width, gradients, CHUNK,
                                     sums + (segment * padded + i * SUM_ROWS) * outputs + chunk * CHUNK, outputs)


def thin_weight_scratch(Py_ssize_t channels, Py_ssize_t padded_width, Py_ssize_t extent_h, Py_ssize_t top_width):
    """Floats in one part's buffers in `thin_backward_weight`."""
    check_memory(<double>extent_h * padded_width * channels + <double>top_width * CHUNK,
                 min(channels, padded_width, extent_h, top_width))
    return extent_h * padded_width * channels + 2 * SUM_ROWS * BLOCK + top_width * CHUNK


def sum_rows():
    """The rows that the micro-kernel of the gradients of weights adds up at once."""
    return SUM_ROWS


def prepare_direct(const float[:, :, :, ::1] weight,
                   float[::1] u,  # out
                   bint thin, bint flipped, int threads):
    """u[chunk, tap, channel, o] = weight[CHUNK · chunk + o, channel, tap]; channels in whole blocks unless `thin`.

    `flipped`: weight[:, :, ::-1, ::-1] with its first two axes exchanged, for backward data.
    """
    cdef Py_ssize_t outputs = weight.shape[0], channels = weight.shape[1], taps = weight.shape[2] * weight.shape[3]
    cdef Py_ssize_t padded, chunk, o_step = channels * taps, c_step = taps
    if flipped:
        outputs, channels, o_step, c_step = channels, outputs, c_step, o_step
    padded = channels if thin else (channels + BLOCK - 1) // BLOCK * BLOCK
    threads = usable(threads)
    check_filled(weight.shape, 4, "weight")
    check(u.shape[0] == (outputs + GROUP - 1) // GROUP * GROUP * taps * padded, "u")
    for chunk in prange(u.shape[0] // (CHUNK * taps * padded), nogil=True, schedule="static", num_threads=threads):
        prepare_direct_chunk(&weight[0, 0, 0, 0], chunk * CHUNK, outputs, channels, taps, padded, o_step, c_step,
                             flipped, &u[0] + chunk * CHUNK * taps * padded)


cdef void prepare_direct_chunk(const float* weight, Py_ssize_t first, Py_ssize_t outputs, Py_ssize_t channels,
                               Py_ssize_t taps, Py_ssize_t padded, Py_ssize_t o_step, Py_ssize_t c_step, bint flipped,
                               float* u) noexcept nogil:
    """u of CHUNK outputs from `first` on. Filters of one tap that are not flipped are copied by whole vectors."""
    cdef Py_ssize_t c, o, tap, some = min(CHUNK, outputs - first)
    if some < CHUNK or channels < padded:
        memset(u, 0, taps * padded * CHUNK * sizeof(float))
    weight += first * o_step
    if c_step == 1:
        to_lanes(weight, o_step, some, channels, u)
        return
    for c in range(channels):
        for tap in range(taps):
            for o in range(some):
                u[(tap * padded + c) * CHUNK + o] = weight[o * o_step + c * c_step
                                                           + (taps - 1 - tap if flipped else tap)]


def panel_rows():
    """The outputs, or tiles, that the micro-kernel computes at once."""
    return ROWS
