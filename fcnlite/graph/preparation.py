"""A run prepared: which layers run on certain inputs, and the shape of every blob."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fcnlite.arrays import Shape
from fcnlite.errors import SpecError, nearest
from fcnlite.graph.schedule import Schedule
from fcnlite.graph.sizing import infer
from fcnlite.layers.base import Layer


@dataclass(frozen=True)
class Kept:
    """What a forward pass keeps for a backward pass."""

    backward: bool
    """Whether a backward pass may follow."""
    blobs: tuple[str, ...] = ()
    """Blobs that are kept in full, so that they can have gradients, also where a wide pad makes rows equal."""

    @staticmethod
    def parse(keep: bool | Sequence[str]) -> Kept:
        """From the argument of `Net.forward`: a truth value, or the names of blobs.

        Raises `SpecError` for a name without a list around it.
        """
        if isinstance(keep, str):
            raise SpecError(f"keep is {keep!r}; expected True, False or a list of blobs: keep=[{keep!r}].")
        if isinstance(keep, Sequence):
            return Kept(True, tuple(keep))
        return Kept(bool(keep))


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that a run needs beside the arrays."""

    schedule: Schedule
    shapes: dict[int, Shape]
    """By version."""
    kept: Kept
    updates_params: bool
    """Whether a layer changes its parameters in forward, as BatchNorm in phase TRAIN."""


def prepare(
    layers: Sequence[Layer], fed: Mapping[str, Shape], outputs: tuple[str, ...] | None, kept: Kept, itemsize: int
) -> Prepared:
    """Schedule the layers that run on inputs of the shapes `fed`, and infer all shapes, in numbers of `itemsize` bytes.

    Raises `SpecError` for unknown names and layer types, `ShapeError` where shapes do not fit.
    """
    schedule = Schedule.make(layers, frozenset(fed), outputs, kept.backward)
    if outputs is None and schedule.unknown:
        raise schedule.unknown[0].error()
    for name in kept.blobs:
        if name not in schedule.last:
            raise SpecError(f"keep names {name!r}; the forward pass makes no such blob; {nearest(name, schedule.last)}")
    shapes = infer(schedule, fed, itemsize)
    return Prepared(schedule, shapes, kept, any(step.layer.updates_params for step in schedule.steps))
