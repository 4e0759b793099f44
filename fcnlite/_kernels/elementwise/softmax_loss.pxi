# Softmax over the channels of N×C×H×W, and its loss. All channels of VL pixels are computed together.

from libc.math cimport expf, logf

cdef extern from *:
    """
    typedef int ints __attribute__((vector_size(4 * VL)));
    typedef unsigned bits __attribute__((vector_size(4 * VL)));
    /* exp(x) for x ≤ 0, as 2^n · exp(r) with the series of exp(r). 0 below the smallest normal float; NaN of NaN. */
    static inline vec exp_of(vec x) {
        const float top = 12582912.0f;  /* 1.5 · 2^23: adding it rounds to an integer */
        const ints kept = ~(x <= -87.0f);
        x = larger(splat(-87.0f), x);
        vec n = (x * 1.44269504f + top) - top;
        vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
        vec e = 1.0f + r * (1.0f + r * (0.5f + r * (0.16666667f + r * (0.041666667f + r * (0.0083333333f
                + r * 0.0013888889f)))));
        bits power = __builtin_convertvector(__builtin_convertvector(n, ints), bits) << 23;
        return (vec)(((bits)e + power) & (bits)kept);
    }
    """
    vec exp_of(vec x) noexcept nogil


cdef int check_pixels(const Py_ssize_t* pixels, const Py_ssize_t* x, str what) except -1:
    """Raise ValueError unless `pixels` is the shape of a value for each pixel of the shape `x`, N×C×H×W."""
    return check(pixels[0] == x[0] and pixels[1] == x[2] and pixels[2] == x[3], what)


def softmax_loss(const float[:, :, :, ::1] x, const long long[:, :, ::1] label, const float[:, :, ::1] importance,
                 float smallest,
                 float[:, :, :, ::1] p,  # out
                 int threads):
    """p = softmax(x) over the channels; returns −Σ importance · log max(p[label], smallest) over the pixels."""
    cdef Py_ssize_t item, rows = x.shape[2], outside = 0
    threads = usable(threads)
    check_filled(x.shape, 4, "x")
    check_shape(p.shape, x.shape, 4, "p")
    check_pixels(label.shape, x.shape, "label")
    check_pixels(importance.shape, x.shape, "importance")
    cdef double[::1] losses = np.zeros(x.shape[0] * rows)
    for item in prange(x.shape[0] * rows, nogil=True, schedule="static", num_threads=threads):
        losses[item] = softmax_loss_row(&x[item // rows, 0, item % rows, 0], x.shape[1], rows * x.shape[3], x.shape[3],
                                        &label[item // rows, item % rows, 0], &importance[item // rows, item % rows, 0],
                                        smallest, &p[item // rows, 0, item % rows, 0], &outside)
    check(outside == 0, "label")
    return float(np.asarray(losses).sum())


cdef double softmax_loss_row(const float* x, Py_ssize_t channels, Py_ssize_t plane, Py_ssize_t width,
                             const long long* label, const float* importance, float smallest, float* p,
                             Py_ssize_t* outside) noexcept nogil:
    """The loss of one row. Sets `outside` to 1 if a label that counts is not a channel."""
    cdef Py_ssize_t j = 0, c, own
    cdef vec most, total, value
    cdef float most_one, total_one, value_one
    cdef double loss = 0
    while j + VL <= width:
        most = load(x + j)
        for c in range(1, channels):
            most = larger(load(x + c * plane + j), most)
        total = splat(0)
        for c in range(channels):
            value = exp_of(load(x + c * plane + j) - most)
            store(p + c * plane + j, value)
            total = total + value
        total = splat(1) / total
        for c in range(channels):
            store(p + c * plane + j, load(p + c * plane + j) * total)
        j += VL
    while j < width:
        most_one = x[j]
        for c in range(1, channels):
            most_one = max(most_one, x[c * plane + j])
        total_one = 0
        for c in range(channels):
            value_one = expf(x[c * plane + j] - most_one)
            p[c * plane + j] = value_one
            total_one += value_one
        for c in range(channels):
            p[c * plane + j] /= total_one
        j += 1
    for j in range(width):
        own = label[j]
        if importance[j] != 0:
            if 0 <= own < channels:
                loss -= importance[j] * logf(max(p[own * plane + j], smallest))
            else:
                outside[0] = 1
    return loss


def softmax_loss_backward(const float[:, :, :, ::1] p, const long long[:, :, ::1] label,
                          const float[:, :, ::1] importance, float scale,
                          float[:, :, :, ::1] dx,  # out
                          int threads):
    """dx = scale · importance · (p − [channel = label])"""
    cdef Py_ssize_t item, rows = p.shape[2], outside = 0
    threads = usable(threads)
    check_filled(p.shape, 4, "p")
    check_shape(dx.shape, p.shape, 4, "dx")
    check_pixels(label.shape, p.shape, "label")
    check_pixels(importance.shape, p.shape, "importance")
    for item in prange(p.shape[0] * rows, nogil=True, schedule="static", num_threads=threads):
        softmax_loss_row_backward(&p[item // rows, 0, item % rows, 0], p.shape[1], rows * p.shape[3], p.shape[3],
                                  &label[item // rows, item % rows, 0], &importance[item // rows, item % rows, 0],
                                  scale, &dx[item // rows, 0, item % rows, 0], &outside)
    check(outside == 0, "label")


cdef void softmax_loss_row_backward(const float* p, Py_ssize_t channels, Py_ssize_t plane, Py_ssize_t width,
                                    const long long* label, const float* importance, float scale,
                                    float* dx, Py_ssize_t* outside) noexcept nogil:
    """One row of dx. Sets `outside` to 1 if a label that counts is not a channel."""
    cdef Py_ssize_t j, c, own
    for c in range(channels):
        for j in range(width):
            dx[c * plane + j] = scale * importance[j] * p[c * plane + j] if importance[j] != 0 else 0
    for j in range(width):
        own = label[j]
        if importance[j] != 0:
            if 0 <= own < channels:
                dx[own * plane + j] -= scale * importance[j]
            else:
                outside[0] = 1
