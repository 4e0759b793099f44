"""The first pixels of score_pool4 and of upscore2 of FCN-8s, over the rows of the picture."""

from __future__ import annotations

from _drawing import FAINT, Drawing, color
from fcnlite.shapes import placements

from fcnlite import layers, models


def draw() -> str:
    net = models.describe("voc-fcn8s")
    known = placements(layers.links(net.layers, 0))
    (offset,) = next(layer.options["offset"] for layer in net.layers if layer.name == "score_pool4c")
    drawing = Drawing(400, 190)

    def at(row: float) -> float:
        return 20 + 1.9 * (float(row) + 100)

    drawing.box(at(0), 24, 398 - at(0), 144, (6, 0.12), stroke=None)
    drawing.text(at(0) + 4, 40, "the picture", 12, "start")
    drawing.text(at(0) - 6, 40, "the pad of 100", 12, "end")
    drawing.line([(10, 168), (398, 168)], FAINT)
    for row in range(-100, 100, 20):
        drawing.line([(at(row), 165), (at(row), 171)], FAINT)
        drawing.text(at(row), 184, str(row).replace("-", "−"), 11)
    for blob, level, number in (("score_pool4", 80, 1), ("upscore2", 136, 2)):
        place = known[blob][1]
        drawing.text(
            20,
            level - 16,
            f"{blob}: first centre {float(place.offset):g}, then every {place.stride}".replace("-", "−"),
            12,
            "start",
        )
        for pixel in range(14):
            center = at(place.offset + place.stride * pixel)
            if center > 392:
                break
            cropped = blob == "score_pool4" and pixel < offset
            fill = "none" if cropped else color(number)
            drawing.add(
                f'<circle cx="{center:g}" cy="{level}" r="5" fill="{fill}" stroke="{color(number)}" stroke-width="2"/>'
            )
            if blob == "score_pool4" and not cropped:
                drawing.line([(center, level + 8), (center, 128)], FAINT, 1, dashed=True)
    return drawing.svg()
