"""The overview of a run that train prints before the first iteration: data, classes, net, length."""

from __future__ import annotations

import math

from fcnlite import config
from fcnlite.data import Dataset, overview
from fcnlite.description.shapes import placements
from fcnlite.layers import links
from fcnlite.net import Net
from fcnlite.segmentation.heads import heads, picture_inputs
from fcnlite.train.run import TrainingRun

_WITHOUT = ("train on: it cannot be learned", "validate on: its IU cannot be measured")
"""The consequence of a class without a pixel, in the training split and in the validation split."""


def text(run: TrainingRun) -> str:
    """The overview, in several lines."""
    options, net, train_set, val_set = run.options, run.solver.net, run.train_set, run.val_set
    lines = [f"data      {train_set.name}: {overview.count(train_set)} to train on, {_validation(val_set)}"]
    lines.append(f"size      {overview.sizes(train_set, options.augmentation.crop)}")
    if val_set is not None and (shared := overview.shared(train_set, val_set)):
        lines.append(
            f"          warning: {shared:,} of the {len(val_set):,} pictures to validate on are trained on too, so "
            "their scores say nothing about new pictures; choose another --val-split, or --no-validation"
        )
    censuses = [overview.statistics_of(each) for each in (train_set, val_set) if each is not None]
    for name, labels in train_set.labels.items():
        what = "classes" if len(train_set.labels) == 1 else f"classes of {name}"
        seen = len(censuses[0].samples)
        of = "" if seen == len(train_set) else f" of {seen} pictures"
        lines.append(
            f"{what:9} {len(labels.classes)}: share of the labelled pixels{of}, and the picture with most of them"
        )
        lines += [f"          {each}" for each in overview.class_lines(name, labels, censuses[0])]
        for statistics, dataset, what in zip(censuses, (train_set, val_set), _WITHOUT, strict=False):
            missing = overview.missing(name, labels, statistics)
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
        f"training  {overview.counted(options.iterations, 'iteration')} of {overview.counted(a_batch, 'picture')} "
        f"by {options.solver}; each picture is seen {epochs:.3g} times on average"
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
        lines.append(
            f"processes {run.team.ranks.size}, this one with {overview.counted(config.num_threads(), 'thread')}"
        )
    lines += [f"input     {name}: {net.info.preprocessing.of(name)}" for name in train_set.pictures]
    return "\n".join(lines)


def _validation(val_set: Dataset | None) -> str:
    return "no validation" if val_set is None else f"{overview.count(val_set)} to validate on"


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
