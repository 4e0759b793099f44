"""Short trainings for the experiments: a net, a data set, a solver and a loader, without checkpoints or a folder.

`begin` makes a net, `train` runs iterations of SGD, `evaluate` measures. Time is that of the processor, so that
other programs on the machine change it little.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite import models, surgery
from fcnlite.arrays import Array
from fcnlite.data import Dataset, Loader
from fcnlite.data.seeding import generator
from fcnlite.data.transforms import Augment
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import FileError, TrainingError
from fcnlite.loading import load, read_weights
from fcnlite.models.lite import lite_fcn
from fcnlite.net import Net
from fcnlite.segmentation.compatibility import prepare as prepare_net
from fcnlite.segmentation.evaluation import confusion, confusions
from fcnlite.segmentation.metrics import Metrics
from fcnlite.solver import SGD, Solver
from fcnlite.surgery import Weights

CLASSIFIER = Path(__file__).parents[3] / "weights" / "shapes-classifier.h5"
WIDTH = 1 / 8
"""The share of VGG-16's channels that the shipped classifier and the small nets have."""
METRICS = ("pixel accuracy", "mean accuracy", "mean IU", "frequency weighted IU")
"""The headings of `percentages`."""


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


def begin(spec: NetSpec, dataset: Dataset, init: str | os.PathLike[str] | Weights | None = None, seed: int = 0) -> Net:
    """A net for `dataset` in phase TRAIN: features by msra, scores at zero, upsampling bilinear.

    `init`: a file of weights, or weights by layer name, whose parameters are taken where name and shape agree. Raises
    `TrainingError` if none of them is.
    """
    net = Net(spec, phase="TRAIN", seed=seed)
    models.initialize(net)
    prepare_net(net, dataset)
    if init is not None:
        weights = read_weights(init) if isinstance(init, str | os.PathLike) else init
        taken = [each for each in surgery.transplant(net, weights) if each.outcome in ("taken", "coerced")]
        if not any(each.index == 0 and not each.layer.startswith("upscore") for each in taken):
            raise TrainingError(
                f"no weight of {init if isinstance(init, str | os.PathLike) else 'init'} fits the net {spec.name!r} by "
                "name and shape; give weights of a net of this kind and width."
            )
    return net


def shipped_trunk() -> Weights:
    """The trunk of the shipped classifier of whole pictures by layer name, made convolutional, without its scores.

    It has the place of VGG-16 trained on ImageNet: the experiment `pre-training` trains it. Raises `FileError` if the
    file is missing.
    """
    if not CLASSIFIER.is_file():
        raise FileError(f"{CLASSIFIER}: is missing, and the experiment starts from it; give other weights with --init.")
    return trunk_of(load(CLASSIFIER))


def trunk_of(classifier: Net) -> Weights:
    """The weights of a `lite-classifier` by layer name, made convolutional, without its scores."""
    _, weights = surgery.fully_convolutional(classifier.spec, weights_of(classifier))
    return {layer: arrays for layer, arrays in weights.items() if layer != "fc8"}


def small_net(classes: int, stride: int, normalization: str = "VALID") -> NetSpec:
    """An FCN with the paper's skips for `shipped_trunk`, at an eighth of VGG-16's width: FCN-32s, FCN-16s or FCN-8s.

    It is the lite net without the convolution before each skip, so that all features are those of the trunk, and with
    the trunk's statistics in each BatchNorm.
    """
    name = f"lite-fcn{stride}s"
    return fixed_statistics(plain_skips(lite_fcn(name, classes, WIDTH, normalization, stride=stride)))


def plain_skips(spec: NetSpec) -> NetSpec:
    """A lite net with the paper's skips: scores of the pooled maps, without the convolution before them."""

    def changed(layer: LayerSpec) -> LayerSpec:
        if not layer.name.startswith("score_pool"):
            return layer
        return replace(layer, bottom=(layer.name.removeprefix("score_"),))

    return replace(spec, layers=tuple(changed(layer) for layer in spec if not layer.name.endswith("_skip")))


def fixed_statistics(spec: NetSpec) -> NetSpec:
    """`spec` with the stored statistics in each BatchNorm, in training too.

    The output for a picture then does not depend on the others in its batch, as in the papers' nets, which have no
    BatchNorm. The weights must come with their statistics.
    """

    def fixed(layer: LayerSpec) -> LayerSpec:
        if layer.type != "BatchNorm":
            return layer
        return replace(layer, options={**layer.options, "use_global_stats": True})

    return replace(spec, layers=tuple(map(fixed, spec.layers)))


def weights_of(net: Net) -> dict[str, list[Array]]:
    """A copy of the parameters of `net` by layer name."""
    return {name: [each.data.copy() for each in parameters] for name, parameters in net.params.items()}


def train(
    net: Net,
    dataset: Dataset,
    iterations: int,
    *,
    batch_size: int = 1,
    augment: Augment | None = None,
    seed: int = 0,
    rule: Callable[..., Solver] = SGD,
    label: Callable[[Array, np.random.Generator], Array] | None = None,
    **options: Any,
) -> Training:
    """Train `net` with `rule`; `options` are the solver's, such as `base_lr`, `momentum` and `iter_size`.

    The sequence of pictures is a function of `seed` alone, whatever the batch size: an iteration takes the next
    `batch_size` · `iter_size` pictures. `label` changes each label array, with random numbers that are a function of
    (seed, pass). A loss that is not finite ends the training.
    """
    solver = rule(net, **options)
    passes = solver.options.iter_size
    loader = Loader(
        dataset,
        batch_size=batch_size,
        preprocessing=net.info.preprocessing,
        augment=augment,
        seed=seed,
        threads=1,
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
    pictures = [(i + 1) * batch_size * passes for i in range(len(losses))]
    return Training(tuple(losses), tuple(seconds), tuple(pictures), diverged)


def evaluate(net: Net, dataset: Dataset) -> Metrics:
    """The metrics of `net`, in phase TEST, on all pictures of `dataset`."""
    return Metrics.from_matrix(confusion(net.share("TEST"), dataset))


def evaluate_all(net: Net, dataset: Dataset) -> dict[str, Metrics]:
    """The metrics of `net`, in phase TEST, for each label map of `dataset`, by its blob."""
    found = confusions(net.share("TEST"), dataset)
    return {name: Metrics.from_matrix(matrix) for name, matrix in found.items()}


def percentages(metrics: Metrics) -> list[str]:
    """The four metrics in percent, in the order of `METRICS`."""
    values = (metrics.pixel_accuracy, metrics.mean_accuracy, metrics.mean_iu, metrics.frequency_weighted_iu)
    return [f"{100 * each:.1f}" for each in values]


def loss_chart(runs: dict[str, Training], *, by: Sequence[str] = ("iterations", "seconds")) -> Array:
    """The smoothed losses of trainings by name, H×W×3 uint8 RGB: one chart for each abscissa in `by`.

    The abscissas are `iterations`, `seconds` and `pictures`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
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
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def running_mean(values: Sequence[float], share: float = 0.1) -> Array:
    """The mean of each value and those before it, over at most `share` of their number."""
    count = max(1, round(share * len(values)))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - count, 0)
    mean: Array = (sums[last] - sums[first]) / (last - first)
    return mean
