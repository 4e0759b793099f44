"""The permutohedral lattice: embedding points, and filtering the values of the points on it.

For points of d axes, all in the plane of d + 1 coordinates whose sum is 0, with vertex r of each point's simplex:

    filtered = S · B_d ⋯ B_0 · Sᵀ · x        Sᵀ: grid[vertices[n, r]] += weights[n, r] · x[n]
    B_j: grid[v] + (grid[neighbours[v, j, 0]] + grid[neighbours[v, j, 1]]) / 2
"""

from cython.parallel cimport prange, threadid
from libc.math cimport fabs, rint, sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memset

include "checks.pxi"

ctypedef fused real:
    float
    double

cdef enum:
    MOST_AXES = 8
    WIDTH = 8  # channels that are filtered together

cdef double FARTHEST = 2.0 ** 28  # coordinates are ints

cdef struct Table:
    # A hash table with open addresses. A vertex is known by its first d coordinates, the last is minus their sum.
    int d
    int count
    size_t mask  # the number of slots, a power of two, minus 1
    int* slots  # the number of a vertex, or −1
    int* keys  # d coordinates for each vertex


cdef inline size_t hashed(const int* key, int d) noexcept nogil:
    cdef size_t value = 0
    cdef int i
    for i in range(d):
        value = (value ^ <size_t><unsigned int>key[i]) * <size_t>0x9E3779B97F4A7C15ULL
        value ^= value >> 29
    return value


cdef inline int find(Table* table, const int* key, bint create) noexcept nogil:
    """The number of the vertex with these coordinates. If there is none: a new number, or −1."""
    cdef size_t slot = hashed(key, table.d) & table.mask
    cdef const int* known
    cdef bint equal
    cdef int i
    while table.slots[slot] >= 0:
        known = table.keys + <size_t>table.slots[slot] * table.d
        equal = True
        for i in range(table.d):
            equal &= known[i] == key[i]
        if equal:
            return table.slots[slot]
        slot = (slot + 1) & table.mask
    if not create:
        return -1
    for i in range(table.d):
        table.keys[<size_t>table.count * table.d + i] = key[i]
    table.slots[slot] = table.count
    table.count += 1
    return table.count - 1


cdef inline bint elevate(const double* point, const double* scale, int d, double* elevated) noexcept nogil:
    """The point in the plane, scaled so that the blur has a standard deviation of 1. False if it is too far away."""
    cdef double total = 0, part, largest = 0
    cdef int j
    for j in range(d, 0, -1):
        part = point[j - 1] * scale[j - 1]
        elevated[j] = total - j * part
        total += part
    elevated[0] = total
    for j in range(d + 1):
        if not fabs(elevated[j]) <= FARTHEST:
            return False
    return True


cdef inline void simplex(const double* elevated, int d, int* origin, int* rank, double* weights) noexcept nogil:
    """The simplex that contains a point: its vertex of remainder 0, the rank of each coordinate, and the weights.

    Coordinates are sorted by their distance from the origin's; the largest has rank 0. The weights are the barycentric
    coordinates, by the remainder of the vertex.
    """
    cdef int i, j, above = 0
    cdef double distance
    for i in range(d + 1):
        origin[i] = <int>rint(elevated[i] / (d + 1))
        above += origin[i]
        origin[i] *= d + 1
        rank[i] = 0
    for i in range(d):
        for j in range(i + 1, d + 1):
            if elevated[i] - origin[i] < elevated[j] - origin[j]:
                rank[i] += 1
            else:
                rank[j] += 1
    # The rounded coordinates may not be in the plane: move those that were rounded the most.
    for i in range(d + 1):
        rank[i] += above
        if rank[i] < 0:
            rank[i] += d + 1
            origin[i] += d + 1
        elif rank[i] > d:
            rank[i] -= d + 1
            origin[i] -= d + 1
    for i in range(d + 2):
        weights[i] = 0
    for i in range(d + 1):
        distance = (elevated[i] - origin[i]) / (d + 1)
        weights[d - rank[i]] += distance
        weights[d - rank[i] + 1] -= distance
    weights[0] += 1 + weights[d + 1]


