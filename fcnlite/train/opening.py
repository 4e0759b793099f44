"""What a training has found before its first iteration: data, classes, net, length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fcnlite.data import VOID, Dataset
from fcnlite.data.census import Census
from fcnlite.heads import heads, picture_inputs
from fcnlite.layers import links
from fcnlite.net import Net
from fcnlite.shapes import placements
from fcnlite.spec import Labels

if TYPE_CHECKING:
    from fcnlite.train.loop import Training

_LOOKED_AT = 50
"""Generated samples that are counted: no check reads them all."""
_NAMED = 30
"""Classes that have a line each."""


def text(run: Training) -> str:
    """Several lines for people."""
    options, net, train_set, val_set = run.options, run.solver.net, run.train_set, run.val_set
    lines = [f"data      {train_set.name}: {_count(train_set)} to train on, {_validation(val_set)}"]
    lines.append(f"size      {_sizes(train_set, options.augment().crop)}")
    censuses = [_census(each) for each in (train_set, val_set) if each is not None]
    for name, labels in train_set.labels.items():
        what = "classes" if len(train_set.labels) == 1 else f"classes of {name}"
        of = "" if len(censuses[0].samples) == len(train_set) else f", in {len(censuses[0].samples)} of the pictures"
        lines.append(
            f"{what:9} {len(labels.classes)}; share of the labelled pixels{of}, and a picture with many of them"
        )
        lines += [f"          {each}" for each in _classes(name, labels, censuses)]
    parameters = sum(each.array.size for group in net.params.values() for each in group if not each.statistic)
    field = _field(net)
    sees = f", receptive field {field}" if field else ""
    width = "" if options.model.endswith(".prototxt") else f" at width {options.width:g}"
    lines.append(f"model     {options.model}{width}: {parameters:,} parameters{sees}")
    a_batch = options.batch_size * options.iter_size
    pictures = "1 picture" if a_batch == 1 else f"{a_batch} pictures"
    lines.append(
        f"training  {options.iterations:,} iterations of {pictures} "
        f"({options.iterations * a_batch / len(train_set):.3g} epochs) by {options.solver}"
    )
    return "\n".join(lines)


def _count(dataset: Dataset) -> str:
    skipped = f" ({len(dataset.skipped):,} skipped)" if dataset.skipped else ""
    return f"{len(dataset):,} picture{'' if len(dataset) == 1 else 's'}{skipped}"


def _validation(val_set: Dataset | None) -> str:
    return "no validation" if val_set is None else f"{_count(val_set)} to validate on"


def _sizes(dataset: Dataset, crop: tuple[int, int] | None) -> str:
    """Width × height, as picture viewers say it."""
    sizes = [*dataset.sizes] or [dataset[0].image.shape[:2]]
    cut = "" if crop is None else f", cut to {crop[1]}×{crop[0]}"
    if len(sizes) == 1:
        return f"{sizes[0][1]}×{sizes[0][0]}{cut}"
    heights, widths = zip(*sizes, strict=True)
    return f"{min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high{cut}"


def _census(dataset: Dataset) -> Census:
    """Of the whole set if it was read, else of a few samples, evenly spread."""
    if dataset.census.covers(range(len(dataset))):
        return dataset.census
    census = Census()
    for index in np.unique(np.linspace(0, len(dataset) - 1, _LOOKED_AT).astype(int)).tolist():
        census.add(index, dataset[index])
    return census


def _classes(name: str, labels: Labels, censuses: Sequence[Census]) -> Iterator[str]:
    """A line for each class, and what is missing; the first census is of the training split."""
    counts = [each.counts(name) for each in censuses]
    count = len(labels.classes)
    total = max(1, int(counts[0][:count].sum()))
    examples = censuses[0].examples(name)
    width = max(map(len, labels.classes[:_NAMED]))
    for number, title in enumerate(labels.classes[:_NAMED]):
        pixels = int(counts[0][number])
        line = f"{title:{width}}  {_percent(pixels / total):>7}  {examples.get(number, '')}"
        yield line.rstrip() if pixels else f"{title:{width}}  missing"
    if count > _NAMED:
        yield f"and {count - _NAMED} more"
    void = int(counts[0][VOID])
    if void:
        yield f"void, not learned: {_percent(void / (void + total))} of all pixels"
    for where, each in zip(("train on: it cannot be learned", "validate on"), counts, strict=False):
        missing = [title for title, pixels in zip(labels.classes, each, strict=False) if not pixels]
        if missing:
            shown = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
            yield f"warning: no pixel of {shown} in the pictures to {where}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if 0 < share < 0.01 else f"{100 * share:.1f} %"


def _field(net: Net) -> str:
    """Rows and columns of the picture that the scores of a pixel depend on, at the most; empty where unknown."""
    test = net.share("TEST")
    blob = next(iter(heads(test, picture_inputs(test)).values())).blob
    specs = [layer.spec for layer in test.layers]
    sides = []
    for axis in (0, 1):
        known = placements(links(specs, axis))
        if blob not in known:
            return ""
        sides.append(math.ceil(known[blob][1].field))
    return f"{sides[1]}×{sides[0]}"
