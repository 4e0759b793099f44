"""Solver updates, each in one pass over memory.

Each update first computes the scaled and regularized gradient

    g = scale * grad + l2 * data + l1 * np.sign(data)

and then updates flat arrays of one length in place, as its docstring says.
"""

from cython.parallel cimport prange
from libc.math cimport sqrt

include "checks.pxi"

ctypedef fused real:
    float
    double


cdef inline real regularized(real grad, real data, real scale, real l2, real l1) noexcept nogil:
    """The scaled gradient with its decay terms."""
    return scale * grad + l2 * data + l1 * ((data > 0) - (data < 0))


def sgd(real[::1] data,  # in, out
        const real[::1] grad,
        real[::1] velocity,  # in, out
        double scale, double l2, double l1, double rate, double momentum, int threads):
    """
    velocity[:] = momentum * velocity + rate * g
    data -= velocity
    """
    cdef Py_ssize_t i
    cdef real s = <real>scale, d = <real>l2, e = <real>l1, r = <real>rate, m = <real>momentum
    threads = usable(threads)
    check(grad.shape[0] == velocity.shape[0] == data.shape[0], "a length")
    for i in prange(data.shape[0], nogil=True, schedule="static", num_threads=threads):
        velocity[i] = m * velocity[i] + r * regularized(grad[i], data[i], s, d, e)
        data[i] -= velocity[i]


def nesterov(real[::1] data,  # in, out
             const real[::1] grad,
             real[::1] velocity,  # in, out
             double scale, double l2, double l1, double rate, double momentum, int threads):
    """
    before, velocity[:] = velocity.copy(), momentum * velocity + rate * g
    data -= (1 + momentum) * velocity - momentum * before
    """
    cdef Py_ssize_t i
    cdef real s = <real>scale, d = <real>l2, e = <real>l1, r = <real>rate, m = <real>momentum
    cdef real before
    threads = usable(threads)
    check(grad.shape[0] == velocity.shape[0] == data.shape[0], "a length")
    for i in prange(data.shape[0], nogil=True, schedule="static", num_threads=threads):
        before = velocity[i]
        velocity[i] = m * before + r * regularized(grad[i], data[i], s, d, e)
        data[i] -= (1 + m) * velocity[i] - m * before


def adagrad(real[::1] data,  # in, out
            const real[::1] grad,
            real[::1] squares,  # in, out
            double scale, double l2, double l1, double rate, double delta, int threads):
    """
    squares += g**2
    data -= rate * g / (np.sqrt(squares) + delta)
    """
    cdef Py_ssize_t i
    cdef real s = <real>scale, d = <real>l2, e = <real>l1, r = <real>rate, small = <real>delta
    cdef real g
    threads = usable(threads)
    check(grad.shape[0] == squares.shape[0] == data.shape[0], "a length")
    for i in prange(data.shape[0], nogil=True, schedule="static", num_threads=threads):
        g = regularized(grad[i], data[i], s, d, e)
        squares[i] += g * g
        data[i] -= r * g / (<real>sqrt(squares[i]) + small)


def rmsprop(real[::1] data,  # in, out
            const real[::1] grad,
            real[::1] squares,  # in, out
            double scale, double l2, double l1, double rate, double rms_decay, double delta, int threads):
    """
    squares[:] = rms_decay * squares + (1 - rms_decay) * g**2
    data -= rate * g / (np.sqrt(squares) + delta)
    """
    cdef Py_ssize_t i
    cdef real s = <real>scale, d = <real>l2, e = <real>l1, r = <real>rate, small = <real>delta
    cdef real kept = <real>rms_decay
    cdef real g
    threads = usable(threads)
    check(grad.shape[0] == squares.shape[0] == data.shape[0], "a length")
    for i in prange(data.shape[0], nogil=True, schedule="static", num_threads=threads):
        g = regularized(grad[i], data[i], s, d, e)
        squares[i] = kept * squares[i] + (1 - kept) * g * g
        data[i] -= r * g / (<real>sqrt(squares[i]) + small)


def adadelta(real[::1] data,  # in, out
             const real[::1] grad,
             real[::1] squares,  # in, out
             real[::1] updates,  # in, out
             double scale, double l2, double l1, double rate, double momentum, double delta, int threads):
    """
    squares[:] = momentum * squares + (1 - momentum) * g**2
    update = g * np.sqrt((updates + delta) / (squares + delta))
    updates[:] = momentum * updates + (1 - momentum) * update**2
    data -= rate * update
    """
    cdef Py_ssize_t i
    cdef real s = <real>scale, d = <real>l2, e = <real>l1, r = <real>rate, m = <real>momentum, small = <real>delta
    cdef real g, change
    threads = usable(threads)
    check(grad.shape[0] == squares.shape[0] == updates.shape[0] == data.shape[0], "a length")
    for i in prange(data.shape[0], nogil=True, schedule="static", num_threads=threads):
        g = regularized(grad[i], data[i], s, d, e)
        squares[i] = m * squares[i] + (1 - m) * g * g
        change = g * <real>sqrt((updates[i] + small) / (squares[i] + small))
        updates[i] = m * updates[i] + (1 - m) * change * change
        data[i] -= r * change


def adam(real[::1] data,  # in, out
         const real[::1] grad,
         real[::1] mean,  # in, out
         real[::1] squares,  # in, out
         double scale, double l2, double l1, double rate, double momentum, double momentum2, double delta, int threads):
    """
    mean[:] = momentum * mean + (1 - momentum) * g
    squares[:] = momentum2 * squares + (1 - momentum2) * g**2
    data -= rate * mean / (np.sqrt(squares) + delta)
    """
    cdef Py_ssize_t i
    cdef real s = <real>scale, d = <real>l2, e = <real>l1, r = <real>rate, small = <real>delta
    cdef real m = <real>momentum, m2 = <real>momentum2
    cdef real g
    threads = usable(threads)
    check(grad.shape[0] == mean.shape[0] == squares.shape[0] == data.shape[0], "a length")
    for i in prange(data.shape[0], nogil=True, schedule="static", num_threads=threads):
        g = regularized(grad[i], data[i], s, d, e)
        mean[i] = m * mean[i] + (1 - m) * g
        squares[i] = m2 * squares[i] + (1 - m2) * g * g
        data[i] -= r * mean[i] / (<real>sqrt(squares[i]) + small)
