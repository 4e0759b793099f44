"""Where the windows of poolings are along one axis, and which is the last."""

from __future__ import annotations

from _drawing import FAINT, Drawing, color
from fcnlite.shapes import Window

CELL = 30
CASES = ((Window(2, 2), 6), (Window(2, 2), 5), (Window(3, 2), 6), (Window(2, 2, 1), 5))


def draw() -> str:
    drawing = Drawing(395, 100 * len(CASES) + 10)
    for place, (window, size) in enumerate(CASES):
        top, left = 100 * place + 6, 12 + CELL
        count = window.pooled(size)
        title = f"{size} pixels, kernel_size {window.size}, stride {window.stride}, pad {window.pad}: {count} outputs"
        drawing.text(12, top + 14, title, anchor="start", bold=True)
        for pixel in range(-window.pad, size + window.pad):
            inside = 0 <= pixel < size
            drawing.box(left + CELL * pixel, top + 24, CELL, 22, None if inside else (6, 0.08), dashed=not inside)
            drawing.text(left + CELL * (pixel + 0.5), top + 40, str(pixel) if inside else "pad", 12)
        dropped = 1 if window.pad else 0
        for output in range(count + dropped):
            start = window.stride * output - window.pad
            over = start + window.size > size + window.pad
            stroke = FAINT if output == count else color(2 if over else 1)
            level = top + 54 + 12 * (output % 2)
            x0, x1 = left + CELL * start + 3, left + CELL * (start + window.size) - 3
            ends = [(x0, level - 4), (x0, level), (x1, level), (x1, level - 4)]
            drawing.line(ends, stroke, 2.5, dashed=output == count)
            if output == count:
                drawing.text(x1 + 6, level + 4, "dropped", 12, "start")
    return drawing.svg()
