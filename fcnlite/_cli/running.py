"""Runs a command: exit status, errors, warnings and progress."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from fcnlite import config
from fcnlite._cli.imports import import_all, requested
from fcnlite._cli.streams import open_closed_streams
from fcnlite._kernels import isa
from fcnlite.errors import FcnliteError

_NO_MEMORY = ("failed to map segment", "annot allocate memory", "can't start new thread")
"""Parts of the messages of `ImportError` and `RuntimeError` that mean a lack of memory."""

Main = Callable[[Sequence[str] | None], None]


def run_command(main: Main, arguments: Sequence[str] | None = None) -> int:
    """Call a command's `main` and return its exit status. Bad input ends in one sentence, without a traceback.

    The modules that --import names are imported first, because choices and help texts depend on what they register.
    """
    open_closed_streams()
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        try:
            import_all(requested(sys.argv[1:] if arguments is None else arguments))
            main(arguments)
            sys.stdout.flush()
        except FcnliteError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted.", file=sys.stderr)
            return 130
        except (MemoryError, ImportError, OSError, RuntimeError) as error:
            if _lacks_memory(error):
                print(
                    f"error: there is not enough memory ({error or 'for a small array'}); make the net, the picture or "
                    "the batch smaller, use fewer --threads, or raise the limit on memory.",
                    file=sys.stderr,
                )
                return 1
            if not isinstance(error, OSError):
                raise
            # Files raise FileError, so this is standard output: its reader has closed it, as `| head` does, or its
            # disk is full. The null device takes what Python writes when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):
                print(f"error: standard output cannot be written ({error.strerror}).", file=sys.stderr)
            return 1
    return 0


def _lacks_memory(error: Exception) -> bool:
    """Whether an error means that memory was short: for an array, a thread, a mapping or a library."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY)


def check_environment(threads: int | None = None) -> None:
    """Raise `FcnliteError` if an environment variable makes every computation fail.

    A command calls this, or `apply_threads`, as soon as it has parsed its arguments; otherwise each picture would
    report the same error. `threads`: the number from the command line, which replaces OMP_NUM_THREADS.
    """
    isa.name()
    if threads is None:
        config.num_threads()


def apply_threads(threads: int | None) -> None:
    """Check the environment and set the number of threads, if --threads gave one."""
    check_environment(threads)
    if threads is not None:
        config.set_num_threads(threads)


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total) that draws a bar on standard error if that is a terminal."""
    from tqdm import tqdm

    with tqdm(unit=unit, disable=None, leave=False, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _show_warning(message: object, *_: object) -> None:
    print(f"warning: {message}", file=sys.stderr)
