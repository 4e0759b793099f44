"""Parameters: the arrays that a net learns."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from fcnlite import config
from fcnlite.arrays import Array
from fcnlite.description import fillers
from fcnlite.description.fillers import Filler
from fcnlite.description.shapes import show
from fcnlite.errors import FcnliteError, ShapeError, SpecError, UnknownNameError, nearest
from fcnlite.files import mapping_of
from fcnlite.layers.base import Layer, ParamShape
from fcnlite.threads import Turns

Rng = np.random.Generator


_turns = Turns()
"""Held while a thread makes a parameter's arrays or counts its changes: nets in several threads may share it."""


class Unfilled:
    """Values that a filler computes at their first use; loading often replaces them before."""

    def __init__(self, filler: Filler, shape: tuple[int, ...], dtype: np.dtype[Any], rng: Callable[[], Rng]) -> None:
        fillers.check(filler, shape)
        self.shape = shape
        self.dtype = dtype
        self._filler = filler
        self._rng = rng

    def fill(self) -> Array:
        return fillers.fill(self._filler, self.shape, self.dtype, self._rng())


class Parameter:
    """One weight or bias: its values `data`, its gradient `grad`, and its multipliers of learning rate and decay."""

    def __init__(
        self, array: Array | Unfilled, lr_mult: float = 1.0, decay_mult: float = 1.0, statistic: bool = False
    ) -> None:
        # In C order: solvers and layers write through reshaped views.
        self._values = array if isinstance(array, Unfilled) else np.asarray(array, order="C")
        self._grad: Array | None = None
        self.lr_mult = lr_mult
        self.decay_mult = decay_mult
        self.statistic = statistic
        """Whether the values are measured, not learned, and have no gradient."""
        self.version = 0
        """Increases whenever the values may have changed; derived arrays compare it to know if they are current."""

    @property
    def array(self) -> Array:
        """A read-only view of the current values. To change them, write to `data`.

        Raises `FileError` if the values are mapped from a file that was written to since.
        """
        view = self._filled().view()
        if not view.flags.writeable and (mapped := mapping_of(view)) is not None:
            mapped.check()
        view.flags.writeable = False
        return view

    @property
    def data(self) -> Array:
        """The writable values. Reading it marks the parameter changed."""
        self.changed()
        return self._filled()

    @data.setter
    def data(self, values: Any) -> None:
        values = np.asarray(values)
        if values.shape != self.shape:
            raise ShapeError(f"the parameter has shape {show(self.shape)}; found {show(values.shape)}.")
        with _turns:
            if isinstance(self._values, Unfilled):
                self._values = np.empty(self.shape, self._values.dtype)
        self.data[...] = values
        self.changed()  # another thread may have derived arrays from half-written values

    def adopt(self, values: Array) -> None:
        """Set the values to `values`, of the same shape; read-only ones, such as a mapped file, are not copied.

        The first access to `data` copies them.
        """
        if values.flags.writeable or values.dtype != self._values.dtype or not values.flags.c_contiguous:
            self.data = values
        else:
            with _turns:
                self._values = values
                self.version += 1

    @property
    def grad(self) -> Array:
        """The gradient of the last backward; zero before the first, and if `lr_mult` is 0 (but see `Net.backward`)."""
        with _turns:
            if self._grad is None:
                self._grad = np.zeros_like(self._filled())
            return self._grad

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values and of the gradient, such as O×C×KH×KW for the weight of a convolution."""
        return self._values.shape

    def changed(self) -> None:
        """Mark the values as changed, so that arrays derived from them are computed again."""
        with _turns:
            if not self._filled().flags.writeable:
                self._values = self.array.copy()
            self.version += 1

    def _filled(self) -> Array:
        """The values, filled if necessary; writable unless they are mapped from a file."""
        if isinstance(self._values, Unfilled):
            with _turns:
                if isinstance(self._values, Unfilled):
                    self._values = self._values.fill()
        return self._values

    def zero_grad(self) -> None:
        """Set the gradient to zero."""
        if self._grad is not None:
            self._grad.fill(0)

    def __repr__(self) -> str:
        return f"Parameter({show(self.shape)}, lr_mult={self.lr_mult:g}, decay_mult={self.decay_mult:g})"


class Parameters(dict[str, list[Parameter]]):
    """A net's parameters by layer name. An unknown name raises `UnknownNameError`, which lists similar names."""

    def __missing__(self, name: object) -> list[Parameter]:
        raise UnknownNameError(f"no layer with parameters is called {name!r}; {nearest(str(name), self)}")


