"""The update rules: Caffe's six and AdamW.

In the formulas, w is a parameter; g is its gradient, averaged over the passes of an iteration and clipped, plus the
decay term (see `Update`); rate is the learning rate times the parameter's `lr_mult`. The histories of each parameter
(v, h, …) start at zero.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from fcnlite._kernels.update import adadelta, adagrad, adam, nesterov, rmsprop, sgd
from fcnlite.arrays import Array
from fcnlite.errors import SpecError
from fcnlite.net import Net
from fcnlite.solver.base import Solver, Update


class SGD(Solver):
    """Stochastic gradient descent with momentum:

    v ← momentum · v + rate · g
    w ← w − v
    """

    histories = ("velocity",)

    def update(self, arrays: tuple[Array, ...], g: Update) -> None:
        sgd(*arrays, g.scale, g.l2, g.l1, g.rate, self.options.momentum, g.threads)


class Nesterov(Solver):
    """Nesterov's accelerated gradient (Sutskever et al., 2013).

    w is ahead by one step of momentum, so the update takes back the last such step and adds the next:

    v' ← momentum · v + rate · g
    w ← w − (1 + momentum) · v' + momentum · v
    """

    histories = ("velocity",)

    def update(self, arrays: tuple[Array, ...], g: Update) -> None:
        nesterov(*arrays, g.scale, g.l2, g.l1, g.rate, self.options.momentum, g.threads)


class _WithoutMomentum(Solver):
    """Base of the rules without momentum, which refuse that option as Caffe does."""

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

    def update(self, arrays: tuple[Array, ...], g: Update) -> None:
        adagrad(*arrays, g.scale, g.l2, g.l1, g.rate, self.options.delta, g.threads)


class RMSProp(_WithoutMomentum):
    """The gradient divided by its running root mean square (Tieleman and Hinton, 2012):

    h ← rms_decay · h + (1 − rms_decay) · g²
    w ← w − rate · g / (√h + delta)
    """

    histories = ("squares",)
    defaults: ClassVar = {"base_lr": 0.001}

    def update(self, arrays: tuple[Array, ...], g: Update) -> None:
        o = self.options
        rmsprop(*arrays, g.scale, g.l2, g.l1, g.rate, o.rms_decay, o.delta, g.threads)


class AdaDelta(Solver):
    """Adaptive steps in the units of w (Zeiler, 2012); `momentum` is the decay of both running means, h and u:

    h ← momentum · h + (1 − momentum) · g²
    s ← g · √((u + delta) / (h + delta))
    u ← momentum · u + (1 − momentum) · s²
    w ← w − rate · s
    """

    histories = ("squares", "updates")
    defaults: ClassVar = {"base_lr": 1.0, "momentum": 0.95, "delta": 1e-6}

    def update(self, arrays: tuple[Array, ...], g: Update) -> None:
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

    def update(self, arrays: tuple[Array, ...], g: Update) -> None:
        o, t = self.options, self.iteration + 1
        rate = g.rate * math.sqrt(1 - o.momentum2**t) / (1 - o.momentum**t)
        adam(*arrays, g.scale, g.l2, g.l1, rate, o.momentum, o.momentum2, o.delta, g.threads)


class AdamW(Adam):
    """Adam with the L2 decay applied to w directly (Loshchilov and Hutter, 2019); not one of Caffe's rules:

    w ← w − rate · weight_decay · decay_mult · w, then Adam's update with a g that has no L2 decay
    """

    def update(self, arrays: tuple[Array, ...], g: Update) -> None:
        data = arrays[0]
        data *= data.dtype.type(1 - g.rate * g.l2)
        super().update(arrays, g._replace(l2=0.0))
