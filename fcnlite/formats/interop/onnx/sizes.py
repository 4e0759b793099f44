"""The shape of every value in the exported graph, and which of its sizes change with batch and picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fcnlite.arrays import Shape
from fcnlite.errors import ShapeError
from fcnlite.graph import sizing
from fcnlite.graph.schedule import Schedule
from fcnlite.layers.base import Layer


@dataclass(frozen=True)
class Sizes:
    """The shapes of all versions."""

    described: dict[int, Shape]
    """The shapes for inputs as described."""
    variable: dict[int, tuple[int | None, ...]]
    """The same, with None for sizes that change with the batch or the picture."""

    @staticmethod
    def infer(schedule: Schedule, inputs: Mapping[str, Shape]) -> Sizes:
        """The shapes of a schedule whose inputs have the described shapes `inputs`.

        Sizes are found variable by a second inference, with a doubled batch or a doubled picture. They stay fixed if
        that does not fit, or would change the shape of a parameter (as an InnerProduct's), and for layers whose windows
        depend on the size of the picture.
        """
        shapes, params = _infer(schedule, inputs)
        variable: dict[int, tuple[int | None, ...]] = dict(shapes)
        closed = any(map(_windows_depend_on_the_size, (step.layer for step in schedule.steps)))
        for axes in ((0,),) if closed else ((0,), (2, 3)):
            doubled = {name: _doubled(shape, axes) for name, shape in inputs.items()}
            try:
                others, other_params = _infer(schedule, doubled)
            except ShapeError:
                continue
            if params == other_params:
                variable = {
                    version: tuple(a if a == b else None for a, b in zip(known, others[version], strict=True))
                    for version, known in variable.items()
                }
        return Sizes(shapes, variable)


def _windows_depend_on_the_size(layer: Layer) -> bool:
    return layer.type == "SPP" or (layer.type == "Unpooling" and layer.options.unpool != "MAX")


def _doubled(shape: Shape, axes: Sequence[int]) -> Shape:
    """`shape` with a doubled batch, or with doubled height and width if it has four axes."""
    if max(axes) > 1 and len(shape) != 4:
        return shape
    return tuple(2 * size if axis in axes else size for axis, size in enumerate(shape))


def _infer(schedule: Schedule, inputs: Mapping[str, Shape]) -> tuple[dict[int, Shape], list[Shape]]:
    """The shapes of all versions and of all parameters."""
    shapes = sizing.infer(schedule, inputs, itemsize=1)  # a doubled picture may exceed the limit that nets run with
    return shapes, [each.shape for step in schedule.steps for each in sizing.wanted(step, shapes)]
