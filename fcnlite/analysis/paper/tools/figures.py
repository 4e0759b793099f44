"""Pictures for the pages of experiments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fcnlite.analysis.paper.tools.training import Training, running_mean
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data.dataset import read_sample
from fcnlite.data.sample import Sample
from fcnlite.net import Net
from fcnlite.segmentation.plots.colors import Color, class_name, color_of, color_table
from fcnlite.segmentation.plots.label_maps import label_image
from fcnlite.segmentation.segmenter import Segmenter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 3
"""The pictures of a data set that a page shows."""
_GAP = 4
"""The white pixels between the pictures of a sheet."""
_SHEET = 1300
"""The width in pixels that a sheet is enlarged towards, by a whole factor."""


def colored(label: Array, colors: Sequence[tuple[int, int, int]]) -> Array:
    """A label map H×W in the colours of its classes, H×W×3 uint8 RGB."""
    return np.asarray(label_image(np.asarray(label, np.uint8), colors).convert("RGB"))


def class_colors(classes: Sequence[str], colors: Sequence[Color]) -> dict[str, Color]:
    """The colours that `colored` draws, by class, and that of void: the legend of label maps."""
    table = color_table(colors)
    return {class_name(classes, label): color_of(table, label) for label in (*range(len(classes)), VOID)}


def gray(values: Array) -> Array:
    """H×W values from 0 to 1 in gray, H×W×3 uint8; others are clipped."""
    pixels: Array = np.repeat((255 * values.clip(0, 1)).astype(np.uint8)[..., None], 3, axis=2)
    return pixels


def depth_picture(depth: Array) -> Array:
    """Distances H×W in gray, H×W×3 uint8: near is bright, and pixels without a measurement (0) are black."""
    known = depth > 0
    if not known.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    near, far = float(depth[known].min()), float(depth[known].max())
    gray = np.where(known, 255 - 195 * (depth.astype(np.float64) - near) / max(far - near, 1), 0)
    return np.repeat(gray.astype(np.uint8)[:, :, None], 3, axis=2)


def predictions(net: Net, dataset: Dataset, count: int = SHOWN) -> dict[str, list[Array]]:
    """The label maps of `net`, in phase TEST, for the first `count` pictures, in the colours of the classes.

    They are H×W×3 uint8 RGB, by the blob of the label.
    """
    segmenter = Segmenter(net.share("TEST"))
    found: dict[str, list[Array]] = {blob: [] for blob in dataset.labels}
    for sample in shown(dataset, count):
        maps = segmenter.label_maps(dict(sample.images)).values()
        for (blob, labels), each in zip(dataset.labels.items(), maps, strict=True):
            found[blob].append(colored(each, labels.colors))
    return found


def shown(dataset: Dataset, count: int = SHOWN) -> list[Sample]:
    """The first samples of a data set, which a page shows."""
    return [read_sample(dataset, index) for index in range(min(count, len(dataset)))]


def truths(dataset: Dataset, count: int = SHOWN) -> list[Array]:
    """The first label map of the samples that a page shows, in the colours of the classes."""
    return [colored(sample.label, dataset.colors) for sample in shown(dataset, count)]


def sheet(columns: Sequence[Sequence[Array]]) -> Array:
    """Pictures in columns, with white between them: H×W×3 uint8 RGB. Rows of another size than the first are left out.

    A column has one picture for each row, all of a row of one height.
    """
    strips: list[Array] = []
    for row in zip(*columns, strict=True):
        gap = np.full((row[0].shape[0], _GAP, 3), 255, np.uint8)
        parts = [part for picture in row for part in (picture, gap)][:-1]
        strip = np.concatenate(parts, axis=1)
        if not strips or strip.shape == strips[0].shape:
            strips += [strip, np.full((_GAP, strip.shape[1], 3), 255, np.uint8)]
    whole = np.concatenate(strips[:-1])
    factor = max(1, _SHEET // whole.shape[1])
    enlarged: Array = whole.repeat(factor, axis=0).repeat(factor, axis=1)
    return enlarged


def loss_chart(runs: dict[str, Training], *, by: Sequence[str] = ("iterations", "seconds")) -> Array:
    """The smoothed losses of trainings by name, H×W×3 uint8 RGB: one chart for each abscissa in `by`.

    The abscissas are `iterations`, `seconds` and `pictures`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(by), 3.6), dpi=100, layout="constrained")
    for axes, abscissa in zip(figure.subplots(1, len(by), squeeze=False)[0], by, strict=True):
        for name, run in runs.items():
            steps = range(1, len(run.losses) + 1)
            where = {"iterations": steps, "seconds": run.seconds, "pictures": run.pictures}[abscissa]
            axes.plot(where[: len(run.losses)], running_mean(run.losses), label=name, linewidth=1.5)
        axes.set(xlabel=abscissa, ylabel="loss")
        axes.grid(color="#e4e4e4", linewidth=0.6)
        axes.legend(frameon=False)
    return rendered(figure)


def rendered(figure: Figure) -> Array:
    """A figure of Matplotlib, H×W×3 uint8 RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
