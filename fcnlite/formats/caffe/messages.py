"""Converts Caffe's messages to JSON values and back; enums become strings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fcnlite.errors import SpecError, nearest
from fcnlite.formats.caffe.schema import Field, enum_values, fields

if TYPE_CHECKING:
    from google.protobuf.message import Message


def to_dict(message: Message) -> dict[str, Any]:
    """The fields of `message` that are set, as JSON values by name. Raises `SpecError` for NaN and infinity."""
    known = fields(message.DESCRIPTOR.name)
    out: dict[str, Any] = {}
    for descriptor, value in message.ListFields():
        field = known[descriptor.name]
        out[field.name] = [_value(field, item) for item in value] if field.repeated else _value(field, value)
    return out


def _value(field: Field, value: Any) -> Any:
    if field.is_message:
        return to_dict(value)
    if names := {number: name for name, number in enum_values(field.type).items()}:
        return names[value]
    if field.type == "float":
        if not math.isfinite(value):
            raise SpecError(f"{field.name} is {value}; expected a finite number.")
        # The shortest decimal that rounds to this float32, which is the text of the file: 0.1, not 0.10000000149011612.
        return float(str(np.float32(value)))
    return value


def fill(message: Message, values: Mapping[str, Any]) -> None:
    """Set the fields of `message` from JSON values by name; a repeated field also takes a single value.

    Raises `SpecError` for unknown names and values of the wrong type.
    """
    known = fields(message.DESCRIPTOR.name)
    for name, value in values.items():
        if name not in known:
            raise SpecError(f"{message.DESCRIPTOR.name} has no field {name!r}; {nearest(name, known)}")
        field = known[name]
        items = value if field.repeated and isinstance(value, (list, tuple)) else [value]
        target = getattr(message, name)
        if field.is_message:
            for item in items:
                if not isinstance(item, Mapping):
                    raise SpecError(f"{name}: {item!r} is not usable; expected a mapping of fields.")
                inner = target.add() if field.repeated else target
                inner.SetInParent()
                fill(inner, item)
            continue
        try:
            scalars = [_scalar(field, item) for item in items]
            if field.repeated:
                target.extend(scalars)
            else:
                setattr(message, name, scalars[0])
        except (TypeError, ValueError) as error:
            wanted = field.type.rpartition(".")[2]
            raise SpecError(f"{name}: {value!r} is not usable ({error}); expected {wanted} values.") from error


def _scalar(field: Field, value: Any) -> Any:
    values = enum_values(field.type)
    if values:
        if value not in values:
            raise ValueError(nearest(str(value), values))
        return values[value]
    if field.type == "float":
        with np.errstate(over="ignore"):
            if not np.isfinite(np.float32(value)):
                raise ValueError("not a finite float32")
    return value
