"""The graph of FCN-8s: the trunk, the skips, the sums, with the shapes of this picture's blobs."""

from __future__ import annotations

from _one_pass import one_pass, shape
from book import drawing
from book.drawing import figure, style, svg
from matplotlib.patches import FancyBboxPatch

PLACES = {
    "data": (0, 0),
    "pool1": (1, 0),
    "pool2": (2, 0),
    "pool3": (3, 0),
    "pool4": (4, 0),
    "pool5": (5, 0),
    "conv6": (5, 1),
    "score_fr": (5, 2),
    "score_pool4": (4, 1),
    "score_pool3": (3, 1),
    "fuse_pool4": (4, 2),
    "fuse_pool3": (3, 2),
    "score": (1, 2),
    "label": (0, 1),
    "loss": (0, 2),
}
ARROWS = (
    ("data", "pool1", ""),
    ("pool1", "pool2", ""),
    ("pool2", "pool3", ""),
    ("pool3", "pool4", ""),
    ("pool4", "pool5", ""),
    ("pool5", "conv6", ""),
    ("conv6", "score_fr", ""),
    ("pool4", "score_pool4", ""),
    ("pool3", "score_pool3", ""),
    ("score_fr", "fuse_pool4", "2×"),
    ("score_pool4", "fuse_pool4", "+"),
    ("fuse_pool4", "fuse_pool3", "2×"),
    ("score_pool3", "fuse_pool3", "+"),
    ("fuse_pool3", "score", "8×"),
    ("score", "loss", ""),
    ("label", "loss", ""),
)


def draw() -> str:
    found = one_pass()
    with style():
        drawn = figure(6.8, 3.3)
        axes = drawn.subplots()
        axes.set_xlim(-0.5, 5.5)
        axes.set_ylim(2.45, -0.45)
        axes.axis("off")
        for name, (x, y) in PLACES.items():
            forked = name in ("pool3", "pool4")
            color = drawing.COLORS[1] if forked else drawing.COLORS[0] if y == 0 or name == "conv6" else drawing.INK
            box = FancyBboxPatch(
                (x - 0.38, y - 0.2), 0.76, 0.4, boxstyle="round,pad=0,rounding_size=0.06", fill=False, edgecolor=color
            )
            axes.add_patch(box)
            axes.text(x, y - 0.05, name, ha="center", va="center", fontsize=8.5)
            size = shape(found.blobs[name]) if name in found.blobs and found.blobs[name].ndim == 4 else "a number"
            axes.text(x, y + 0.1, size, ha="center", va="center", fontsize=7.5)
        for start, stop, word in ARROWS:
            (x0, y0), (x1, y1) = PLACES[start], PLACES[stop]
            dx, dy = 0.39 * (x1 > x0) - 0.39 * (x1 < x0), 0.21 * (y1 > y0) - 0.21 * (y1 < y0)
            axes.annotate(
                "",
                (x1 - dx, y1 - dy),
                (x0 + dx, y0 + dy),
                arrowprops={"arrowstyle": "->", "color": drawing.FAINT, "shrinkA": 0, "shrinkB": 0},
            )
            if word:
                across = y0 == y1
                axes.text(
                    (x0 + x1) / 2 + (0 if across else 0.08),
                    (y0 + y1) / 2 - (0.06 if across else 0),
                    word,
                    ha="center",
                    va="bottom" if across else "center",
                    fontsize=9,
                )
        return svg(drawn)
