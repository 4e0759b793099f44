"""Damages files: bytes cut, flipped and repeated; the words of texts exchanged, nested and made huge."""

from __future__ import annotations

import random
import re

_NUMBERS = (
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "-2",
    "100",
    "65536",
    "1000000007",
    "2147483647",
    "4294967296",
    "1e38",
    "nan",
)
_TOKEN = re.compile(r'"[^"]*"|[\w.-]+|[{}:]')
_NUMBER = re.compile(r"-?[\d.]+(?:e-?\d+)?(?![\w.-])")
LONGEST = 1 << 20
"""The most bytes of a file after parts of it were repeated."""
_DEPTHS = [1, 3, 20, 200] * 8 + [5000]
"""How deep a part is nested; the deepest is rare, because it makes a text that later cases are slow to read."""


def damaged_bytes(original: bytes, rng: random.Random) -> bytes:
    """Cut short, bits flipped, parts repeated, removed or nested, huge sizes put in."""
    data = bytearray(original)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.choice([1, 2, 8, 100, len(data)]))
        match rng.randrange(7):
            case 0:
                del data[at:]
            case 1 | 2:
                for _ in range(rng.randint(1, 8)):
                    if data:
                        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 3:
                data[at:at] = data[at:to] * rng.randint(1, 20)
                del data[LONGEST:]
            case 4:
                del data[at:to]
            case 5:
                data[at:at] = rng.choice([b"\x0b", b"\x12\x00", b"\xa2\x06\xff", b"\xa2\x06\x00"]) * rng.randint(
                    1, 2000
                )
            case 6:
                data[at:to] = rng.choice([b"\xff" * 9 + b"\x01", b"\xff\xff\xff\xff\x07", b"\x80" * 12])
    return bytes(data)


def damaged_text(original: bytes, rng: random.Random) -> bytes:
    """The words of a text changed: numbers made huge or negative, names made equal or circular, parts moved or nested.

    Sometimes the bytes are damaged as well.
    """
    text = original.decode(errors="replace").replace("\n  ", " ")  # one layer a line
    for _ in range(rng.randint(1, 3)):
        tokens = list(_TOKEN.finditer(text))
        if not tokens:
            break
        lines = text.split("\n")
        match rng.choice(["number"] * 6 + ["name"] * 4 + ["drop", "drop", "repeat", "shuffle", "swap", "nest"]):
            case "number":
                if numbers := [each for each in tokens if _NUMBER.match(text, each.start())]:
                    text = _replaced(text, rng.choice(numbers), rng.choice(_NUMBERS))
            case "name":
                if words := [each for each in tokens if text[each.start()] == '"']:
                    text = _replaced(text, rng.choice(words), rng.choice(words).group())
            case "drop":
                del lines[rng.randrange(len(lines))]
                text = "\n".join(lines)
            case "repeat":
                text = "\n".join([*lines, *rng.choices(lines, k=rng.randint(1, 30))])
            case "shuffle":
                rng.shuffle(lines)
                text = "\n".join(lines)
            case "swap":
                text = _replaced(text, rng.choice(tokens), rng.choice(tokens).group())
            case "nest":
                depth = rng.choice(_DEPTHS)
                text = _replaced(text, rng.choice(tokens), "layer { " * depth)
    return damaged_bytes(text.encode(), rng) if rng.random() < 0.1 else text.encode()


def _replaced(text: str, token: re.Match[str], by: str) -> str:
    return text[: token.start()] + by + text[token.end() :]
