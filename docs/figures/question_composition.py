"""A filter f of kernel 3 on a filter g of kernel 3 and stride 2: together kernel 7."""

from _cells import arrow, box, color, document, words

from fcnlite.analysis.receptive_fields import composed

CELL = 36
LEFT = 90


def draw() -> str:
    field, _ = composed((3, 1), (3, 2))
    parts = [words(12, 205, "x", 14, "start"), words(12, 125, "g", 14, "start"), words(12, 45, "f ∘ g", 14, "start")]
    for i in range(11):
        inside = i < field
        parts.append(box(LEFT + CELL * i, 190, CELL, 30, 1 if inside else 0, 0.2 if inside else 0, 0.8))
        parts.append(words(LEFT + CELL * (i + 0.5), 205, str(i), 12))
    for j in range(5):
        x = LEFT + CELL * (2 * j + 1.5)
        parts.append(box(x - 16, 110, 32, 30, 2 if j < 3 else 0, 0.2 if j < 3 else 0, 0.8))
        parts.append(words(x, 125, str(j), 12))
        for i in range(3):
            end = LEFT + CELL * (2 * j + i + 0.5)
            parts.append(
                f'<line x1="{end:g}" y1="190" x2="{x:g}" y2="140" stroke="{color(2) if j < 3 else "currentColor"}" '
                f'stroke-width="1" stroke-opacity="{1 if j < 3 else 0.35}"/>'
            )
    top = LEFT + CELL * 3.5
    parts.append(box(top - 16, 30, 32, 30, 3, 0.25, 1.2))
    parts.append(words(top, 45, "0", 12))
    for j in range(3):
        parts.append(arrow(LEFT + CELL * (2 * j + 1.5), 110, top, 61, 3))
    parts.append(words(top + 34, 45, "reads 3 of g, which read 3 + 2·2 = 7 of x", 13, "start"))
    return document(500, 234, parts)
