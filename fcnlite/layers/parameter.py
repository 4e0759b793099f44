"""A learned blob (Caffe's Parameter).

    y = the parameter        dparameter = dy

In Caffe the layer has no bottoms. Here it has one, whose values do not matter: the reader gives it the net's first
input, since a layer without bottoms is an input. Option: shape, that of the parameter and of the top. It begins at 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fcnlite.arrays import Array, Shape
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class Dims:
    """The sizes of the parameter."""

    dim: tuple[int, ...] = ()


@dataclass(frozen=True)
class ParameterOptions:
    shape: Dims = field(default_factory=Dims)


@register
class Parameter(Layer):
    type = "Parameter"
    messages = ("parameter_param",)
    Options = ParameterOptions
    no_gradient = frozenset({0})

    def check(self) -> None:
        if any(size < 1 for size in self.options.shape.dim):
            raise SpecError(f"shape is {self.options.shape.dim}; expected sizes of at least 1.")

    def params(self, *bottom: Shape) -> list[ParamShape]:
        return [ParamShape(self.options.shape.dim)]

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        return [self.options.shape.dim]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return [run.params[0].copy()]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        if run.dparams[0] is not None:
            run.dparams[0][...] = dtop[0]
        return [None]

    def placement(self) -> None:
        return None
