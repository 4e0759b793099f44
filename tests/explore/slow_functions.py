"""Functions of a worker that fail in every way, for the tests."""

from __future__ import annotations

import itertools
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

from fcnlite.errors import DataError

_kept: list[bytes] = []
_numbers, _asked = itertools.count(), itertools.count()


def functions(greeting: str) -> dict[str, Callable[..., Any]]:
    return {
        "greet": lambda: greeting,
        "process": os.getpid,
        "sleep": lambda seconds: time.sleep(seconds),
        "die": lambda: os._exit(3),
        "grow": _grow,
        "refuse": _refuse,
        "fail": lambda: {}["/home/someone/secret"],
        "warn": lambda: warnings.warn("careful", stacklevel=1),
        "count": lambda to: next(_numbers) if next(_asked) < to else None,
        "half": lambda value: value / 2,
        "formless": object,
    }


def _grow() -> None:
    while True:
        _kept.append(b"x" * (8 << 20))
        time.sleep(0.02)


def _refuse() -> None:
    raise DataError("that is wrong; do this instead.")
