"""The overview of a run that train prints before the first iteration: data, classes, net, length."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from fcnlite import config
from fcnlite.data import VOID, Dataset
from fcnlite.data.statistics import Statistics
from fcnlite.description.model_info import Labels
from fcnlite.description.shapes import placements
from fcnlite.layers import links
from fcnlite.net import Net
from fcnlite.segmentation.heads import heads, picture_inputs
from fcnlite.train.run import TrainingRun

_COUNTED = 50
"""The number of generated samples whose pixels are counted; generated data sets are not read as a whole."""
_LISTED = 30
"""The number of classes that have a line each."""
_WITHOUT = ("train on: it cannot be learned", "validate on: its IU cannot be measured")
"""The consequence of a class without a pixel, in the training split and in the validation split."""


def text(run: TrainingRun) -> str:
    """The overview, in several lines."""
    options, net, train_set, val_set = run.options, run.solver.net, run.train_set, run.val_set
    lines = [f"data      {train_set.name}: {_count(train_set)} to train on, {_validation(val_set)}"]
    lines.append(f"size      {_sizes(train_set, options.augmentation.crop)}")
    if val_set is not None and (shared := _shared(train_set, val_set)):
        lines.append(
            f"          warning: {shared:,} of the {len(val_set):,} pictures to validate on are trained on too, so "
            "their scores say nothing about new pictures; choose another --val-split, or --no-validation"
        )
    censuses = [_statistics(each) for each in (train_set, val_set) if each is not None]
    for name, labels in train_set.labels.items():
        what = "classes" if len(train_set.labels) == 1 else f"classes of {name}"
        seen = len(censuses[0].samples)
        of = "" if seen == len(train_set) else f" of {seen} pictures"
        lines.append(
            f"{what:9} {len(labels.classes)}: share of the labelled pixels{of}, and the picture with most of them"
        )
        lines += [f"          {each}" for each in _classes(name, labels, censuses[0])]
        for statistics, dataset, what in zip(censuses, (train_set, val_set), _WITHOUT, strict=False):
            missing = _missing(name, labels, statistics)
            if missing and dataset is not None and len(statistics.samples) == len(dataset):
                lines.append(f"          warning: no pixel of {missing} in the pictures to {what}")
    parameters = sum(each.array.size for group in net.params.values() for each in group if not each.statistic)
    field = _receptive_field(net)
    sees = f", receptive field {field}" if field else ""
    width = "" if options.model.endswith(".prototxt") else f" at width {options.width:g}"
    lines.append(f"model     {options.model}{width}: {parameters:,} parameters{sees}")
    a_batch = options.batch_size * options.iter_size
    epochs = options.iterations * a_batch / len(train_set)
    lines.append(
        f"training  {_counted(options.iterations, 'iteration')} of {_counted(a_batch, 'picture')} by {options.solver}; "
        f"each picture is seen {epochs:.3g} times on average"
    )
    lines.append(f"augment   {' '.join(options.augment) or 'none'}")
    if options.freeze:
        learned = sum(each.array.size for _, each in net.learnable())
        lines.append(f"frozen    {' '.join(options.freeze)}: {learned:,} parameters are learned")
    if options.ema:
        lines.append(
            f"average   of the weights, with decay {options.ema:g}: validated, and saved as best.h5; last.h5 has both"
        )
    if run.team.ranks.size > 1:
        lines.append(f"processes {run.team.ranks.size}, this one with {_counted(config.num_threads(), 'thread')}")
    lines += [f"input     {name}: {net.info.preprocessing.of(name)}" for name in train_set.pictures]
    return "\n".join(lines)


def _shared(train_set: Dataset, val_set: Dataset) -> int:
    """The number of validation samples that are training samples too: same name, same pixels."""
    trained = {(each.name, each.pictures) for each in train_set.statistics.samples.values()}
    return sum((each.name, each.pictures) in trained for each in val_set.statistics.samples.values())


def _count(dataset: Dataset) -> str:
    skipped = f" ({len(dataset.skipped):,} skipped)" if dataset.skipped else ""
    return _counted(len(dataset), "picture") + skipped


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _validation(val_set: Dataset | None) -> str:
    return "no validation" if val_set is None else f"{_count(val_set)} to validate on"


def _sizes(dataset: Dataset, crop: tuple[int, int] | None) -> str:
    """The sizes of the pictures as width × height."""
    sizes = [*dataset.sizes] or [dataset[0].image.shape[:2]]
    cut = "" if crop is None else f", cropped to {crop[1]}×{crop[0]}"
    if len(sizes) == 1:
        return f"{sizes[0][1]}×{sizes[0][0]}{cut}"
    heights, widths = zip(*sizes, strict=True)
    return f"{min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high{cut}"


def _statistics(dataset: Dataset) -> Statistics:
    """The statistics of the whole data set if it was read, else of evenly spread samples."""
    if dataset.statistics.covers(range(len(dataset))):
        return dataset.statistics
    statistics = Statistics()
    for index in np.unique(np.linspace(0, len(dataset) - 1, _COUNTED).astype(int)).tolist():
        statistics.add(index, dataset[index])
    return statistics


def _classes(name: str, labels: Labels, statistics: Statistics) -> Iterator[str]:
    """Yield a line for each class, from the statistics of the training split."""
    counts = statistics.counts(name)
    count = len(labels.classes)
    total = max(1, int(counts[:count].sum()))
    examples = statistics.examples(name)
    width = max(map(len, labels.classes[:_LISTED]))
    for number, title in enumerate(labels.classes[:_LISTED]):
        pixels = int(counts[number])
        line = f"{title:{width}}  {_percent(pixels / total):>7}  {examples.get(number, '')}"
        yield line.rstrip() if pixels else f"{title:{width}}  missing"
    if count > _LISTED:
        yield f"and {count - _LISTED} more"
    void = int(counts[VOID])
    if void:
        yield f"void, ignored: {_percent(void / (void + total))} of all pixels"


def _missing(name: str, labels: Labels, statistics: Statistics) -> str:
    """The names of the classes without a pixel."""
    counts = statistics.counts(name)
    missing = [title for number, title in enumerate(labels.classes) if not counts[number]]
    return ", ".join(missing[:_LISTED]) + (", ..." if len(missing) > _LISTED else "")


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if 0 < share < 0.01 else f"{100 * share:.1f} %"


def _receptive_field(net: Net) -> str:
    """The largest receptive field of the scores of a pixel, as width × height; empty where it is unknown."""
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
