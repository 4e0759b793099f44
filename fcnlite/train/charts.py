"""The curves of a report, as SVG elements that take their colours from the page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fcnlite.segmentation.plots import Color
from fcnlite.segmentation.plots.charts import smoothed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 1000
"""The approximate number of points of a curve; more are not visible."""
_FIGURES = (("mean_iu", "mean IU"), ("pixel_accuracy", "pixel accuracy"), ("mean_accuracy", "mean accuracy"))
_DRAWN = {
    name: f"#0{place:x}fe0{place:x}"
    for place, name in enumerate(("ink", "line", "edge", "accent", "pale", "red", "green", "gray"), start=1)
}
"""The placeholder that is drawn for each colour of the page, by its name."""


class Chart(NamedTuple):
    """A chart with its title and legend."""

    title: str
    svg: str
    legend: Sequence[tuple[str, str]]
    """The CSS colour and the name of each curve."""


def curves(log: Mapping[str, Sequence[float]], checks: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """Charts of loss, metrics, learning rate and norms from the columns of log.csv and the lines of log.jsonl."""
    smooth = {**log, "smooth": smoothed(np.array(log["loss"]))}
    loss = _logged("training loss", smooth, ("loss", "as logged", "pale", 0.8), ("smooth", "smoothed", "accent", 1.6))
    rate = _logged("learning rate", log, ("rate", "", "green", 1.6))
    gradients, weights = ("gradient_norm", "gradients", "red", 0.8), ("weight_norm", "weights", "accent", 1.6)
    return [loss, _validation(checks), rate, _logged("norms", log, gradients, weights)]


def by_class(checks: Sequence[Mapping[str, Any]], classes: Sequence[str], colors: Sequence[Color]) -> Chart:
    """A chart of the IU of each class, in the colours of the classes; the legend is sorted by the last IU."""
    figure, axes = _figure()
    iterations = [each["iteration"] for each in checks]
    curves = np.array([[_number(iu) for iu in each["iu"]] for each in checks])
    legend = []
    for label in np.argsort(np.nan_to_num(-curves[-1], nan=1.0)).tolist():
        color = "#{:02x}{:02x}{:02x}".format(*colors[label])
        # An edge separates the curve from a page of a similar colour.
        axes.plot(iterations, curves[:, label], color=_DRAWN["edge"], linewidth=2.6)
        axes.plot(iterations, curves[:, label], color=color, linewidth=1.8, marker="o", markersize=3)
        legend.append((color, classes[label]))
    axes.set_ylim(0, 1)
    _finish(axes, iterations)
    return Chart("", _svg(figure, "IU of each class by iteration"), legend)


def _validation(checks: Sequence[Mapping[str, Any]]) -> Chart:
    figure, axes = _figure()
    iterations = [each["iteration"] for each in checks]
    legend = []
    for (key, name), color in zip(_FIGURES, ("red", "accent", "gray"), strict=True):
        values = [_number(each.get(key)) for each in checks]
        if np.isfinite(values).any():
            axes.plot(iterations, values, color=_DRAWN[color], linewidth=1.6, marker="o", markersize=3)
            legend.append((_css(color), name))
    axes.set_ylim(0, 1)
    _finish(axes, iterations)
    return Chart("validation" if legend else "no validation", _svg(figure, "validation by iteration"), legend)


def _logged(title: str, log: Mapping[str, Any], *columns: tuple[str, str, str, float]) -> Chart:
    """A chart of columns of the log, each with its name, colour and width."""
    figure, axes = _figure()
    step = max(1, len(log["iteration"]) // POINTS)
    iterations = np.array(log["iteration"])[::step]
    for column, _, color, width in columns:
        axes.plot(iterations, np.array(log[column])[::step], color=_DRAWN[color], linewidth=width)
    if title == "norms":
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
        axes.ticklabel_format(axis="y", scilimits=(-3, 4))
    _finish(axes, log["iteration"])
    legend = [(_css(color), name) for _, name, color, _ in columns if name]
    return Chart(title, _svg(figure, f"{title} by iteration"), legend)


def _figure() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 2.6), facecolor="none")
    # The margins are fixed, because computing them takes longer than drawing.
    figure.subplots_adjust(left=0.095, right=0.97, top=0.93, bottom=0.12)
    return figure, figure.subplots()


def _finish(axes: Axes, iterations: Sequence[float]) -> None:
    axes.set_facecolor("none")
    axes.grid(color=_DRAWN["line"], linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_DRAWN["line"])
    axes.tick_params(which="both", color=_DRAWN["line"], labelcolor=_DRAWN["ink"], labelsize=9)
    axes.yaxis.get_offset_text().set_color(_DRAWN["ink"])
    if len(iterations):
        axes.set_xlim(0, 1.02 * max(iterations))


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _css(name: str) -> str:
    return f"var(--{name})"


def _svg(figure: Figure, alt: str) -> str:
    """The figure as an element of a page, without a size, a style or group names."""
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fcnlite"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", text, count=1)
    for name, color in _DRAWN.items():
        text = text.replace(color, _css(name))
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
