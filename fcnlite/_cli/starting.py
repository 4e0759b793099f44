"""The first second of a command, in which Python imports what the command needs."""

from __future__ import annotations

import signal
import sys
from pathlib import Path


def is_command() -> bool:
    """Whether Python was started as `fcnlite COMMAND` or `python -m fcnlite.COMMAND`."""
    # Both lists end with the same arguments. Before them, one has the name of the script or module as it was given.
    (started,) = sys.orig_argv[-len(sys.argv) :][:1] or [""]
    return Path(started).name.removeprefix("-m").partition(".")[0] == "fcnlite"


def end_silently() -> None:
    """Let Ctrl-C end the process without a traceback, as SIGTERM does, until `stopping` handles both."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
