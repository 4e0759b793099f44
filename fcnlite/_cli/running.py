"""Runs a command: exit status, errors, warnings and progress."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fcnlite import config
from fcnlite._cli import old_kernels
from fcnlite._cli.imports import import_all, requested
from fcnlite._cli.stopping import Stopped, raising
from fcnlite._cli.streams import open_closed_streams
from fcnlite._kernels import isa
from fcnlite.errors import FcnliteError, RankError, lacks_memory
from fcnlite.ranks.launcher import settle, silence, started, world

Main = Callable[[Sequence[str] | None], None]


def run_command(main: Main, arguments: Sequence[str] | None = None, *, shares_work: bool = False) -> int:
    """Call a command's `main` and return its exit status. Bad input ends in one sentence, without a traceback.

    The modules that --import names are imported first, because choices and help texts depend on what they register.
    `shares_work`: the command shares its work among the processes that mpiexec started; others refuse to be started so.
    """
    open_closed_streams()
    if started() == 1:
        problem, status = _outcome(main, arguments)
        if problem is not None:
            print(problem, file=sys.stderr)
        return status
    return settle(*_outcome_of_rank(main if shares_work else _refuse, arguments))


def _refuse(arguments: Sequence[str] | None) -> None:
    raise FcnliteError(
        f"{started()} processes were started, and each would do the whole work, because only train, predict and "
        "evaluate share theirs; start this command without mpiexec."
    )


def _outcome_of_rank(main: Main, arguments: Sequence[str] | None) -> tuple[str | None, int]:
    """`_outcome` in one of several processes, of which only the first shows what it prints."""
    try:
        if not world().first:
            silence()
        return _outcome(main, arguments)
    except FcnliteError as error:
        return f"error: {error}", 1
    except SystemExit as end:  # by the parser, which has said why
        return None, end.code if isinstance(end.code, int) else 0
    except Exception:
        traceback.print_exc(file=sys.__stderr__)
        return "error: an unexpected error, shown above, ended this rank.", 1


def _outcome(main: Main, arguments: Sequence[str] | None) -> tuple[str | None, int]:
    """Call `main`; returns what to tell the user, if anything, and the exit status."""
    with warnings.catch_warnings():
        warnings.showwarning = _shower()
        try:
            with raising():
                import_all(requested(sys.argv[1:] if arguments is None else arguments))
                main(arguments)
            sys.stdout.flush()
        except RankError as error:
            return None if error.told else f"error: {error}", 1
        except FcnliteError as error:
            return f"error: {error}", 1
        except KeyboardInterrupt as interrupt:
            stop = Stopped.of(interrupt)
            return str(stop), stop.status
        except Exception as error:
            if lacks_memory(error):
                return (
                    f"error: there is not enough memory ({error or 'for a small array'}); make the net, the picture or "
                    "the batch smaller, use fewer --threads, or raise the limit on memory.",
                    1,
                )
            if problem := old_kernels.complaint(error):
                return problem, 1
            if not isinstance(error, OSError):
                raise
            if error.filename is not None:
                return f"error: {error.filename}: cannot be used as a file ({error.strerror}).", 1
            # This is standard output: its reader has closed it, as `| head` does, or its disk is full. The null
            # device takes what Python writes when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):
                return None, 1
            return f"error: standard output cannot be written ({error.strerror}).", 1
    return None, 0


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


def terminal_bar(unit: str, total: int | None) -> Any:
    """A bar of tqdm on standard error, with the remaining time, if that is a terminal; it goes away at the end."""
    from tqdm import tqdm

    form = "{l_bar}{bar}| {n_fmt} of {total_fmt} " + unit + "s, {elapsed}, {remaining} left"
    return tqdm(total=total, bar_format=form, disable=None, leave=False, file=sys.stderr)


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total) that draws a bar on standard error if that is a terminal."""
    with terminal_bar(unit, None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _shower() -> Callable[..., None]:
    """A function that shows each warning once, though training and validation pictures may cause the same."""
    shown: set[str] = set()

    def show(message: object, *_: object) -> None:
        if str(message) not in shown:
            shown.add(str(message))
            print(f"warning: {message}", file=sys.stderr)

    return show
