"""Prepare a run: which layers run on the given inputs, and the shape of every blob."""

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
    """The values that a forward pass keeps for a backward pass."""

    backward: bool
    """Whether a backward pass may follow."""
    blobs: tuple[str, ...] = ()
    """Blobs kept in full, including rows that a wide pad makes equal, so that they can have gradients."""

    @staticmethod
    def parse(keep: bool | Sequence[str]) -> Kept:
        """The value of the `keep` argument of `Net.forward`: a truth value, or the names of blobs.

        Raises `SpecError` for a name that is not in a list.
        """
        if isinstance(keep, str):
            raise SpecError(f"keep is {keep!r}; expected True, False or a list of blobs: keep=[{keep!r}].")
        if isinstance(keep, Sequence):
            return Kept(True, tuple(keep))
        return Kept(bool(keep))


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """Everything that a run needs except the arrays."""

    schedule: Schedule
    shapes: dict[int, Shape]
    """Shapes by version."""
    kept: Kept
    updates_params: bool
    """Whether a layer changes its parameters in forward, as BatchNorm does in phase TRAIN."""


def prepare(
    layers: Sequence[Layer], fed: Mapping[str, Shape], outputs: tuple[str, ...] | None, kept: Kept, itemsize: int
) -> PreparedRun:
    """Schedule the layers that run on inputs of the shapes `fed`, and infer the shapes of all blobs.

    `itemsize`: bytes of a value. Raises `SpecError` for unknown names and layer types, `ShapeError` if shapes do not
    fit.
    """
    schedule = Schedule.make(layers, frozenset(fed), outputs, kept.backward)
    if outputs is None and schedule.unknown:
        raise schedule.unknown[0].error()
    for name in kept.blobs:
        if name not in schedule.last:
            raise SpecError(f"keep names {name!r}, but forward computes no such blob; {nearest(name, schedule.last)}")
    shapes = infer(schedule, fed, itemsize)
    return PreparedRun(schedule, shapes, kept, any(step.layer.updates_params for step in schedule.steps))
