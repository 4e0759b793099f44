"""Processor times of the algorithms on layers of VGG-16, from benchmarks/algorithms.json."""

from __future__ import annotations

import json
from pathlib import Path

from book import drawing
from book.drawing import figure, style, svg

KINDS = (
    ("direct", "direct"),
    ("im2col", "im2col"),
    ("F(4×4", "F(4×4, 3×3)"),
    ("F(6×6", "F(6×6, 3×3)"),
    ("F(2×2", "F(2×2, 7×7)"),
)


def draw() -> str:
    found = json.loads((Path(__file__).parents[2] / "benchmarks" / "algorithms.json").read_text(encoding="utf-8"))
    layers: dict[str, dict[str, float]] = {}
    for row in found["rows"]:
        layers.setdefault(row["layer"], {})[row["algorithm"]] = row["seconds"]
    layers = {name: times for name, times in layers.items() if any("direct" in each for each in times)}
    with style():
        drawn = figure(6.6, 3.2)
        axes = drawn.subplots()
        labels = set()
        for place, times in enumerate(layers.values()):
            direct = next(seconds for name, seconds in times.items() if "direct" in name)
            shown = [(i, label, times[name]) for i, (word, label) in enumerate(KINDS) for name in times if word in name]
            for shift, (i, label, seconds) in enumerate(shown):
                axes.bar(
                    place + 0.2 * (shift - (len(shown) - 1) / 2),
                    seconds / direct,
                    0.2,
                    color=drawing.COLORS[i],
                    label=None if label in labels else label,
                )
                labels.add(label)
        axes.axhline(1, color=drawing.FAINT, linewidth=0.8, linestyle="--")
        axes.set_xticks(range(len(layers)), list(layers), fontsize=9)
        axes.set_ylabel("time / time of direct")
        axes.legend(fontsize=9, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        return svg(drawn)
