# Winograd's one-dimensional transforms and their transposes for backward (see fcnlite/compiler/convolution/winograd.py), at the
# points 0, ±3/4, ±3/2, ∞ (6 points) and 0, ±1/2, ±1, ±2, ∞ (8 points). Each takes vectors a step apart.

cdef inline void patch_transform(Py_ssize_t points, const float* x, Py_ssize_t xs, float* y,
                                 Py_ssize_t ys) noexcept nogil:
    """y = Bᵀ x"""
    cdef vec x0 = load(x), x1 = load(x + xs), x2 = load(x + 2 * xs), x3 = load(x + 3 * xs), x4 = load(x + 4 * xs)
    cdef vec x5 = load(x + 5 * xs), x6, x7, even, odd
    if points == 6:
        store(y, splat(1.265625) * x0 - splat(2.8125) * x2 + x4)
        store(y + 5 * ys, splat(1.265625) * x1 - splat(2.8125) * x3 + x5)
        even, odd = x4 - splat(2.25) * x2, splat(0.75) * (x3 - splat(2.25) * x1)
        store(y + ys, even + odd)
        store(y + 2 * ys, even - odd)
        even, odd = x4 - splat(0.5625) * x2, splat(1.5) * (x3 - splat(0.5625) * x1)
        store(y + 3 * ys, even + odd)
        store(y + 4 * ys, even - odd)
        return
    x6 = load(x + 6 * xs)
    x7 = load(x + 7 * xs)
    store(y, x6 - x0 + splat(5.25) * (x2 - x4))
    store(y + 7 * ys, x7 - x1 + splat(5.25) * (x3 - x5))
    even = x6 - splat(5) * x4 + splat(4) * x2
    odd = splat(0.5) * x5 - splat(2.5) * x3 + splat(2) * x1
    store(y + ys, even + odd)
    store(y + 2 * ys, even - odd)
    even = x6 - splat(4.25) * x4 + x2
    odd = x5 - splat(4.25) * x3 + x1
    store(y + 3 * ys, even + odd)
    store(y + 4 * ys, even - odd)
    even = x6 - splat(1.25) * x4 + splat(0.25) * x2
    odd = splat(2) * x5 - splat(2.5) * x3 + splat(0.5) * x1
    store(y + 5 * ys, even + odd)
    store(y + 6 * ys, even - odd)


cdef inline void back_transform(Py_ssize_t points, const float* v, Py_ssize_t vs, float* x,
                                Py_ssize_t xs) noexcept nogil:
    """x = B v, the transpose of `patch_transform`."""
    cdef vec first = load(v), last = load(v + (points - 1) * vs)
    cdef vec sum1 = load(v + vs) + load(v + 2 * vs), dif1 = load(v + vs) - load(v + 2 * vs)
    cdef vec sum2 = load(v + 3 * vs) + load(v + 4 * vs), dif2 = load(v + 3 * vs) - load(v + 4 * vs), sum3, dif3
    if points == 6:
        store(x, splat(1.265625) * first)
        store(x + xs, splat(1.265625) * last - splat(1.6875) * dif1 - splat(0.84375) * dif2)
        store(x + 2 * xs, splat(-2.8125) * first - splat(2.25) * sum1 - splat(0.5625) * sum2)
        store(x + 3 * xs, splat(-2.8125) * last + splat(0.75) * dif1 + splat(1.5) * dif2)
        store(x + 4 * xs, first + sum1 + sum2)
        store(x + 5 * xs, last)
        return
    sum3 = load(v + 5 * vs) + load(v + 6 * vs)
    dif3 = load(v + 5 * vs) - load(v + 6 * vs)
    store(x, -first)
    store(x + xs, splat(2) * dif1 + dif2 + splat(0.5) * dif3 - last)
    store(x + 2 * xs, splat(5.25) * first + splat(4) * sum1 + sum2 + splat(0.25) * sum3)
    store(x + 3 * xs, splat(5.25) * last - splat(2.5) * dif1 - splat(4.25) * dif2 - splat(2.5) * dif3)
    store(x + 4 * xs, splat(-5.25) * first - splat(5) * sum1 - splat(4.25) * sum2 - splat(1.25) * sum3)
    store(x + 5 * xs, splat(0.5) * dif1 + dif2 + splat(2) * dif3 - splat(5.25) * last)
    store(x + 6 * xs, first + sum1 + sum2 + sum3)
    store(x + 7 * xs, last)


cdef inline void tile_transform(Py_ssize_t points, Py_ssize_t side, const float* m, Py_ssize_t ms, float* y,
                                Py_ssize_t ys) noexcept nogil:
    """y = Aᵀ m"""
    cdef vec m0 = load(m), m1 = load(m + ms), m2 = load(m + 2 * ms), m3 = load(m + 3 * ms), m4 = load(m + 4 * ms)
    cdef vec last = load(m + (points - 1) * ms)
    cdef vec sum1 = m1 + m2, dif1 = m1 - m2, sum2 = m3 + m4, dif2 = m3 - m4, sum3, dif3
    if points == 6:
        store(y, m0 + sum1 + sum2)
        store(y + ys, splat(0.75) * dif1 + splat(1.5) * dif2)
        store(y + 2 * ys, splat(0.5625) * sum1 + splat(2.25) * sum2)
        store(y + 3 * ys, splat(0.421875) * dif1 + splat(3.375) * dif2 + last)
        return
    sum3 = load(m + 5 * ms) + load(m + 6 * ms)
    dif3 = load(m + 5 * ms) - load(m + 6 * ms)
    store(y, m0 + sum1 + sum2 + sum3)
    store(y + ys, splat(0.5) * dif1 + dif2 + splat(2) * dif3)
    if side > 2:
        store(y + 2 * ys, splat(0.25) * sum1 + sum2 + splat(4) * sum3)
    if side > 3:
        store(y + 3 * ys, splat(0.125) * dif1 + dif2 + splat(8) * dif3)
    if side > 4:
        store(y + 4 * ys, splat(0.0625) * sum1 + sum2 + splat(16) * sum3)
    if side > 5:
        store(y + 5 * ys, splat(0.03125) * dif1 + dif2 + splat(32) * dif3)
    store(y + (side - 1) * ys, load(y + (side - 1) * ys) + last)


