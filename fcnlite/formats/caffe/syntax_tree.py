"""Parses protobuf text into a tree of names, values and lines, without a schema.

Protobuf's own parser drops unknown fields. The tree keeps them: the options of layers that Caffe's forks and users
add, and the lines that errors and warnings name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from fcnlite.errors import SpecError

MAX_DEPTH = 50
"""Maximum nesting of messages; Caffe's have five levels."""

_TOKEN = re.compile(
    r"""\s+ | \#[^\n]* | (?P<string>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*') | (?P<word>[\w.+-]+) |
        (?P<mark>[{}<>\[\]:;,]) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"{": "}", "<": ">"}


class SyntaxNode(NamedTuple):
    """One field. The value of a message is a list of nodes; other values are numbers, booleans and strings."""

    name: str
    line: int
    value: Any
    start: int
    """The position of the name in the text."""
    end: int
    """The position after the value."""


class _Token(NamedTuple):
    kind: str
    text: str
    line: int
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def parse_tree(text: str, source: str) -> list[SyntaxNode]:
    """The fields of `text`. Raises `SpecError`, naming `source` and the line, for text that is not protobuf."""
    return list(_fields(_Tokens(text, source), "", 0))


def to_dict(nodes: list[SyntaxNode]) -> dict[str, Any]:
    """The nodes as a mapping; a repeated field becomes a list."""
    found: dict[str, list[Any]] = {}
    for node in nodes:
        found.setdefault(node.name, []).append(to_dict(node.value) if isinstance(node.value, list) else node.value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


class _Tokens:
    """The tokens of a text in order, with a lookahead of one."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._found = self._scan(text)
        self.next = next(self._found)
        self.end = 0
        """The position after the last token taken."""

    def take(self) -> _Token:
        token = self.next
        self.next = next(self._found)
        self.end = token.end
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


def _fields(tokens: _Tokens, closing: str, depth: int) -> Iterator[SyntaxNode]:
    """The fields up to the token `closing`, which is consumed."""
    if depth > MAX_DEPTH:
        raise tokens.wrong(f"at most {MAX_DEPTH} messages within each other")
    while tokens.next.text != closing:
        if tokens.next.kind != "word":
            raise tokens.wrong("the name of a field")
        name = tokens.take()
        colon = tokens.next.text == ":" and tokens.take()
        if tokens.next.text in _CLOSING:
            opening = tokens.take().text
            inner = list(_fields(tokens, _CLOSING[opening], depth + 1))
            yield SyntaxNode(name.text, name.line, inner, name.start, tokens.end)
        elif not colon:
            raise tokens.wrong("':' or '{'")
        elif tokens.next.text == "[":
            tokens.take()
            while tokens.next.text != "]":
                value = _value(tokens)
                yield SyntaxNode(name.text, name.line, value, name.start, tokens.end)
                if tokens.next.text == ",":
                    tokens.take()
            tokens.take()
        else:
            value = _value(tokens)
            yield SyntaxNode(name.text, name.line, value, name.start, tokens.end)
        if tokens.next.text in (";", ","):
            tokens.take()
    tokens.take()


def _value(tokens: _Tokens) -> Any:
    """A number, a boolean, an enum's name, or a string; adjacent strings are joined."""
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
