"""VGG-16 as a classifier and as an FCN-32s: the sizes of the maps on the way."""

from __future__ import annotations

from collections.abc import Sequence

from _cells import arrow, box, document, words

from fcnlite import Net, models

STAGES = ("pool1", "pool2", "pool3", "pool4", "pool5")


def sizes(model: str, side: int) -> dict[str, tuple[int, ...]]:
    """The shape of each layer's top, without N; the widths of the channels are those of the real net."""
    shapes = {"data": (3, side, side)}
    for layer, _, tops in Net(models.describe(model)).shapes({"data": (1, 3, side, side)}):
        shapes[layer.spec.name] = tuple(tops[0][1:])
    return shapes


def row(top: float, title: str, shapes: dict[str, tuple[int, ...]], names: Sequence[str], last: Sequence[str]) -> str:
    """Squares as large as the maps, from the picture to the scores, with names above and shapes below."""
    parts, x, middle = [words(10, top, title, 15, "start", font_weight="bold")], 10.0, top + 68
    for place, name in enumerate(names):
        shape = shapes[name]
        side = 10 + 44 * (shape[1] / 500) ** 0.5 if len(shape) == 3 else 10
        number = 1 if name in STAGES else 2 if place else 0
        parts.append(box(x, middle - side / 2, side, side, number, 0.2 if number else 0.08))
        parts.append(words(x + side / 2, middle - side / 2 - 11, "picture" if name == "data" else name, 12))
        parts.append(words(x + side / 2, middle + side / 2 + 12, f"{shape[0]:,}", 12))
        if len(shape) == 3:
            parts.append(words(x + side / 2, middle + side / 2 + 27, f"{shape[1]}×{shape[2]}", 12))
        step = max(side + 16, 54.0)
        if place < len(names) - 1:
            parts.append(arrow(x + side + 2, middle, x + step - 2, middle))
        x += step
    parts += [words(10, top + 142 + 18 * place, line, 13, "start") for place, line in enumerate(last)]
    return "".join(parts)


def draw() -> str:
    classifier = row(
        20, "VGG-16: one answer for a picture", sizes("vgg16", 224), ("data", *STAGES, "fc6", "fc7", "fc8"),
        (
            "fc6 asks for 7×7 places, so every picture must have 224×224 pixels.",
            "fc8 has a score for each of 1,000 classes.",
        ),
    )  # fmt: skip
    dense = row(
        220, "FCN-32s: an answer for each place", sizes("voc-fcn32s", 500),
        ("data", *STAGES, "fc6", "fc7", "score_fr", "score"),
        (
            "fc6 slides, and gives 16×16 places. Their 21 scores are",
            "enlarged 32 times, and cut to the size of the picture.",
        ),
    )  # fmt: skip
    return document(580, 390, [classifier, dense])
