"""The options of a training run; the command line, the checkpoint and the record in best.h5 share these fields."""

from __future__ import annotations

import math
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any

from fcnlite import config
from fcnlite.data.augmentation import Augment, edited
from fcnlite.errors import DataError, TrainingError, nearest
from fcnlite.net import Net
from fcnlite.solver import TYPES, Solver, SolverOptions, create

DATA_FIELDS = ("data", "root", "data_option", "skip_bad", "train_split", "val_split")
"""The fields that name the training data."""
_MOST_EPOCHS = 1_000_000


@dataclass(frozen=True)
class TrainOptions:
    """The options of one run. The command line shows the help of each field."""

    recipe: str | None = field(default=None, metadata={"help": "the recipe that the options come from"})
    imports: tuple[str, ...] = field(
        default=(), metadata={"help": "modules that register layers, data sets or solver rules"}
    )
    data: str = field(default="shapes", metadata={"help": "the data set"})
    root: str | None = field(default=None, metadata={"help": "the folder of the data set"})
    data_option: tuple[str, ...] = field(default=(), metadata={"help": "KEY=VALUE options of the data set"})
    train_split: str | None = field(default=None, metadata={"help": "the split to train on"})
    val_split: str | None = field(default=None, metadata={"help": "the split to validate on"})
    skip_bad: bool = field(default=False, metadata={"help": "leave out unusable samples"})
    model: str = field(default="lite-fcn8s", metadata={"help": "the name of a model, or a prototxt"})
    width: float = field(default=0.25, metadata={"help": "factor on the channel counts of the model"})
    init: str | None = field(
        default=None, metadata={"help": "file of initial weights, matched to layers by name and shape"}
    )
    iterations: int = field(default=2000, metadata={"help": "number of training iterations"})
    epochs: float | None = field(
        default=None, metadata={"help": "number of passes over the training split; replaces --iterations"}
    )
    batch_size: int = field(default=8, metadata={"help": "pictures in each forward and backward pass"})
    iter_size: int = field(default=1, metadata={"help": "passes in each iteration; their gradients are averaged"})
    solver: str = field(default="SGD", metadata={"help": "SGD, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam or AdamW"})
    solver_option: tuple[str, ...] = field(
        default=(),
        metadata={"help": "KEY=VALUE options of the solver that have no command-line option, such as momentum2=0.99"},
    )
    base_lr: float | None = field(
        default=None,
        metadata={"help": "initial learning rate (default: 0.1 for SGD and Nesterov, else the default of the solver)"},
    )
    lr_policy: str = field(
        default="poly",
        metadata={
            "help": "learning rate policy: Caffe's fixed, step, multistep, exp, inv, poly and sigmoid, or cosine, "
            "which falls to 0 along half a wave"
        },
    )
    power: float = field(default=0.9, metadata={"help": "exponent of the poly and inv policies"})
    gamma: float = field(default=0.1, metadata={"help": "factor of each step, or slope, of the other policies"})
    stepsize: int = field(
        default=0,
        metadata={"help": "iterations between steps (step policy), or up to the middle of the slope (sigmoid policy)"},
    )
    stepvalue: tuple[int, ...] = field(default=(), metadata={"help": "iterations at which the multistep policy steps"})
    warmup: int = field(
        default=0,
        metadata={"help": "iterations at the start in which the rate grows linearly to that of the policy; 0 for none"},
    )
    momentum: float | None = field(
        default=None,
        metadata={"help": "share of the previous update in the next one (default: 0.9 if the solver has momentum)"},
    )
    weight_decay: float = field(default=0.0005, metadata={"help": "factor of the regularisation term"})
    regularization_type: str = field(default="L2", metadata={"help": "type of the regularisation: L2 or L1"})
    decay_norms: bool = field(
        default=True,
        metadata={
            "help": "let biases and the scales and shifts of normalisation decay as the net says; with "
            "--no-decay-norms only the weights of convolutions and inner products decay (default: yes)"
        },
    )
    clip_gradients: float = field(
        default=-1.0, metadata={"help": "limit on the norm of all gradients together; negative for no limit"}
    )
    ema: float = field(
        default=0.0,
        metadata={
            "help": "keep an exponential moving average of the weights with this decay, such as 0.999; the averaged "
            "weights are validated and saved as best.h5, last.h5 holds both; 0 for none"
        },
    )
    freeze: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "keep the parameters of the layers with these names or patterns, such as 'conv1_*' 'bn1_*', as "
            "they are in the file of --init"
        },
    )
    normalization: str = field(
        default="VALID",
        metadata={
            "help": "normalization of the loss: VALID, FULL, BATCH_SIZE, or NONE (a sum over pixels, for learning "
            "rates of 1e-10 and less); a prototxt keeps its own"
        },
    )
    class_balance: float = field(
        default=0.0,
        metadata={
            "help": "weight the loss of each class by 1 / ln(X + its share of the pixels), with X above 1, usually "
            "1.02 to 1.1; 0 weights all classes equally (default: 0)"
        },
    )
    loss_sampling: float = field(
        default=1.0,
        metadata={"help": "probability with which each pixel counts in the loss (section 3.4 of the paper)"},
    )
    augment: tuple[str, ...] = field(
        default=("flip",), metadata={"help": "the transforms that change training pictures at random"}
    )
    validation: bool = field(
        default=True, metadata={"help": "evaluate the validation split during training (default: yes)"}
    )
    check_every: int | None = field(
        default=None,
        metadata={"help": "iterations between validations, each with a checkpoint (default: a tenth of --iterations)"},
    )
    seed: int = field(default=0, metadata={"help": "seed of all random numbers; the same seed gives the same run"})
    threads: int | None = field(default=None, metadata={"help": "number of threads; another number changes rounding"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "augment", self.augmentation.entries)
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
        if self.warmup < 0:
            raise TrainingError(f"--warmup is {self.warmup}; expected 0 or more.")
        if self.weight_decay == 0 and not self.decay_norms:
            raise TrainingError("--no-decay-norms goes with a weight decay, and --weight-decay is 0; leave one out.")
        if self.threads is not None and not 1 <= self.threads <= config.MOST_THREADS:
            raise TrainingError(f"--threads is {self.threads}; expected 1 to {config.MOST_THREADS}.")

    @property
    def interval(self) -> int:
        """Iterations from one validation and checkpoint to the next."""
        return self.check_every or max(1, self.iterations // 10)

    def resolved(self) -> TrainOptions:
        """These options with the thread count in force and an absolute root.

        A run that resumes needs the same number of threads to compute the same values. The absolute root lets any
        working folder resume the run and evaluate its weights. Puts `threads`, if given, into force.
        """
        if self.threads is not None:
            config.set_num_threads(self.threads)
        root = None if self.root is None else str(Path(self.root).absolute())
        return replace(self, threads=config.num_threads(), root=root)

    def sized(self, samples: int) -> TrainOptions:
        """These options with `epochs`, if given, converted to iterations over `samples` training samples."""
        if self.epochs is None:
            return self
        return replace(self, iterations=math.ceil(self.epochs * samples / (self.batch_size * self.iter_size)))

    def changed(self, changes: Mapping[str, Any]) -> TrainOptions:
        """These options with `changes`: `iterations` replace earlier `epochs`, and `augment` edits the list."""
        longer = {"epochs": None} if "iterations" in changes else {}
        listed = {"augment": edited(self.augment, changes["augment"])} if "augment" in changes else {}
        return replace(self, **{**longer, **changes, **listed})

    @property
    def augmentation(self) -> Augment:
        """The transforms of `augment`. Raises `DataError` for an unknown name and a value out of range."""
        return Augment.of(self.augment)

    def make_solver(self, net: Net) -> Solver:
        """Create the solver for `net`. Raises `TrainingError` for options that contradict each other."""
        if self.warmup >= self.iterations:
            raise TrainingError(
                f"--warmup is {self.warmup}, and the training has {self.iterations} iterations; expected fewer, so "
                "that some are at the full rate."
            )
        names = {each.name for each in fields(SolverOptions)} & {each.name for each in fields(self)}
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        usual = {"base_lr": 0.1, "momentum": 0.9} if self.solver in ("SGD", "Nesterov") else {}
        own = option_values(self.solver, self.solver_option)
        if twice := sorted(own.keys() & (names | {"max_iter"})):
            raise TrainingError(
                f"--solver-option {twice[0]}={own[twice[0]]}: the command has an option for it; use "
                f"--{twice[0].replace('_', '-')}."
            )
        return create(self.solver, net, **{**usual, **given, **own, "max_iter": self.iterations})

    def public(self) -> dict[str, Any]:
        """The JSON values for a weight file, which users share: paths are reduced to the names of files and folders."""
        values = self.to_json()
        for name in ("root", "init", "model"):
            if values[name] is not None:
                values[name] = _last_part(values[name])
        return {name: _without_paths(value) for name, value in values.items()}

    def to_json(self) -> dict[str, Any]:
        """The JSON values of all fields; `from_json` reads them back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> TrainOptions:
        """Read what `to_json` returned. Raises `TrainingError` for options that this version cannot continue."""
        values = _with_list(values)
        known = {each.name for each in fields(TrainOptions)}
        if not known.issuperset(values):
            unknown = ", ".join(sorted(set(values) - known))
            raise TrainingError(f"the run has options that this version does not know ({unknown}); update fcnlite.")
        hints = typing.get_type_hints(TrainOptions)
        given: dict[str, Any] = {}
        for name, value in values.items():
            given[name] = tuple(value) if isinstance(value, list) else value
            if not fits(given[name], hints[name]):
                raise _damaged(name, value)
        try:
            return TrainOptions(**given)
        except DataError as error:
            raise TrainingError(f"the run's option augment: {error}") from error


_BEFORE_LISTS: dict[str, Any] = {
    "flip": bool,
    "turn": bool,
    "scale": tuple[float, float],
    "crop": tuple[int, int],
    "brightness": float,
}
"""The fields of augmentation, and their types, in checkpoints of versions without lists."""


def _with_list(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` of a checkpoint with the list of augmentation, also where it has the fields of earlier versions."""
    others = {name: value for name, value in values.items() if name not in _BEFORE_LISTS}
    if "augment" in values or len(others) == len(values):
        return dict(values)
    found = {}
    for name, hint in _BEFORE_LISTS.items():
        value = values.get(name)
        found[name] = tuple(value) if isinstance(value, list) else value
        if name in values and not fits(found[name], hint):
            raise _damaged(name, value)
    if found["crop"] == (0, 0):
        del found["crop"]
    return {**others, "augment": list(Augment(**found).entries)}


@dataclass(frozen=True)
class MismatchPolicy:
    """The mismatches of weights and data that a run accepts.

    These options hold for one command and are not recorded: a later --resume needs them again.
    """

    classes_by_number: bool = False
    """Match classes by number instead of by name."""
    new_scores: bool = False
    """Initialize the score layers instead of taking them from the initial weights."""
    changed_data: bool = False
    """Resume although the data of the run have changed."""


STRICT = MismatchPolicy()


def option_values(solver: str, entries: Sequence[str]) -> dict[str, Any]:
    """Parse the entries of --solver-option by the types of the solver's options.

    Raises `TrainingError` for a malformed entry.
    """
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
"""The parser of a solver option by its type."""


def _last_part(path: str) -> str:
    """The last part of a path, with the separators of any operating system."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def _without_paths(value: Any) -> Any:
    """`value` with each absolute path, or KEY=PATH, reduced to its last part, also within lists."""
    if isinstance(value, list):
        return [_without_paths(each) for each in value]
    if not isinstance(value, str):
        return value
    key, equals, path = value.rpartition("=")
    return f"{key}{equals}{_last_part(path)}" if re.match(r"[/\\~]|[A-Za-z]:[/\\]", path) else value


def _damaged(name: str, value: Any) -> TrainingError:
    return TrainingError(f"the run's option {name} is {str(value)[:40]!r}; the checkpoint is damaged.")


def fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value, with lists as tuples, has the type of a field; numbers must be finite."""
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is UnionType:
        return any(fits(value, part) for part in parts)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        wanted = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return len(value) == len(wanted) and all(map(fits, value, wanted))
    if hint is float:
        return type(value) in (int, float) and abs(value) <= sys.float_info.max
    return type(value) is hint
