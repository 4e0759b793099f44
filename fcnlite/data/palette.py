"""Colours for classes."""

from __future__ import annotations


def voc_colors(count: int) -> tuple[tuple[int, int, int], ...]:
    """The first `count` (at most 256) colours of PASCAL VOC's palette, as (red, green, blue).

    The bits of the class number, from the lowest on, go to red, green and blue in turn, and fill each colour from its
    highest bit down: 0 is black, 1 is (128, 0, 0), 2 is (0, 128, 0).
    """
    return tuple((_channel(index, 0), _channel(index, 1), _channel(index, 2)) for index in range(count))


def _channel(index: int, channel: int) -> int:
    """Bits `channel`, `channel` + 3, `channel` + 6 of `index` as the three highest bits of a byte, in this order."""
    return sum((index >> (channel + 3 * place) & 1) << (7 - place) for place in range(3))
