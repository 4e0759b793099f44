"""Fillers: how a parameter starts when no weights are loaded (Caffe's FillerParameter)."""

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
    """`weight_filler { ... }`. Fields and defaults are Caffe's."""

    type: str = "constant"
    value: float = 0.0
    min: float = 0.0
    max: float = 1.0
    mean: float = 0.0
    std: float = 1.0
    sparse: int = -1
    variance_norm: str = "FAN_IN"


def check(filler: Filler, shape: Shape) -> None:
    """Raise `SpecError` for an unknown type, one that cannot fill `shape`, or values that make no distribution."""
    if filler.type not in _RULES:
        raise SpecError(f"unknown filler type {filler.type!r}; {nearest(filler.type, _RULES)}")
    if filler.type != "gaussian" and filler.sparse != -1:
        raise SpecError(f"sparse goes with the gaussian filler only, found {filler.type}; drop it.")
    if filler.type == "gaussian" and (filler.std < 0 or filler.sparse < -1):
        raise SpecError(f"std is {filler.std} and sparse {filler.sparse}; expected at least 0, or sparse -1 for all.")
    if filler.type == "uniform" and filler.min > filler.max:
        raise SpecError(f"min {filler.min} is above max {filler.max}; expected it below.")
    if filler.type in ("xavier", "msra"):
        _fan(filler, shape)
    if filler.type == "bilinear" and (len(shape) != 4 or shape[2] != shape[3]):
        raise SpecError(f"the bilinear filler needs a square 4-D kernel, found {shape}.")


def fill(filler: Filler, shape: Shape, dtype: Any, rng: np.random.Generator) -> Array:
    """A new array of `shape` and `dtype`. Raises `SpecError` as `check` does."""
    check(filler, shape)
    return _RULES[filler.type](filler, shape, np.dtype(dtype), rng)


def bilinear_kernel(size: int) -> Array:
    """The weights of bilinear interpolation by the factor f = ⌈size/2⌉, size × size.

    Along one axis tap i weighs 1 − |i − (size − 1)/2| / f. So the FCN reference fills its deconvolutions, and so does
    Caffe's `bilinear` filler (since 2017; before, it was off centre for sizes such as 3 and 6).
    """
    factor = (size + 1) // 2
    taps = 1 - np.abs(np.arange(size) - (size - 1) / 2) / factor
    return np.outer(taps, taps)


def _between(low: float, high: float, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    """Uniform from low to high."""
    values = rng.random(shape, dtype)
    values *= dtype.type(high - low)
    values += dtype.type(low)
    return values


def _constant(filler: Filler, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    # zeros costs no memory until it is written: large nets start so before their weights are loaded.
    return np.full(shape, filler.value, dtype) if filler.value else np.zeros(shape, dtype)


def _uniform(filler: Filler, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    return _between(filler.min, filler.max, shape, dtype, rng)


def _gaussian(filler: Filler, shape: Shape, dtype: Dtype, rng: np.random.Generator) -> Array:
    """Normal; with `sparse` ≥ 0 only about that many weights of each output are not zero."""
    values = rng.standard_normal(shape, dtype)
    values *= dtype.type(filler.std)
    values += dtype.type(filler.mean)
    if filler.sparse >= 0:
        values *= rng.random(shape) < filler.sparse / _outputs(shape)
    return values


def _outputs(shape: Shape) -> int:
    """How many outputs a parameter serves: its first axis; one number serves one."""
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
    """Every pair of channels gets the kernel, as in Caffe; `surgery.interp` fills the diagonal only."""
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
