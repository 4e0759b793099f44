"""The class of the highest score of each pixel; the first one of equal scores.

    labels = scores.argmax(axis=0)
"""

from cython.parallel cimport prange

include "checks.pxi"

cdef enum:
    BLOCK = 256  # pixels whose best scores fit into the first cache, beside the scores of one class


cdef void best_of_row(const float* scores, Py_ssize_t step, Py_ssize_t classes, Py_ssize_t width,
                      unsigned char* labels) noexcept nogil:
    """The labels of `width` pixels; the scores of the next class are `step` floats farther."""
    cdef float[BLOCK] best
    cdef int[BLOCK] place
    cdef const float* row
    cdef Py_ssize_t block, start, i, count
    cdef int number
    for block in range((width + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        count = min(BLOCK, width - start)
        for i in range(count):
            best[i] = scores[start + i]
            place[i] = 0
        for number in range(1, <int>classes):
            row = scores + number * step + start
            for i in range(count):
                # Arithmetic instead of a branch, so that the compiler takes several pixels at a time.
                place[i] ^= (place[i] ^ number) & -<int>(row[i] > best[i])
                best[i] = max(best[i], row[i])
        for i in range(count):
            labels[start + i] = <unsigned char>place[i]


def best_class(const float[:, :, :] scores,
               unsigned char[:, ::1] labels,  # out
               int threads):
    """labels, H×W = the class of the highest score in scores, C×H×W, which hold no NaN.

    The scores of a row of pixels are neighbours in memory. There are at most 256 classes.
    """
    cdef Py_ssize_t y, step = scores.strides[0] // <Py_ssize_t>sizeof(float)
    threads = usable(threads)
    check(0 < scores.shape[0] <= 256 and scores.strides[0] % <Py_ssize_t>sizeof(float) == 0, "scores")
    check(scores.strides[2] == <Py_ssize_t>sizeof(float) or scores.shape[2] == 1, "scores")
    check(labels.shape[0] == scores.shape[1] and labels.shape[1] == scores.shape[2], "labels")
    for y in prange(labels.shape[0], nogil=True, schedule="static", num_threads=threads):
        best_of_row(&scores[0, y, 0], step, scores.shape[0], labels.shape[1], &labels[y, 0])
