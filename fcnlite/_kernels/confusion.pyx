"""The confusion matrix: pixels counted by true and predicted class.

    kept = truth != ignore
    numpy.add.at(matrix, (truth[kept], prediction[kept]), 1)
"""

ctypedef fused number:
    unsigned char
    long long


def count(const number[::1] truth, const number[::1] prediction,
          long long[:, ::1] matrix,  # in, out
          long long ignore):
    """Add the pixels to the square `matrix`, whose rows are the true classes.

    Returns -1, or the first place with a class outside the matrix, where counting stops.
    """
    cdef Py_ssize_t i, bad = -1
    cdef long long row, column, classes = matrix.shape[0]
    if prediction.shape[0] != truth.shape[0] or matrix.shape[1] != classes:
        raise ValueError("truth and prediction differ in length, or the matrix is not square")
    with nogil:
        for i in range(truth.shape[0]):
            row, column = truth[i], prediction[i]
            if row == ignore:
                continue
            if row < 0 or row >= classes or column < 0 or column >= classes:
                bad = i
                break
            # Unsigned, so that a count at its limit wraps, as NumPy's does.
            matrix[row, column] = <long long>(<unsigned long long>matrix[row, column] + 1)
    return bad
