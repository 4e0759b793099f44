"""Checks one layer's gradients: its backward against finite differences of its forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description import fillers
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import GradientError
from fcnlite.layers import calls
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import UnknownLayer, create

STEP = 2e-4
TOLERANCE = 1e-6
"""The largest error of a slope, relative to the sum of the magnitudes of its terms."""
_DIRECTIONS = 2
_SEARCHED = 4096
"""The number of entries searched for the worst one; they are drawn at random from a larger array."""


@dataclass(frozen=True)
class Worst:
    """The entry of an array whose gradient differs most from finite differences."""

    index: tuple[int, ...]
    computed: float
    """The gradient by backward."""
    measured: float
    """The gradient by finite differences of forward."""
    sides: tuple[float, float]
    """The slopes below and above the value."""
    kink: bool
    """Whether the slope jumps near the value. Backward may be right there, and finite differences are wrong."""

    @property
    def error(self) -> float:
        """The difference relative to the larger of the two gradients."""
        return abs(self.computed - self.measured) / max(abs(self.computed), abs(self.measured), 1e-12)


@dataclass(frozen=True)
class Gradient:
    """The result of the check for one array."""

    name: str
    """`bottom 0`, `parameter 1` and so on."""
    error: float
    """The relative error of the slopes along random directions."""
    worst: Worst | None = None
    """The worst entry, if the gradient is wrong."""

    def __str__(self) -> str:
        text = f"{self.name}: relative error {self.error:.1e}"
        if self.worst is None:
            return text
        w = self.worst
        text += (
            f"; the worst entry is {list(w.index)}: backward says {w.computed:.6g}, finite differences "
            f"{w.measured:.6g}, relative error {w.error:.1e}"
        )
        if w.kink:
            before, after = w.sides
            text += (
                f" (the slope is {before:.6g} below it and {after:.6g} above it, a kink such as ReLU's at 0 or a "
                "tie in a maximum: choose other values)"
            )
        return text


def check_gradients(
    layer: LayerSpec | Layer,
    *bottom: Any,
    params: Sequence[Any] | None = None,
    phase: str = "TRAIN",
    seed: int = 0,
) -> list[Gradient]:
    """Compare a layer's backward with finite differences of its forward, in float64.

        spec = LayerSpec("mine", "Mine", ("x",), ("y",), {"factor": 2.0})
        for each in check_gradients(spec, np.random.default_rng(0).normal(size=(2, 3, 5, 4))):
            print(each)

    `layer` is a description or a layer; `bottom` are arrays for its bottoms and `params` arrays for its parameters
    (default: random). The check covers everything that has a gradient: all bottoms except those of `no_gradient` and
    `propagate_down: false`, and all parameters except statistics. It compares slopes of a random weighting of the tops
    (for a loss, of the first top) along random directions and, if they differ, entry by entry. Returns the result for
    each array. If a gradient is wrong, raises `GradientError` with the same report and the worst entry of each wrong
    array. It also raises if a second forward gives different numbers, if backward gives different gradients when
    parameters or bottoms need none, or if backward reads bottoms or tops that `backward_reads` does not name.

    Finite differences are wrong at kinks: keep the inputs of a ReLU at least 0.001 away from 0, and the inputs of a
    maximum at least 0.001 apart.
    """
    made = create(layer, phase) if isinstance(layer, LayerSpec) else layer
    if isinstance(made, UnknownLayer):
        raise made.error()
    checked = _CheckedLayer(made, [np.array(each, np.float64) for each in bottom], params, seed)
    found = checked.gradients()
    if any(each.worst is not None for each in found):
        lines = "\n".join(f"  {each}" for each in found)
        raise GradientError(f"{checked.name}: backward does not fit forward:\n{lines}")
    return found


class _CheckedLayer:
    """One layer with values for its bottoms and parameters and with weights for its tops."""

    def __init__(self, layer: Layer, bottom: list[Array], params: Sequence[Any] | None, seed: int) -> None:
        self.layer = layer
        self.name = f"layer {layer.spec.name!r} ({layer.type})"
        self._bottom = bottom
        self._seed = seed
        if len(bottom) != len(layer.spec.bottom):
            raise GradientError(f"{self.name}: {len(bottom)} arrays for {len(layer.spec.bottom)} bottoms.")
        shapes = [each.shape for each in bottom]
        wanted = calls.params(layer, *shapes)
        rng = np.random.default_rng((seed, 0))
        if params is None:
            # Random statistics would be invalid: BatchNorm's variance cannot be negative.
            params = [
                fillers.fill(each.filler, each.shape, np.float64, rng)
                if each.statistic
                else rng.normal(size=each.shape)
                for each in wanted
            ]
        self._params = [np.array(each, np.float64) for each in params]
        if [each.shape for each in self._params] != [each.shape for each in wanted]:
            raise GradientError(
                f"{self.name}: params have the shapes {[each.shape for each in self._params]}; expected "
                f"{[each.shape for each in wanted]}."
            )
        self._learned = [not each.statistic for each in wanted]
        self._needs = [i not in layer.stopped for i in range(len(bottom))]
        tops, _ = self._forward()
        counted = 1 if layer.is_loss else len(tops)
        rng = np.random.default_rng((seed, 1))
        self._weights = [np.asarray(rng.normal(size=each.shape)) for each in tops[:counted]]
        self._weights += [np.zeros(each.shape) for each in tops[counted:]]
        again, _ = self._forward()
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(tops, again, strict=True)):
            raise GradientError(
                f"{self.name}: forward gives other numbers the second time; draw random numbers from run.rng(), and "
                "keep no state between passes."
            )

    def gradients(self) -> list[Gradient]:
        dbottom, dparams = self._backward(self._needs, self._learned)
        if any(self._learned):
            same, _ = self._backward(self._needs, [False] * len(self._params))
            self._compare(dbottom, same, "with frozen parameters, None in run.dparams,")
        if any(self._learned) and any(self._needs):
            _, kept = self._backward([False] * len(self._needs), self._learned)
            self._compare(dparams, kept, "with bottoms that need no gradient, False in run.needs,")
        found = []
        for i, (array, gradient) in enumerate(zip(self._bottom, dbottom, strict=True)):
            if self._needs[i]:
                found.append(self._checked(f"bottom {i}", array, gradient))
        for i, (array, gradient) in enumerate(zip(self._params, dparams, strict=True)):
            if self._learned[i]:
                found.append(self._checked(f"parameter {i}", array, gradient))
        return found

    def _forward(self) -> tuple[list[Array], BackwardRun]:
        """The tops, as in a net, and what backward gets."""
        layer = self.layer
        run = ForwardRun([each.copy() for each in self._params], rng=lambda: np.random.default_rng((self._seed, 2)))
        bottom = [each.copy() for each in self._bottom]
        tops = [np.array(each, np.float64) for each in calls.forward(layer, bottom, run)]
        return tops, run.backward(layer, bottom, tops)

    def _backward(self, needs: list[bool], learned: list[bool]) -> tuple[list[Array], list[Array]]:
        """The gradients of the bottoms and of the parameters; zeros for those without a gradient."""
        _, run = self._forward()
        run.needs = needs
        run.dparams = [np.zeros_like(p) if want else None for p, want in zip(self._params, learned, strict=True)]
        given = list(run.dparams)
        with np.errstate(all="ignore"):
            made = calls.backward(self.layer, [each.copy() for each in self._weights], run)
        dbottom = [
            np.zeros_like(x) if each is None else np.asarray(each, np.float64)
            for x, each in zip(self._bottom, made, strict=True)
        ]
        return dbottom, [np.zeros_like(p) if g is None else g for p, g in zip(self._params, given, strict=True)]

    def _compare(self, expected: list[Array], found: list[Array], when: str) -> None:
        for one, other in zip(expected, found, strict=True):
            if not np.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True):
                raise GradientError(f"{self.name}: {when} backward gives other gradients.")

    def _value(self) -> float:
        tops, _ = self._forward()
        return sum(float((top * weight).sum()) for top, weight in zip(tops, self._weights, strict=True))

    def _checked(self, name: str, array: Array, gradient: Array) -> Gradient:
        """Compare slopes along random directions and, if they differ, find the worst entry."""
        rng = np.random.default_rng((self._seed, 3))
        error = 0.0
        for _ in range(_DIRECTIONS):
            direction = np.asarray(rng.uniform(-1, 1, array.shape))
            measured = _slope(self._moved(array, direction))
            terms = gradient * direction
            off = abs(measured - float(terms.sum())) / max(1e-3, float(np.abs(terms).sum()))
            error = max(error, off if np.isfinite(off) else np.inf)
        found = Gradient(name, error)
        return found if error <= TOLERANCE else replace(found, worst=self._worst(array, gradient, rng))

    def _worst(self, array: Array, gradient: Array, rng: np.random.Generator) -> Worst:
        indices = list(np.ndindex(array.shape))
        if len(indices) > _SEARCHED:
            indices = [indices[i] for i in rng.choice(len(indices), _SEARCHED, replace=False)]
        measured = []
        for index in indices:
            direction = np.zeros_like(array)
            direction[index] = 1
            measured.append(_slope(self._moved(array, direction)))
        off = np.abs([m - gradient[index] for m, index in zip(measured, indices, strict=True)])
        at = int(np.argmax(np.nan_to_num(off, nan=np.inf)))
        direction = np.zeros_like(array)
        direction[indices[at]] = 1
        value = self._moved(array, direction)
        sides = _sides(value, STEP)
        return Worst(indices[at], float(gradient[indices[at]]), measured[at], sides, _has_kink(value))

    def _moved(self, array: Array, direction: Array) -> Callable[[float], float]:
        """The value as a function of a step of `array` along `direction`."""
        start = array.copy()

        def value(t: float) -> float:
            array[...] = start + t * direction
            try:
                return self._value()
            finally:
                array[...] = start

        return value


def _sides(value: Callable[[float], float], step: float) -> tuple[float, float]:
    """The slopes below and above 0."""
    here = value(0.0)
    return (here - value(-step)) / step, (value(step) - here) / step


def _has_kink(value: Callable[[float], float]) -> bool:
    """Whether the slope jumps within two steps of 0.

    Where it does not, the slopes above and below differ by the curvature times the step, so by half for half the step.
    """
    gaps = []
    for steps in (2.0, 1.0, 0.25):
        before, after = _sides(value, steps * STEP)
        gaps.append((after - before) / steps)
        if steps == 2 and abs(after - before) <= 1e-3 * max(abs(before), abs(after)):
            return False
    return max(gaps) - min(gaps) > 0.1 * max(map(abs, gaps))


def _slope(value: Callable[[float], float], step: float = STEP) -> float:
    """The derivative at 0 by fourth-order central differences."""
    near, far = value(step) - value(-step), value(2 * step) - value(-2 * step)
    return (8 * near - far) / (12 * step)
