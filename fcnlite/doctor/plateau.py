"""A loss that stays at ln(classes), the loss of scores that are equal for all classes.

A net that has learned the frequencies of the classes is below it already, which takes a few iterations. The loss stays
there if the scores are zero, the trunk's weights were not transplanted or the learning rate is too low.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np

from fcnlite import solver as solvers
from fcnlite import surgery
from fcnlite.data import Dataset, Loader
from fcnlite.doctor.finding import Finding
from fcnlite.doctor.structure import blob_shapes, picture_shapes, softmax_losses
from fcnlite.errors import FileError, SpecError, brief
from fcnlite.files import cannot_read
from fcnlite.layers.loss import Loss
from fcnlite.net import Net
from fcnlite.ranks.shard import WHOLE
from fcnlite.solver import Solver

NEAR = 0.02
"""The relative distance from ln(classes) within which a loss counts as equal to it."""
WARM_UP = 20
"""The least number of iterations for a finding."""
SETTLED = 100
"""The number of iterations from which the finding is an error, not a warning."""


def check(net: Net, losses: Sequence[float], where: str) -> list[Finding]:
    """Check whether the later half of `losses` is at ln(classes).

    `losses`: the mean over the positions of each iteration, from the first on. `where`: their origin, for the finding.
    """
    found = softmax_losses(net.layers)
    if len(losses) < WARM_UP or len(found) != 1:
        return []
    scores = blob_shapes(net).get(found[0].spec.bottom[0])
    if scores is None:
        return []
    classes = scores[found[0].options.axis]
    late, uniform = float(np.mean(losses[len(losses) // 2 :])), math.log(classes)
    if abs(late / uniform - 1) > NEAR:
        return []
    return [
        Finding(
            "loss-at-ln-classes",
            "error" if len(losses) >= SETTLED else "warning",
            f"After {len(losses)} iterations the loss is {late:.4g} on average ({where}), the loss of scores that are "
            f"equal for all classes: ln {classes} = {uniform:.4g}.",
            "First act on the findings about upsampling, weights and rates; without any, raise base_lr tenfold.",
        )
    ]


def read_log(path: str | os.PathLike[str], net: Net) -> list[float]:
    """The losses in the log of a run (columns `iteration`, `loss`); empty unless they are means over the pixels.

    Raises `FileError` for a file that cannot be read or is not such a log.
    """
    if [each.normalization for each in softmax_losses(net.layers)] != ["VALID"]:
        return []
    try:
        with Path(path).open(newline="", encoding="utf-8") as stream:
            return [float(row["loss"]) for row in csv.DictReader(stream)]
    except OSError as error:
        raise cannot_read(path, error) from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise FileError(f"{path}: is not the log of a training; expected a column loss ({brief(error)}).") from error


def train(solver: Solver, dataset: Dataset, iterations: int) -> list[float]:
    """Train a copy of the net, one picture in each pass. Returns the loss of each iteration, a mean over the positions.

    Raises `SpecError` unless the net has one picture input and one softmax loss.
    """
    net = solver.net
    losses = softmax_losses(net.layers)
    pictures = list(picture_shapes(net.layers, net.info.preprocessing))
    if len(losses) != 1 or len(pictures) != 1:
        raise SpecError(
            f"the net has {len(pictures)} picture inputs and {len(losses)} softmax losses in phase {net.phase}; "
            "expected one of each to train it."
        )
    type_ = next(name for name, each in solvers.TYPES.items() if each is type(solver))
    copy = solvers.create(type_, _copy(net), **asdict(solver.options))
    picture, label, given = pictures[0], losses[0].spec.bottom[1], next(iter(dataset.labels))
    loader = Loader(dataset, batch_size=1, preprocessing=net.info.preprocessing)
    means = []
    with closing(loader.batches()) as batches:
        for _ in range(iterations):
            passes = list(islice(batches, solver.options.iter_size))
            loss = copy.step([{picture: each[dataset.pictures[0]], label: each[given]} for each in passes])
            means.append(loss / float(np.mean([_factor(losses[0], each[given]) for each in passes])))
    return means


def _copy(net: Net) -> Net:
    """The same net, in phase TRAIN, with its own parameters."""
    copy = Net(net.spec, phase="TRAIN", path=net.path, dtype=net.dtype.name, seed=net.seed, info=net.info)
    surgery.transplant(copy, {name: [each.array for each in group] for name, group in net.params.items()})
    return copy


def _factor(loss: Loss, label: np.ndarray) -> float:
    """The ratio of the loss to its mean over the positions that are not ignored."""
    counted = np.not_equal(label, loss.options.ignore_label)
    weight = loss.spec.loss_weight[0] if loss.spec.loss_weight else 1.0
    _, z = loss.of_batch(0.0, counted, len(label), WHOLE)
    return weight * max(1, int(np.count_nonzero(counted))) / z
