"""Parses protobuf text (prototxt) into messages, with errors that name the line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fcnlite.errors import FileError, SpecError, brief, nearest
from fcnlite.formats.caffe.schema import PREFIX, enum_values, fields, message_class

if TYPE_CHECKING:
    from google.protobuf.message import Message

MAX_TEXT_BYTES = 4 << 20
"""Maximum size of a prototxt; the deepest published nets need less than 1 MiB."""

_UNKNOWN_FIELD = re.compile(r'Message type "[\w.]*?(\w+)" has no field named "([^"]*)"')
_UNKNOWN_VALUE = re.compile(r'Enum type "([\w.]+)" has no value (?:named|with number) (\S+)\.')
_POSITION = re.compile(r"^\d+:\d+ : ")


class UnknownFieldError(SpecError):
    """The text sets a field that its message does not have."""


class UnknownValueError(SpecError):
    """The text gives an enum a value that it does not have."""


def parse_text(message: str, text: str, source: str, *, allow_unknown_fields: bool = False) -> Message:
    """The message of type `message` that `text` describes.

    `allow_unknown_fields` skips fields that the message does not have. Raises `SpecError`, naming `source` and the
    line, for an error in the text: `UnknownFieldError` for an unknown field, `UnknownValueError` for an unknown value
    of an enum.
    """
    from google.protobuf import text_format

    if len(text) > MAX_TEXT_BYTES:
        limit = f"a prototxt may have at most {MAX_TEXT_BYTES:,}"
        raise FileError(f"{source}: has {len(text):,} characters; {limit}.")
    parsed = message_class(message)()
    try:
        text_format.Parse(text, parsed, allow_unknown_field=allow_unknown_fields)
    except text_format.ParseError as error:
        line = error.GetLine()
        where = source if line is None else f"{source}, line {line}"
        kind: type[SpecError] = SpecError
        if _UNKNOWN_FIELD.search(str(error)):
            kind = UnknownFieldError
        elif _UNKNOWN_VALUE.search(str(error)):
            kind = UnknownValueError
        raise kind(f"{where}: {_reason(str(error), text, line)}") from error
    return parsed


def _reason(error: str, text: str, line: int | None) -> str:
    """Protobuf's message with similar names, without the quoted line, which may be long."""
    if match := _UNKNOWN_FIELD.search(error):
        return unknown_field(match[1], match[2])
    if match := _UNKNOWN_VALUE.search(error):
        return unknown_value(match[1].removeprefix(PREFIX), match[2])
    reason = _POSITION.sub("", error)
    if line is not None:
        quoted = text.split("\n")[line - 1].removesuffix("\r")
        reason = reason.removeprefix(f"'{quoted}': ")
    reason = reason.replace(PREFIX, "").rstrip(".")
    return f"{brief(reason)}."


def unknown_field(message: str, name: str) -> str:
    """The error text for a field that a message does not have, with similar names."""
    return f"{message} has no field {name!r}; {nearest(name, fields(message))}"


def unknown_value(enum: str, name: str) -> str:
    """The error text for a value that an enum does not have, with similar names."""
    return f"{enum} has no value {name!r}; {nearest(name, enum_values(enum))}"
