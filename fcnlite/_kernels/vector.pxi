# A vector of floats as one number: `vec` holds VL neighbouring floats, and + - * work on each of them.
#
# The width is that of the instruction set which the including file is compiled for. Loads and stores need no alignment.

cdef extern from *:
    """
    #if defined(__AVX512F__)
      #include <immintrin.h>
      #define VL 16
      #define FCN_MAX(a, b) _mm512_max_ps(a, b)
    #elif defined(__AVX2__)
      #include <immintrin.h>
      #define VL 8
      #define FCN_MAX(a, b) _mm256_max_ps(a, b)
    #else
      #define VL 4
    #endif
    typedef float vec __attribute__((vector_size(4 * VL)));
    typedef float vec_in_memory __attribute__((vector_size(4 * VL), aligned(4), may_alias));
    typedef int mask_of_vec __attribute__((vector_size(4 * VL)));

    static inline vec load(const float* p) { return *(const vec_in_memory*)p; }
    static inline void store(float* p, vec x) { *(vec_in_memory*)p = x; }
    static inline vec splat(float x) { return x - (vec){0}; }
    /* The larger of each two; where one is NaN, b. */
    static inline vec larger(vec a, vec b) {
    #if defined(FCN_MAX)
        return FCN_MAX(a, b);
    #else
        mask_of_vec first = a > b;
        return (vec)(((mask_of_vec)a & first) | ((mask_of_vec)b & ~first));
    #endif
    }
    /* x where gate > 0, else 0. */
    static inline vec where_positive(vec x, vec gate) {
        return (vec)((mask_of_vec)x & (gate > 0));
    }
    """
    ctypedef float vec
    enum: VL
    vec load(const float* p) noexcept nogil
    void store(float* p, vec x) noexcept nogil
    vec splat(float x) noexcept nogil
    vec larger(vec a, vec b) noexcept nogil
    vec where_positive(vec x, vec gate) noexcept nogil

cdef extern from *:
    """
    #define fcn_prefetch(p) __builtin_prefetch(p)
    """
    void fcn_prefetch(const void* p) noexcept nogil

cdef enum:
    LINE = 16  # floats of a cache line
    BLOCK = 16  # channels that lie side by side in a blocked array
    PARTS = BLOCK // VL  # vectors of a block


cdef inline vec activated(vec value, bint relu, const float* slopes) noexcept nogil:
    """max(value, 0) where `relu`, plus slopes · min(value, 0) unless `slopes` is NULL; else the value itself."""
    cdef vec positive = larger(splat(0), value)
    if not relu:
        return value
    return positive if slopes == NULL else positive - load(slopes) * larger(splat(0), -value)
