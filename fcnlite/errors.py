"""Our exceptions.

Every message is one sentence that a user can act on: it names the file, layer or option, what was found,
what was expected, and how to mend it. Commands print it and exit with status 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FcnliteError(Exception):
    """Base of everything that fcnlite raises for bad input."""


class FileError(FcnliteError):
    """A file is missing, unreadable, of another format or version, or cannot be written."""


class SpecError(FcnliteError):
    """A network or solver description is wrong: an unknown type or option, a blob nobody makes."""


class ShapeError(FcnliteError):
    """Blob shapes do not fit a layer, or inputs do not fit the net."""


class DataError(FcnliteError):
    """Images or labels are not usable: values out of range, sizes that differ, nothing found."""


class TrainingError(FcnliteError):
    """Training cannot start or go on: a run folder in use, a resume that does not fit, NaN in the loss."""


class UnknownNameError(SpecError, KeyError):
    """A mapping of ours holds nothing under this name; a `KeyError` too, as of any mapping."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError's would be its repr


_LONG = 60
"""Characters of a name that are shown."""


def nearest(name: str, known: Iterable[str], shown: int = 12) -> str:
    """The tail of an "unknown name" message: the closest known names, or the first `shown` of them."""
    names = sorted({each if len(each) <= _LONG else each[:_LONG] + "..." for each in known})
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(n) for n in close) + "?"
    if not names:
        return "there are none."
    listed = ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")
    return f"known: {listed}."
