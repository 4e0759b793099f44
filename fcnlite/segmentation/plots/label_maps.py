"""Draws label maps: in colours, as overlays, compared with the truth, with a legend, as sheets of samples."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.sample import VOID
from fcnlite.errors import DataError
from fcnlite.files import atomic_write
from fcnlite.segmentation.plots.colors import UNSCORED_COLOR, WRONG_COLOR, Color, class_name, color_of, color_table

if TYPE_CHECKING:
    from PIL import Image, ImageFont

BACKGROUND = "background"
"""Overlays leave pixels of the class with this name untinted."""

_INK = (34, 34, 34)
_PAPER = (255, 255, 255)
_LEAST_WIDTH = 384
"""Pixels: pictures whose longer side is shorter are enlarged before a legend is put below them."""


def save_png(path: str | os.PathLike[str], picture: Image.Image) -> None:
    """Write `picture` to `path` as PNG."""
    # Level 1 compresses colours in a quarter of the time, and to about the same size.
    level = 6 if picture.mode == "P" else 1
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG", compress_level=level)


def label_image(labels: Array, colors: Sequence[Color]) -> Image.Image:
    """Convert `labels`, H×W uint8, to a palette picture: pixels are class numbers, the palette holds their colours.

    Raises `DataError` for labels of another shape or type.
    """
    from PIL import Image

    _check_labels(labels)
    picture = Image.fromarray(np.ascontiguousarray(labels))
    picture.putpalette(color_table(colors).tobytes())
    return picture


def overlay(
    image: Array, labels: Array, classes: Sequence[str], colors: Sequence[Color], alpha: float = 0.55
) -> Image.Image:
    """Tint `image`, H×W×3 uint8, with the colours of its labels, H×W uint8; draw a light line around each region.

    `alpha` is the weight of the colours: 0 leaves the picture, 1 hides it. Void and the class `background` are not
    tinted, and no line is drawn between them. Raises `DataError` for arrays of other shapes or types.
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
    mixed = image * (1 - weight) + color_table(colors)[labels] * weight
    mixed[_boundaries(np.where(np.isin(labels, untinted), VOID, labels))] = _PAPER
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def errors(image: Array, truth: Array, predicted: Array) -> Image.Image:
    """Show the errors in `predicted`: wrong pixels in one colour, void in gray, all others as a dim gray `image`.

    `image` is H×W×3 uint8, the label maps are H×W uint8. Raises `DataError` for other shapes or types.
    """
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
    picture: Image.Image | Array, labels: Array, classes: Sequence[str], colors: Sequence[Color], void: str = "void"
) -> Image.Image:
    """Add a strip below `picture`, H×W×3, with the names of the classes in `labels` and their shares of the pixels.

    `labels` are H×W uint8; `void` is the name of 255 among them. A small picture is enlarged by an integer factor, so
    that the names are readable. Raises `DataError` for labels of another shape or type.
    """
    from PIL import Image

    _check_labels(labels)
    top = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    top = top.convert("RGB")
    factor = max(1, math.ceil(_LEAST_WIDTH / max(top.size)))
    top = top.resize((top.width * factor, top.height * factor), Image.Resampling.NEAREST)
    table = color_table(colors)
    counts = np.bincount(labels.ravel(), minlength=256)
    entries = [
        (
            color_of(table, label),
            f"{void if label == VOID else class_name(classes, label)}  {_percent(counts[label] / labels.size)}",
        )
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
    """Write a sheet with one row for each (picture, true labels, predicted labels), and one legend.

    Pictures are H×W×3 uint8, labels H×W uint8; rows may differ in size. A row shows the picture, the truth, the
    prediction and the errors, each with `cell` pixels on its longer side.
    `titles` are written above the rows.
    """
    from PIL import Image, ImageDraw

    gap, table, columns = 8, color_table(colors), ("picture", "truth", "prediction", "errors")
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
        cells = [_scaled(each, method, cell) for each, method in zip(shown, methods, strict=True)]
        above = round(1.8 * size) if row < len(titles) else 0
        strip = Image.new("RGB", (width, above + max(each.height for each in cells) + gap), _PAPER)
        if above:
            ImageDraw.Draw(strip).text((gap, above // 2), titles[row], _INK, _font(size), anchor="lm")
        for column, each in enumerate(cells):
            strip.paste(each, (gap + column * (cell + gap) + (cell - each.width) // 2, above))
        strips.append(strip)
    found = np.flatnonzero(present).tolist()
    entries = [(color_of(table, label), class_name(classes, label)) for label in found]
    entries += [(WRONG_COLOR, "wrong"), *([(UNSCORED_COLOR, "void, not scored")] if present[VOID] else ())]
    save_png(path, _stack(width, [*strips, _legend(width, entries)]))


def contact_sheet(
    path: str | os.PathLike[str],
    cells: Iterable[tuple[Array, Array, str]],
    classes: Sequence[str],
    colors: Sequence[Color],
    cell: int = 280,
) -> None:
    """Write a sheet of pictures tinted by their labels, four to a row, each with its title above, and one legend.

    `cells`: picture (H×W×3 uint8), labels (H×W uint8) and title of each; a picture has `cell` pixels on its longer
    side. Void is tinted too.
    """
    from PIL import Image, ImageDraw

    gap, size, across, table = 8, 14, 4, color_table(colors)
    present = np.zeros(256, bool)
    rows: list[list[Image.Image]] = []
    for place, (image, labels, title) in enumerate(cells):
        present[labels] = True
        image = np.where((labels == VOID)[..., None], image // 2 + table[VOID] // 2, image)
        tinted = _scaled(np.array(overlay(image, labels, classes, colors)), Image.Resampling.BICUBIC, cell)
        shown = Image.new("RGB", (cell + gap, tinted.height + 2 * size + gap), _PAPER)
        ImageDraw.Draw(shown).text((gap // 2, size), _cut(title, cell, size), _INK, _font(size), anchor="lm")
        shown.paste(tinted, (gap // 2 + (cell - tinted.width) // 2, 2 * size))
        if place % across == 0:
            rows.append([])
        rows[-1].append(shown)
    width = max(len(row) for row in rows) * (cell + gap)
    strips = []
    for row in rows:
        strip = Image.new("RGB", (width, max(each.height for each in row)), _PAPER)
        for column, each in enumerate(row):
            strip.paste(each, (column * (cell + gap), 0))
        strips.append(strip)
    found = np.flatnonzero(present).tolist()
    legend = _legend(width, [(color_of(table, label), class_name(classes, label)) for label in found])
    save_png(path, _stack(width, [*strips, legend]))


def _cut(title: str, width: int, size: int) -> str:
    """The end of a title that fits into `width` pixels."""
    shown = title
    while len(shown) > 1 and _font(size).getlength(shown) > width:
        shown = "…" + shown[2:]
    return shown


def _check_labels(labels: Array) -> None:
    if labels.ndim != 2 or labels.dtype != np.uint8 or labels.size == 0:
        raise DataError(f"labels are {_described(labels)}; expected H×W uint8.")


def _described(array: Array) -> str:
    return f"{'×'.join(map(str, array.shape))} {array.dtype}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.0005 else "< 0.1 %"


def _boundaries(labels: Array) -> Array:
    """Pixels whose right or lower neighbour has another label, H×W bool; lines are wider on large pictures."""
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] = labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    for _ in range(min(labels.shape) // 600):
        edge[:, 1:] |= edge[:, :-1]
        edge[1:] |= edge[:-1]
    return edge


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which is part of matplotlib and covers most European languages."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def _legend(width: int, entries: Sequence[tuple[Color, str]]) -> Image.Image:
    """Draw a strip of `width` pixels with the colour and text of each entry, in columns."""
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


def _scaled(pixels: Array, method: Image.Resampling, side: int) -> Image.Image:
    """Scale a picture to `side` pixels on its longer side; enlarged pictures keep square pixels."""
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Image.fromarray(pixels).resize(size, method if scale < 1 else Image.Resampling.NEAREST)


def _stack(width: int, parts: Sequence[Image.Image]) -> Image.Image:
    """Stack pictures vertically, each centred, on paper of `width` pixels."""
    from PIL import Image

    whole = Image.new("RGB", (width, sum(part.height for part in parts)), _PAPER)
    y = 0
    for part in parts:
        whole.paste(part, ((width - part.width) // 2, y))
        y += part.height
    return whole
