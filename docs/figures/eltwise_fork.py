"""A blob that two layers read: forward it is used twice, backward its gradients are added."""

from __future__ import annotations

from _drawing import Drawing, color


def draw() -> str:
    drawing = Drawing(400, 250)
    boxes = {
        "pool4": (20, 105),
        "conv5_1 …": (140, 40),
        "score_pool4": (140, 170),
        "fuse_pool4": (280, 105),
    }
    for name, (x, y) in boxes.items():
        drawing.box(x, y, 100, 34, (6, 0.15), radius=6)
        drawing.text(x + 50, y + 22, name)
    drawing.text(190, 30, "coarse path", 12)
    drawing.text(190, 222, "skip", 12)
    blue, orange = color(1), color(2)
    for points in (
        [(100, 105), (140, 66)],
        [(100, 139), (140, 178)],
        [(240, 60), (300, 105)],
        [(240, 184), (300, 139)],
        [(380, 116), (398, 116)],
    ):
        drawing.line(points, blue, 2, arrow=True)
    for points in (
        [(398, 128), (380, 128)],
        [(318, 103), (246, 50)],
        [(318, 141), (246, 194)],
        [(140, 50), (80, 103)],
        [(140, 194), (80, 141)],
    ):
        drawing.line(points, orange, 2, arrow=True, dashed=True)
    drawing.line([(30, 14), (60, 14)], blue, 2, arrow=True)
    drawing.text(66, 18, "forward", 12, "start")
    drawing.line([(250, 14), (280, 14)], orange, 2, arrow=True, dashed=True)
    drawing.text(286, 18, "backward", 12, "start")
    drawing.text(348, 98, "dy to both", 12)
    drawing.text(14, 162, "d = sum of", 12, "start")
    drawing.text(14, 178, "the two", 12, "start")
    return drawing.svg()
