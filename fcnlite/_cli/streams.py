"""Standard streams that the caller has closed, as `>&-` does."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Connect each standard stream that was closed before Python began to the null device.

    Python sets a closed stream to None, which cannot be written to. Its number is free, so without this the next file
    that is opened would get it, and a library's message on standard error would be written into that file.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest free number, so that of the stream
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - open until the end
