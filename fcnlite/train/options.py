"""What a training run is asked to do: the same fields on the command line, in the checkpoint and in the record."""

from __future__ import annotations

import math
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from types import UnionType
from typing import Any

from fcnlite import config
from fcnlite.data import Augment
from fcnlite.errors import TrainingError, nearest
from fcnlite.net import Net
from fcnlite.solver import TYPES, Solver, SolverOptions, create

OF_DATA = ("data", "root", "data_option", "skip_bad", "train_split", "val_split")
"""The fields that say what is trained on."""
_MOST_EPOCHS = 1_000_000


@dataclass(frozen=True)
class TrainOptions:
    """One run. The help of each field is what the command line shows."""

    recipe: str | None = field(default=None, metadata={"help": "where the options come from"})
    imports: tuple[str, ...] = field(default=(), metadata={"help": "modules that register what is named below"})
    data: str = field(default="shapes", metadata={"help": "the data set"})
    root: str | None = field(default=None, metadata={"help": "the folder that it lies in"})
    data_option: tuple[str, ...] = field(default=(), metadata={"help": "KEY=VALUE options of the data set"})
    train_split: str | None = field(default=None, metadata={"help": "the split to train on"})
    val_split: str | None = field(default=None, metadata={"help": "the split to validate on"})
    skip_bad: bool = field(default=False, metadata={"help": "leave out samples that cannot be used"})
    model: str = field(default="lite-fcn8s", metadata={"help": "a model by name, or a net's prototxt"})
    width: float = field(default=0.25, metadata={"help": "factor on the model's channel counts"})
    init: str | None = field(default=None, metadata={"help": "weights to start from, matched by name and shape"})
    iterations: int = field(default=2000, metadata={"help": "iterations to train for"})
    epochs: float | None = field(
        default=None, metadata={"help": "in place of --iterations: times that all training pictures are seen"}
    )
    batch_size: int = field(default=8, metadata={"help": "pictures a pass"})
    iter_size: int = field(default=1, metadata={"help": "passes an iteration, their gradients averaged"})
    solver: str = field(default="SGD", metadata={"help": "SGD, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam or AdamW"})
    solver_option: tuple[str, ...] = field(
        default=(),
        metadata={"help": "KEY=VALUE options of the solver that have no option here, such as momentum2=0.99"},
    )
    base_lr: float | None = field(
        default=None, metadata={"help": "learning rate at the start (default: 0.1 of SGD and Nesterov, else the usual)"}
    )
    lr_policy: str = field(
        default="poly", metadata={"help": "fixed, step, multistep, exp, inv, poly or sigmoid, as in Caffe"}
    )
    power: float = field(default=0.9, metadata={"help": "of the poly and inv policies"})
    gamma: float = field(default=0.1, metadata={"help": "of the other policies: the factor of each step, or the slope"})
    stepsize: int = field(default=0, metadata={"help": "of the step and sigmoid policies: iterations to the step"})
    stepvalue: tuple[int, ...] = field(default=(), metadata={"help": "of the multistep policy: where the steps are"})
    momentum: float | None = field(
        default=None, metadata={"help": "share of the last update that goes on (default: 0.9 where there is one)"}
    )
    weight_decay: float = field(default=0.0005, metadata={"help": "factor of the regularisation"})
    regularization_type: str = field(default="L2", metadata={"help": "L2 or L1"})
    clip_gradients: float = field(
        default=-1.0, metadata={"help": "largest norm of all gradients together; negative for any"}
    )
    normalization: str = field(
        default="VALID",
        metadata={
            "help": "of the loss: VALID, FULL or BATCH_SIZE, or NONE (a sum over pixels, for rates of 1e-10 and less); "
            "a prototxt keeps its own"
        },
    )
    class_balance: float = field(
        default=0.0,
        metadata={
            "help": "weigh the loss of each class by 1 / ln(X + its share of the pixels), X above 1 (1.02 to 1.1 are "
            "usual); 0 for equal weights"
        },
    )
    loss_sampling: float = field(
        default=1.0, metadata={"help": "keep each pixel of the loss with this probability (the paper's section 3.4)"}
    )
    flip: bool = field(default=True, metadata={"help": "mirror every second picture"})
    turn: bool = field(default=False, metadata={"help": "turn pictures by 0, 90, 180 or 270 degrees"})
    scale: tuple[float, float] = field(default=(1.0, 1.0), metadata={"help": "resize by factors from LOW to HIGH"})
    crop: tuple[int, int] = field(
        default=(0, 0), metadata={"help": "cut pictures to HEIGHT × WIDTH; 0 0 leaves them whole"}
    )
    brightness: float = field(default=0.0, metadata={"help": "make pictures lighter or darker by up to this share"})
    validation: bool = field(default=True, metadata={"help": "measure the validation split during training"})
    check_every: int | None = field(
        default=None, metadata={"help": "iterations between validations and checkpoints (default: a tenth of all)"}
    )
    seed: int = field(default=0, metadata={"help": "of all randomness: the same seed gives the same run"})
    threads: int | None = field(
        default=None, metadata={"help": "threads to compute with: another number rounds otherwise"}
    )

    def __post_init__(self) -> None:
        for name in ("iterations", "batch_size", "iter_size"):
            if getattr(self, name) < 1:
                raise TrainingError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected at least 1.")
        if self.epochs is not None and not 0 < self.epochs <= _MOST_EPOCHS:
            raise TrainingError(f"--epochs is {self.epochs:g}; expected above 0, at most {_MOST_EPOCHS:,}.")
        if self.check_every is not None and self.check_every < 1:
            raise TrainingError(f"--check-every is {self.check_every}; expected at least 1.")
        if not 0 <= self.seed < 1 << 32:
            raise TrainingError(f"--seed is {self.seed}; expected 0 to {(1 << 32) - 1}.")
        if self.class_balance != 0 and not self.class_balance > 1:
            raise TrainingError(f"--class-balance is {self.class_balance:g}; expected more than 1, or 0 for none.")
        if not 0 < self.loss_sampling <= 1:
            raise TrainingError(f"--loss-sampling is {self.loss_sampling:g}; expected above 0, at most 1.")
        if self.threads is not None and not 1 <= self.threads <= config.MOST_THREADS:
            raise TrainingError(f"--threads is {self.threads}; expected 1 to {config.MOST_THREADS}.")

    @property
    def interval(self) -> int:
        """Iterations from one validation and checkpoint to the next."""
        return self.check_every or max(1, self.iterations // 10)

    def sized(self, samples: int) -> TrainOptions:
        """These options for a training set of so many samples: `epochs`, if given, as iterations."""
        if self.epochs is None:
            return self
        return replace(self, iterations=math.ceil(self.epochs * samples / (self.batch_size * self.iter_size)))

    def augment(self) -> Augment:
        crop = None if self.crop == (0, 0) else self.crop
        return Augment(flip=self.flip, turn=self.turn, scale=self.scale, crop=crop, brightness=self.brightness)

    def make_solver(self, net: Net) -> Solver:
        """The solver that is asked for."""
        names = {each.name for each in fields(SolverOptions)} & {each.name for each in fields(self)}
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        usual = {"base_lr": 0.1, "momentum": 0.9} if self.solver in ("SGD", "Nesterov") else {}
        own = option_values(self.solver, self.solver_option)
        if twice := sorted(own.keys() & (names | {"max_iter"})):
            raise TrainingError(
                f"--solver-option {twice[0]}={own[twice[0]]}: is an option of its own; use "
                f"--{twice[0].replace('_', '-')}."
            )
        return create(self.solver, net, **{**usual, **given, **own, "max_iter": self.iterations})

    def public(self) -> dict[str, Any]:
        """As `plain`, for a weight file, which may be given away: files and folders by their names, without paths."""
        values = self.plain()
        for name in ("root", "init", "model"):
            if values[name] is not None:
                values[name] = _last_part(values[name])
        return {name: _without_paths(value) for name, value in values.items()}

    def plain(self) -> dict[str, Any]:
        """As JSON values, to be stored; `from_plain` reads them back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @staticmethod
    def from_plain(values: Mapping[str, Any]) -> TrainOptions:
        """What `plain` gave. Raises `TrainingError` for values of a run that this version cannot continue."""
        known = {each.name for each in fields(TrainOptions)}
        if not known.issuperset(values):
            unknown = ", ".join(sorted(set(values) - known))
            raise TrainingError(f"the run has options that this version does not know ({unknown}); update fcnlite.")
        hints = typing.get_type_hints(TrainOptions)
        given: dict[str, Any] = {}
        for name, value in values.items():
            given[name] = tuple(value) if isinstance(value, list) else value
            if not _fits(given[name], hints[name]):
                raise TrainingError(f"the run's option {name} is {str(value)[:40]!r}; the checkpoint is damaged.")
        return TrainOptions(**given)


def option_values(solver: str, entries: Sequence[str]) -> dict[str, Any]:
    """The values of --solver-option, as the solver's options have them. Raises `TrainingError` for malformed ones."""
    hints = typing.get_type_hints(TYPES[solver].Options) if solver in TYPES else {}
    values: dict[str, Any] = {}
    for entry in entries:
        name, equals, text = entry.partition("=")
        if not equals:
            raise TrainingError(f"--solver-option {entry}: expected KEY=VALUE, such as momentum2=0.99.")
        if hints and name not in hints:
            raise TrainingError(f"--solver-option {entry}: {solver} has no such option; {nearest(name, hints)}")
        try:
            values[name] = _VALUES[hints.get(name, str)](text)
        except (KeyError, ValueError):
            kind = getattr(hints[name], "__name__", hints[name])
            raise TrainingError(f"--solver-option {entry}: expected a value of type {kind}.") from None
    return values


_VALUES: dict[Any, Callable[[str], Any]] = {
    int: int,
    float: float,
    str: str,
    bool: lambda text: {"true": True, "false": False}[text.lower()],
    tuple[int, ...]: lambda text: tuple(map(int, text.split(","))),
}
"""How the text of a solver's option is read, by its type."""


def changed(options: TrainOptions, changes: Mapping[str, Any]) -> TrainOptions:
    """`options` with `changes`; of --epochs and --iterations the one holds that is given now."""
    longer = {"epochs": None} if "iterations" in changes else {}
    return replace(options, **{**longer, **changes})


def _last_part(path: str) -> str:
    """The name of a file or folder, of whichever system."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def _without_paths(value: Any) -> Any:
    """Texts that are absolute paths, or KEY=PATH, by the names of their files; also within lists."""
    if isinstance(value, list):
        return [_without_paths(each) for each in value]
    if not isinstance(value, str):
        return value
    key, equals, path = value.rpartition("=")
    return f"{key}{equals}{_last_part(path)}" if re.match(r"[/\\~]|[A-Za-z]:[/\\]", path) else value


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value, lists made tuples, is of a field's type; numbers must be finite."""
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is UnionType:
        return any(_fits(value, part) for part in parts)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        wanted = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return len(value) == len(wanted) and all(map(_fits, value, wanted))
    if hint is float:
        return type(value) in (int, float) and abs(value) <= sys.float_info.max
    return type(value) is hint
