"""A small FCN and a short training, for experiments that train several nets in a minute or two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from fcnlite import models, solver
from fcnlite.arrays import Array
from fcnlite.data import VOID
from fcnlite.data.seeding import generator
from fcnlite.description.spec import NetSpec
from fcnlite.models.builder import FIXED, Builder
from fcnlite.models.lite import SCALE, STATISTICS, WEIGHT
from fcnlite.net import Net
from fcnlite.segmentation.metrics import Metrics, confusion

Example: TypeAlias = dict[str, Array]
"""The blobs of one picture by name: C×H×W."""


def add_features(net: Builder, data: str, width: int, suffix: str = "") -> tuple[str, str]:
    """Add the layers up to features of stride 4 and of stride 8, and return these.

    The features of stride 8 have a receptive field of 54 pixels.
    """
    bottom = data
    for stage, factor in enumerate((1, 2, 3), start=1):
        bottom = _normalized(net, f"{stage}{suffix}", bottom, factor * width)
        bottom = fine = net.pool(f"pool{stage}{suffix}", bottom, 2, 2)
        if stage == 2:
            skip = fine
    for stage in (4, 5):
        bottom = _normalized(net, f"{stage}{suffix}", bottom, 4 * width)
    return skip, bottom


def add_scores(net: Builder, features: tuple[str, str], classes: int, suffix: str = "") -> str:
    """Add the scores of both features, their sum, and its upsampling to the picture; returns the blob of the scores."""
    fine, coarse = features
    coarse = _upsample(net, f"upscore2{suffix}", net.score(f"score_coarse{suffix}", coarse, classes), classes, 2)
    fused = net.fuse(f"fuse{suffix}", coarse, net.score(f"score_fine{suffix}", fine, classes))
    return _upsample(net, f"score{suffix}", fused, classes, 4)


def small_fcn(classes: int, size: int, *, width: int = 12, channels: int = 3) -> NetSpec:
    """A net of stride 8 with one skip, for pictures whose sides are multiples of 8."""
    net = Builder("small-fcn")
    data = net.input("data", 1, channels, size, size)
    label = net.input("label", 1, 1, size, size)
    score = add_scores(net, add_features(net, data, width), classes)
    net.loss("loss", score, label, "VALID", ignore_label=255)
    return net.spec()


def sigmoid_fcn(scores: int, size: int, *, width: int = 12) -> NetSpec:
    """`small_fcn` with a sigmoid for each score in place of the softmax; its targets, 0 or 1, are fed to `target`.

    The loss is the mean over pixels of the sum over scores.
    """
    net = Builder("small-sigmoid-fcn")
    data = net.input("data", 1, 3, size, size)
    target = net.input("target", 1, scores, size, size)
    score = add_scores(net, add_features(net, data, width), scores)
    net.add(
        "loss",
        "SigmoidCrossEntropyLoss",
        (score, target),
        loss_weight=(float(scores),),
        normalization="VALID",
        ignore_label=255,
    )
    return net.spec()


def train(
    spec: NetSpec, examples: Sequence[Example], iterations: int, *, batch: int = 8, rate: float = 0.2, seed: int = 0
) -> tuple[Net, list[float]]:
    """Train a new net on `examples` in a random order; returns it in phase TEST, and the loss of each iteration.

    The rate falls linearly to 0. `seed` determines the initial weights and the order.
    """
    net = Net(spec, phase="TRAIN", seed=seed)
    models.initialize(net)
    descent = solver.SGD(
        net, base_lr=rate, momentum=0.9, weight_decay=1e-4, lr_policy="poly", power=1.0, max_iter=iterations
    )
    losses = []
    for iteration in range(iterations):
        chosen = generator("short training", seed, iteration).integers(len(examples), size=batch)
        blobs = {name: np.stack([examples[i][name] for i in chosen]) for name in examples[0]}
        losses.append(descent.step(blobs))
    return net.share(phase="TEST"), losses


def predict(
    net: Net, examples: Sequence[Example], score: str = "score", choose: Callable[[Array], Array] | None = None
) -> list[Array]:
    """The H×W class of each pixel of each example: the class of the highest score, or `choose` of N×C×H×W scores."""
    pictures = [name for name in examples[0] if not name.startswith(("label", "target"))]
    found: list[Array] = []
    for start in range(0, len(examples), 16):
        some = examples[start : start + 16]
        blobs = {name: np.stack([each[name] for each in some]) for name in pictures}
        scores = net.forward(blobs, outputs=[score])[score]
        found += list((scores.argmax(axis=1) if choose is None else choose(scores)).astype(np.uint8))
    return found


def measure(net: Net, examples: Sequence[Example], classes: int, label: str = "label", score: str = "score") -> Metrics:
    """The metrics of the scores in the blob `score` against the label maps `label`."""
    matrix = np.zeros((classes, classes), np.int64)
    for example, prediction in zip(examples, predict(net, examples, score), strict=True):
        matrix += confusion(example[label][0], prediction, classes, VOID)
    return Metrics.from_matrix(matrix)


def parameter_count(net: Net) -> int:
    """The number of parameters of a net."""
    return sum(parameter.data.size for parameters in net.params.values() for parameter in parameters)


def _normalized(net: Builder, name: str, bottom: str, num_output: int) -> str:
    top = net.convolution(f"conv{name}", bottom, num_output, 3, pad=1, param=WEIGHT, bias_term=False)
    net.add(f"bn{name}", "BatchNorm", top, top=top, param=STATISTICS, moving_average_fraction=0.95)
    net.add(f"scale{name}", "Scale", top, top=top, param=SCALE, bias_term=True)
    return net.relu(f"relu{name}", top)


def _upsample(net: Builder, name: str, bottom: str, classes: int, factor: int) -> str:
    return net.add(
        name,
        "Deconvolution",
        bottom,
        param=FIXED,
        num_output=classes,
        group=classes,
        bias_term=False,
        kernel_size=[2 * factor],
        stride=[factor],
        pad=[factor // 2],
    )
