# The first step of a convolution's backward: the gradient through ReLU, and the gradient of the bias.


def relu_backward(const float[:, :, :, :, ::1] dy, const float[:, :, :, :, ::1] y,
                  float[:, :, :, :, ::1] out,  # out
                  float[:, ::1] dbias,  # out
                  int threads):
    """out = np.where(y > 0, dy, 0); dbias, blocks×16 = out.sum(axis=(0, 2, 3))

    If y is empty, dbias = dy.sum(axis=(0, 2, 3)) and out is not written.
    """
    cdef Py_ssize_t block, blocks = dy.shape[1]
    cdef bint masked = y.shape[0] > 0
    threads = usable(threads)
    check_blocked(dy.shape, "dy")
    check_channels(dbias.shape, dy.shape, "dbias")
    if masked:
        check_shape(y.shape, dy.shape, 5, "y")
        check_shape(out.shape, dy.shape, 5, "out")
    cdef Py_ssize_t parts = max(1, min(threads, dy.shape[2]))
    cdef double[:, :, ::1] sums = np.zeros((parts, blocks, BLOCK))
    cdef Py_ssize_t item
    for item in prange(blocks * parts, nogil=True, schedule="static", num_threads=threads):
        relu_backward_rows(dy, y, out, masked, item // parts, dy.shape[2] * (item % parts) // parts,
                           dy.shape[2] * (item % parts + 1) // parts, &sums[item % parts, item // parts, 0])
    np.asarray(dbias)[...] = np.asarray(sums).sum(axis=0)


cdef void relu_backward_rows(const float[:, :, :, :, ::1] dy, const float[:, :, :, :, ::1] y,
                             float[:, :, :, :, ::1] out, bint masked, Py_ssize_t block, Py_ssize_t first,
                             Py_ssize_t last, double* sums) noexcept nogil:
    cdef Py_ssize_t n, i, j, part
    cdef vec[PARTS] total
    cdef float[BLOCK] row
    cdef vec value
    for n in range(dy.shape[0]):
        for i in range(first, last):
            for part in range(PARTS):
                total[part] = splat(0)
            for j in range(dy.shape[3]):
                for part in range(PARTS):
                    value = load(&dy[n, block, i, j, part * VL])
                    if masked:
                        value = where_positive(value, load(&y[n, block, i, j, part * VL]))
                        store(&out[n, block, i, j, part * VL], value)
                    total[part] = total[part] + value
            for part in range(PARTS):
                store(row + part * VL, total[part])
            for j in range(BLOCK):
                sums[j] += row[j]
