"""Parses layers' options into dataclasses with Caffe's names and defaults."""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any

from fcnlite.errors import SpecError, brief, nearest

MAX_AXES = 32
"""Caffe's limit on the axes of a blob."""
LARGEST = 1 << 20
"""The largest kernel size, stride, pad and dilation; larger than any picture."""

_LONGEST = 80
"""The number of characters of a value in `shown`."""


@dataclasses.dataclass(frozen=True)
class PythonOptions:
    """The options of a Python layer, in `python_param`."""

    module: str = ""
    layer: str = ""
    param_str: str = ""
    share_in_parallel: bool = False


def parse_options(kind: type, raw: Mapping[str, Any]) -> Any:
    """`raw` as an instance of the dataclass `kind`. Raises `SpecError` for an unknown name or a wrong type."""
    hints = _hints(kind)
    values = {}
    for key, value in raw.items():
        if key not in hints:
            raise SpecError(f"unknown option {key!r}; {nearest(key, hints)}")
        try:
            values[key] = _convert(hints[key], value)
        except SpecError as error:  # inside a group of fields
            raise SpecError(f"option {key}: {error}") from error
        except TypeError as error:
            raise SpecError(f"option {key}: {repr(value)[:80]} is not usable; expected {error}.") from error
    return kind(**values)


def shown(options: Any, usual: Mapping[str, Any]) -> str:
    """The fields of a dataclass, written as in a call, that differ from `usual` or else from their defaults."""
    found = []
    for each in dataclasses.fields(options):
        value = getattr(options, each.name)
        default = each.default if each.default_factory is dataclasses.MISSING else each.default_factory()
        if value != usual.get(each.name, default):
            words = f"{type(value).__name__}({shown(value, {})})" if dataclasses.is_dataclass(value) else repr(value)
            found.append(f"{each.name}={brief(words, _LONGEST)}")
    return ", ".join(found)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _convert(hint: Any, value: Any) -> Any:
    """`value` as the annotated type. Raises a `TypeError` that says what was expected."""
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise TypeError("a group of fields in braces")
        return parse_options(typing.cast(type, hint), value)
    origin = typing.get_origin(hint)
    if origin is tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        return tuple(_convert(typing.get_args(hint)[0], item) for item in items)
    if origin in (typing.Union, types.UnionType):
        kinds = [each for each in typing.get_args(hint) if each is not type(None)]
        return None if value is None else _convert(kinds[0], value)
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            raise TypeError("one of " + ", ".join(map(str, typing.get_args(hint))))
        return value
    if hint is float and type(value) in (int, float) and abs(value) <= sys.float_info.max:
        return float(value)
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if hint in (bool, str) and isinstance(value, hint):
        return value
    raise TypeError({float: "a number", int: "a whole number", bool: "true or false", str: "a name"}[hint])


def either(name: str, value: int | None, older: str, older_value: int | None, default: int) -> int:
    """The value of an option that also has an older name. Raises `SpecError` if both are given."""
    if value is not None and older_value is not None:
        raise SpecError(f"both {name} and {older} are given; write {name} alone.")
    return next((each for each in (value, older_value) if each is not None), default)


def pair(options: Any, name: str, stem: str, default: int | None, least: int = 1) -> tuple[int, int]:
    """The option `name` for rows and columns, given as one number, as two, or as `stem`_h and `stem`_w.

    Raises `SpecError` if both forms are given, if none is given and there is no default, or for a value below `least`.
    """
    written = getattr(options, name)
    values = written if isinstance(written, tuple) else () if written is None else (written,)
    rows, columns = getattr(options, f"{stem}_h", None), getattr(options, f"{stem}_w", None)
    if values and (rows is not None or columns is not None):
        raise SpecError(f"both {name} and {stem}_h/{stem}_w are given; write one of them.")
    if len(values) > 2:
        raise SpecError(f"{name} has {len(values)} values; expected one, or rows and columns.")
    if values:
        rows, columns = values[0], values[-1]
    rows, columns = (default if each is None else each for each in (rows, columns))
    if rows is None or columns is None:
        raise SpecError(f"{name} is missing; write {name}, or both {stem}_h and {stem}_w.")
    for value in (rows, columns):
        if not least <= value <= LARGEST:
            raise SpecError(f"{name} is {value}; expected {least} to {LARGEST}.")
    return rows, columns
