"""COCO's run-length encoding of masks (RLE), plain and compressed.

The lengths of runs of 0 and 1 in turn, down the columns. Compressed, each length after the third is the difference to
the one two places before, in groups of 5 bits from the lowest on: character − 48 has 5 bits, 32 for "more follow", and
in the last group 16 is the sign (pycocotools, maskApi.c, rleFrString). The text is decoded here, since pycocotools does
not check it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fcnlite.data.annotations.json_files import is_size
from fcnlite.data.annotations.outlines import RunLengths, Unusable

_LONGEST = 8
"""Groups of a number: more than enough for the pixels of the largest picture."""


def run_lengths(value: Mapping[str, Any]) -> RunLengths | Unusable:
    """The mask in a JSON object with `size` (height, width) and `counts` (a list, or compressed text)."""
    size, counts = value.get("size"), value.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not is_size(*size):
        return Unusable("has a mask without a size")
    if isinstance(counts, str):
        counts = decompressed(counts)
    if not isinstance(counts, list) or not all(type(each) is int for each in counts):
        return Unusable("has a mask whose runs cannot be read")
    return RunLengths(size[0], size[1], counts)


def decompressed(text: str) -> list[int] | None:
    """The lengths in a compressed text; None if it is malformed."""
    counts: list[int] = []
    number = place = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or place >= _LONGEST:
            return None
        number |= (group & 31) << 5 * place
        place += 1
        if not group & 32:
            if group & 16:
                number -= 1 << 5 * place
            counts.append(number + (counts[-2] if len(counts) > 2 else 0))
            number = place = 0
    return None if place else counts