def embed(const double[:, ::1] points,
          int[:, ::1] vertices,  # out
          real[:, ::1] weights,  # out
          int[:, :, ::1] neighbours):  # out
    """Place N points of d axes on the lattice. Returns the number of vertices.

    vertices, N×(d+1): the vertices of the simplex that contains each point; weights, N×(d+1): their barycentric
    coordinates, whose sum is 1; neighbours, (N·(d+1))×(d+1)×2, written up to the number of vertices: the vertices
    before and after each along each of the d + 1 directions, −1 if no point has them. Raises ValueError for points that
    are not finite or too far away.
    """
    cdef Py_ssize_t n, count = points.shape[0]
    cdef int d, i, j, r, sign
    cdef double[MOST_AXES] scale
    cdef double[MOST_AXES + 1] elevated
    cdef double[MOST_AXES + 2] barycentric
    cdef int[MOST_AXES + 1] origin, rank, key
    cdef Table table
    cdef size_t slots = 1, most
    cdef bint near = True
    check(1 <= points.shape[1] <= MOST_AXES, "points, of too many axes,")
    d = <int>points.shape[1]
    check(vertices.shape[0] == count and vertices.shape[1] == d + 1, "vertices")
    check(weights.shape[0] == count and weights.shape[1] == d + 1, "weights")
    check(count <= INT_MAX // 8 // (d + 1), "points, too many of them,")
    most = <size_t>count * (d + 1)
    check(<size_t>neighbours.shape[0] == most and neighbours.shape[1] == d + 1 and neighbours.shape[2] == 2,
          "neighbours")
    while slots < 2 * most:
        slots *= 2
    for i in range(d):
        scale[i] = sqrt(2.0 / 3.0) * (d + 1) / sqrt((i + 1.0) * (i + 2.0))
    table.d = d
    table.count = 0
    table.mask = slots - 1
    table.slots = <int*>malloc(slots * sizeof(int))
    table.keys = <int*>malloc((most * d + 1) * sizeof(int))
    try:
        if table.slots == NULL or table.keys == NULL:
            raise MemoryError()
        with nogil:
            memset(table.slots, 0xFF, slots * sizeof(int))
            for n in range(count):
                if not elevate(&points[n, 0], scale, d, elevated):
                    near = False
                    break
                simplex(elevated, d, origin, rank, barycentric)
                for r in range(d + 1):
                    for i in range(d):
                        key[i] = origin[i] + r - (d + 1 if rank[i] > d - r else 0)
                    vertices[n, r] = find(&table, key, True)
                    weights[n, r] = <real>barycentric[r]
            for n in range(table.count if near else 0):
                for j in range(d + 1):
                    for r in range(2):
                        sign = 2 * r - 1
                        for i in range(d):
                            key[i] = table.keys[n * d + i] + sign
                        if j < d:
                            key[j] = table.keys[n * d + j] - sign * d
                        neighbours[n, j, r] = find(&table, key, False)
    finally:
        free(table.slots)
        free(table.keys)
    check(near, "points, which are not finite or too far away,")
    return table.count


def filter_scratch(Py_ssize_t count, int threads):
    """The numbers that `scratch` of `filtered` needs, for a lattice of `count` vertices."""
    check_memory(2.0 * WIDTH * (count + 1.0) * threads, min(count, threads))
    return 2 * WIDTH * (count + 1) * threads


def filtered(const real[:, ::1] x, const int[:, ::1] vertices, const real[:, ::1] weights,
             const int[:, :, ::1] neighbours,
             real[:, ::1] y,  # out
             bint transposed, real[::1] scratch, int threads):
    """y, C×N = each channel of x, filtered on a lattice. `transposed`: multiplied by the transposed matrix.

    neighbours, M×(d+1)×2, of the M vertices. The result is divided by 1 + 2^−d, what a value on a vertex gets of itself.
    """
    cdef Py_ssize_t channels = x.shape[0], count = x.shape[1], grid = neighbours.shape[0]
    cdef Py_ssize_t blocks = (channels + WIDTH - 1) // WIDTH, block, outside = 0
    cdef int d, j
    cdef real* values
    cdef real* blurred
    cdef real* spare
    threads = usable(threads)
    check(1 <= neighbours.shape[1] <= MOST_AXES + 1 and neighbours.shape[2] == 2 and grid < INT_MAX, "neighbours")
    d = <int>neighbours.shape[1] - 1
    check(y.shape[0] == channels and y.shape[1] == count, "y")
    check(vertices.shape[0] == count and vertices.shape[1] == d + 1, "vertices")
    check(weights.shape[0] == count and weights.shape[1] == d + 1, "weights")
    check_memory(2.0 * WIDTH * (grid + 1.0) * threads, 0)
    check(scratch.shape[0] >= 2 * WIDTH * (grid + 1) * threads, "scratch")
    for block in prange(blocks, nogil=True, schedule="dynamic", num_threads=threads):
        values = &scratch[2 * WIDTH * (grid + 1) * threadid()]
        blurred = values + WIDTH * (grid + 1)
        outside += splat(&x[block * WIDTH, 0], min(channels - block * WIDTH, WIDTH), count, &vertices[0, 0],
                         &weights[0, 0], d, grid, values)
        memset(blurred, 0, WIDTH * sizeof(real))
        for j in range(d + 1):
            outside += blur(values, &neighbours[0, 0, 0], d, d - j if transposed else j, grid, blurred)
            spare = values
            values = blurred
            blurred = spare
        outside += read(values, min(channels - block * WIDTH, WIDTH), count, &vertices[0, 0], &weights[0, 0], d, grid,
                        &y[block * WIDTH, 0])
    check(outside == 0, "vertices or neighbours")


cdef Py_ssize_t splat(const real* x, Py_ssize_t channels, Py_ssize_t count, const int* vertices, const real* weights,
                      int d, Py_ssize_t grid, real* values) noexcept nogil:
    """values, (grid + 1)×WIDTH: row v + 1 is vertex v, row 0 is 0. Returns how many vertices do not exist."""
    cdef Py_ssize_t n, vertex, outside = 0
    cdef int c, r
    cdef real weight
    cdef real[WIDTH] point
    cdef real* row
    memset(values, 0, (grid + 1) * WIDTH * sizeof(real))
    for c in range(WIDTH):
        point[c] = 0
    for n in range(count):
        for c in range(channels):
            point[c] = x[c * count + n]
        for r in range(d + 1):
            vertex = vertices[n * (d + 1) + r]
            if not 0 <= vertex < grid:
                outside += 1
                continue
            weight = weights[n * (d + 1) + r]
            row = values + (vertex + 1) * WIDTH
            for c in range(WIDTH):
                row[c] += weight * point[c]
    return outside


cdef Py_ssize_t blur(const real* values, const int* neighbours, int d, int j, Py_ssize_t grid,
                     real* blurred) noexcept nogil:
    """One direction, j, from `values` into rows 1 … grid of `blurred`. Returns how many neighbours do not exist."""
    cdef Py_ssize_t v, before, after, outside = 0
    cdef int c
    cdef const real* own
    cdef const real* one
    cdef const real* other
    cdef real* row
    for v in range(grid):
        before = neighbours[(v * (d + 1) + j) * 2]
        after = neighbours[(v * (d + 1) + j) * 2 + 1]
        if not (-1 <= before < grid and -1 <= after < grid):
            outside += 1
            continue
        own = values + (v + 1) * WIDTH
        one = values + (before + 1) * WIDTH
        other = values + (after + 1) * WIDTH
        row = blurred + (v + 1) * WIDTH
        for c in range(WIDTH):
            row[c] = own[c] + <real>0.5 * (one[c] + other[c])
    return outside


cdef Py_ssize_t read(const real* values, Py_ssize_t channels, Py_ssize_t count, const int* vertices,
                     const real* weights, int d, Py_ssize_t grid, real* y) noexcept nogil:
    """y, channels×count: the interpolated values of the points. Returns how many vertices do not exist."""
    cdef Py_ssize_t n, vertex, outside = 0
    cdef int c, r
    cdef real weight, alpha = <real>(1 / (1 + 2.0 ** -d))
    cdef real[WIDTH] point
    cdef const real* row
    for n in range(count):
        for c in range(WIDTH):
            point[c] = 0
        for r in range(d + 1):
            vertex = vertices[n * (d + 1) + r]
            if not 0 <= vertex < grid:
                outside += 1
                continue
            weight = alpha * weights[n * (d + 1) + r]
            row = values + (vertex + 1) * WIDTH
            for c in range(WIDTH):
                point[c] += weight * row[c]
        for c in range(channels):
            y[c * count + n] = point[c]
    return outside
