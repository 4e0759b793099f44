"""The net's inputs (Caffe's Input): blobs that the caller feeds.

    y = what the caller feeds under the top's name

Option: shape { dim … }, one for all tops or one for each. It determines the shapes of parameters when the net is built;
every forward uses the shapes of the arrays that it gets.
"""

from __future__ import annotations

from dataclasses import dataclass

from fcnlite.arrays import Shape
from fcnlite.errors import SpecError
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class BlobShape:
    dim: tuple[int, ...] = ()


@dataclass(frozen=True)
class InputOptions:
    shape: tuple[BlobShape, ...] = ()


@register
class Input(Layer):
    type = "Input"
    messages = ("input_param",)
    Options = InputOptions
    bottoms = (0, 0)
    tops = (1, None)

    def check(self) -> None:
        shapes = self.options.shape
        if shapes and len(shapes) not in (1, len(self.spec.top)):
            raise SpecError(f"{len(shapes)} shapes for {len(self.spec.top)} tops; expected one, or one for each.")
        for shape in shapes:
            if any(not 1 <= size <= 1 << 31 for size in shape.dim):
                raise SpecError(f"shape {shape.dim}: sizes must be from 1 to 2³¹.")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        """The described shapes; empty if the description gives none."""
        shapes = [shape.dim for shape in self.options.shape]
        return shapes * len(self.spec.top) if len(shapes) == 1 else shapes
