"""The scores of one class on their way to the size of the picture, in reading order."""

from __future__ import annotations

from _one_pass import colored, one_pass, panel, signed
from book.drawing import figure, style, svg

CLASS = 3
STEPS = (
    ("score_fr", ""),
    ("upscore2", "2×: "),
    ("score_pool4", "+ "),
    ("fuse_pool4", "= "),
    ("upscore_pool4", "2×: "),
    ("score_pool3", "+ "),
    ("fuse_pool3", "= "),
    ("score", "8×: "),
)


def draw() -> str:
    found = one_pass()
    with style():
        drawn = figure(6.2, 6.4)
        axes = drawn.subplots(3, 3).ravel()
        for each, (name, before) in zip(axes, STEPS, strict=False):
            blob = found.blobs[name]
            signed(each, blob[0, CLASS], f"{before}{name}, {blob.shape[2]}×{blob.shape[3]}")
        panel(axes[-1], colored(found.blobs["score"][0].argmax(axis=0), found.dataset), "the largest of 6 scores")
        return svg(drawn)
