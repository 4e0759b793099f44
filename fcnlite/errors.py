"""Exceptions, and similar names for their messages.

Every message is one sentence that a user can act on: it names the file, layer or option, what was found, what was
expected, and how to correct it. Commands print it and exit with status 1.
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable


class FcnliteError(Exception):
    """Base class of the exceptions that fcnlite raises for invalid input."""


class FileError(FcnliteError):
    """A file is missing, unreadable, of another format or version, or cannot be written."""


class SpecError(FcnliteError):
    """A network or solver description is invalid: an unknown type or option, a blob that no layer computes."""


class ShapeError(FcnliteError):
    """Blob shapes do not fit a layer, or inputs do not fit the net."""


class DataError(FcnliteError):
    """Pictures or labels are unusable: values out of range, different sizes, no files."""


class GradientError(FcnliteError):
    """A layer's backward does not compute the gradient of its forward."""


class TrainingError(FcnliteError):
    """Training cannot start or continue: a run folder in use, different options at resuming, NaN in the loss."""


class RankError(FcnliteError):
    """Another process of the same run does not answer, or has failed.

    `told`: it has failed, and tells the user itself.
    """

    def __init__(self, message: str, told: bool = False) -> None:
        super().__init__(message)
        self.told = told


class UnknownNameError(SpecError, KeyError):
    """A mapping has no such name. It is a `KeyError` too, as for any mapping."""

    def __str__(self) -> str:
        return str(self.args[0])  # str() of a KeyError is the repr of its argument


_NO_MEMORY = ("failed to map segment", "annot allocate memory", "can't start new thread")
"""Parts of the messages of `ImportError` and `RuntimeError` that mean a lack of memory."""


def lacks_memory(error: BaseException) -> bool:
    """Whether an error means that memory was short: for an array, a thread, a mapping or a library."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, (ImportError, RuntimeError)):
        return any(words in str(error) for words in _NO_MEMORY)
    return isinstance(error, MemoryError)


_LONG = 60
"""The number of characters of a name that messages show."""


def brief(text: object, most: int = 200) -> str:
    """The first `most` characters of a text, with dots if there are more: files can contain words of any length."""
    words = str(text)
    return words if len(words) <= most else f"{words[:most]}..."


def quoted(text: str, most: int = 80) -> str:
    """A text as a message quotes it: at most `most` characters, of which a control character takes four."""
    shown = repr(text[:most])
    return shown if len(text) <= most and len(shown) <= most + 2 else f"{shown[:most]}...{shown[-1]}"


_LEAST = 0.5
_BELOW_BEST = 0.25
"""The least similarity of a suggested name, from 0 to 1, and its largest distance from the best one."""


def near(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that are similar to `name`, the most similar first.

    Case and punctuation do not count, and names that share words are similar: FCN-8s and voc-fcn8s.
    """
    likeness = {each: _likeness(name[:_LONG], each) for each in sorted(set(known))}
    best = max(likeness.values(), default=0.0)
    found = [each for each, value in likeness.items() if value >= max(_LEAST, best - _BELOW_BEST)]
    if best == 1:  # equal apart from case and punctuation
        found = [each for each in found if likeness[each] == 1]
    return sorted(found, key=lambda each: -likeness[each])[:most]


def _likeness(name: str, known: str) -> float:
    """The similarity of two names, from 0 to 1."""
    (one, words), (other, others) = _words(name), _words(known)
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    alike = difflib.SequenceMatcher(None, one, other).ratio()
    shorter, longer = sorted((one, other), key=len)
    if words <= others or others <= words or (len(shorter) >= 3 and longer.startswith(shorter)):
        return 0.75 + alike / 5
    if any(len(word) >= 3 and other.startswith(word) for word in words) or (len(shorter) >= 3 and shorter in longer):
        return 0.6 + alike / 5
    return alike


def _words(name: str) -> tuple[str, frozenset[str]]:
    """The letters and digits of a name in lower case, and its words; a number is a word of its own."""
    lower = name.lower()
    return re.sub("[^a-z0-9]", "", lower), frozenset(re.findall("[a-z]+|[0-9]+", lower))


def nearest(name: str, known: Iterable[str], shown: int = 12) -> str:
    """The end of a message about an unknown name: similar known names, or the first `shown` of all."""
    names = sorted({brief(each, _LONG) for each in known})
    close = near(name, names)
    if close:
        return "did you mean " + " or ".join(repr(n) for n in close) + "?"
    if not names:
        return "there are none."
    if not shown:
        return ""
    listed = ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")
    return f"known: {listed}."