def generator(seed: int, stream: int, name: str) -> np.random.Generator:
    """A generator whose numbers depend only on these three arguments, not on earlier draws."""
    return np.random.Generator(np.random.PCG64([seed, stream, zlib.crc32(name.encode())]))


def make_parameters(
    wanted: Iterable[tuple[Layer, list[ParamShape]]],
    existing: Mapping[str, Sequence[Parameter]],
    owners: dict[str, Parameter],
    dtype: np.dtype[Any],
    seed: int,
) -> dict[str, list[Parameter]]:
    """The parameters of a net by layer name: `existing`, shared through `param { name }`, or new from a filler.

    `owners`: the parameters that have a name, by name; new ones are added. Raises `ShapeError` if layers that share a
    parameter need different shapes, `SpecError` for contradicting multipliers or a filler that does not fit.
    """
    params: dict[str, list[Parameter]] = {}
    for layer, shapes in wanted:
        if len(layer.spec.param) > len(shapes):
            raise SpecError(
                f"layer {layer.spec.name!r}: {len(layer.spec.param)} param messages for {len(shapes)} parameters; "
                "remove the rest."
            )
        for i, want in enumerate(shapes):
            where = f"layer {layer.spec.name!r}, parameter {i}"
            spec = layer.spec.param[i] if i < len(layer.spec.param) else None
            lr_mult = 0.0 if want.statistic else spec.lr_mult if spec else 1.0
            decay_mult = spec.decay_mult if spec else 1.0
            held = existing.get(layer.spec.name, ())
            owner = owners.get(spec.name) if spec and spec.name else None
            if i < len(held):
                parameter = held[i]
            elif owner is not None and spec is not None:
                parameter = owner
                owner.lr_mult = _shared(f"{where}: lr_mult", spec.name, owner.lr_mult, lr_mult)
                owner.decay_mult = _shared(f"{where}: decay_mult", spec.name, owner.decay_mult, decay_mult)
            else:
                try:
                    values = _unfilled(want, dtype, partial(generator, seed, 0, f"{layer.spec.name}[{i}]"))
                except FcnliteError as error:
                    raise type(error)(f"{where}: {error}") from error
                parameter = Parameter(values, lr_mult, decay_mult, want.statistic)
            if parameter.shape != want.shape:
                raise ShapeError(
                    f"{where}: needs shape {show(want.shape)}, but the shared parameter has {show(parameter.shape)}."
                )
            if spec and spec.name:
                owners.setdefault(spec.name, parameter)
            params.setdefault(layer.spec.name, []).append(parameter)
    unique = {id(each): each for parameters in params.values() for each in parameters}
    if excess := config.excess(sum(prod(each.shape) for each in unique.values()) * dtype.itemsize):
        raise ShapeError(f"the net's parameters {excess}: check num_output and kernel_size of its layers.")
    return params


def _shared(what: str, name: str, owners: float, sharers: float) -> float:
    """The multiplier of a shared parameter: the one that is written. Raises `SpecError` if two differ."""
    if 1.0 not in (owners, sharers) and owners != sharers:
        raise SpecError(
            f"{what} is {sharers:g}, but the shared parameter {name!r} has {owners:g}; write it in one place."
        )
    return sharers if owners == 1.0 else owners


def _unfilled(want: ParamShape, dtype: np.dtype[Any], rng: Callable[[], Rng]) -> Unfilled:
    """A new parameter's values. Raises `ShapeError` for a size that exceeds `config.max_memory`."""
    if excess := config.excess(prod(want.shape) * dtype.itemsize):
        raise ShapeError(
            f"shape {show(want.shape)} {excess}: check num_output, kernel_size and the shape of the input."
        )
    return Unfilled(want.filler, want.shape, dtype, rng)
