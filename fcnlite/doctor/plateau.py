"""A loss that stays at ln(classes), the loss of equal scores for all classes.

A net that knows the frequencies of the classes is below it, and learns these within a few iterations. The loss stays
there if scores are zero, the trunk was never transplanted or the learning rate is too low.
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
from fcnlite.doctor.anatomy import blob_shapes, picture_shapes, softmax_losses
from fcnlite.doctor.finding import Finding
from fcnlite.errors import FileError, SpecError
from fcnlite.files import cannot_read
from fcnlite.layers.loss import Loss
from fcnlite.net import Net
from fcnlite.solver import Solver

NEAR = 0.02
"""The largest relative distance from ln(classes) that counts as equal to it."""
WARM_UP = 20
"""Iterations before the first finding."""
SETTLED = 100
"""Iterations after which the finding is an error, not a warning."""


def check(net: Net, losses: Sequence[float], where: str) -> list[Finding]:
    """Compare the later half of `losses` with ln(classes): means over the positions, one for each iteration."""
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
            f"After {len(losses)} iterations the loss is {late:.4g} on average ({where}), the loss of equal "
            f"scores for all classes: ln {classes} = {uniform:.4g}.",
            "First apply the remedies for upsampling, weights and rates; without such findings, raise base_lr tenfold.",
        )
    ]


def read_log(path: str | os.PathLike[str], net: Net) -> list[float]:
    """The losses in the log of a run (columns `iteration`, `loss`); empty if they are not means over the pixels."""
    if [each.normalization for each in softmax_losses(net.layers)] != ["VALID"]:
        return []
    try:
        with Path(path).open(newline="", encoding="utf-8") as stream:
            return [float(row["loss"]) for row in csv.DictReader(stream)]
    except OSError as error:
        raise cannot_read(path, error) from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise FileError(f"{path}: is not the log of a training, with a column loss ({error}).") from error


def train(solver: Solver, dataset: Dataset, iterations: int) -> list[float]:
    """Train a copy of the net, one picture a pass, and return the losses as means over the positions.

    Raises `SpecError` unless the net has one input for pictures and one loss.
    """
    net = solver.net
    losses = softmax_losses(net.layers)
    pictures = list(picture_shapes(net.layers, net.info.preprocessing))
    if len(losses) != 1 or len(pictures) != 1:
        raise SpecError(
            f"the net has {len(pictures)} inputs for pictures and {len(losses)} softmax losses in phase {net.phase}; "
            "expected one of each to train it."
        )
    kind = next(name for name, each in solvers.TYPES.items() if each is type(solver))
    copy = solvers.create(kind, _copy(net), **asdict(solver.options))
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
    """The same net with its own copies of the parameters."""
    copy = Net(net.spec, phase="TRAIN", path=net.path, dtype=net.dtype.name, seed=net.seed, info=net.info)
    surgery.transplant(copy, {name: [each.array for each in group] for name, group in net.params.items()})
    return copy


def _factor(loss: Loss, label: np.ndarray) -> float:
    """The ratio of the loss to its mean over the positions that count."""
    counted = np.not_equal(label, loss.options.ignore_label)
    weight = loss.spec.loss_weight[0] if loss.spec.loss_weight else 1.0
    return weight * max(1, int(np.count_nonzero(counted))) / loss.normalizer(counted, len(label))
