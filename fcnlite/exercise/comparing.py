"""Compares a student's result with the engine's, and recognises typical mistakes by what they compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import FcnliteError
from fcnlite.exercise.student import Call, WrongError, shown

Mistakes = Mapping[str, Callable[[], Any]]
"""Typical mistakes: a sentence, and a function that computes what the mistake gives."""

TOLERANCE = 1e-5
"""The largest difference from the engine, relative to the largest value."""


def compare(
    call: Call,
    got: Any,
    expected: Any,
    mistakes: Mistakes | None = None,
    what: str = "the result",
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> None:
    """Raise `WrongError` unless `got` has the shape and the values of `expected`.

    If `got` equals what one of `mistakes` computes, or has one of the wrong `shapes`, the message begins with the
    sentence of that mistake.
    """
    expected = np.asarray(expected)
    array = _array(call, got, what)
    if array.shape == expected.shape and _close(array, expected):
        return
    known = (sentence for sentence, wrong in (mistakes or {}).items() if _is(array, wrong, expected))
    hint = next(known, "")
    if not hint and array.shape != expected.shape:
        hint = next((sentence for sentence, shape in (shapes or {}).items() if array.shape == shape), "")
    hint = hint or _general(array, expected)
    if array.shape != expected.shape:
        found = f"{_subject(what)} has shape {_shape(array)}; expected {_shape(expected)}."
        raise WrongError(_joined(hint, found, call))
    finite = np.isfinite(array) | ~np.isfinite(expected)
    if not finite.all():
        index = tuple(map(int, np.argwhere(~finite)[0]))
        found = f"{_value(what, index, array)}; expected {_number(expected[index])}."
        raise WrongError(_joined(hint, found, call))
    index = _first_difference(array, expected)
    found = f"{_value(what, index, array)}; expected {_number(expected[index])}{_how_many(array, expected)}."
    both = ""
    if 1 < expected.size <= 36:
        both = f"\nexpected {shown(expected)}\ngot      {shown(array)}"
    raise WrongError(_joined(hint, found, call) + both)


def _general(array: Array, expected: Array) -> str:
    """A sentence about a mistake that any function may have, or nothing."""
    if array.size == 0:
        return "It has no values: a slice ends where it begins, or a size is too small."
    if np.isnan(array).any():
        return (
            "NaN is what 0/0, ∞ − ∞ and ∞/∞ give, and what np.empty holds here: before you add to an array, make it "
            "with np.zeros."
        )
    if array.shape != expected.shape:
        if array.size == expected.size and _close(array.ravel(), expected.ravel()):
            return f"The values are right and in order, but not the shape: end with .reshape{_shape(expected)}."
        if array.ndim == expected.ndim > 1 and sorted(array.shape) == sorted(expected.shape):
            return "The axes seem to be exchanged."
        return ""
    if array.size > 1 and _close(np.sort(array, axis=None), np.sort(expected, axis=None)):
        return "The values are right, but some are at wrong places."
    largest = float(np.sum(np.square(expected, dtype=np.float64)))
    factor = float(np.sum(array * expected, dtype=np.float64)) / largest if largest else 0.0
    if not factor or not _close(array, factor * expected):
        return ""
    if abs(factor + 1) < TOLERANCE:
        return "The sign is wrong."
    return f"Every value is {factor:.6g} times what is expected." if np.count_nonzero(expected) > 1 else ""


def check_dtype(call: Call, got: Any, dtype: Any, what: str = "the result") -> None:
    """Raise `WrongError` unless `got` has the dtype."""
    found = np.asarray(got).dtype
    if found != dtype:
        raise WrongError(
            f"{_subject(what)} is {found} for an input of {np.dtype(dtype)}; expected {np.dtype(dtype)}. "
            "np.zeros and np.empty make float64 unless they are told dtype=...; a float64 array makes products float64."
        )


def check_lines(call: Call, most: int, advice: str) -> None:
    """Raise `WrongError` if the call ran more than `most` lines; `advice` says what to loop over."""
    if call.lines > most:
        raise WrongError(
            f"{call.name} is too slow: it runs {call.lines:,} lines of Python for this input, where {most:,} are more "
            f"than enough. {advice}\n{call}"
        )


def check_places(call: Call, got: Any, what: str) -> None:
    """Raise `WrongError` unless the array holds integers, which can be indices."""
    if np.asarray(got).dtype.kind not in "iu":
        raise WrongError(
            f"{_subject(what)} is {np.asarray(got).dtype}, but places are indices: make the array with dtype=int.\n"
            f"{call}"
        )


def pair(call: Call, names: Sequence[str]) -> list[Any]:
    """The results of a function that returns several. Raises `WrongError` for another number."""
    if not isinstance(call.result, (tuple, list)) or len(call.result) != len(names):
        found = "nothing" if call.result is None else _kind(call.result)
        if isinstance(call.result, (tuple, list)):
            found = f"{len(call.result)} values"
        raise WrongError(f"{call.name} returns {found}; expected {len(names)}: return {', '.join(names)}.\n{call}")
    return list(call.result)


def _array(call: Call, got: Any, what: str) -> Array:
    if got is None:
        raise WrongError(f"{call.name} returns nothing; end it with a return statement.\n{call}")
    if not isinstance(got, (np.ndarray, np.generic, int, float)):
        raise WrongError(f"{_subject(what)} is {_kind(got)}; expected an array.\n{call}")
    array = np.asarray(got)
    if array.dtype.kind not in "fiub":
        raise WrongError(f"{_subject(what)} has dtype {array.dtype}; expected numbers.\n{call}")
    return array


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _close(one: Array, other: Array) -> bool:
    largest = np.max(np.abs(other), initial=0, where=np.isfinite(other))
    return bool(np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE * float(largest), equal_nan=True))


def _is(array: Array, wrong: Callable[[], Any], expected: Array) -> bool:
    """Whether a mistake explains the result, and differs from what is right."""
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(wrong())
    except (FcnliteError, ArithmeticError, ValueError, IndexError):  # the mistake cannot be made with these arguments
        return False
    if value.shape != array.shape or not _close(array, value):
        return False
    return value.shape != expected.shape or not _close(value, expected)


def _first_difference(array: Array, expected: Array) -> tuple[int, ...]:
    largest = np.max(np.abs(expected), initial=0)
    differs = ~np.isclose(array, expected, rtol=TOLERANCE, atol=TOLERANCE * float(largest))
    return tuple(map(int, np.argwhere(differs)[0]))


def _how_many(array: Array, expected: Array) -> str:
    largest = np.max(np.abs(expected), initial=0)
    differ = ~np.isclose(array, expected, rtol=TOLERANCE, atol=TOLERANCE * float(largest))
    return f" ({np.count_nonzero(differ)} of {expected.size} values differ)" if expected.size > 1 else ""


def _value(what: str, index: tuple[int, ...], array: Array) -> str:
    where = f" at [{', '.join(map(str, index))}]" if index else ""
    return f"{_subject(what)} {'has' if index else 'is'} {_number(array[index])}{where}"


def _number(value: Any) -> str:
    return f"{value:.6g}"


def _shape(array: Array) -> str:
    return str(array.shape) if array.ndim else "() (a single number)"


def _subject(what: str) -> str:
    """`what` at the beginning of a sentence; names keep their case."""
    return what[0].upper() + what[1:] if what.startswith("the ") else what


def _joined(hint: str, found: str, call: Call) -> str:
    return f"{hint} {found}\n{call}" if hint else f"{found}\n{call}"
