"""Solver updates, one pass over memory.

    history[:] = momentum * history + rate * (scale * grad + decay * data)
    data -= history
"""

from cython.parallel cimport prange

ctypedef fused real:
    float
    double


def sgd(real[::1] data, const real[::1] grad, real[::1] history, double scale, double rate,
        double momentum, double decay, int threads):
    """One step of SGD with momentum and L2 decay on flat arrays of one length."""
    cdef Py_ssize_t i
    cdef real s = <real>scale, r = <real>rate, m = <real>momentum, d = <real>decay
    if grad.shape[0] != data.shape[0] or history.shape[0] != data.shape[0]:
        raise ValueError("data, grad and history differ in length")
    for i in prange(data.shape[0], nogil=True, schedule="static", num_threads=threads):
        history[i] = m * history[i] + r * (s * grad[i] + d * data[i])
        data[i] -= history[i]
