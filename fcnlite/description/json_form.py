"""Dataclasses as JSON text, and back.

A class lists in `json_fields` how the JSON value of each field is checked and converted; a field that is not listed
is a string.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from fcnlite.errors import SpecError, brief, nearest

Decoder = Callable[[Any], Any]
"""Converts one JSON value. Raises `TypeError`, `ValueError` or `OverflowError` for a value that it cannot use."""


def decoders(**by_field: Decoder) -> Mapping[str, Decoder]:
    """The value of a class's `json_fields`, which must not be annotated, since it is not a field of the dataclass."""
    return by_field


def dumps(value: Any) -> str:
    """A dataclass as JSON text."""
    return json.dumps(_encoded(value))


def loads(kind: type, text: str, where: str, what: str) -> Any:
    """The dataclass `kind` that `dumps` wrote.

    Raises `SpecError` for anything else; `where` and `what` name the value in the message.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{what} is not JSON ({brief(error)}).") from error
    return decoded(kind, raw, where)


def _encoded(value: Any) -> Any:
    """`value` with dataclasses as mappings of the fields that differ from their defaults, and tuples as lists."""
    if hasattr(value, "__dataclass_fields__"):
        out = {}
        for each in fields(value):
            if not each.compare:
                continue
            item = getattr(value, each.name)
            default = each.default_factory() if callable(each.default_factory) else each.default
            if item != default:
                out[each.name] = _encoded(item)
        return out
    if isinstance(value, Mapping):
        return {str(key): _encoded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(item) for item in value]
    return value


def decoded(kind: type, raw: Any, where: str) -> Any:
    """A dataclass from its mapping. Raises `SpecError` for an unknown field or one of the wrong type."""
    if not isinstance(raw, dict):
        raise SpecError(f"{where}: expected a mapping, found {type(raw).__name__}.")
    known = {each.name for each in fields(kind)}
    decoder_of: Mapping[str, Decoder] = getattr(kind, "json_fields", {})
    values = {}
    for key, value in raw.items():
        if key not in known:
            raise SpecError(f"{where}: unknown field {key!r}; {nearest(key, known)}")
        try:
            values[key] = decoder_of.get(key, string)(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise SpecError(f"{where}: field {key!r} is not usable ({brief(error)}).") from error
    try:
        return kind(**values)
    except TypeError as error:
        raise SpecError(f"{where}: a field is missing ({brief(error)}).") from error


# Decoders


def _exactly(kind: type) -> Decoder:
    def decode(value: Any) -> Any:
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:  # isinstance accepts true as a number
            raise TypeError(f"expected {kind.__name__}")
        return value

    return decode


string = _exactly(str)
integer = _exactly(int)
number = _exactly(float)
boolean = _exactly(bool)


def strings(value: Any) -> tuple[str, ...]:
    """A tuple of strings."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("expected a list of strings")
    return tuple(value)


def integers(value: Any) -> tuple[int, ...]:
    """A tuple of whole numbers."""
    return tuple(map(integer, value))


def numbers(value: Any) -> tuple[float, ...]:
    """A tuple of floats."""
    if not isinstance(value, list):
        raise TypeError("expected a list of numbers")
    return tuple(map(number, value))


def booleans(value: Any) -> tuple[bool, ...]:
    """A tuple of booleans."""
    if not isinstance(value, list) or not all(isinstance(item, bool) for item in value):
        raise TypeError("expected a list of true and false")
    return tuple(value)


def mapping(value: Any) -> dict[str, Any]:
    """A mapping of JSON values, as it is."""
    if not isinstance(value, dict):
        raise TypeError("expected a mapping")
    return value


def one(kind: type, where: str) -> Decoder:
    """The decoder of a field that holds one dataclass."""
    return lambda value: decoded(kind, value, where)


def many(kind: type) -> Decoder:
    """The decoder of a field that holds a tuple of dataclasses."""
    return lambda value: tuple(decoded(kind, item, kind.__name__) for item in value)


def by_name(kind: type, where: str) -> Decoder:
    """The decoder of a field that maps names to dataclasses."""
    return lambda value: {name: decoded(kind, item, where) for name, item in mapping(value).items()}
