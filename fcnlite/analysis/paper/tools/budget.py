"""How the nets of a page are trained: iterations, pictures, seeds and the solver's options, the same for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.tools.training import Training, train
from fcnlite.data import Dataset
from fcnlite.data.augmentation import Augment
from fcnlite.errors import TrainingError
from fcnlite.net import Net
from fcnlite.solver import SGD

CROP = (224, 224)
"""The height and width of the parts of given pictures that small nets learn from."""
REFERENCE = {"base_lr": 1e-10, "momentum": 0.99, "weight_decay": 5e-4}
"""The solver's options of FCN-32s in the FCN reference."""
REFERENCE_ITERATIONS = 100_000


@dataclass(frozen=True)
class Budget:
    """The training of every net of a page."""

    iterations: int
    batch_size: int
    seeds: range
    options: Mapping[str, Any]
    """The solver's."""
    crop: tuple[int, int] | None = None
    """The height and width of the parts of pictures that make a batch, if pictures differ in size."""
    given: bool = False
    """Whether the user gives the weights, so that the options are those of the FCN reference."""

    def train(
        self, net: Net, dataset: Dataset, seed: int, *, augment: Augment | None = None, **others: Any
    ) -> Training:
        """Train `net`; `others` are more arguments of `training.train`.

        Raises `TrainingError` if the loss becomes infinite or NaN.
        """
        training = train(
            net,
            dataset,
            self.iterations,
            batch_size=self.batch_size,
            augment=(augment or Augment()).changed(crop=self.crop),
            seed=seed,
            **{**self.options, **others},
        )
        check_finite(net.spec.name, training, self.options["base_lr"], self.given)
        return training

    def words(self) -> str:
        """The budget in a sentence, for a page."""
        pictures = f"{self.batch_size} {'picture' if self.batch_size == 1 else 'pictures'}"
        if self.crop is not None:
            pictures += f", cropped to {self.crop[0]}×{self.crop[1]} pixels"
        falling = ", which falls linearly to 0" if self.options.get("lr_policy") == "poly" else ""
        rule = self.options.get("rule", SGD).__name__
        others = "".join(
            f", {name.replace('_', ' ')} {self.options[name]:g}"
            for name in ("momentum", "weight_decay")
            if name in self.options
        )
        return (
            f"Each net is trained {repeated(self.seeds)} by {rule}: {self.iterations} iterations of {pictures}"
            f"{others}, rate {self.options['base_lr']:g}{falling}."
        )


def budget(
    settings: Settings, *, iterations: int, rate: float, seeds: int = 3, batch_size: int = 4, falling: bool = False
) -> Budget:
    """The budget of the small nets, or that of the reference's FCN-32s if weights are given.

    With `falling`, the rate falls linearly to 0, and weights decay.
    """
    if settings.init is not None:
        iterations = settings.iterations or REFERENCE_ITERATIONS
        return Budget(iterations, 1, seeds_of(settings, 1), REFERENCE, given=True)
    iterations = settings.iterations or iterations
    options: dict[str, Any] = {"base_lr": rate, "momentum": 0.9}
    if falling:
        options |= {"weight_decay": 1e-4, "lr_policy": "poly", "power": 1.0, "max_iter": iterations}
    crop = None if settings.train_set is None else CROP
    return Budget(iterations, batch_size, seeds_of(settings, seeds), options, crop)


def seeds_of(settings: Settings, count: int) -> range:
    """The seeds of repeated trainings: `count` from `settings.seed` on, and one alone with given weights."""
    return range(settings.seed, settings.seed + (count if settings.init is None else 1))


def repeated(seeds: range) -> str:
    """How often a net is trained, in words."""
    return "once" if len(seeds) == 1 else f"with each of {len(seeds)} seeds"


def check_finite(name: str, training: Training, rate: float, given: bool) -> None:
    """Raise `TrainingError`, which names the net or the way, if the loss became infinite or NaN.

    The way out depends on whether the weights were `given` by the user.
    """
    if not training.diverged:
        return
    advice = (
        "give with --init the weights of a VGG-16 trained on ImageNet, whose features have the sizes that the paper's "
        "rate suits"
        if given
        else "give another --seed, or fewer --iterations"
    )
    raise TrainingError(
        f"{name}: the loss is infinite or NaN after {len(training.losses)} iterations at the rate {rate:g}; expected "
        f"numbers. The rate is too high for these pictures and weights: {advice}."
    )


def setting(
    settings: Settings, nets: str, plan: Budget, train_set: Dataset, test_set: Dataset, reference: str = "FCN-32s"
) -> str:
    """The data, the nets, their training and how it was chosen, in sentences for a page.

    `nets` has the small nets in words, `reference` the net of the FCN reference that takes given weights.
    """
    given = settings.init is not None
    words = (
        f"Data: {train_set.name}, {len(train_set)} pictures to learn from and {len(test_set)} of the split "
        f"{test_set.split} to measure. "
        + (f"The net is {reference} of the FCN reference, from the weights in {settings.init}." if given else nets)
        + f" {plan.words()} That is {plan.iterations * plan.batch_size / len(train_set):.3g} epochs."
    )
    if len(plan.seeds) > 1:
        words += " Figures with ± are the mean and the standard deviation over the seeds."
    if given:
        return words
    others = "generated pictures" if settings.train_set else "other generated pictures, those of the split val"
    return f"{words} The rate was chosen on {others}."
