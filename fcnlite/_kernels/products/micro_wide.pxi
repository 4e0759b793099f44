# The micro-kernels for 32 vector registers: a small block of a matrix product, held in registers.
#
#     out[i, j] = Σ_k a[i, k] · b[k, j]        j over two vectors
#
# a[i, k] is read as single floats. k runs through `segments` segments of `length` steps; segment s begins at
# a + offsets[s], and a[i, k] is i · row + k · step floats further. So one sum serves a packed matrix, a picture under a
# window and a transposed matrix. b and out have rows of b_row and out_row floats.
#
# Every accumulator has its own name, since the compiler would keep an array of them in memory.

cdef enum:
    ROWS = 14  # rows of `multiply`
    SUM_ROWS = 8  # rows of `multiply_few`


cdef void multiply(const float* a, Py_ssize_t row, Py_ssize_t step, const Py_ssize_t* offsets, Py_ssize_t segments,
                   Py_ssize_t length, const float* b, Py_ssize_t b_row, float* out, Py_ssize_t out_row,
                   const float* ahead, Py_ssize_t ahead_step) noexcept nogil:
    """out = a · b for 14 rows. Every step prefetches two lines at `ahead`, which advances by `ahead_step`."""
    cdef const float* p
    cdef Py_ssize_t segment, k
    cdef vec x, b0, b1
    cdef vec s00 = splat(0), s01 = splat(0)
    cdef vec s10 = splat(0), s11 = splat(0)
    cdef vec s20 = splat(0), s21 = splat(0)
    cdef vec s30 = splat(0), s31 = splat(0)
    cdef vec s40 = splat(0), s41 = splat(0)
    cdef vec s50 = splat(0), s51 = splat(0)
    cdef vec s60 = splat(0), s61 = splat(0)
    cdef vec s70 = splat(0), s71 = splat(0)
    cdef vec s80 = splat(0), s81 = splat(0)
    cdef vec s90 = splat(0), s91 = splat(0)
    cdef vec s100 = splat(0), s101 = splat(0)
    cdef vec s110 = splat(0), s111 = splat(0)
    cdef vec s120 = splat(0), s121 = splat(0)
    cdef vec s130 = splat(0), s131 = splat(0)
    for segment in range(segments):
        p = a + offsets[segment]
        for k in range(length):
            fcn_prefetch(ahead)
            fcn_prefetch(ahead + LINE)
            b0 = load(b)
            b1 = load(b + VL)
            x = splat(p[0])
            s00 = s00 + x * b0
            s01 = s01 + x * b1
            x = splat(p[row])
            s10 = s10 + x * b0
            s11 = s11 + x * b1
            x = splat(p[2 * row])
            s20 = s20 + x * b0
            s21 = s21 + x * b1
            x = splat(p[3 * row])
            s30 = s30 + x * b0
            s31 = s31 + x * b1
            x = splat(p[4 * row])
            s40 = s40 + x * b0
            s41 = s41 + x * b1
            x = splat(p[5 * row])
            s50 = s50 + x * b0
            s51 = s51 + x * b1
            x = splat(p[6 * row])
            s60 = s60 + x * b0
            s61 = s61 + x * b1
            x = splat(p[7 * row])
            s70 = s70 + x * b0
            s71 = s71 + x * b1
            x = splat(p[8 * row])
            s80 = s80 + x * b0
            s81 = s81 + x * b1
            x = splat(p[9 * row])
            s90 = s90 + x * b0
            s91 = s91 + x * b1
            x = splat(p[10 * row])
            s100 = s100 + x * b0
            s101 = s101 + x * b1
            x = splat(p[11 * row])
            s110 = s110 + x * b0
            s111 = s111 + x * b1
            x = splat(p[12 * row])
            s120 = s120 + x * b0
            s121 = s121 + x * b1
            x = splat(p[13 * row])
            s130 = s130 + x * b0
            s131 = s131 + x * b1
            p += step
            b += b_row
            ahead += ahead_step
    store(out, s00)
    store(out + VL, s01)
    store(out + out_row, s10)
    store(out + out_row + VL, s11)
    store(out + 2 * out_row, s20)
    store(out + 2 * out_row + VL, s21)
    store(out + 3 * out_row, s30)
    store(out + 3 * out_row + VL, s31)
    store(out + 4 * out_row, s40)
    store(out + 4 * out_row + VL, s41)
    store(out + 5 * out_row, s50)
    store(out + 5 * out_row + VL, s51)
    store(out + 6 * out_row, s60)
    store(out + 6 * out_row + VL, s61)
    store(out + 7 * out_row, s70)
    store(out + 7 * out_row + VL, s71)
    store(out + 8 * out_row, s80)
    store(out + 8 * out_row + VL, s81)
    store(out + 9 * out_row, s90)
    store(out + 9 * out_row + VL, s91)
    store(out + 10 * out_row, s100)
    store(out + 10 * out_row + VL, s101)
    store(out + 11 * out_row, s110)
    store(out + 11 * out_row + VL, s111)
    store(out + 12 * out_row, s120)
    store(out + 12 * out_row + VL, s121)
    store(out + 13 * out_row, s130)
    store(out + 13 * out_row + VL, s131)


