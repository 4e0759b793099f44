"""Where 19 comes from: FCN-32s's upsampled scores over the picture, by the placements of its layers."""

from __future__ import annotations

from _drawing import FAINT, Drawing
from fcnlite.shapes import placements

from fcnlite import layers, models

SIZE = 500


def draw() -> str:
    net = models.describe("voc-fcn32s")
    known = placements(layers.links(net.layers, 0))
    before = -int(known["upscore"][1].offset)
    whole = 64 + 32 * (16 - 1)  # 16 rows of scores, as in the page
    scale, left, top = 0.5, 60, 32
    drawing = Drawing(400, 378)
    drawing.box(left, top, whole * scale, whole * scale, (1, 0.12))
    drawing.text(left + whole * scale / 2, top - 12, f"upscore, {whole}×{whole}", bold=True)
    inner = left + before * scale, top + before * scale
    drawing.box(*inner, SIZE * scale, SIZE * scale, (2, 0.25))
    drawing.text(left + whole * scale / 2, top + whole * scale / 2, f"score, {SIZE}×{SIZE}", bold=True)
    drawing.text(left + whole * scale / 2, top + whole * scale / 2 + 20, "the same rows and columns as the picture")
    after = whole - SIZE - before
    bottom = top + whole * scale
    for start, length, words in ((left, before, f"{before}"), (left + (before + SIZE) * scale, after, f"{after}")):
        drawing.line([(start, bottom + 14), (start + length * scale, bottom + 14)], "currentColor", 3)
        drawing.text(start + length * scale / 2, bottom + 32, words, bold=True)
    drawing.text(left, bottom + 50, "cropped before: the offset", 12, "start")
    drawing.text(left + whole * scale, bottom + 66, "cropped after: what is left", 12, "end")
    drawing.line([(left, bottom + 4), (left, bottom + 20)], FAINT, 1)
    return drawing.svg()
