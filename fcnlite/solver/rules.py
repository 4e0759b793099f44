"""The six rules by which Caffe's solvers change a parameter w, and AdamW.

g is the gradient, averaged over the passes of an iteration, with the decay term; rate is the policy's rate times
`lr_mult`. What a rule remembers for every parameter starts at zero.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, TypeVar

from fcnlite._kernels.update import adadelta, adagrad, adam, nesterov, rmsprop, sgd
from fcnlite.arrays import Array
from fcnlite.errors import SpecError, nearest
from fcnlite.net import Net
from fcnlite.solver.base import Followed, Solver
from fcnlite.solver.options import SolverOptions


class SGD(Solver):
    """Stochastic gradient descent with momentum:

    v ← momentum · v + rate · g
    w ← w − v
    """

    histories = ("velocity",)

    def update(self, arrays: tuple[Array, ...], g: Followed) -> None:
        sgd(*arrays, g.scale, g.l2, g.l1, g.rate, self.options.momentum, g.threads)


class Nesterov(Solver):
    """Nesterov's accelerated gradient (Sutskever et al., 2013), the step back and over written as one:

    v' ← momentum · v + rate · g
    w ← w − (1 + momentum) · v' + momentum · v
    """

    histories = ("velocity",)

    def update(self, arrays: tuple[Array, ...], g: Followed) -> None:
        nesterov(*arrays, g.scale, g.l2, g.l1, g.rate, self.options.momentum, g.threads)


class _WithoutMomentum(Solver):
    """Of the rules that Caffe refuses a momentum."""

    def __init__(self, net: Net, **options: Any) -> None:
        super().__init__(net, **options)
        if self.options.momentum:
            name = type(self).__name__
            raise SpecError(f"momentum is {self.options.momentum}; {name} has none: expected 0.")


class AdaGrad(_WithoutMomentum):
    """Adaptive gradient (Duchi et al., 2011):

    h ← h + g²
    w ← w − rate · g / (√h + delta)
    """

    histories = ("squares",)

    def update(self, arrays: tuple[Array, ...], g: Followed) -> None:
        adagrad(*arrays, g.scale, g.l2, g.l1, g.rate, self.options.delta, g.threads)


class RMSProp(_WithoutMomentum):
    """The gradient over its running root mean square (Tieleman and Hinton, 2012):

    h ← rms_decay · h + (1 − rms_decay) · g²
    w ← w − rate · g / (√h + delta)
    """

    histories = ("squares",)
    defaults: ClassVar = {"base_lr": 0.001}

    def update(self, arrays: tuple[Array, ...], g: Followed) -> None:
        o = self.options
        rmsprop(*arrays, g.scale, g.l2, g.l1, g.rate, o.rms_decay, o.delta, g.threads)


class AdaDelta(Solver):
    """Steps in the units of w (Zeiler, 2012); `momentum` is the decay of both running means:

    h ← momentum · h + (1 − momentum) · g²
    s ← g · √((u + delta) / (h + delta))
    u ← momentum · u + (1 − momentum) · s²
    w ← w − rate · s
    """

    histories = ("squares", "updates")
    defaults: ClassVar = {"base_lr": 1.0, "momentum": 0.95, "delta": 1e-6}

    def update(self, arrays: tuple[Array, ...], g: Followed) -> None:
        o = self.options
        adadelta(*arrays, g.scale, g.l2, g.l1, g.rate, o.momentum, o.delta, g.threads)


class Adam(Solver):
    """Adaptive moments (Kingma and Ba, 2015), at iteration t, counted from 1:

    m ← momentum · m + (1 − momentum) · g
    v ← momentum2 · v + (1 − momentum2) · g²
    w ← w − rate · √(1 − momentum2ᵗ) / (1 − momentumᵗ) · m / (√v + delta)
    """

    histories = ("mean", "squares")
    defaults: ClassVar = {"base_lr": 0.001, "momentum": 0.9}

    def __init__(self, net: Net, **options: Any) -> None:
        super().__init__(net, **options)
        if self.options.momentum >= 1:
            raise SpecError(f"momentum is {self.options.momentum}; Adam expects less than 1.")

    def update(self, arrays: tuple[Array, ...], g: Followed) -> None:
        o, t = self.options, self.iteration + 1
        rate = g.rate * math.sqrt(1 - o.momentum2**t) / (1 - o.momentum**t)
        adam(*arrays, g.scale, g.l2, g.l1, rate, o.momentum, o.momentum2, o.delta, g.threads)


class AdamW(Adam):
    """Adam with the L2 decay beside the gradient, not in it (Loshchilov and Hutter, 2019); Caffe has no such rule:

    w ← w − rate · weight_decay · w, then Adam's step with the gradient alone
    """

    def update(self, arrays: tuple[Array, ...], g: Followed) -> None:
        data = arrays[0]
        data *= data.dtype.type(1 - g.rate * g.l2)
        super().update(arrays, g._replace(l2=0.0))


TYPES: dict[str, type[Solver]] = {
    each.__name__: each for each in (SGD, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam, AdamW)
}
"""The solvers by Caffe's type names, AdamW, and those that `register` has added."""

_OURS = frozenset(TYPES)
Made = TypeVar("Made", bound=Solver)


def register(kind: type[Made]) -> type[Made]:
    """Class decorator: make a solver rule of one's own known by its class's name.

    `create`, `--solver NAME` where a command imports it, and the `type` of a solver prototxt know it then. The class
    defines `update`, and names in `histories` what it remembers of each parameter. Raises `SpecError` for a name that
    is taken and for a class that lacks what a solver needs.
    """
    name = getattr(kind, "__name__", repr(kind))
    where = f"solver {name}"
    if not (isinstance(kind, type) and issubclass(kind, Solver)):
        raise SpecError(f"{where}: is no subclass of fcnlite.solver.Solver.")
    if name in TYPES:
        raise SpecError(f"{where}: is registered already, by {TYPES[name].__module__}; choose another name.")
    if kind.update is Solver.update:
        raise SpecError(f"{where}: lacks the method update(self, arrays, g), which changes a parameter.")
    if not isinstance(kind.histories, tuple) or not all(isinstance(each, str) for each in kind.histories):
        raise SpecError(f"{where}: histories is {kind.histories!r}; expected a tuple of names, such as ('mean',).")
    if not (isinstance(kind.Options, type) and issubclass(kind.Options, SolverOptions)):
        raise SpecError(f"{where}: Options is {kind.Options!r}; expected a dataclass derived from SolverOptions.")
    try:
        kind.Options.of(**kind.defaults)
    except (SpecError, TypeError) as error:
        raise SpecError(f"{where}: its defaults do not hold: {error}") from error
    TYPES[name] = kind
    return kind


def is_registered(kind: str) -> bool:
    """Whether a type is one that `register` has added."""
    return kind in TYPES and kind not in _OURS


def create(kind: str, net: Net, **options: Any) -> Solver:
    """A solver by its type name. Raises `SpecError` for an unknown one."""
    if kind not in TYPES:
        raise SpecError(f"solver type {kind!r} is not known; {nearest(kind, TYPES)}")
    return TYPES[kind](net, **options)
