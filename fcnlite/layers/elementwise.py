"""Element-wise functions (Caffe's AbsVal, ELU, Exp, Log, Power, Sigmoid and TanH).

    y = f(x)        dx = dy · f'(x), written with y where that is simpler

Blobs have any shape. Each class gives its f and its options. ReLU, Dropout and PReLU have separate files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@register
class AbsVal(Layer):
    """y = |x|        dx = dy · sign(x)"""

    type = "AbsVal"
    backward_reads = frozenset({"bottom"})
    writes_out = True

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return [np.abs(bottom[0], out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,) = dtop, run.bottom
        return [dy * np.sign(x)]


@dataclass(frozen=True)
class ELUOptions:
    alpha: float = 1.0


@register
class ELU(Layer):
    """y = x where x > 0, else alpha · (exp(x) − 1)        dx = dy · (1 where x > 0, else y + alpha)

    Option: alpha 1. Clevert et al., 2015.
    """

    type = "ELU"
    messages = ("elu_param",)
    Options = ELUOptions
    backward_reads = frozenset({"bottom", "top"})
    writes_out = True

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        return [np.add(np.maximum(x, 0), self.options.alpha * np.expm1(np.minimum(x, 0)), out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,), (y,) = dtop, run.bottom, run.top
        return [dy * np.where(x > 0, 1, y + self.options.alpha)]


@dataclass(frozen=True)
class LinearOptions:
    """Options of Exp and Log, whose argument is shift + scale · x; base −1 means e."""

    base: float = -1.0
    scale: float = 1.0
    shift: float = 0.0

    def ln_base(self) -> float:
        """The natural logarithm of the base. Raises `SpecError` for a base that has none."""
        if self.base == -1:
            return 1.0
        if self.base <= 0:
            raise SpecError(f"base is {self.base}; expected -1, for e, or a number above 0.")
        return math.log(self.base)


@register
class Exp(Layer):
    """y = base^(shift + scale · x)        dx = dy · y · scale · ln(base)

    Options: base −1 (e), scale 1, shift 0.
    """

    type = "Exp"
    messages = ("exp_param",)
    Options = LinearOptions
    backward_reads = frozenset({"top"})
    writes_out = True

    def check(self) -> None:
        self.ln_base = self.options.ln_base()

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,), o = bottom, self.options
        return [np.exp(self.ln_base * (o.shift + o.scale * x), out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (y,) = dtop, run.top
        return [dy * y * (self.options.scale * self.ln_base)]


@register
class Log(Layer):
    """y = log_base(shift + scale · x)        dx = dy · scale / ((shift + scale · x) · ln(base))

    Options: base −1 (e), scale 1, shift 0.
    """

    type = "Log"
    messages = ("log_param",)
    Options = LinearOptions
    backward_reads = frozenset({"bottom"})
    writes_out = True

    def check(self) -> None:
        self.ln_base = self.options.ln_base()
        if self.ln_base == 0:
            raise SpecError("base is 1, for which the logarithm is undefined; expected another.")

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,), o = bottom, self.options
        return [np.divide(np.log(o.shift + o.scale * x), self.ln_base, out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,), o = dtop, run.bottom, self.options
        return [dy * (o.scale / self.ln_base) / (o.shift + o.scale * x)]


@dataclass(frozen=True)
class PowerOptions:
    power: float = 1.0
    scale: float = 1.0
    shift: float = 0.0


@register
class Power(Layer):
    """y = (shift + scale · x)^power        dx = dy · power · scale · (shift + scale · x)^(power − 1)

    Options: power 1, scale 1, shift 0.
    """

    type = "Power"
    messages = ("power_param",)
    Options = PowerOptions
    backward_reads = frozenset({"bottom"})
    writes_out = True

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,), o = bottom, self.options
        return [np.power(o.shift + o.scale * x, o.power, out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,), o = dtop, run.bottom, self.options
        if o.power * o.scale == 0:
            return [np.zeros_like(x)]  # y is constant, even where 0^(power − 1) is infinite
        return [dy * (o.power * o.scale) * (o.shift + o.scale * x) ** (o.power - 1)]


@dataclass(frozen=True)
class EngineOptions:
    """Options of Sigmoid and TanH: which of Caffe's implementations to use. Here there is only one."""

    engine: str = "DEFAULT"


def sigmoid(x: Array, out: Array | None = None) -> Array:
    """σ(x) as (tanh(x/2) + 1) / 2, which never overflows."""
    return np.add(np.tanh(x * 0.5) * 0.5, 0.5, out=out)


@register
class Sigmoid(Layer):
    """y = σ(x) = 1 / (1 + exp(−x))        dx = dy · y · (1 − y)"""

    type = "Sigmoid"
    messages = ("sigmoid_param",)
    Options = EngineOptions
    backward_reads = frozenset({"top"})
    writes_out = True

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return [sigmoid(bottom[0], run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (y,) = dtop, run.top
        return [dy * y * (1 - y)]


@register
class TanH(Layer):
    """y = tanh(x)        dx = dy · (1 − y²)"""

    type = "TanH"
    messages = ("tanh_param",)
    Options = EngineOptions
    backward_reads = frozenset({"top"})
    writes_out = True

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return [np.tanh(bottom[0], out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (y,) = dtop, run.top
        return [dy * (1 - np.square(y))]
