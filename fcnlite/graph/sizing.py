"""Infers the shapes of all blobs of a schedule from those of its inputs, and checks parameters against them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, Protocol

from fcnlite import config
from fcnlite.arrays import Shape
from fcnlite.description.shapes import show
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import ShapeError
from fcnlite.graph.schedule import Schedule, Step
from fcnlite.layers import calls
from fcnlite.layers.base import Layer, ParamShape
from fcnlite.layers.crop import Crop
from fcnlite.layers.remedies import remedy


class HasShape(Protocol):
    """A parameter, of which only the shape is read."""

    @property
    def shape(self) -> Shape: ...


def image_inputs(layers: Sequence[Layer]) -> dict[str, Shape | None]:
    """The inputs that a net of these layers computes with, and their described shapes (None if not described).

    Labels and crop references are not among them, since they have no gradient, nor what only these are made from.
    """
    computed_with = _with_gradient(layers)
    found: dict[str, Shape | None] = {}
    for layer in layers:
        if not layer.spec.bottom:
            described = dict(zip(layer.spec.top, layer.top_shapes(), strict=False))
            found.update({top: described.get(top) for top in layer.spec.top if top in computed_with})
    return found


def _with_gradient(layers: Sequence[Layer]) -> set[str]:
    """The blobs from which losses and outputs are computed through bottoms that can have a gradient."""
    read = {name for layer in layers for name in layer.spec.bottom}
    found: set[str] = set()
    for layer in reversed(layers):
        tops = layer.spec.top
        if layer.is_loss or any(top in found or top not in read for top in tops):
            found.update(name for i, name in enumerate(layer.spec.bottom) if i not in layer.no_gradient)
    return found


def infer(schedule: Schedule, fed: Mapping[str, Shape], itemsize: int) -> dict[int, Shape]:
    """The shape of every version, for inputs of the shapes `fed` and values of `itemsize` bytes.

    Raises `ShapeError`, naming the layer and its bottoms, if shapes do not fit or a blob would be too large.
    """
    shapes = {version: fed[name] for name, version in schedule.inputs.items()}
    for step in schedule.steps:
        try:
            top = _for_shapes(step, shapes, partial(calls.top_shapes, step.layer))
        except ShapeError as error:
            raise _with_remedy(error, step, schedule, fed) from error
        for name, shape in zip(step.layer.spec.top, top, strict=True):
            if excess := config.excess(prod(shape) * itemsize):
                raise ShapeError(
                    f"layer {step.layer.spec.name!r} ({step.layer.type}): its top {name} of shape {show(shape)} "
                    f"{excess}: check num_output, the pads and the input's shape."
                )
        shapes.update(zip(step.top, top, strict=True))
    return shapes


def _with_remedy(error: ShapeError, step: Step, schedule: Schedule, fed: Mapping[str, Shape]) -> ShapeError:
    """The error with a way out, for a Crop; other errors are returned unchanged."""
    if type(step.layer) is not Crop:
        return error
    inputs = [LayerSpec(name, "Input", (), (name,)) for name in fed]
    before = [*inputs, *(each.layer.spec for each in schedule.steps[: schedule.steps.index(step)])]
    found = remedy(before, step.layer.spec, fed, step.layer.phase)
    return ShapeError(f"{error} {found}") if found else error


def wanted(step: Step, shapes: Mapping[int, Shape]) -> list[ParamShape]:
    """The parameters that a layer needs for the shapes of its bottoms."""
    return _for_shapes(step, shapes, partial(calls.params, step.layer))


def check_parameters(schedule: Schedule, shapes: Mapping[int, Shape], params: Mapping[str, Sequence[HasShape]]) -> None:
    """Raise `ShapeError` if a layer's parameters do not fit its bottoms."""
    for step in schedule.steps:
        spec = step.layer.spec
        for i, (want, parameter) in enumerate(zip(wanted(step, shapes), params.get(spec.name, ()), strict=True)):
            if want.shape != parameter.shape:
                bottoms = _show_blobs(spec.bottom, [shapes[version] for version in step.bottom])
                raise ShapeError(
                    f"layer {spec.name!r} ({spec.type}): its parameter {i} has shape {show(parameter.shape)}, "
                    f"but {bottoms} would need {show(want.shape)}."
                )


def _for_shapes(step: Step, shapes: Mapping[int, Shape], answer: Callable[..., list[Any]]) -> list[Any]:
    """`answer` for the shapes of the step's bottoms; a `ShapeError` names the layer and the bottoms."""
    spec, bottom = step.layer.spec, [shapes[version] for version in step.bottom]
    try:
        return answer(*bottom)
    except ShapeError as error:
        raise ShapeError(
            f"layer {spec.name!r} ({spec.type}): {error} (bottoms: {_show_blobs(spec.bottom, bottom)})."
        ) from error


def _show_blobs(names: Sequence[str], shapes: Sequence[Shape]) -> str:
    return ", ".join(f"{name} {show(shape)}" for name, shape in zip(names, shapes, strict=True))
