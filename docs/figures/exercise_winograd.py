"""A 6×6 picture: tiles of 4×4 pixels that overlap, and the 2×2 outputs of each."""

from _cells import arrow, box, document, words


def draw() -> str:
    cell, parts = 34, []
    for i in range(6):
        for j in range(6):
            parts.append(box(20 + j * cell, 40 + i * cell, cell, cell, 0, 0, 0.6))
    for i in range(4):
        for j in range(4):
            number = 1 + 2 * (i // 2) + j // 2
            parts.append(box(340 + j * cell, 74 + i * cell, cell, cell, number, 0.25, 0.6))
    parts += [box(20, 40, 4 * cell, 4 * cell, 1, 0.2, 2), box(20 + 2 * cell, 40, 4 * cell, 4 * cell, 2, 0.2, 2)]
    parts += [words(20 + 3 * cell, 24, "x, 6×6 pixels"), words(340 + 2 * cell, 58, "y, 4×4 outputs")]
    parts += [
        arrow(232, 142, 328, 142),
        words(280, 128, "4 tiles"),
        words(280, 162, "each 16", 12),
        words(280, 178, "products", 12),
    ]
    return document(500, 260, parts)
