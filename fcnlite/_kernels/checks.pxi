# Checks of arguments. Every function that Python can call checks its arguments before its loops, which then read and
# write without checks. What only the loops see, such as a label, they check there.
#
# Sizes that come from several arguments are compared as floating-point numbers, which do not overflow. Lists of places
# are copied before they are checked: an overlapping output or another thread cannot change the copy.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.limits cimport INT_MAX

from fcnlite.errors import FcnliteError

cdef extern from *:
    """
    #include <pthread.h>
    #include <stdlib.h>

    static int fcn_forked = 0;
    static void fcn_mark_forked(void) { fcn_forked = 1; }
    static void fcn_watch_forks(void) { pthread_atfork(NULL, NULL, fcn_mark_forked); }

    static void* fcn_wait(void* gate) {
        pthread_mutex_lock((pthread_mutex_t*)gate);
        pthread_mutex_unlock((pthread_mutex_t*)gate);
        return NULL;
    }
    /* Whether the system starts `threads` threads side by side. OpenMP ends the process if it cannot start its own. */
    static int fcn_can_start(int threads) {
        static __thread int most = 1;
        pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
        pthread_t* started;
        int count = 0;
        if (threads <= most) return 1;
        started = (pthread_t*)malloc(threads * sizeof(pthread_t));
        if (started == NULL) return 0;
        pthread_mutex_lock(&gate);
        while (count < threads && pthread_create(&started[count], NULL, fcn_wait, &gate) == 0) count++;
        pthread_mutex_unlock(&gate);
        for (int i = 0; i < count; i++) pthread_join(started[i], NULL);
        free(started);
        if (count == threads) most = threads;
        return count == threads;
    }
    """
    bint fcn_forked
    void fcn_watch_forks() noexcept
    bint fcn_can_start(int threads) noexcept

cdef enum:
    MOST_THREADS = 1024  # as in config.py

cdef double MOST_FLOATS = 2.0 ** 56

ctypedef fused place:
    int
    long long
    Py_ssize_t

fcn_watch_forks()


cdef inline int check(bint fits, str what) except -1:
    """Raise ValueError unless `what` fits the other arguments."""
    if not fits:
        raise ValueError(f"{what} does not fit the other arguments")
    return 0


cdef inline int usable(int threads) except -1:
    """The number of threads to use: `threads`, or 1 in a forked child, which would wait for its parent's threads."""
    if not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"threads is {threads}; expected 1 to {MOST_THREADS}")
    if fcn_forked:
        return 1
    if not fcn_can_start(threads):
        raise FcnliteError(
            f"The system cannot start {threads} threads: set fewer (OMP_NUM_THREADS=1), or raise the limits of memory "
            "and of processes (ulimit -v, ulimit -u)."
        )
    return threads


cdef inline int check_memory(double floats, Py_ssize_t least) except -1:
    """Raise ValueError if no buffer can have so many floats, or if `least`, the least of its factors, is negative."""
    return check(least >= 0 and floats <= MOST_FLOATS, "the size of a buffer")


cdef inline int check_filled(const Py_ssize_t* shape, int axes, str what) except -1:
    """Raise ValueError if an axis is empty."""
    cdef int axis
    for axis in range(axes):
        check(shape[axis] > 0, what)
    return 0


cdef inline int check_shape(const Py_ssize_t* shape, const Py_ssize_t* expected, int axes, str what) except -1:
    """Raise ValueError unless the shapes are equal."""
    cdef int axis
    for axis in range(axes):
        check(shape[axis] == expected[axis], what)
    return 0


cdef inline int read_pair(pair, Py_ssize_t least, str what, Py_ssize_t* rows, Py_ssize_t* columns) except -1:
    """Read a pair such as a stride, for rows and columns. Raises ValueError unless both are `least` or more."""
    rows[0], columns[0] = pair
    return check(least <= min(rows[0], columns[0]) and max(rows[0], columns[0]) <= INT_MAX, what)


cdef inline const place* checked(const place* places, Py_ssize_t count, Py_ssize_t least, Py_ssize_t limit, list kept,
                          str what) except NULL:
    """A copy of `count` places, which `kept` keeps. Raises ValueError unless all are in `least` … `limit` − 1."""
    cdef bytes copy = PyBytes_FromStringAndSize(<const char*>places, count * sizeof(place))
    cdef const place* copied = <const place*>PyBytes_AS_STRING(copy)
    cdef bint fits = True
    cdef Py_ssize_t i
    for i in range(count):
        fits &= least <= copied[i] < limit
    check(fits, what)
    kept.append(copy)
    return copied
