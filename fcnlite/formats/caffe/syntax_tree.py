"""Protobuf text as a tree of names, values and lines, whatever the fields' names.

Protobuf's own reader drops fields that it does not know. What it drops is found here: the options of layers that
Caffe's forks and users add, and the line that an error or a warning has to name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from fcnlite.errors import SpecError

MAX_DEPTH = 50
"""Messages within messages; Caffe's go five deep."""

_TOKEN = re.compile(
    r"""\s+ | \#[^\n]* | (?P<string>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*') | (?P<word>[\w.+-]+) |
        (?P<mark>[{}<>\[\]:;,]) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"{": "}", "<": ">"}


class Node(NamedTuple):
    """One field: its value is a list of nodes for a message, else a number, a boolean or a string."""

    name: str
    line: int
    value: Any
    start: int
    """Where its name begins in the text."""


class _Token(NamedTuple):
    kind: str
    text: str
    line: int
    start: int


def parse_tree(text: str, source: str) -> list[Node]:
    """The fields of `text`. Raises `SpecError`, naming `source` and the line, where it is no protobuf text."""
    return list(_fields(_Tokens(text, source), "", 0))


def to_dict(nodes: list[Node]) -> dict[str, Any]:
    """The nodes as a mapping; a field that comes several times is a list."""
    found: dict[str, list[Any]] = {}
    for node in nodes:
        found.setdefault(node.name, []).append(to_dict(node.value) if isinstance(node.value, list) else node.value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


class _Tokens:
    """The tokens in order, with one of them looked at ahead."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._found = self._scan(text)
        self.next = next(self._found)

    def take(self) -> _Token:
        token = self.next
        self.next = next(self._found)
        return token

    def wrong(self, expected: str) -> SpecError:
        found = self.next.text[:40] or "the end"
        return SpecError(f"{self._source}, line {self.next.line}: found {found!r}; expected {expected}.")

    def _scan(self, text: str) -> Iterator[_Token]:
        line = 1
        for match in _TOKEN.finditer(text):
            if match.lastgroup:
                yield _Token(match.lastgroup, match.group(), line, match.start())
            line += match.group().count("\n")
        while True:
            yield _Token("end", "", line, 0)


def _fields(tokens: _Tokens, closing: str, depth: int) -> Iterator[Node]:
    """The fields up to `closing`, which is taken too."""
    if depth > MAX_DEPTH:
        raise tokens.wrong(f"at most {MAX_DEPTH} messages within each other")
    while tokens.next.text != closing:
        if tokens.next.kind != "word":
            raise tokens.wrong("the name of a field")
        name = tokens.take()
        colon = tokens.next.text == ":" and tokens.take()
        if tokens.next.text in _CLOSING:
            opening = tokens.take().text
            yield Node(name.text, name.line, list(_fields(tokens, _CLOSING[opening], depth + 1)), name.start)
        elif not colon:
            raise tokens.wrong("':' or '{'")
        elif tokens.next.text == "[":
            tokens.take()
            while tokens.next.text != "]":
                yield Node(name.text, name.line, _value(tokens), name.start)
                if tokens.next.text == ",":
                    tokens.take()
            tokens.take()
        else:
            yield Node(name.text, name.line, _value(tokens), name.start)
        if tokens.next.text in (";", ","):
            tokens.take()
    tokens.take()


def _value(tokens: _Tokens) -> Any:
    """A number, a boolean, an enum's name or a string (several side by side are one)."""
    if tokens.next.kind == "string":
        parts = []
        while tokens.next.kind == "string":
            parts.append(tokens.take().text[1:-1])
        return "".join(parts)
    if tokens.next.kind != "word":
        raise tokens.wrong("a value")
    word = tokens.take().text
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(word, word)
