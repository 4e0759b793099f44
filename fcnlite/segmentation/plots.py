"""Pictures for people: coloured label maps, overlays, legends, sample sheets, curves, confusion matrices.

Label maps are H×W uint8 with 255 for void, pictures H×W×3 uint8 RGB. Colours are (red, green, blue) by class;
classes without one get PASCAL VOC's. Files are PNG, written whole or not at all; a place that cannot be
written raises `FileError`, arrays that do not fit together raise `DataError`.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.palette import voc_colors
from fcnlite.data.sample import VOID
from fcnlite.errors import DataError
from fcnlite.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image, ImageFont

Color = tuple[int, int, int]

VOID_COLOR: Color = (224, 224, 192)
"""Void as PASCAL VOC shows it."""
WRONG_COLOR: Color = (255, 92, 56)
"""Pixels of another class than the true one, in `errors`."""
UNSCORED_COLOR: Color = (128, 128, 128)
"""Void, in `errors`."""
BACKGROUND = "background"
"""A class of this name is what overlays leave untinted."""

_INK = (34, 34, 34)
_PAPER = (255, 255, 255)
_LEAST_WIDTH = 384
"""Pixels: pictures whose longer side is less are enlarged before a legend is put below them."""
_MOST_NUMBERED = 40
"""Classes: the cells of larger confusion matrices are too small for numbers."""


def save_png(path: str | os.PathLike[str], picture: Image.Image) -> None:
    """Write `picture` to `path` as PNG."""
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG")


def label_image(labels: Array, colors: Sequence[Color]) -> Image.Image:
    """`labels` as a palette picture: its pixels are the class numbers, its palette their colours."""
    from PIL import Image

    _check_labels(labels)
    picture = Image.fromarray(np.ascontiguousarray(labels))
    picture.putpalette(_color_table(colors).tobytes())
    return picture


def overlay(
    image: Array, labels: Array, classes: Sequence[str], colors: Sequence[Color], alpha: float = 0.55
) -> Image.Image:
    """`image` tinted with the colours of its labels, with a light line around each region.

    `alpha` is the weight of the colours: 0 leaves the picture, 1 hides it. Void and the class `background`
    stay as they are, without a line between them.
    """
    from PIL import Image

    _check_labels(labels)
    if image.shape != (*labels.shape, 3) or image.dtype != np.uint8:
        raise DataError(
            f"overlay: the picture is {_described(image)} and its labels {_described(labels)}; "
            "expected H×W×3 uint8 and H×W uint8 of one size."
        )
    if not 0 <= alpha <= 1:
        raise DataError(f"overlay: alpha is {alpha}; expected 0 to 1.")
    untinted = [VOID, *(label for label, name in enumerate(classes) if name == BACKGROUND)]
    weights = np.full(256, alpha, np.float32)
    weights[untinted] = 0
    weight = weights[labels][..., None]
    mixed = image * (1 - weight) + _color_table(colors)[labels] * weight
    mixed[_boundaries(np.where(np.isin(labels, untinted), VOID, labels))] = _PAPER
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def errors(image: Array, truth: Array, predicted: Array) -> Image.Image:
    """Where `predicted` is wrong: those pixels in one colour, void in gray, all others a dim gray `image`."""
    from PIL import Image

    _check_labels(truth)
    _check_labels(predicted)
    if not image.shape[:2] == truth.shape == predicted.shape or image.shape[2:] != (3,) or image.dtype != np.uint8:
        raise DataError(
            f"errors: the picture is {_described(image)}, its labels {_described(truth)} and {_described(predicted)}; "
            "expected H×W×3 uint8 and H×W uint8 of one size."
        )
    dim = np.rint(image.mean(axis=2, dtype=np.float32) * 0.35).astype(np.uint8)
    shown = np.repeat(dim[:, :, None], 3, axis=2)
    shown[truth != predicted] = WRONG_COLOR
    shown[truth == VOID] = UNSCORED_COLOR
    return Image.fromarray(shown)


def with_legend(
    picture: Image.Image | Array, labels: Array, classes: Sequence[str], colors: Sequence[Color]
) -> Image.Image:
    """`picture` with a strip below that names the classes in `labels` and their shares of the pixels.

    A small picture is enlarged by a whole factor, so that the names can be read beside it.
    """
    from PIL import Image

    _check_labels(labels)
    top = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    top = top.convert("RGB")
    factor = max(1, math.ceil(_LEAST_WIDTH / max(top.size)))
    top = top.resize((top.width * factor, top.height * factor), Image.Resampling.NEAREST)
    table = _color_table(colors)
    counts = np.bincount(labels.ravel(), minlength=256)
    entries = [
        (_color(table, label), f"{_class_name(classes, label)}  {_percent(counts[label] / labels.size)}")
        for label in np.flatnonzero(counts).tolist()
    ]
    width = max(top.width, _LEAST_WIDTH)
    return _stack(width, [top, _legend(width, entries)])


def sample_sheet(
    path: str | os.PathLike[str],
    rows: Iterable[tuple[Array, Array, Array]],
    classes: Sequence[str],
    colors: Sequence[Color],
    titles: Sequence[str] = (),
    cell: int = 300,
) -> None:
    """Write a sheet with a row for each (picture, true labels, predicted labels), and one legend.

    A row shows the picture, the truth, the prediction and the errors, each with `cell` pixels on its longer side, below
    its title where there are `titles`.
    """
    from PIL import Image, ImageDraw

    gap, table, columns = 8, _color_table(colors), ("picture", "truth", "prediction", "errors")
    width = len(columns) * (cell + gap) + gap
    size = max(14, cell // 20)
    heading = Image.new("RGB", (width, 2 * size), _PAPER)
    for column, title in enumerate(columns):
        middle = gap + column * (cell + gap) + cell // 2
        ImageDraw.Draw(heading).text((middle, size), title, _INK, _font(size), anchor="mm")
    strips = [heading]
    present = np.zeros(256, bool)
    for row, (image, truth, prediction) in enumerate(rows):
        _check_labels(truth)
        _check_labels(prediction)
        present[truth] = True
        present[prediction] = True
        shown = [image, *(table[labels] for labels in (truth, prediction)), np.array(errors(image, truth, prediction))]
        methods = [Image.Resampling.BICUBIC, *[Image.Resampling.NEAREST] * 3]
        cells = [_fitted(each, method, cell) for each, method in zip(shown, methods, strict=True)]
        above = round(1.8 * size) if row < len(titles) else 0
        strip = Image.new("RGB", (width, above + max(each.height for each in cells) + gap), _PAPER)
        if above:
            ImageDraw.Draw(strip).text((gap, above // 2), titles[row], _INK, _font(size), anchor="lm")
        for column, each in enumerate(cells):
            strip.paste(each, (gap + column * (cell + gap) + (cell - each.width) // 2, above))
        strips.append(strip)
    found = np.flatnonzero(present).tolist()
    entries = [(_color(table, label), _class_name(classes, label)) for label in found]
    entries += [(WRONG_COLOR, "wrong"), *([(UNSCORED_COLOR, "not scored")] if present[VOID] else ())]
    save_png(path, _stack(width, [*strips, _legend(width, entries)]))


def curves(path: str | os.PathLike[str], log: Mapping[str, Sequence[float | None]]) -> None:
    """Draw a training log: the loss, raw and smoothed, and the mean IU on the validation set.

    `log` has columns of one length: `iteration`, `loss`, and `mean_iu`, which is None or NaN in the rows
    that no validation belongs to. Other columns are passed over.
    """
    from matplotlib.figure import Figure

    iteration, loss, mean_iu = (np.array(log[name], dtype=float) for name in ("iteration", "loss", "mean_iu"))
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    known = np.isfinite(loss)
    left.plot(iteration[known], loss[known], color="#a9c4e4", linewidth=0.8, label="as logged")
    left.plot(iteration[known], smoothed(loss[known]), color="#1f5fa8", linewidth=1.8, label="smoothed")
    left.set(title="Training loss", xlabel="iteration", ylabel="loss")
    left.set_ylim(bottom=0)
    known = np.isfinite(mean_iu)
    if known.any():
        best = np.flatnonzero(known)[np.argmax(mean_iu[known])]
        right.plot(iteration[known], mean_iu[known], color="#b3541e", linewidth=1.8, marker="o", markersize=4)
        right.axhline(
            mean_iu[best],
            color="#888888",
            linewidth=0.8,
            linestyle="--",
            label=f"best: {mean_iu[best]:.3f} at iteration {iteration[best]:.0f}",
        )
        right.legend(frameon=False, loc="lower right")
    else:
        right.text(0.5, 0.5, "no validation yet", transform=right.transAxes, ha="center", color="#888888")
    right.set(title="Validation mean IU", xlabel="iteration", ylabel="mean IU", ylim=(0, 1))
    left.legend(frameon=False)
    for axes in (left, right):
        axes.grid(color="#e4e4e4", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        if len(iteration):
            axes.set_xlim(0, 1.02 * iteration.max())
    _save_figure(path, figure)


def confusion_matrix(path: str | os.PathLike[str], matrix: Array, classes: Sequence[str]) -> None:
    """Draw a confusion matrix as a heat map: each row, a true class, as percentages of its pixels.

    `matrix[t, p]` counts the pixels of class t that were taken for class p. Classes without a pixel get a
    grey row. Percentages below one half stay blank, as do all of them in matrices of more than 40 classes.
    """
    from matplotlib.figure import Figure

    count = len(matrix)
    if matrix.shape != (count, count) or count == 0:
        raise DataError(f"confusion matrix: found {_described(matrix)}; expected classes × classes.")
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(100.0 * matrix, totals, out=np.full(matrix.shape, np.nan), where=totals > 0)
    names = [_class_name(classes, label) for label in range(count)]
    side = max(4.5, min(0.52 * count + 2.5, 22))
    figure = Figure(figsize=(side + 1, side), layout="compressed")
    axes = figure.subplots()
    axes.set_facecolor("#dddddd")
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(picture, ax=axes, shrink=0.8, label="% of the true class's pixels")
    axes.set(title="Confusion matrix", xlabel="predicted class", ylabel="true class")
    axes.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), names)
    # Names are no formulas, even where they hold dollar signs.
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    for row, column in np.argwhere(shares >= 0.5) if count <= _MOST_NUMBERED else ():
        share = shares[row, column]
        color = "white" if share > 55 else "#222222"
        axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=color)
    _save_figure(path, figure)


def _check_labels(labels: Array) -> None:
    if labels.ndim != 2 or labels.dtype != np.uint8 or labels.size == 0:
        raise DataError(f"labels are {_described(labels)}; expected H×W uint8.")


def _described(array: Array) -> str:
    return f"{'×'.join(map(str, array.shape))} {array.dtype}"


def _color_table(colors: Sequence[Color]) -> Array:
    """256×3 uint8: the colour of every label value."""
    table = np.array(voc_colors(256), dtype=np.uint8)
    for label, color in enumerate(colors):
        table[label] = color
    table[VOID] = VOID_COLOR
    return table


def _color(table: Array, label: int) -> Color:
    red, green, blue = table[label].tolist()
    return red, green, blue


def _class_name(classes: Sequence[str], label: int) -> str:
    if label == VOID:
        return "void"
    return classes[label] if label < len(classes) else f"class {label}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.0005 else "< 0.1 %"


def _boundaries(labels: Array) -> Array:
    """H×W bool: pixels whose right or lower neighbour has another label; wider on large pictures."""
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] = labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    for _ in range(min(labels.shape) // 600):
        edge[:, 1:] |= edge[:, :-1]
        edge[1:] |= edge[:-1]
    return edge


def smoothed(values: Array) -> Array:
    """The mean of each value and its neighbours, as far as a fiftieth of the row on either side."""
    reach = len(values) // 50
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    first, last = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along; it has the letters of most European languages."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def _legend(width: int, entries: Sequence[tuple[Color, str]]) -> Image.Image:
    """A strip of `width` pixels: colour and text of each entry, in columns."""
    from PIL import Image, ImageDraw

    size = max(13, min(width // 60, 26))
    font, margin, line = _font(size), size, round(1.7 * size)
    indent, gap = round(1.5 * size), round(1.5 * size)
    widest = indent + math.ceil(max((font.getlength(text) for _, text in entries), default=0)) + gap
    columns = max(1, (width - 2 * margin + gap) // widest)
    step = (width - 2 * margin) // columns
    lines = math.ceil(len(entries) / columns)
    strip = Image.new("RGB", (width, 2 * margin + lines * line), _PAPER)
    draw = ImageDraw.Draw(strip)
    for place, (color, text) in enumerate(entries):
        left, top = margin + place % columns * step, margin + place // columns * line
        draw.rectangle((left, top, left + size, top + size), color, outline=_INK)
        draw.text((left + indent, top + size / 2), text, _INK, font, anchor="lm")
    return strip


def _fitted(pixels: Array, method: Image.Resampling, side: int) -> Image.Image:
    """A picture scaled to `side` pixels on its longer side; small ones keep square pixels."""
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Image.fromarray(pixels).resize(size, method if scale < 1 else Image.Resampling.NEAREST)


def _stack(width: int, parts: Sequence[Image.Image]) -> Image.Image:
    """Pictures one below the other, each in the middle, on paper of `width` pixels."""
    from PIL import Image

    whole = Image.new("RGB", (width, sum(part.height for part in parts)), _PAPER)
    y = 0
    for part in parts:
        whole.paste(part, ((width - part.width) // 2, y))
        y += part.height
    return whole


def _save_figure(path: str | os.PathLike[str], figure: Figure) -> None:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
