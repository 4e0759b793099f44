"""Calls a student's functions: with copies of the arguments, line by line, and with the student's own errors only."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.exercise import uninitialised
from fcnlite.exercise.advice import advice

MOST_LINES = 500_000
"""The number of lines of Python after which a call is taken for an endless loop."""
_MOST_SHOWN = 64
"""The number of values of an array that messages show."""
_PYTHONS = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
_PACKAGES = (Path(__file__).parents[1], Path(np.__file__).parent)
_LIBRARIES = tuple(f"{Path(each).resolve()}{os.sep}" for each in (*_PACKAGES, *_PYTHONS))
"""The folders of fcnlite, NumPy, Python and installed packages."""
_PROMPTS = ("<stdin>", "<python-input-", "<ipython-input-")
"""How the files of code begin that was typed at a prompt; Python's own parts have other names in angle brackets."""


class WrongError(Exception):
    """What is wrong with a student's function, in a sentence or more."""


class _Endless(BaseException):
    """A call has run `MOST_LINES` lines. Not an `Exception`, which the student's code may catch."""


@dataclass(frozen=True)
class Call:
    """A call of a student's function: what went in and what came out."""

    name: str
    arguments: Mapping[str, Any]
    """The values before the call, by name."""
    result: Any
    lines: int
    """How many lines of the student's code ran; a line in a loop counts each time."""

    def __str__(self) -> str:
        return text_of(self.name, self.arguments)


class Student:
    """The functions of a student, by name.

    `file`: the file that they are from. `tell` is called with the text of each call before it begins.
    """

    def __init__(
        self, functions: Mapping[str, Any], file: str | None = None, tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self._functions = functions
        self._file = file
        self._tell = tell

    def call(self, name: str, /, *, changes: tuple[str, ...] = (), **arguments: Any) -> Call:
        """Call a function with copies of the arguments, in the order given.

        `changes` are the arguments that it is to change; if there are any, `Call.result` has them by name. Raises
        `WrongError` if there is no such function, if it raises, does not end, or changes another argument.
        """
        function = self._functions.get(name)
        if not callable(function):
            raise WrongError(f"The file has no function {name}; the skeleton has one, so keep its name.")
        text = text_of(name, arguments)
        self._tell(text)
        given = {key: _copied(value) for key, value in arguments.items()}
        result, lines = self._run(function, list(given.values()), name, text)
        for key, value in arguments.items():
            if key not in changes and not _same(value, given[key]):
                raise WrongError(
                    f"{name} changes its argument {key}, which the caller still needs; work on a copy "
                    f"({key}.copy()).\n{text}"
                )
        if changes:
            result = {key: given[key] for key in changes}
        return Call(name, arguments, result, lines)

    def _run(self, function: Callable[..., Any], arguments: list[Any], name: str, text: str) -> tuple[Any, int]:
        lines = 0

        def count(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal lines
            if event == "line":
                lines += 1
                if lines > MOST_LINES:
                    raise _Endless
            return count

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            return count if self._is_students(frame.f_code) else None

        before = sys.gettrace()
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"), uninitialised.marked():
                warnings.simplefilter("ignore")
                sys.settrace(trace)
                try:
                    result = function(*arguments)
                finally:
                    sys.settrace(before)
        except _Endless:
            raise WrongError(
                f"{name} does not end: it ran {MOST_LINES:,} lines of Python and was stopped. Look for a loop whose "
                f"condition never becomes false, or for loops over every value.\n{text}"
            ) from None
        except NotImplementedError as error:
            raise WrongError(f"{name} is not written yet ({self._where(error)}).") from None
        except (Exception, SystemExit) as error:
            what_to_do = advice(error)
            said = f"{name} raises {self.described(error)}.{f' {what_to_do}' if what_to_do else ''}"
            raise WrongError(f"{said}\n{text}") from None
        return result, lines

    def described(self, error: BaseException) -> str:
        """An exception of the student's code with its line, without a traceback."""
        message = str(error).strip().replace("\n", " ").rstrip(".")
        kind = type(error).__name__
        return f"{kind}{f': {message}' if message else ''} ({self._where(error)})"

    def _where(self, error: BaseException) -> str:
        """The last line of the student's code that an exception went through."""
        frames = [
            (frame.f_code.co_filename, line)
            for frame, line in traceback.walk_tb(error.__traceback__)
            if self._is_students(frame.f_code)
        ]
        if not frames:
            return "outside the function; does it take as many arguments as in the skeleton?"
        file, line = frames[-1]
        summary = traceback.FrameSummary(file, line, "")
        source = f": {summary.line}" if summary.line else ""
        return f"line {line}{source}"

    def _is_students(self, code: CodeType) -> bool:
        return code.co_filename == self._file or not _is_library(code.co_filename)


@lru_cache
def _is_library(file: str) -> bool:
    if file.startswith("<"):
        return not file.startswith(_PROMPTS)
    return str(Path(file).resolve()).startswith(_LIBRARIES)


def text_of(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as text: numbers in the call itself, each array on a line below."""
    inner = ", ".join(key if _is_long(value) else f"{key}={value!r}" for key, value in arguments.items())
    below = [f"{key} = {shown(value)}" for key, value in arguments.items() if _is_long(value)]
    return "\n".join([f"{name}({inner})", *below])


def shown(value: Any) -> str:
    """A value as text; of a large array only its shape, dtype and first values."""
    if isinstance(value, np.ndarray):
        if value.size > _MOST_SHOWN:
            first = ", ".join(f"{each:.4g}" for each in value.ravel()[:6])
            return f"{'×'.join(map(str, value.shape))} {value.dtype}, which begins {first}, …"
        # Nested lists read better than NumPy's form, which breaks lines.
        return _nested(value)
    if isinstance(value, (list, tuple)) and any(isinstance(each, (tuple, list)) for each in value):
        return "\n    " + "\n    ".join(map(str, value))
    text = repr(value)
    return text if len(text) <= 300 else text[:300] + "…"


def _nested(value: Array) -> str:
    if value.ndim == 0:
        return f"{value.item():.7g}" if value.dtype.kind == "f" else str(value.item())
    return "[" + ", ".join(map(_nested, value)) + "]"


def _is_long(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (isinstance(value, (list, tuple)) and any(map(_is_row, value)))


def _is_row(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _copied(value: Any) -> Any:
    """A copy that the student may change."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) is list:
        return [_copied(each) for each in value]
    return value


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, np.ndarray):
        return before.dtype == after.dtype and np.array_equal(before, after, equal_nan=True)
    return bool(before == after)
