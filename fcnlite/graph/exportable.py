"""What formats need of a net to write it: its description, its parameters, and which layers its outputs need."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.spec import NetSpec
from fcnlite.errors import FileError, SpecError, nearest
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import create


class HasArray(Protocol):
    """A parameter, to be read only."""

    @property
    def array(self) -> Array: ...


class Exportable(Protocol):
    """A net, as far as formats know it."""

    @property
    def spec(self) -> NetSpec: ...

    @property
    def params(self) -> Mapping[str, Sequence[HasArray]]: ...


def check_complete(net: Exportable, target: str | os.PathLike[str], layers: Container[str]) -> None:
    """Raise `SpecError` where the net was loaded without the weights of some of these layers; see `Net`."""
    check = getattr(net, "check_complete", None)
    if check is not None:
        check(target, layers)


def float32_params(net: Exportable, path: str | os.PathLike[str]) -> dict[str, list[Array]]:
    """The parameters by layer name as float32 arrays; layers that share a parameter get one array.

    Raises `FileError`, naming `path`, for values that no reader of such files takes.
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


@dataclass(frozen=True)
class Step:
    """One layer's turn. A blob that is written in place has several versions, each a number of its own."""

    layer: Layer
    bottom: tuple[int, ...]
    top: tuple[int, ...]


def steps_of(spec: NetSpec) -> tuple[list[Step], dict[str, int]]:
    """The net's layers in phase TEST, and the last version of every blob."""
    steps: list[Step] = []
    last: dict[str, int] = {}
    count = 0
    for layer in (create(each, "TEST") for each in spec.for_phase("TEST")):
        top = tuple(range(count, count + len(layer.spec.top)))
        count += len(top)
        steps.append(Step(layer, tuple(last[name] for name in layer.spec.bottom), top))
        last.update(zip(layer.spec.top, top, strict=True))
    return steps, last


def described_shapes(step: Step) -> dict[int, Shape]:
    """The shapes of the tops of an input, by version. Raises `SpecError` where the description gives none."""
    shapes = step.layer.top_shapes()
    if not shapes:
        raise SpecError(
            f"layer {step.layer.spec.name!r} ({step.layer.type}): the description gives no shape for "
            f"{', '.join(step.layer.spec.top)}; make it an Input with `input_param {{ shape {{ dim: ... }} }}`."
        )
    return dict(zip(step.top, shapes, strict=True))


def asked_outputs(names: Sequence[str], last: Mapping[str, int]) -> dict[str, int]:
    """The versions of the blobs of these names. Raises `SpecError` for an unknown one."""
    for name in names:
        if name not in last:
            raise SpecError(f"the net has no blob {name!r} in phase TEST; {nearest(name, last)}")
    if not names:
        raise SpecError(f"outputs is empty; name at least one blob: {nearest('', last)}")
    return {name: last[name] for name in names}


def prediction_outputs(steps: Sequence[Step], last: Mapping[str, int]) -> dict[str, int]:
    """The blobs that no layer reads but losses and Accuracy as their prediction, without what those make."""
    judges = [step for step in steps if step.layer.is_loss or step.layer.type == "Accuracy"]
    read = {version for step in steps for version in (step.bottom[1:] if step in judges else step.bottom)}
    passed_over = {version for step in steps if step in judges or not step.bottom for version in step.top}
    found = {name: version for name, version in last.items() if version not in read | passed_over}
    if not found:
        raise SpecError(f"this net makes no blob that none of its layers reads; name the outputs: {nearest('', last)}")
    return found


def needed_steps(steps: Sequence[Step], wanted: Iterable[int]) -> list[Step]:
    """The steps that the wanted versions depend on."""
    needed = set(wanted)
    kept = []
    for step in reversed(steps):
        if needed.intersection(step.top):
            needed.update(step.bottom)
            kept.append(step)
    return kept[::-1]
