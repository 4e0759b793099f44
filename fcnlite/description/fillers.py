"""Fillers: the initial values of parameters that are not loaded (Caffe's FillerParameter)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.errors import SpecError, nearest

Dtype = np.dtype[Any]


@dataclass(frozen=True)
class Filler:
    """The options of `weight_filler { ... }`, with Caffe's names and defaults."""

    type: str = "constant"
    value: float = 0.0
    min: float = 0.0
    max: float = 1.0
    mean: float = 0.0
    std: float = 1.0
    sparse: int = -1
    variance_norm: str = "FAN_IN"


@dataclass(frozen=True)
class Diagonal(Filler):
    """Numbers on the diagonal of the last two axes, and 0 elsewhere. A layer's own, which no net names."""

    type: str = "diagonal"
    numbers: tuple[float, ...] = ()


def check(filler: Filler, shape: Shape) -> None:
    """Raise `SpecError` for an unknown type, a type that cannot fill `shape`, or an invalid distribution."""
    if isinstance(filler, Diagonal):
        return
    if filler.type not in _RULES:
        raise SpecError(f"unknown filler type {filler.type!r}; {nearest(filler.type, _RULES)}")
    if filler.type != "gaussian" and filler.sparse != -1:
        raise SpecError(f"sparse is for the gaussian filler only, found {filler.type}; remove it.")
    if filler.type == "gaussian" and (filler.std < 0 or filler.sparse < -1):
        raise SpecError(f"std is {filler.std} and sparse {filler.sparse}; expected at least 0, or sparse -1 for all.")
    if filler.type == "uniform" and filler.min > filler.max:
        raise SpecError(f"min is {filler.min}; expected at most max, {filler.max}.")
    if filler.type in ("xavier", "msra"):
        _fan(filler, shape)
    if filler.type == "bilinear" and (len(shape) != 4 or shape[2] != shape[3]):
        raise SpecError(f"the bilinear filler needs a 4-D weight with a square window, found {shape}.")


def fill(filler: Filler, shape: Shape, dtype: Any, rng: np.random.Generator) -> Array:
    """A new array of `shape` and `dtype`, filled by `filler`. Raises `SpecError` as `check` does."""
    check(filler, shape)
    if isinstance(filler, Diagonal):
        return np.broadcast_to(np.diag(filler.numbers), shape).astype(dtype, order="C")
    return _RULES[filler.type](filler, shape, np.dtype(dtype), rng)


def bilinear_kernel(size: int) -> Array:
    """The filter of bilinear interpolation by the factor f = ⌈size/2⌉, size × size.

    Along one axis, the weight at i is 1 − |i − (size − 1)/2| / f. The FCN reference fills its deconvolutions with this
    filter, and so does Caffe's `bilinear` filler (since 2017; before, it was off centre for sizes such as 3 and 6).
    """
    factor = (size + 1) // 2
    weights = 1 - np.abs(np.arange(size) - (size - 1) / 2) / factor
    return np.outer(weights, weights)


def _between(low: float, high: float, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    """Uniform values from `low` to `high`."""
    values = rng.random(shape, dtype)
    values *= dtype.type(high - low)
    values += dtype.type(low)
    return values


def _constant(filler: Filler, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    # `zeros` uses no memory until it is written, which helps large nets whose weights are loaded later.
    return np.full(shape, filler.value, dtype) if filler.value else np.zeros(shape, dtype)


def _uniform(filler: Filler, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    return _between(filler.min, filler.max, shape, dtype, rng)


def _gaussian(filler: Filler, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    """Normal values; with `sparse` ≥ 0, about that many weights of each output are not zero."""
    values = rng.standard_normal(shape, dtype)
    values *= dtype.type(filler.std)
    values += dtype.type(filler.mean)
    if filler.sparse >= 0:
        values *= rng.random(shape) < filler.sparse / _outputs(shape)
    return values


def _outputs(shape: Shape) -> int:
    """The number of outputs of a parameter: the size of its first axis, 1 for a scalar."""
    return shape[0] if shape else 1


def _fan(filler: Filler, shape: Shape) -> float:
    count = np.prod(shape)
    fan_in = count / _outputs(shape)
    fan_out = count / shape[1] if len(shape) > 1 else count
    norms = {"FAN_IN": fan_in, "FAN_OUT": fan_out, "AVERAGE": (fan_in + fan_out) / 2}
    if filler.variance_norm not in norms:
        raise SpecError(f"variance_norm {filler.variance_norm!r}: expected FAN_IN, FAN_OUT or AVERAGE.")
    return float(norms[filler.variance_norm])


def _xavier(filler: Filler, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    limit = np.sqrt(3 / _fan(filler, shape))
    return _between(-limit, limit, shape, dtype, rng)


def _msra(filler: Filler, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    values = rng.standard_normal(shape, dtype)
    values *= dtype.type(np.sqrt(2 / _fan(filler, shape)))
    return values


def _positive_unitball(filler: Filler, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    values = rng.random(shape, dtype)
    rest = tuple(range(1, len(shape)))
    return values / values.sum(axis=rest, keepdims=True)


def _bilinear(filler: Filler, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    """The bilinear filter for every pair of channels, as in Caffe; `surgery.interp` fills the diagonal only."""
    return np.broadcast_to(bilinear_kernel(shape[2]), shape).astype(dtype, order="C")


_RULES: dict[str, Callable[[Filler, Shape, Dtype, np.random.Generator], Array]] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "xavier": _xavier,
    "msra": _msra,
    "positive_unitball": _positive_unitball,
    "bilinear": _bilinear,
}
