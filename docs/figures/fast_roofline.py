"""The roofline of FCN-8s on one thread, from benchmarks/roofline.json: two measured rates, and each step."""

from __future__ import annotations

import json
from pathlib import Path

from book import drawing
from book.drawing import figure, style, svg

NAMED = {"conv1_1": "conv1", "conv5_1": "conv5_1", "fc6": "fc6", "fc7": "fc7", "score_fr": "score_fr"}
KINDS = (("Winograd", 0), ("matrix product", 1), ("direct", 2))


def draw() -> str:
    found = json.loads((Path(__file__).parents[2] / "benchmarks" / "roofline.json").read_text())
    peak, bandwidth = found["peak"] / 1e9, found["bandwidth"] / 1e9
    with style():
        drawn = figure(6.4, 3.9)
        axes = drawn.subplots()
        axes.plot([1, peak / bandwidth, 400], [bandwidth, peak, peak], color=drawing.INK, linewidth=1.5)
        axes.text(100, peak * 1.07, f"peak of a core: {peak:.0f} GFLOP/s", fontsize=9, ha="center")
        axes.text(1.7, bandwidth * 2.6, f"memory:\n{bandwidth:.0f} GB/s", fontsize=9, ha="right")
        for word, i in KINDS:
            points = [
                (each["products"] / each["bytes"], each["products"] / each["seconds"] / 1e9, each["name"])
                for each in found["steps"]
                if each["products"] and next(k for w, k in KINDS if w in each["name"]) == i
            ]
            axes.plot(
                [x for x, _, _ in points],
                [y for _, y, _ in points],
                "o",
                markersize=5,
                color=drawing.COLORS[i],
                label=word,
            )
            for x, y, name in points:
                short = NAMED.get(name.partition(",")[0])
                if short:
                    axes.annotate(short, (x, y), (4, -10), textcoords="offset points", fontsize=8.5)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
        axes.set_yticks([20, 40, 80, 160], ["20", "40", "80", "160"])
        axes.minorticks_off()
        axes.set_xlabel("multiplications and additions for each byte read or written")
        axes.set_ylabel("GFLOP/s")
        axes.legend(fontsize=9, loc="lower right")
        return svg(drawn)
