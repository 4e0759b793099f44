"""VGG-16 as a classifier and as an FCN-32s: the sizes of the maps on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from _cells import arrow, box, document, words

from fcnlite import Net, models

STAGES = ("data", "pool1", "pool2", "pool3", "pool4", "pool5")
STEP = 59


def sizes(model: str, side: int) -> dict[str, tuple[int, ...]]:
    """The shape of each layer's top, without N."""
    shapes: dict[str, tuple[int, ...]] = {"data": (3, side, side)}
    for layer, _, tops in Net(models.describe(model)).shapes({"data": (1, 3, side, side)}):
        shapes[layer.spec.name] = tuple(tops[0][1:])
    return shapes


def maps(top: float, shapes: Mapping[str, tuple[int, ...]], names: Sequence[str], left: float = 30) -> str:
    """Squares that grow with the maps, with their names above and their shapes below."""
    parts, middle, before = [], top + 40, 0.0
    for place, name in enumerate(names):
        shape, x = shapes[name], left + place * STEP
        side = 8 + 40 * (shape[1] / 500) ** 0.5 if len(shape) == 3 else 8
        number = 0 if name == "data" else 1 if name in STAGES else 2
        if place:
            parts.append(arrow(x - STEP + before / 2 + 2, middle, x - side / 2 - 2, middle))
        parts.append(box(x - side / 2, middle - side / 2, side, side, number, 0.2 if number else 0.08))
        parts.append(words(x, middle - side / 2 - 9, "picture" if name == "data" else name, 12))
        parts.append(words(x, middle + side / 2 + 11, f"{shape[0]:,}", 12))
        if len(shape) == 3:
            parts.append(words(x, middle + side / 2 + 25, f"{shape[1]}×{shape[2]}", 12))
        before = side
    return "".join(parts)


def text(top: float, *lines: str) -> str:
    return "".join(words(4, top + 17 * place, line, 13, "start") for place, line in enumerate(lines))


def draw() -> str:
    classifier, dense = sizes("vgg16", 224), sizes("voc-fcn32s", 500)
    return document(
        366, 540,
        [
            words(4, 12, "VGG-16: one answer for a picture", 14, "start", font_weight="bold"),
            maps(24, classifier, STAGES), maps(116, classifier, ("fc6", "fc7", "fc8"), 130),
            text(
                198, "fc6 asks for 7×7 places, so a picture must have",
                "224×224 pixels. fc8 has a score for 1,000 classes.",
            ),
            words(4, 262, "FCN-32s: an answer for each place", 14, "start", font_weight="bold"),
            maps(278, dense, STAGES), maps(386, dense, ("fc6", "fc7", "score_fr", "score"), 130),
            text(
                494, "fc6 slides, and gives 16×16 places. Their 21 scores",
                "are enlarged 32 times, and cut to the picture's size.",
            ),
        ],
    )  # fmt: skip
