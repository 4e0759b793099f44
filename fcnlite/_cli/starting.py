"""The first second of a command, in which Python imports what the command needs."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import TracebackType

from fcnlite._cli import old_kernels
from fcnlite.errors import lacks_memory


def is_command() -> bool:
    """Whether Python was started as `fcnlite COMMAND` or `python -m fcnlite.COMMAND`."""
    # Both lists end with the same arguments. Before them, one has the name of the script or module as it was given.
    (started,) = sys.orig_argv[-len(sys.argv) :][:1] or [""]
    return Path(started).name.removeprefix("-m").partition(".")[0] == "fcnlite"


def end_plainly() -> None:
    """Let Ctrl-C, a lack of memory and old kernels end the process without a traceback.

    `run_command` handles them later.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # it ends the process as SIGTERM does
    sys.excepthook = _show


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if lacks_memory(error):
        print("error: there is not enough memory to start; raise the limit on memory.", file=sys.stderr)
    elif problem := old_kernels.complaint(error):
        print(problem, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
