# What a convolution's backward begins with: the gradient behind ReLU, and the biases' gradients.


def gate(const float[:, :, :, :, ::1] dy, const float[:, :, :, :, ::1] y, float[:, :, :, :, ::1] out,
         float[:, ::1] dbias, int threads):
    """out = dy where y > 0, else 0; dbias[block] = the sums of out over pictures, rows and columns.

    With y empty dy is taken whole, and out is not written. dbias is blocks×16.
    """
    cdef Py_ssize_t block, blocks = dy.shape[1]
    cdef bint gated = y.shape[0] > 0
    check(dbias.shape[0] == blocks and dbias.shape[1] == BLOCK, "dbias")
    check(not gated or y.size == dy.size == out.size, "y")
    cdef Py_ssize_t parts = max(1, min(threads, dy.shape[2]))
    cdef double[:, :, ::1] sums = np.zeros((parts, blocks, BLOCK))
    cdef Py_ssize_t item
    for item in prange(blocks * parts, nogil=True, schedule="static", num_threads=threads):
        gate_rows(dy, y, out, gated, item // parts, dy.shape[2] * (item % parts) // parts,
                  dy.shape[2] * (item % parts + 1) // parts, &sums[item % parts, item // parts, 0])
    np.asarray(dbias)[...] = np.asarray(sums).sum(axis=0)


cdef void gate_rows(const float[:, :, :, :, ::1] dy, const float[:, :, :, :, ::1] y, float[:, :, :, :, ::1] out,
                    bint gated, Py_ssize_t block, Py_ssize_t first, Py_ssize_t last, double* sums) noexcept nogil:
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
                    if gated:
                        value = where_positive(value, load(&y[n, block, i, j, part * VL]))
                        store(&out[n, block, i, j, part * VL], value)
                    total[part] = total[part] + value
            for part in range(PARTS):
                store(row + part * VL, total[part])
            for j in range(BLOCK):
                sums[j] += row[j]
