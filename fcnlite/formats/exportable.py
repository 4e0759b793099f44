"""The parts of a net that writers of other formats need: description, parameters and the layers of its outputs."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping, Sequence
from typing import Protocol

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.spec import NetSpec
from fcnlite.errors import FileError, SpecError, nearest
from fcnlite.graph.schedule import Schedule, Versions, unread
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import create


class HasArray(Protocol):
    """A parameter, read-only."""

    @property
    def array(self) -> Array: ...


class Exportable(Protocol):
    """A net, as far as writers read it."""

    @property
    def spec(self) -> NetSpec: ...

    @property
    def params(self) -> Mapping[str, Sequence[HasArray]]: ...


def check_complete(net: Exportable, target: str | os.PathLike[str], layers: Container[str]) -> None:
    """Raise `SpecError` if the net was loaded without the weights of some of these layers; see `Net`."""
    check = getattr(net, "check_complete", None)
    if check is not None:
        check(target, layers)


def float32_params(net: Exportable, path: str | os.PathLike[str]) -> dict[str, list[Array]]:
    """The parameters by layer name as float32 arrays; layers that share a parameter get the same array.

    Raises `FileError`, naming `path`, for NaN and for numbers beyond float32, which readers of such files refuse.
    """
    converted: dict[int, Array] = {}

    def convert(layer: str, index: int, parameter: HasArray) -> Array:
        if id(parameter) not in converted:
            with np.errstate(over="ignore"):
                values = np.asarray(parameter.array, dtype="<f4", order="C")
            if not np.isfinite(values).all():
                raise FileError(
                    f"{path}: not written, for layer {layer!r}, parameter {index} holds NaN or numbers beyond float32; "
                    "the training that made them has diverged."
                )
            converted[id(parameter)] = values
        return converted[id(parameter)]

    return {layer: [convert(layer, i, each) for i, each in enumerate(group)] for layer, group in net.params.items()}


def inference_layers(spec: NetSpec) -> list[Layer]:
    """The layers of the net in phase TEST."""
    return [create(each, "TEST") for each in spec.for_phase("TEST")]


def inference_schedule(layers: Sequence[Layer], outputs: Sequence[str] | None) -> Schedule:
    """The steps that compute `outputs` from the net's inputs; `inputs` holds only the inputs that they read.

    The default outputs are the predictions: the blobs that no layer reads except losses and Accuracy. Layers of
    unknown types are steps too. Raises `SpecError` for an unknown output, or if there is none.
    """
    versions = Versions.number(layers, unknown_types=True)
    wanted = _predictions(versions) if outputs is None else _named(versions, outputs)
    steps = versions.needed(wanted.values())
    read = set(wanted.values()).union(*(step.bottom for step in steps))
    inputs = {name: version for name, version in versions.inputs.items() if version in read}
    return Schedule(steps, inputs, wanted, versions.last)


def _named(versions: Versions, names: Sequence[str]) -> dict[str, int]:
    for name in names:
        if name not in versions.last:
            raise SpecError(f"the net has no blob {name!r} in phase TEST; {nearest(name, versions.last)}")
    if not names:
        raise SpecError(f"outputs is empty; name at least one blob: {nearest('', versions.last)}")
    return {name: versions.last[name] for name in names}


def _predictions(versions: Versions) -> dict[str, int]:
    """The blobs that no layer reads, except losses and Accuracy as their first bottom; without inputs and scores."""
    judges = [step for step in versions.steps if step.layer.is_loss or step.layer.type == "Accuracy"]
    found = unread(versions, judges)
    if not found:
        raise SpecError(
            f"this net makes no blob that none of its layers reads; name the outputs: {nearest('', versions.last)}"
        )
    return found


def input_shapes(layer: Layer) -> dict[str, Shape]:
    """The described shapes of an input's tops. Raises `SpecError` if the description gives none."""
    shapes = layer.top_shapes()
    if not shapes:
        raise SpecError(
            f"layer {layer.spec.name!r} ({layer.type}): the description gives no shape for "
            f"{', '.join(layer.spec.top)}; make it an Input with `input_param {{ shape {{ dim: ... }} }}`."
        )
    return dict(zip(layer.spec.top, shapes, strict=True))
