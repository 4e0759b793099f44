"""Pooling over pyramids of 1×1, 2×2, 4×4, ... windows, whatever the picture's size (Caffe's SPP).

    y = the poolings of all levels, flattened and joined        dx = the sum of the levels' gradients

Level l has 2^l windows along each axis: kernel_size = stride = ⌈H / 2^l⌉, and a pad of half of what is missing, rounded
up. bottom N×C×H×W; top N×(C · 21) for three levels; with a single level N×C×1×1, as in Caffe. Options: pyramid_height,
the number of levels; pool MAX, AVE or STOCHASTIC. He et al., 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, four_axes
from fcnlite.layers.pooling import Pooling
from fcnlite.layers.registry import register

_HIGHEST = 16


@dataclass(frozen=True)
class SPPOptions:
    pyramid_height: int = 0
    pool: Literal["MAX", "AVE", "STOCHASTIC"] = "MAX"
    engine: str = "DEFAULT"


@register
class SPP(Layer):
    type = "SPP"
    messages = ("spp_param",)
    Options = SPPOptions

    def check(self) -> None:
        if not 1 <= self.options.pyramid_height <= _HIGHEST:
            raise SpecError(f"pyramid_height is {self.options.pyramid_height}; expected 1 to {_HIGHEST}.")

    def levels(self, height: int, width: int) -> list[Pooling]:
        """The pooling of each level. Raises `ShapeError` for a picture that is too small for the last."""
        found = []
        for level in range(self.options.pyramid_height):
            options = {"pool": self.options.pool}
            for name, side in (("h", height), ("w", width)):
                size = -(-side // 2**level)
                pad = (size * 2**level - side + 1) // 2
                if pad >= size:
                    raise ShapeError(f"{side} rows or columns are too few for the {2**level} windows of level {level}")
                options.update({f"kernel_{name}": size, f"stride_{name}": size, f"pad_{name}": pad})
            spec = LayerSpec(f"{self.spec.name}/{level}", "Pooling", self.spec.bottom, self.spec.top, options)
            found.append(Pooling(spec, self.phase))
        return found

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        n, _, height, width = four_axes(bottom[0])
        shapes = [level.top_shapes(bottom[0])[0] for level in self.levels(height, width)]
        return shapes if len(shapes) == 1 else [(n, sum(prod(shape[1:]) for shape in shapes))]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        (shape,) = self.top_shapes(x.shape)
        run.saved, tops = [], []
        for level in self.levels(*x.shape[2:]):
            own = ForwardRun([], rng=run.rng, shard=run.shard)
            tops.append(level.forward(bottom, own)[0])
            run.saved.append((level, own.saved, tops[-1].shape))
        return [np.concatenate([top.reshape(len(x), -1) for top in tops], axis=1).reshape(shape)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        dy = dtop[0].reshape(len(dtop[0]), -1)
        dx = np.zeros(run.bottom_shapes[0], dy.dtype)
        start = 0
        for level, saved, shape in run.saved:
            end = start + prod(shape[1:])
            own = BackwardRun([], saved, bottom_shapes=run.bottom_shapes)
            (part,) = level.backward([np.ascontiguousarray(dy[:, start:end]).reshape(shape)], own)
            assert part is not None
            dx += part
            start = end
        return [dx]

    def placement(self) -> None:
        return None
