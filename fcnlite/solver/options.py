"""The options of solvers: the fields of Caffe's SolverParameter that determine the numbers."""

from __future__ import annotations

import inspect
import itertools
import math
import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, get_type_hints

from fcnlite.errors import SpecError, nearest

REGULARIZATIONS = ("L2", "L1")
NEEDS = {
    "fixed": (),
    "step": ("gamma", "stepsize"),
    "multistep": ("gamma", "stepvalue"),
    "exp": ("gamma",),
    "inv": ("gamma", "power"),
    "poly": ("power", "max_iter"),
    "sigmoid": ("gamma", "stepsize"),
    "cosine": ("max_iter",),
}
"""The options that each policy reads besides `base_lr`; Caffe has all but cosine."""
_LINE = 100
"""Characters in a line of `describe_options`."""


def _option(default: Any, words: str) -> Any:
    """A field with its meaning and unit, for `help`."""
    return field(default=default, metadata={"words": words})


@dataclass(frozen=True)
class SolverOptions:
    """Caffe's names and, where Caffe has any, its defaults. Raises `SpecError` for a value out of range."""

    base_lr: float = _option(0.01, "the learning rate that lr_policy starts from, multiplied by a parameter's lr_mult")
    lr_policy: str = _option("fixed", f"how the learning rate depends on the iteration: {', '.join(NEEDS)}")
    gamma: float = _option(
        0.1,
        "step, multistep: the factor at each step; exp: the factor at each iteration; inv: growth per iteration, in "
        "(1 + gamma · iteration) ** -power; sigmoid: steepness, negative to fall",
    )
    power: float = _option(1.0, "inv, poly: the exponent")
    stepsize: int = _option(0, "in iterations; step: from one step to the next; sigmoid: the middle of the step")
    stepvalue: tuple[int, ...] = _option((), "in iterations; multistep: where the steps are")
    max_iter: int = _option(0, "in iterations; poly, cosine: where the rate reaches 0; it does not stop the training")
    warmup: int = _option(
        0, "in iterations; the rate of iteration t is (t + 1) / warmup of the policy's up to there; not one of Caffe's"
    )
    momentum: float = _option(0.0, "the share of the running mean or sum of gradients that an iteration keeps")
    momentum2: float = _option(0.999, "Adam, AdamW: the share of the running mean of squares that an iteration keeps")
    rms_decay: float = _option(0.99, "RMSProp: the share of the running mean of squares that an iteration keeps")
    delta: float = _option(1e-8, "added to divisors to keep them above 0; SGD and Nesterov have none")
    weight_decay: float = _option(0.0, "the strength of the regularisation, multiplied by a parameter's decay_mult")
    regularization_type: str = _option("L2", "L2 adds weight_decay · w to the gradient, L1 weight_decay · sign(w)")
    clip_gradients: float = _option(
        -1.0,
        "the largest L2 norm of all gradients together, summed over the passes of an iteration; negative: no limit",
    )
    iter_size: int = _option(1, "in passes; an iteration uses the mean of their gradients")
    average_loss: int = _option(1, "in iterations; smoothed_loss is the mean of their losses")
    ema: float = _option(
        0.0,
        "the decay of the exponential moving average of the weights, which averaged_net has; 0: none is kept; not one "
        "of Caffe's",
    )

    @classmethod
    def of(cls, **options: Any) -> SolverOptions:
        """The options by name. Raises `SpecError` for an unknown name too."""
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
        if self.lr_policy not in NEEDS:
            raise SpecError(f"lr_policy {self.lr_policy!r} is not known; {nearest(self.lr_policy, NEEDS)}")
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
        for name in ("momentum2", "rms_decay", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise SpecError(f"{name} is {getattr(self, name)}; expected 0 or more, below 1.")
        if self.clip_gradients == 0:
            raise SpecError("clip_gradients is 0, so nothing can be learned; expected more, or -1 for no limit.")
        if self.lr_policy == "inv" and self.gamma < 0:
            raise SpecError(f"gamma is {self.gamma}; the policy 'inv' expects 0 or more.")


def describe_options(options: type[SolverOptions], defaults: Mapping[str, Any]) -> str:
    """The options with default, meaning and unit, for the docstring of a rule with these `defaults`."""
    lines = []
    for each in fields(options):
        default = _default(each, defaults)
        given = "" if default is inspect.Parameter.empty else f" = {default!r}"
        words = each.metadata.get("words", "")
        line = f"{each.name}{given}" + (f": {words}" if words else "")
        lines += textwrap.wrap(line, _LINE, subsequent_indent="    ")
    needs = "; ".join(f"{name} {', '.join(needed)}" for name, needed in NEEDS.items() if needed)
    return "\n".join((*lines, "", *textwrap.wrap(f"Besides base_lr, the policies read: {needs}.", _LINE)))


def parameters(options: type[SolverOptions], defaults: Mapping[str, Any]) -> list[inspect.Parameter]:
    """The options as keyword parameters of a rule with these `defaults`."""
    try:
        hints = get_type_hints(options)
    except NameError:  # the hint names a type local to a function
        hints = {}
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(each, defaults),
            annotation=hints.get(each.name, each.type),
        )
        for each in fields(options)
    ]


def _default(option: Field[Any], defaults: Mapping[str, Any]) -> Any:
    """The value of an option that is not given; `Parameter.empty` if the option is required."""
    made = option.default if option.default_factory is MISSING else option.default_factory()
    return defaults.get(option.name, inspect.Parameter.empty if made is MISSING else made)


_LEAST = {
    "base_lr": 0,
    "momentum": 0,
    "weight_decay": 0,
    "delta": 0,
    "stepsize": 0,
    "max_iter": 0,
    "warmup": 0,
    "iter_size": 1,
    "average_loss": 1,
}


def _check_kind(name: str, kind: str, value: Any) -> None:
    """Raise `SpecError` unless `value` is of the field's type; numbers must be finite."""
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
