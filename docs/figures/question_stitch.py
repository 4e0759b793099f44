"""Shift-and-stitch and à trous in one dimension: a pooling of stride 2 and a filter of two weights."""

import numpy as np
from _cells import box, color, document, words

X = np.array([3, 1, 4, 1, 5, 9, 2, 6])
CELL = 40
LEFT = 130


def row(values: dict[float, int], y: float, name: str, number: int = 0) -> list[str]:
    """Boxes centred at places (in pixels)."""
    parts = [words(10, y + 15, name, 13, "start")]
    for place, value in values.items():
        parts.append(box(LEFT + CELL * place - 14, y, 28, 30, number, 0.2 if number else 0))
        parts.append(words(LEFT + CELL * place, y + 15, str(value)))
    return parts


def wire(x1: float, y1: float, x2: float, y2: float, number: int) -> str:
    start, end = (f"{LEFT + CELL * x:g}" for x in (x1, x2))
    return f'<line x1="{start}" y1="{y1:g}" x2="{end}" y2="{y2:g}" stroke="{color(number)}" stroke-width="1.3"/>'


def draw() -> str:
    pooled = np.maximum(X[:-1], X[1:])  # at stride 1
    score = pooled[:-2] + pooled[2:]  # the filter 1, 1 with a hole
    parts = row(dict(enumerate(X.tolist())), 20, "x")
    for shift, y, number in ((0, 90, 1), (1, 150, 2)):
        kept = {place + 0.5: int(pooled[place]) for place in range(shift, 7, 2)}
        parts += row(kept, y, f"shift {shift}: max", number)
    parts += row({place + 1.5: int(score[place]) for place in range(5)}, 230, "scores")
    for place in range(5):
        shift, number = place % 2, 1 + place % 2
        level = 120 if shift == 0 else 180
        parts += [
            wire(place + 0.5, level, place + 1.5, 230, number),
            wire(place + 2.5, level, place + 1.5, 230, number),
        ]
    for place in range(0, 7):
        level = 150 if place % 2 else 90
        parts += [wire(place + side, 50, place + 0.5, level, 1 + place % 2) for side in (0, 1)]
    note = "Each score adds two neighbours of its own shift. On all maxima at once, these are"
    parts.append(words(10, 285, note, 12, "start"))
    parts.append(words(10, 302, "two places apart: the same filter with a hole.", 12, "start"))
    return document(500, 316, parts)
