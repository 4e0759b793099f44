# Local response normalisation across the channels of blocked arrays, N×C/16×H×W×16.
#
#     s[c] = k + alpha_n · Σ x[c + d]²        y = x · s^−beta        |d| ≤ reach
#     dx[c] = dy · s^−beta − 2 · alpha_n · beta · x · Σ (dy · x · s^(−beta − 1))[c + d]

cdef extern from *:
    """
    #include <math.h>
    /* x[i] = x[i]^-beta. The published nets have beta = 3/4, which takes two square roots. */
    static inline void to_power(float* x, Py_ssize_t count, float beta) {
        if (beta == 0.75f) {
            for (Py_ssize_t i = 0; i < count; i++) {
                const float root = 1 / sqrtf(x[i]);
                x[i] = root * sqrtf(root);
            }
        } else {
            for (Py_ssize_t i = 0; i < count; i++)
                x[i] = powf(x[i], -beta);
        }
    }
    """
    void to_power(float* x, Py_ssize_t count, float beta) noexcept nogil


cdef inline void window_sums(const float* values, Py_ssize_t channels, Py_ssize_t reach, float factor, float shift,
                             float* sums) noexcept nogil:
    """sums[c] = shift + factor · Σ values[c + d], for whole blocks. `values` has `reach` zeros on either side."""
    cdef Py_ssize_t c, d, i
    cdef vec total
    for i in range(channels // VL):
        c = i * VL
        total = load(values + c)
        for d in range(1, reach + 1):
            total = total + (load(values + c - d) + load(values + c + d))
        store(sums + c, splat(shift) + splat(factor) * total)


cdef void lrn_row(const float* x, const float* dy, Py_ssize_t place, Py_ssize_t blocks, Py_ssize_t plane,
                  Py_ssize_t width, Py_ssize_t reach, float alpha_n, float beta, float k, float* squares, float* s,
                  float* power, float* out) noexcept nogil:
    """Write y into `out`, or dx if dy is not NULL, for the row of pixels at `place`.

    `plane`: floats from block to block. `squares`, `s` and `power` are buffers of one float for each channel;
    `squares` has `reach` zeros on either side.
    """
    cdef Py_ssize_t j, b, part, channels = blocks * BLOCK
    cdef vec value
    x += place
    out += place
    if dy != NULL:
        dy += place
    for j in range(width):
        for b in range(blocks):
            for part in range(PARTS):
                value = load(x + b * plane + j * BLOCK + part * VL)
                store(squares + b * BLOCK + part * VL, value * value)
        window_sums(squares, channels, reach, alpha_n, k, s)
        memcpy(power, s, channels * sizeof(float))
        to_power(power, channels, beta)
        if dy == NULL:
            for b in range(blocks):
                for part in range(PARTS):
                    store(out + b * plane + j * BLOCK + part * VL,
                          load(x + b * plane + j * BLOCK + part * VL) * load(power + b * BLOCK + part * VL))
            continue
        for b in range(blocks):
            for part in range(PARTS):
                value = load(dy + b * plane + j * BLOCK + part * VL) * load(x + b * plane + j * BLOCK + part * VL)
                store(squares + b * BLOCK + part * VL,
                      value * load(power + b * BLOCK + part * VL) / load(s + b * BLOCK + part * VL))
        window_sums(squares, channels, reach, -2 * alpha_n * beta, 0, s)
        for b in range(blocks):
            for part in range(PARTS):
                store(out + b * plane + j * BLOCK + part * VL,
                      load(dy + b * plane + j * BLOCK + part * VL) * load(power + b * BLOCK + part * VL)
                      + load(x + b * plane + j * BLOCK + part * VL) * load(s + b * BLOCK + part * VL))


cdef lrn_rows(const float[:, :, :, :, ::1] x, const float* dy, Py_ssize_t reach, float alpha_n, float beta, float k,
              float[:, :, :, :, ::1] out, int threads):
    cdef Py_ssize_t item, blocks = x.shape[1], height = x.shape[2], width = x.shape[3], plane = height * width * BLOCK
    cdef Py_ssize_t margin, size, place
    threads = usable(threads)
    check_blocked(x.shape, "x")
    check_shape(out.shape, x.shape, 5, "y")
    check(reach >= 0, "reach")
    reach = min(reach, blocks * BLOCK)  # beyond the channels there are only zeros
    margin = (reach + BLOCK - 1) // BLOCK * BLOCK
    size = 2 * margin + blocks * BLOCK
    cdef float[:, ::1] squares = np.zeros((threads, size), np.float32)
    cdef float[:, :, ::1] sums = np.empty((threads, 2, blocks * BLOCK), np.float32)
    for item in prange(x.shape[0] * height, nogil=True, schedule="static", num_threads=threads):
        place = item // height * blocks * plane + item % height * width * BLOCK
        lrn_row(&x[0, 0, 0, 0, 0], dy, place, blocks, plane, width, reach, alpha_n, beta, k,
                &squares[threadid(), margin], &sums[threadid(), 0, 0], &sums[threadid(), 1, 0], &out[0, 0, 0, 0, 0])


def lrn(const float[:, :, :, :, ::1] x, Py_ssize_t reach, float alpha_n, float beta, float k,
        float[:, :, :, :, ::1] y,  # out
        int threads):
    """y = x · s^−beta, with s as above."""
    lrn_rows(x, NULL, reach, alpha_n, beta, k, y, threads)


def lrn_backward(const float[:, :, :, :, ::1] dy, const float[:, :, :, :, ::1] x, Py_ssize_t reach, float alpha_n,
                 float beta, float k,
                 float[:, :, :, :, ::1] dx,  # out
                 int threads):
    """dx = dy · s^−beta − 2 · alpha_n · beta · x · Σ (dy · x · s^(−beta − 1))[c + d], with s as above."""
    check_shape(dy.shape, x.shape, 5, "dy")
    lrn_rows(x, &dy[0, 0, 0, 0, 0], reach, alpha_n, beta, k, dx, threads)
