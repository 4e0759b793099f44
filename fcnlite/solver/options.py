"""What a solver is told: the fields of Caffe's SolverParameter that decide the numbers."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, fields
from typing import Any

from fcnlite.errors import SpecError, nearest
from fcnlite.solver.rates import NEEDS, POLICIES

REGULARIZATIONS = ("L2", "L1")


@dataclass(frozen=True)
class SolverOptions:
    """Caffe's names, and its defaults where it has one. Raises `SpecError` for a value out of range."""

    base_lr: float = 0.01
    lr_policy: str = "fixed"
    gamma: float = 0.1
    power: float = 1.0
    stepsize: int = 0
    stepvalue: tuple[int, ...] = ()
    max_iter: int = 0
    momentum: float = 0.0
    momentum2: float = 0.999
    rms_decay: float = 0.99
    delta: float = 1e-8
    weight_decay: float = 0.0
    regularization_type: str = "L2"
    """L2 adds weight_decay · w to the gradient, L1 weight_decay · sign(w)."""
    clip_gradients: float = -1.0
    """The largest norm of all gradients together, summed over the passes of an iteration; negative for none."""
    iter_size: int = 1
    average_loss: int = 1
    """Iterations that `Solver.smoothed_loss` is the mean of."""

    @classmethod
    def of(cls, **options: Any) -> SolverOptions:
        """The options by name; an unknown one is a `SpecError` too."""
        known = [each.name for each in fields(cls)]
        for name in options:
            if name not in known:
                raise SpecError(f"unknown solver option {name!r}; {nearest(name, known)}")
        return cls(**options)

    def __post_init__(self) -> None:
        if isinstance(self.stepvalue, list):
            object.__setattr__(self, "stepvalue", tuple(self.stepvalue))
        for each in fields(self):
            _check_kind(each.name, getattr(each.type, "__name__", str(each.type)), getattr(self, each.name))
        if self.lr_policy not in POLICIES:
            raise SpecError(f"lr_policy {self.lr_policy!r} is not known; {nearest(self.lr_policy, POLICIES)}")
        if self.regularization_type not in REGULARIZATIONS:
            raise SpecError(f"regularization_type is {self.regularization_type!r}; expected L2 or L1.")
        for name in NEEDS[self.lr_policy]:
            if name in ("stepsize", "max_iter", "stepvalue") and not getattr(self, name):
                raise SpecError(f"lr_policy {self.lr_policy!r} needs {name}; expected at least 1.")
        steps = self.stepvalue
        if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
            raise SpecError(f"stepvalue is {', '.join(map(str, steps))}; expected growing iterations.")
        for name, least in _LEAST.items():
            if not getattr(self, name) >= least:
                raise SpecError(f"{name} is {getattr(self, name)}; expected {least} or more.")
        for name in ("momentum2", "rms_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise SpecError(f"{name} is {getattr(self, name)}; expected 0 or more, below 1.")
        if self.clip_gradients == 0:
            raise SpecError("clip_gradients is 0, which lets nothing be learned; expected more, or -1 for no limit.")
        if self.lr_policy == "inv" and self.gamma < 0:
            raise SpecError(f"gamma is {self.gamma}; the policy 'inv' expects 0 or more.")


_LEAST = {
    "base_lr": 0,
    "momentum": 0,
    "weight_decay": 0,
    "delta": 0,
    "stepsize": 0,
    "max_iter": 0,
    "iter_size": 1,
    "average_loss": 1,
}


def _check_kind(name: str, kind: str, value: Any) -> None:
    """Raise `SpecError` unless `value` is of the field's kind; numbers must be finite."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind == "int" and not whole:
        raise SpecError(f"{name} is {value!r}; expected a whole number.")
    if kind == "float" and not (whole or (isinstance(value, float) and math.isfinite(value))):
        raise SpecError(f"{name} is {value!r}; expected a number.")
    if kind == "str" and not isinstance(value, str):
        raise SpecError(f"{name} is {value!r}; expected a name.")
    if kind.startswith("tuple") and not (
        isinstance(value, tuple) and all(isinstance(item, int) and item > 0 for item in value)
    ):
        raise SpecError(f"{name} is {value!r}; expected iterations, counted from 1.")
