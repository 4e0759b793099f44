# A vector of floats as one value: `vec` holds VL neighbouring floats; + - * and / work on each of them.
#
# The instruction set that the including file is compiled for decides the width. Loads and stores need no alignment.

cdef extern from *:
    """
    #if defined(__AVX512F__)
      #include <immintrin.h>
      #define VL 16
      #define FCN_MAX(a, b) _mm512_max_ps(a, b)
      #define FCN_MIN(a, b) _mm512_min_ps(a, b)
    #elif defined(__AVX2__)
      #include <immintrin.h>
      #define VL 8
      #define FCN_MAX(a, b) _mm256_max_ps(a, b)
      #define FCN_MIN(a, b) _mm256_min_ps(a, b)
    #else
      #define VL 4
    #endif
    typedef float vec __attribute__((vector_size(4 * VL)));
    typedef float vec_in_memory __attribute__((vector_size(4 * VL), aligned(4), may_alias));
    typedef int mask_of_vec __attribute__((vector_size(4 * VL)));

    static inline vec load(const float* p) { return *(const vec_in_memory*)p; }
    static inline void store(float* p, vec x) { *(vec_in_memory*)p = x; }
    static inline vec splat(float x) { return x - (vec){0}; }
    /* The larger value of each pair; b where one of them is NaN. */
    static inline vec larger(vec a, vec b) {
    #if defined(FCN_MAX)
        return FCN_MAX(a, b);
    #else
        mask_of_vec first = a > b;
        return (vec)(((mask_of_vec)a & first) | ((mask_of_vec)b & ~first));
    #endif
    }
    /* The smaller value of each pair; b where one of them is NaN. */
    static inline vec smaller(vec a, vec b) {
    #if defined(FCN_MIN)
        return FCN_MIN(a, b);
    #else
        mask_of_vec first = a < b;
        return (vec)(((mask_of_vec)a & first) | ((mask_of_vec)b & ~first));
    #endif
    }
    /* x where y > 0, else 0. */
    static inline vec where_positive(vec x, vec y) {
        return (vec)((mask_of_vec)x & (y > 0));
    }
    /* VL rows of VL floats: to[j][i] = from[i][j]. Each round interleaves rows i and i + VL/2. */
    #if defined(__GNUC__) && !defined(__clang__)
    static inline void transpose(const float* from, Py_ssize_t from_row, float* to, Py_ssize_t to_row) {
        vec a[VL], b[VL];
        mask_of_vec low, high;
        for (int i = 0; i < VL; i++) {
            low[i] = i / 2 + i % 2 * VL;
            high[i] = low[i] + VL / 2;
            a[i] = load(from + i * from_row);
        }
        for (int done = 1; done < VL; done *= 2) {
            for (int i = 0; i < VL / 2; i++) {
                b[2 * i] = __builtin_shuffle(a[i], a[i + VL / 2], low);
                b[2 * i + 1] = __builtin_shuffle(a[i], a[i + VL / 2], high);
            }
            for (int i = 0; i < VL; i++) a[i] = b[i];
        }
        for (int i = 0; i < VL; i++) store(to + i * to_row, a[i]);
    }
    #else
    static inline void transpose(const float* from, Py_ssize_t from_row, float* to, Py_ssize_t to_row) {
        for (int i = 0; i < VL; i++)
            for (int j = 0; j < VL; j++) to[j * to_row + i] = from[i * from_row + j];
    }
    #endif
    """
    ctypedef float vec
    enum: VL
    vec load(const float* p) noexcept nogil
    void store(float* p, vec x) noexcept nogil
    vec splat(float x) noexcept nogil
    vec larger(vec a, vec b) noexcept nogil
    vec smaller(vec a, vec b) noexcept nogil
    vec where_positive(vec x, vec y) noexcept nogil
    void transpose(const float* source, Py_ssize_t row, float* to, Py_ssize_t to_row) noexcept nogil

cdef extern from *:
    """
    #define fcn_prefetch(p) __builtin_prefetch(p)
    """
    void fcn_prefetch(const void* p) noexcept nogil

cdef enum:
    LINE = 16  # floats in a cache line
    BLOCK = 16  # channels side by side in a blocked array
    PARTS = BLOCK // VL  # vectors in a block


cdef inline vec activated(vec value, bint relu, const float* slopes) noexcept nogil:
    """With `relu`: max(value, 0), plus slopes · min(value, 0) unless `slopes` is NULL. Without: the value itself."""
    cdef vec positive = larger(splat(0), value)
    if not relu:
        return value
    return positive if slopes == NULL else positive - load(slopes) * larger(splat(0), -value)
