"""Short trainings: a net, a data set, a solver and a loader, without checkpoints or a folder.

`begin` makes a net, `train` runs iterations, `evaluate` measures. Time is that of the processor, so that other programs
on the machine change it little.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from fcnlite import models, surgery
from fcnlite.arrays import Array
from fcnlite.data import Dataset, Loader
from fcnlite.data.augmentation import Augment
from fcnlite.data.seeding import generator
from fcnlite.description.spec import NetSpec
from fcnlite.errors import TrainingError
from fcnlite.loading import read_weights
from fcnlite.net import Net
from fcnlite.segmentation.compatibility import prepare
from fcnlite.segmentation.evaluation import confusion, confusions
from fcnlite.segmentation.metrics import Metrics
from fcnlite.solver import SGD, Solver
from fcnlite.surgery import Weights


@dataclass(frozen=True)
class Training:
    """What a training logged, one number for each iteration."""

    losses: tuple[float, ...]
    """The loss before the update, averaged over the passes."""
    seconds: tuple[float, ...]
    """The processor time from the start of training to the end of the iteration."""
    pictures: tuple[int, ...]
    """The pictures seen from the start to the end of the iteration."""
    diverged: bool = False
    """Whether the loss became infinite or NaN, which ended the training."""

    def last_loss(self, share: float = 0.1) -> float:
        """The mean loss of the last `share` of the iterations; infinite if the training diverged."""
        count = max(1, round(share * len(self.losses)))
        return float("inf") if self.diverged else float(np.mean(self.losses[-count:]))

    def step_seconds(self) -> float:
        """The median time of an iteration; NaN if there is none."""
        return float(np.median(np.diff(self.seconds, prepend=0.0))) if self.seconds else float("nan")


def begin(
    spec: NetSpec,
    dataset: Dataset,
    init: str | os.PathLike[str] | Weights | None = None,
    seed: int = 0,
    biases: Mapping[str, Array] | None = None,
    *,
    origin: str | os.PathLike[str] = "init",
) -> Net:
    """A net for `dataset` in phase TRAIN: features by msra, scores at zero, upsampling bilinear.

    `init` is a file of weights, or weights by layer name: parameters are taken where name and shape agree. `origin` is
    the name of such weights in messages. `biases`, by layer name, are set last. Raises `TrainingError` if no weight of
    `init` fits.
    """
    net = Net(spec, phase="TRAIN", seed=seed)
    models.initialize(net)
    prepare(net, dataset)
    if init is not None:
        weights = read_weights(init) if isinstance(init, str | os.PathLike) else init
        taken = [each for each in surgery.transplant(net, weights) if each.outcome in ("taken", "coerced")]
        if not any(each.index == 0 and not each.layer.startswith("upscore") for each in taken):
            raise TrainingError(
                f"no weight of {init if isinstance(init, str | os.PathLike) else origin} fits the net {spec.name!r} by "
                "name and shape; give weights of a net of this kind and width."
            )
    for layer, values in (biases or {}).items():
        net.params[layer][1].data = values
    return net


def train(
    net: Net,
    dataset: Dataset,
    iterations: int,
    *,
    rule: Callable[..., Solver] = SGD,
    batch_size: int = 1,
    augment: Augment | None = None,
    seed: int = 0,
    label: Callable[[Array, np.random.Generator], Array] | None = None,
    watch: Callable[[int, Mapping[str, Array]], None] | None = None,
    **options: Any,
) -> Training:
    """Train `net` by `rule`; `options` are the solver's, such as `base_lr`, `momentum` and `iter_size`.

    The sequence of pictures is a function of `seed` alone, whatever the batch size: an iteration takes the next
    `batch_size` · `iter_size` pictures. `label` changes each label array, with random numbers that are a function of
    (seed, pass). `watch` is called after each iteration, with its number and its last batch. A loss that is not finite
    ends the training.
    """
    solver = rule(net, **options)
    passes = solver.options.iter_size
    loader = Loader(
        dataset, batch_size=batch_size, preprocessing=net.info.preprocessing, augment=augment, seed=seed, threads=1
    )
    losses: list[float] = []
    seconds: list[float] = []
    diverged = False
    began = time.process_time()
    with closing(loader.batches()) as batches:
        for iteration in range(iterations):
            taken = list(islice(batches, passes))
            if label is not None:
                for i, batch in enumerate(taken):
                    rng = generator("label", seed, iteration * passes + i)
                    batch.update({name: label(batch[name], rng) for name in dataset.labels})
            try:
                losses.append(solver.step(taken))
            except TrainingError:
                diverged = True
                break
            seconds.append(time.process_time() - began)
            if watch is not None:
                watch(iteration, taken[-1])
    pictures = [(i + 1) * batch_size * passes for i in range(len(losses))]
    return Training(tuple(losses), tuple(seconds), tuple(pictures), diverged)


def evaluate(net: Net, dataset: Dataset) -> Metrics:
    """The metrics of `net`, in phase TEST, on all pictures of `dataset`."""
    return Metrics.from_matrix(confusion(net.share("TEST"), dataset))


def evaluate_all(net: Net, dataset: Dataset) -> dict[str, Metrics]:
    """The metrics of `net`, in phase TEST, for each label map of `dataset`, by its blob."""
    found = confusions(net.share("TEST"), dataset)
    return {name: Metrics.from_matrix(matrix) for name, matrix in found.items()}


def running_mean(values: Sequence[float], share: float = 0.1) -> Array:
    """The mean of each value and those before it, over at most `share` of their number."""
    count = max(1, round(share * len(values)))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - count, 0)
    mean: Array = (sums[last] - sums[first]) / (last - first)
    return mean


def averaged(trainings: Sequence[Training]) -> Training:
    """The mean of several trainings of equal batches, iteration by iteration, up to the end of the shortest."""
    count = min(len(each.losses) for each in trainings)
    losses, seconds = (
        np.mean([getattr(each, name)[:count] for each in trainings], axis=0) for name in ("losses", "seconds")
    )
    return Training(tuple(losses.tolist()), tuple(seconds.tolist()), trainings[0].pictures[:count])