cdef inline void spread_transform(Py_ssize_t points, Py_ssize_t side, const float* y, Py_ssize_t ys, float* m,
                                  Py_ssize_t ms) noexcept nogil:
    """m = A y, the transpose of `tile_transform`."""
    cdef vec y0 = load(y), y1 = load(y + ys), y2 = splat(0), y3 = splat(0), y4 = splat(0), y5 = splat(0), even, odd
    if side > 2:
        y2 = load(y + 2 * ys)
    if side > 3:
        y3 = load(y + 3 * ys)
    if side > 4:
        y4 = load(y + 4 * ys)
    if side > 5:
        y5 = load(y + 5 * ys)
    store(m, y0)
    store(m + (points - 1) * ms, load(y + (side - 1) * ys))
    if points == 6:
        even, odd = y0 + splat(0.5625) * y2, splat(0.75) * y1 + splat(0.421875) * y3
        store(m + ms, even + odd)
        store(m + 2 * ms, even - odd)
        even, odd = y0 + splat(2.25) * y2, splat(1.5) * y1 + splat(3.375) * y3
        store(m + 3 * ms, even + odd)
        store(m + 4 * ms, even - odd)
        return
    even = y0 + splat(0.25) * y2 + splat(0.0625) * y4
    odd = splat(0.5) * y1 + splat(0.125) * y3 + splat(0.03125) * y5
    store(m + ms, even + odd)
    store(m + 2 * ms, even - odd)
    even, odd = y0 + y2 + y4, y1 + y3 + y5
    store(m + 3 * ms, even + odd)
    store(m + 4 * ms, even - odd)
    even = y0 + splat(4) * y2 + splat(16) * y4
    odd = splat(2) * y1 + splat(8) * y3 + splat(32) * y5
    store(m + 5 * ms, even + odd)
    store(m + 6 * ms, even - odd)


cdef inline void filter_transform(Py_ssize_t points, Py_ssize_t r, const float* g, const float* w, Py_ssize_t ws,
                                  float* u, Py_ssize_t us) noexcept nogil:
    """u = G w; w for one point. Otherwise, the points are 0, pairs ±p and ∞. A sum of even and one of odd powers of p serve both points of a pair.

    G must scale both rows of a pair equally, which it does for points symmetric about 0.
    """
    cdef Py_ssize_t k, pair
    cdef const float* powers = g + r
    cdef vec even, odd
    if points == 1:
        store(u, load(w))
        return
    store(u, splat(g[0]) * load(w))
    for pair in range(points // 2 - 1):
        even, odd = splat(powers[0]) * load(w), splat(powers[1]) * load(w + ws)
        for k in range(2, r):
            if k % 2:
                odd = odd + splat(powers[k]) * load(w + k * ws)
            else:
                even = even + splat(powers[k]) * load(w + k * ws)
        store(u + (2 * pair + 1) * us, even + odd)
        store(u + (2 * pair + 2) * us, even - odd)
        powers += 2 * r
    store(u + (points - 1) * us, load(w + (r - 1) * ws))


cdef inline void filter_transform_back(Py_ssize_t points, Py_ssize_t r, const float* g, const float* s, Py_ssize_t ss,
                                       float* w, Py_ssize_t ws) noexcept nogil:
    """w = Gᵀ s, the transpose of `filter_transform`."""
    cdef Py_ssize_t k
    cdef vec first = load(s), last = load(s + (points - 1) * ss), total
    cdef vec sum1 = load(s + ss) + load(s + 2 * ss), dif1 = load(s + ss) - load(s + 2 * ss)
    cdef vec sum2 = load(s + 3 * ss) + load(s + 4 * ss), dif2 = load(s + 3 * ss) - load(s + 4 * ss)
    cdef vec sum3 = splat(0), dif3 = splat(0)
    if points == 8:
        sum3, dif3 = load(s + 5 * ss) + load(s + 6 * ss), load(s + 5 * ss) - load(s + 6 * ss)
    for k in range(r):
        if k % 2:
            total = splat(g[r + k]) * dif1 + splat(g[3 * r + k]) * dif2
        else:
            total = splat(g[r + k]) * sum1 + splat(g[3 * r + k]) * sum2
        if points == 8:
            total = total + splat(g[5 * r + k]) * (dif3 if k % 2 else sum3)
        if k == 0:
            total = total + splat(g[0]) * first
        if k == r - 1:
            total = total + last
        store(w + k * ws, total)
