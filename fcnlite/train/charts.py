"""The curves of a run's report, as SVG texts."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fcnlite.plots import Color, smoothed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 1000
"""Of a curve, about: more cannot be seen."""
_FIGURES = (("mean_iu", "mean IU"), ("pixel_accuracy", "pixel accuracy"), ("mean_accuracy", "mean accuracy"))
_BLUE, _PALE, _RED, _GREEN, _GREY = "#1f5fa8", "#a9c4e4", "#b3541e", "#3a7d44", "#888888"


def overview(log: Mapping[str, Sequence[float]], checks: Sequence[Mapping[str, Any]]) -> str:
    """Loss, validation figures, learning rate, norms. `log` has the columns of log.csv, `checks` log.jsonl's lines."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.4))
    (loss, validation), (rate, norms) = figure.subplots(2, 2)
    # Margins by hand: working them out takes longer than drawing.
    figure.subplots_adjust(left=0.05, right=0.99, top=0.95, bottom=0.05, wspace=0.14, hspace=0.28)
    _draw(loss, "training loss", log, ("loss", "as logged", _PALE, 0.8))
    smooth = {**log, "loss": smoothed(np.array(log["loss"]))}
    _draw(loss, "training loss", smooth, ("loss", "smoothed", _BLUE, 1.8))
    loss.set_ylim(bottom=0)
    iterations = [each["iteration"] for each in checks]
    for (key, name), color in zip(_FIGURES, (_RED, _BLUE, _GREY), strict=True):
        values = [_number(each.get(key)) for each in checks]
        if np.isfinite(values).any():
            validation.plot(iterations, values, color=color, linewidth=1.8, marker="o", markersize=3, label=name)
    validation.set(ylim=(0, 1))
    _finish(validation, "validation", iterations)
    _draw(rate, "learning rate", log, ("rate", "", _GREEN, 1.8))
    rate.ticklabel_format(axis="y", scilimits=(-2, 3))
    gradients, weights = ("gradient_norm", "of the gradients", _RED, 0.8), ("weight_norm", "of the weights", _BLUE, 1.8)
    _draw(norms, "norms", log, gradients, weights)
    norms.set_yscale("log")
    return _svg(figure)


def by_class(checks: Sequence[Mapping[str, Any]], classes: Sequence[str], colors: Sequence[Color]) -> str:
    """The IU of each class over time, in the classes' colours."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.05, right=0.8, top=0.97, bottom=0.08)
    iterations = [each["iteration"] for each in checks]
    curves = np.array([[_number(iu) for iu in each["iu"]] for each in checks])
    for label in np.argsort(np.nan_to_num(-curves[-1], nan=1.0)):  # the legend in the order of the curves' ends
        name = classes[label].replace("$", r"\$").lstrip("_")  # names are no formulas, and none is left out
        # Light colours are drawn over a dark edge.
        axes.plot(iterations, curves[:, label], color="#555555", linewidth=2.6)
        color = "#{:02x}{:02x}{:02x}".format(*colors[label])
        axes.plot(iterations, curves[:, label], color=color, linewidth=1.8, marker="o", markersize=3, label=name)
    axes.set(ylim=(0, 1))
    _finish(axes, "", iterations)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _svg(figure)


def _draw(axes: Axes, title: str, log: Mapping[str, Any], *curves: tuple[str, str, str, float]) -> None:
    """Columns of the log with their names, colours and widths."""
    step = max(1, len(log["iteration"]) // POINTS)
    iterations = np.array(log["iteration"])[::step]
    for column, name, color, width in curves:
        axes.plot(iterations, np.array(log[column])[::step], color=color, linewidth=width, label=name)
    _finish(axes, title, log["iteration"])


def _finish(axes: Axes, title: str, iterations: Sequence[float]) -> None:
    axes.set_title(title, fontsize=11)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    if len(iterations):
        axes.set_xlim(0, 1.02 * max(iterations))


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
