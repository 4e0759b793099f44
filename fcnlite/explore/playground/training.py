"""One training: a net, a solver and a loader, and what is measured on the way. Nothing here runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fcnlite import doctor, surgery
from fcnlite.analysis.paper.tools.nets import shipped, weights_of
from fcnlite.arrays import Array
from fcnlite.data import Loader
from fcnlite.data.transforms import to_blob
from fcnlite.explore.playground.curve import Curve
from fcnlite.explore.playground.network import describe
from fcnlite.explore.playground.pictures import LabelsOffByOne, held_out, training_set
from fcnlite.explore.playground.settings import Settings
from fcnlite.loading import load
from fcnlite.net import Net
from fcnlite.segmentation.compatibility import prepare
from fcnlite.segmentation.metrics import Metrics, confusion, number
from fcnlite.segmentation.plots.colors import color_table
from fcnlite.solver import SGD

SHOWN = 4
"""The number of held-out pictures that the page shows."""


class Training:
    """A training from its initial values. `folder`: the data set, by default generated shapes."""

    def __init__(self, settings: Settings, folder: str | None = None) -> None:
        self.settings = settings
        self.dataset = training_set(folder, settings.size)
        if settings.fault == "labels_off_by_one":
            self.dataset = LabelsOffByOne(self.dataset)
        self.held_out = held_out(folder, settings.size)
        self.net = Net(describe(settings, len(self.dataset.classes)), phase="TRAIN", seed=settings.seed)
        if settings.trunk == "classifier":
            surgery.transplant(self.net, weights_of(load(shipped("shapes-classifier"))))
        prepare(self.net, self.dataset)
        self.solver = SGD(self.net, base_lr=settings.rate, momentum=settings.momentum)
        self.losses: list[float] = []
        """The first losses, up to `doctor`'s needs."""
        self.loss: float | None = None
        """The loss of the last iteration, before its update."""
        self.curve, self.scores = Curve(), Curve()
        """The loss and the mean IU by iteration."""
        self.metrics: Metrics | None = None
        self.evaluated = -1
        """The iteration after which `metrics` and `predictions` were measured."""
        self.predictions = np.zeros_like(self.held_out.truths)
        preprocessing = self.net.info.preprocessing
        self._pictures = np.stack([to_blob(each, preprocessing) for each in self.held_out.pictures])
        self._predicting = self.net.share("TEST")
        self._loader = Loader(
            self.dataset,
            batch_size=settings.batch,
            preprocessing=preprocessing,
            augment=settings.transforms,
            seed=settings.seed,
            threads=1,
            ahead=2,
        )
        self._batches = self._loader.batches()

    def step(self) -> None:
        """Run one iteration. Raises `TrainingError` for a loss that is not finite, and the errors of the layers."""
        self.loss = self.solver.step(next(self._batches))
        self.curve.add(self.solver.iteration, self.loss)
        if len(self.losses) < KEPT:
            self.losses.append(self.loss)

    def evaluate(self) -> None:
        """Predict the held-out pictures, and compare them with the truth."""
        if self.evaluated == self.solver.iteration:
            return
        scores = self._predicting.forward(data=self._pictures)["score"]
        self.predictions = scores.argmax(axis=1).astype(np.uint8)
        matrix = confusion(self.held_out.truths, self.predictions, len(self.dataset.classes))
        self.metrics = Metrics.from_matrix(matrix)
        self.evaluated = self.solver.iteration
        if (mean := number(self.metrics.mean_iu)) is not None:
            self.scores.add(self.evaluated, mean)

    def norms(self) -> tuple[Array, Array]:
        """The norm of the last gradient, and that of the weight, of each of `layers`; −1 for one that is not finite."""
        weights = [self.net.params[name][0] for name in self.layers]
        gradients = np.array([_norm(each.grad) if self.loss is not None else 0.0 for each in weights], np.float32)
        values = np.array([_norm(each.array) for each in weights], np.float32)
        return gradients, values

    @property
    def layers(self) -> list[str]:
        """The names of the convolutions and deconvolutions."""
        return [each.spec.name for each in self.net.layers if each.type in ("Convolution", "Deconvolution")]

    def view(self) -> dict[str, Any]:
        """What does not change while the net is trained."""
        count = min(SHOWN, len(self.held_out.truths))
        return {
            "classes": list(self.dataset.classes),
            "colors": color_table(self.dataset.colors),
            "pictures": self.held_out.pictures[:count],
            "truths": self.held_out.truths[:count],
            "layers": self.layers,
            "parameters": sum(int(each.array.size) for group in self.net.params.values() for each in group),
        }

    def findings(self) -> list[doctor.Finding]:
        """What the doctor finds in the net as it is now. Overwrites the gradients."""
        losses = self.losses if self.settings.normalization == "VALID" else ()
        with np.errstate(over="ignore", invalid="ignore"):  # the net of a training that diverges
            return doctor.examine(self.net, self.dataset, self.solver, losses=losses)

    def close(self) -> None:
        """End the loader's threads."""
        batches: Iterator[Any] = self._batches
        batches.close()  # type: ignore[attr-defined]


KEPT = 200
"""The number of losses that are kept for the doctor."""


def _norm(values: Array) -> float:
    norm = float(np.linalg.norm(values.ravel().astype(np.float64)))
    return norm if np.isfinite(norm) else -1.0
