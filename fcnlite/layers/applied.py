"""Applies one layer to arrays, without a net: for trying a layer, and for checking it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description import fillers
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers import calls
from fcnlite.layers.base import ForwardRun
from fcnlite.layers.registry import UnknownLayer, create


class Applied:
    """The result of `apply`: a layer, what it was applied to, and its tops. All arrays are float64."""

    def __init__(self, spec: LayerSpec, bottom: list[Array], params: Sequence[Any] | None, phase: str) -> None:
        self.layer = create(spec, phase)
        if isinstance(self.layer, UnknownLayer):
            raise self.layer.error()
        self.bottom = bottom
        shapes = [each.shape for each in bottom]
        calls.top_shapes(self.layer, *shapes)  # raises if the bottoms do not fit
        wanted = calls.params(self.layer, *shapes)
        rng = np.random.default_rng(0)
        if params is None:
            params = [fillers.fill(each.filler, each.shape, np.float64, rng) for each in wanted]
        self.params = [np.array(each, np.float64) for each in params]
        """The parameters. A layer in training may have written to them (BatchNorm)."""
        found, expected = [each.shape for each in self.params], [each.shape for each in wanted]
        if found != expected:
            raise ShapeError(f"layer {spec.name!r} ({spec.type}): params have the shapes {found}; expected {expected}.")
        run = ForwardRun(self.params, rng=lambda: np.random.default_rng(0))
        self.tops = [np.array(each, np.float64) for each in calls.forward(self.layer, bottom, run)]
        """The tops, in order."""
        self.saved = run.saved
        """What the layer's forward left for its backward."""
        self.dparams: list[Array] = []
        """The gradients of the parameters, after `backward`; zeros for statistics."""
        self._learned = [not each.statistic for each in wanted]
        self._run = run

    @property
    def top(self) -> Array:
        """The first top."""
        return self.tops[0]

    def backward(self, *dtop: Any) -> list[Array | None]:
        """The gradients of the bottoms, None for one that gets none; fills `dparams`.

        `dtop` are the gradients of the tops, of their shapes. Without them, each is all ones; for a loss, that of the
        first top is 1 and those of the others are 0. Raises `ShapeError` if they do not fit the tops.
        """
        if not dtop:
            rest = np.zeros_like if self.layer.is_loss else np.ones_like
            dtop = (*map(np.ones_like, self.tops[:1]), *map(rest, self.tops[1:]))
        given = [np.array(each, np.float64) for each in dtop]
        found, expected = [each.shape for each in given], [each.shape for each in self.tops]
        if found != expected:
            raise ShapeError(f"the gradients have the shapes {found}; the tops have {expected}.")
        run = self._run.backward(self.layer, self.bottom, self.tops)
        run.needs = [bool(self.tops) and i not in self.layer.stopped for i in range(len(self.bottom))]
        self.dparams = [np.zeros_like(each) for each in self.params]
        run.dparams = [each if learned else None for each, learned in zip(self.dparams, self._learned, strict=True)]
        return calls.backward(self.layer, given, run)


def apply(
    kind: str, *bottom: Any, params: Sequence[Any] | None = None, tops: int = 1, phase: str = "TRAIN", **options: Any
) -> Applied:
    """Apply a layer of type `kind` to arrays, in float64.

        pool = layers.apply("Pooling", x, kernel_size=2, stride=2)
        pool.top                # the result
        (dx,) = pool.backward(dy)

    `params` are arrays for the parameters (default: what the fillers give, with a fixed seed). `tops` is the number of
    tops that the layer is asked for. Raises `SpecError` or `ShapeError` for what does not fit the type.
    """
    if tops < 0:
        raise SpecError(f"tops is {tops}; expected at least 0.")
    bottoms, named_tops = tuple(f"x{i}" for i in range(len(bottom))), tuple(f"y{i}" for i in range(tops))
    spec = LayerSpec(kind.lower(), kind, bottoms, named_tops, options)
    return Applied(spec, [np.array(each, np.float64) for each in bottom], params, phase)
