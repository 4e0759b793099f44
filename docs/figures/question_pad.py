"""A picture in its pad of 100 pixels."""

from _cells import arrow, box, document, words

SCALE = 0.32


def draw() -> str:
    pad, side = 100 * SCALE, 500 * SCALE
    whole = side + 2 * pad
    return document(
        470,
        whole + 20,
        [
            box(10, 10, whole, whole, 0, 0.08),
            box(10 + pad, 10 + pad, side, side, 1, 0.25),
            words(10 + whole / 2, 10 + whole / 2, "picture, 500×500"),
            words(10 + whole / 2, 10 + pad / 2, "zeros", 12),
            arrow(270, 60, 10 + pad + side + 4, 60),
            words(276, 60, "the pad: 100 zeros on each side", 13, "start"),
            words(276, 90, "with it, 700×700: 1.96 times", 13, "start"),
            words(276, 110, "the pixels of the picture", 13, "start"),
        ],
    )
