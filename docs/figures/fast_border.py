"""The rows of FCN-8s's blobs for a picture of 500×500: of the border, far from the picture, dependent on it."""

from __future__ import annotations

from _plans import fcn8s, rewritten
from book import drawing
from book.drawing import figure, style, svg

from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.passes.reach import Reach

SHOWN = ("conv1_2", "pool1", "pool2", "conv3_3", "pool3", "conv4_1", "conv4_2", "pool4", "conv5_1", "conv5_2")


def draw() -> str:
    graph = next(graph for name, graph in rewritten(fcn8s()) if name == "fuse_relu")
    first = next(each for each in graph.operations if isinstance(each, ConvolutionOperation))
    found = {value.name: rows[0] for value, rows in Reach(graph, first).rows.items()}
    with style():
        drawn = figure(6.6, 3.4)
        axes = drawn.subplots()
        names = [name for name in SHOWN if name in found]
        labels: set[str] = set()
        for place, name in enumerate(names):
            rows = found[name]
            kinds = [
                2 if i in rows.dependent else 1 if number == rows.far else 0 for i, number in enumerate(rows.numbers)
            ]
            start = 0
            for i in range(1, len(kinds) + 1):
                if i < len(kinds) and kinds[i] == kinds[start]:
                    continue
                label, color = (
                    ("border", drawing.COLORS[1]),
                    ("equal rows", drawing.FAINT),
                    ("depend on the picture", drawing.COLORS[0]),
                )[kinds[start]]
                axes.barh(
                    place,
                    (i - start) / len(kinds),
                    left=start / len(kinds),
                    color=color,
                    label=None if label in labels else label,
                )
                labels.add(label)
                start = i
            axes.text(1.02, place, f"{kinds.count(2)} of {len(kinds)}", va="center", fontsize=9)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.18)
        axes.set_xticks([])
        axes.set_xlabel("the rows of the blob, from first to last")
        axes.spines[["bottom", "left"]].set_visible(False)
        axes.legend(fontsize=9, ncols=3, loc="lower center", bbox_to_anchor=(0.45, 1.0))
        return svg(drawn)