cdef void multiply_few(const float* a, Py_ssize_t row, Py_ssize_t step, const Py_ssize_t* offsets, Py_ssize_t segments,
                       Py_ssize_t length, const float* b, Py_ssize_t b_row, float* out,
                       Py_ssize_t out_row) noexcept nogil:
    """out += a · b for 8 rows, a divisor of BLOCK."""
    cdef const float* p
    cdef Py_ssize_t segment, k
    cdef vec x, b0, b1
    cdef vec s00 = splat(0), s01 = splat(0)
    cdef vec s10 = splat(0), s11 = splat(0)
    cdef vec s20 = splat(0), s21 = splat(0)
    cdef vec s30 = splat(0), s31 = splat(0)
    cdef vec s40 = splat(0), s41 = splat(0)
    cdef vec s50 = splat(0), s51 = splat(0)
    cdef vec s60 = splat(0), s61 = splat(0)
    cdef vec s70 = splat(0), s71 = splat(0)
    for segment in range(segments):
        p = a + offsets[segment]
        for k in range(length):
            b0 = load(b)
            b1 = load(b + VL)
            x = splat(p[0])
            s00 = s00 + x * b0
            s01 = s01 + x * b1
            x = splat(p[row])
            s10 = s10 + x * b0
            s11 = s11 + x * b1
            x = splat(p[2 * row])
            s20 = s20 + x * b0
            s21 = s21 + x * b1
            x = splat(p[3 * row])
            s30 = s30 + x * b0
            s31 = s31 + x * b1
            x = splat(p[4 * row])
            s40 = s40 + x * b0
            s41 = s41 + x * b1
            x = splat(p[5 * row])
            s50 = s50 + x * b0
            s51 = s51 + x * b1
            x = splat(p[6 * row])
            s60 = s60 + x * b0
            s61 = s61 + x * b1
            x = splat(p[7 * row])
            s70 = s70 + x * b0
            s71 = s71 + x * b1
            p += step
            b += b_row
    store(out, load(out) + s00)
    store(out + VL, load(out + VL) + s01)
    store(out + out_row, load(out + out_row) + s10)
    store(out + out_row + VL, load(out + out_row + VL) + s11)
    store(out + 2 * out_row, load(out + 2 * out_row) + s20)
    store(out + 2 * out_row + VL, load(out + 2 * out_row + VL) + s21)
    store(out + 3 * out_row, load(out + 3 * out_row) + s30)
    store(out + 3 * out_row + VL, load(out + 3 * out_row + VL) + s31)
    store(out + 4 * out_row, load(out + 4 * out_row) + s40)
    store(out + 4 * out_row + VL, load(out + 4 * out_row + VL) + s41)
    store(out + 5 * out_row, load(out + 5 * out_row) + s50)
    store(out + 5 * out_row + VL, load(out + 5 * out_row + VL) + s51)
    store(out + 6 * out_row, load(out + 6 * out_row) + s60)
    store(out + 6 * out_row + VL, load(out + 6 * out_row + VL) + s61)
    store(out + 7 * out_row, load(out + 7 * out_row) + s70)
    store(out + 7 * out_row + VL, load(out + 7 * out_row + VL) + s71)
