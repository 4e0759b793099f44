"""The multiplications of FCN-8s's convolutions: by the formula, without the border, by the chosen algorithm."""

from __future__ import annotations

from _plans import FED, convolutions, fcn8s, plan
from book.drawing import figure, style, svg

LEAST = 1e8
"""Convolutions with fewer multiplications are left out."""


def draw() -> str:
    macs = {layer.spec.name: layer.macs(bottoms, tops) for layer, bottoms, tops in fcn8s().shapes(FED)}
    found = [each for operation in plan().graph.operations for each in convolutions(operation)]
    found = [each for each in found if macs[each.layers[0]] > LEAST]
    names = [each.layers[0] for each in found]
    series = (
        ("by the formula", [macs[name] for name in names]),
        ("without the border", [each.problem.products / 2 for each in found]),
        ("by the chosen algorithm", [each.algorithm.cost(each.problem).needed / 2 for each in found]),
    )
    with style():
        drawn = figure(6.6, 3.4)
        axes = drawn.subplots()
        for i, (label, values) in enumerate(series):
            total = sum(values) / 1e9
            places = [place + 0.27 * (i - 1) for place in range(len(names))]
            axes.bar(places, [value / 1e9 for value in values], 0.27, label=f"{label}: {total:.0f} in all")
        axes.set_xticks(range(len(names)), names, rotation=55, ha="right", fontsize=8.5)
        axes.set_ylabel("billion multiplications")
        axes.legend(fontsize=9, loc="upper left", bbox_to_anchor=(0.02, 1.12), ncols=1)
        axes.set_ylim(0, 34)
        return svg(drawn)
