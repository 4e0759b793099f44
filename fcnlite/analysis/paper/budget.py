"""How an experiment trains each of its nets, and the figures of several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.training import Training, train
from fcnlite.data import Dataset
from fcnlite.data.transforms import Augment
from fcnlite.net import Net

CROP = (224, 224)
"""The height and width of the parts of given pictures that small nets learn from."""
PAPER_ITERATIONS = 100_000


@dataclass(frozen=True)
class Budget:
    """The training of every net of an experiment."""

    iterations: int
    batch_size: int
    seeds: tuple[int, ...]
    options: Mapping[str, Any]
    """The solver's."""
    augment: Augment = field(default_factory=Augment)

    def train(self, net: Net, dataset: Dataset, seed: int, **others: Any) -> Training:
        """Train `net`; `others` are more arguments of `training.train`, or options of the solver for this net."""
        options = {**self.options, **others}
        return train(
            net, dataset, self.iterations, batch_size=self.batch_size, augment=self.augment, seed=seed, **options
        )

    def words(self) -> str:
        """The budget in a sentence, for a page."""
        pictures = f"{self.batch_size} {'picture' if self.batch_size == 1 else 'pictures'}"
        if self.augment.crop is not None:
            pictures += f", cropped to {self.augment.crop[0]}×{self.augment.crop[1]} pixels"
        falling = ", which falls linearly to 0" if self.options.get("lr_policy") == "poly" else ""
        seeds = "once" if len(self.seeds) == 1 else f"with each of {len(self.seeds)} seeds"
        return (
            f"Each net is trained {seeds}: {self.iterations} iterations of {pictures}, momentum "
            f"{self.options['momentum']}, rate {self.options['base_lr']:g}{falling}."
        )


def setting(settings: Settings, train_set: Dataset, test_set: Dataset, plan: Budget) -> str:
    """The data, the nets and their training in sentences, for a page."""
    words = f"Data: {train_set.name}, {len(train_set)} pictures for training and {len(test_set)} for the test. "
    if settings.init is not None:
        return (
            f"{words}The nets are the FCN-32s of the FCN reference, on the weights in {settings.init}. {plan.words()}"
        )
    words += (
        "The nets are small: the first three stages of the shipped classifier of whole pictures, scored at the strides "
        "8 and 4. "
    )
    words += plan.words()
    if settings.train_set is None:
        words += " The settings were chosen on validation pictures, which are not among those of the test."
    return words


def budget(settings: Settings, *, iterations: int, rate: float, seeds: int, batch_size: int = 8) -> Budget:
    """The paper's budget of an FCN-32s if weights are given, else that of a small net on generated or given pictures.

    Small nets have SGD at a rate that falls linearly to 0.
    """
    if settings.init is not None:
        options: dict[str, Any] = {"base_lr": 1e-10, "momentum": 0.99, "weight_decay": 5e-4}
        return Budget(settings.iterations or PAPER_ITERATIONS, 1, (settings.seed,), options)
    count = settings.iterations or iterations
    options = {
        "base_lr": rate,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "lr_policy": "poly",
        "power": 1.0,
        "max_iter": count,
    }
    augment = Augment() if settings.train_set is None else Augment(crop=CROP)
    return Budget(count, batch_size, tuple(range(settings.seed, settings.seed + seeds)), options, augment)


def with_spread(values: Sequence[float]) -> str:
    """The mean with one decimal, and the lowest and highest value if there are several: "71.3 (70.1 to 72.4)"."""
    mean = f"{np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.1f} to {max(values):.1f})"
