"""Backpropagation: the chain rule over what a forward pass ran, last to first."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.engine.parameter import Parameter
from fcnlite.graph.schedule import Schedule
from fcnlite.layers import calls
from fcnlite.layers.base import Layer, Run

Key = TypeVar("Key", bound=Hashable)
"""What stands for a value: on the plain path a version of the schedule."""
Timer = Callable[[Sequence[str], str, float], None]
"""Told of the layers whose work was done at once, "forward" or "backward", and the seconds that it took."""


@dataclass
class Node(Generic[Key]):
    """One thing that the forward pass ran."""

    bottom: Sequence[Key]
    top: Sequence[Key]
    differentiable: Sequence[bool]
    """Which bottoms can get a gradient."""
    layers: Sequence[str]
    """The layers whose work it did."""
    layer: str | None
    """The layer whose parameters it has, if any."""
    run: Run
    backward: Callable[[list[Array]], list[Array | None]]
    """The bottoms' gradients, given the tops'."""


class Pass(Generic[Key]):
    """A forward pass that a backward may follow."""

    def __init__(self, schedule: Schedule, values: Mapping[int, Array]) -> None:
        self.schedule = schedule
        self.values = values
        """What was kept, by version, N×C×H×W."""

    def nodes(self) -> Iterable[Node[Key]]:
        """What ran, in order."""
        raise NotImplementedError

    def key(self, version: int) -> Key:
        """What stands for a version in `nodes`."""
        raise NotImplementedError

    def is_short(self, version: int) -> bool:
        """Whether rows of a blob were computed once for several, which have no gradients of their own."""
        return False

    def laid(self, key: Key, gradient: Array) -> Array:
        """A gradient N×C×H×W in the layout of its value."""
        return gradient

    def plain(self, key: Key, gradient: Array) -> Array:
        """The gradient of a value, N×C×H×W."""
        return gradient

    def memory(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """Memory for a gradient that `Backprop` itself makes."""
        return np.empty(shape, dtype)

    def add(self, gradient: Array, other: Array) -> Array:
        """The sum of two gradients of one value."""
        return gradient + other


class PlainPass(Pass[int]):
    """A pass of the plain path; `runs` holds what each step left, in order."""

    def __init__(self, schedule: Schedule, values: Mapping[int, Array], runs: Sequence[Run]) -> None:
        super().__init__(schedule, values)
        self._runs = runs

    def key(self, version: int) -> int:
        return version

    def nodes(self) -> Iterator[Node[int]]:
        for step, run in zip(self.schedule.steps, self._runs, strict=True):
            layer = step.layer

            def backward(dtop: list[Array], layer: Any = layer, run: Run = run) -> list[Array | None]:
                return calls.backward(layer, dtop, run)

            can = [i not in layer.stopped for i in range(len(step.bottom))]
            yield Node(step.bottom, step.top, can, (layer.spec.name,), layer.spec.name, run, backward)


def first_nonfinite(last: Pass[Any], params: Mapping[str, Sequence[Parameter]]) -> str | None:
    """Where NaN or infinity first appears in a pass, in words; None if nowhere."""
    for name, version in last.schedule.inputs.items():
        if not np.isfinite(last.values[version]).all():
            return f"input {name!r}"
    overwritten: dict[str, Layer] = {}
    for step in last.schedule.steps:
        name = step.layer.spec.name
        for i, parameter in enumerate(params.get(name, ())):
            if not np.isfinite(parameter.array).all():
                return f"parameter {i} of layer {name!r}"
        for blob, version in zip(step.layer.spec.top, step.top, strict=True):
            if version not in last.values:
                overwritten.setdefault(blob, step.layer)
                continue
            # Layers that overwrite make nothing else of finite values than finite ones.
            origin = overwritten.pop(blob, step.layer)
            if not np.isfinite(last.values[version]).all():
                return f"the output of layer {origin.spec.name!r} ({origin.type})"
    return None


class Backprop(Generic[Key]):
    """One backward pass over `forward`, with the net's `params`.

    `frozen`: parameters that do not learn get their gradients too. `accumulate`: parameters' gradients are added to
    what is there. `timer` is told of each node.
    """

    def __init__(
        self,
        forward: Pass[Key],
        params: Mapping[str, Sequence[Parameter]],
        *,
        accumulate: bool,
        frozen: bool,
        timer: Timer | None = None,
    ) -> None:
        self._forward = forward
        self._params = params
        self._accumulate = accumulate
        self._frozen = frozen
        self._timer = timer
        self._written: set[int] = set()
        """The parameters, by id, whose gradients this pass has written: one that several layers share is added to."""

    def run(self, seeds: Mapping[int, Array], targets: set[int]) -> dict[int, Array]:
        """Carry the gradients of the versions in `seeds` down; returns those of `targets`, where any reached them."""
        forward = self._forward
        nodes = list(forward.nodes())
        keys = {version: forward.key(version) for version in targets}
        wanted = set(keys.values())
        needing = needed(nodes, wanted, lambda layer: any(map(self._wants, self._of(layer))))
        gradients: dict[Key, Array] = {}
        for version, seed in seeds.items():
            key = forward.key(version)
            self._add(gradients, key, forward.laid(key, seed))
        found: dict[Key, Array] = {}
        for node in reversed(nodes):
            found.update({key: gradients[key] for key in node.top if key in gradients and key in wanted})
            dtop = [gradients.pop(key, None) for key in node.top]
            if any(each is not None for each in dtop):
                began = time.perf_counter()
                self._step(node, dtop, needing, gradients)
                if self._timer is not None:
                    self._timer(node.layers, "backward", time.perf_counter() - began)
        for parameters in self._params.values():
            for parameter in parameters:
                if not self._wants(parameter) or (id(parameter) not in self._written and not self._accumulate):
                    parameter.zero_grad()
        found.update(gradients)
        return {version: forward.plain(key, found[key]) for version, key in keys.items() if key in found}

    def _step(
        self, node: Node[Key], dtop: Sequence[Array | None], needing: set[Key], gradients: dict[Key, Array]
    ) -> None:
        """Carry the gradients of one node's tops to its bottoms and parameters."""
        run, parameters = node.run, self._of(node.layer)
        run.needs = [can and key in needing for can, key in zip(node.differentiable, node.bottom, strict=True)]
        run.dparams = self._buffers(parameters)
        if not any(run.needs) and all(each is None for each in run.dparams):
            return
        dtype = next(each.dtype for each in dtop if each is not None)
        tops = zip(run.top_shapes, dtop, strict=True)
        full = [self._zeros(shape, dtype) if each is None else each for shape, each in tops]
        dbottom = node.backward(full)
        for parameter, buffer in zip(parameters, run.dparams, strict=True):
            if buffer is None:
                continue
            if buffer is not parameter.grad:
                parameter.grad[...] += buffer
            self._written.add(id(parameter))
        run.dparams = ()  # the memory beside is free again
        for key, need, gradient in zip(node.bottom, run.needs, dbottom, strict=True):
            if need and gradient is not None:
                self._add(gradients, key, np.asarray(gradient, dtype, order="C"))

    def _add(self, gradients: dict[Key, Array], key: Key, gradient: Array) -> None:
        gradients[key] = self._forward.add(gradients[key], gradient) if key in gradients else gradient

    def _zeros(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        zeros = self._forward.memory(shape, dtype)
        zeros.fill(0)
        return zeros

    def _of(self, layer: str | None) -> Sequence[Parameter]:
        return self._params.get(layer, ()) if layer is not None else ()

    def _wants(self, parameter: Parameter) -> bool:
        """Whether the parameter gets a gradient."""
        return not parameter.statistic and (self._frozen or parameter.lr_mult != 0)

    def _buffers(self, parameters: Sequence[Parameter]) -> list[Array | None]:
        """Where a layer writes each parameter's gradient: into it, or beside it to be added; None where none goes."""
        seen = set(self._written)
        buffers: list[Array | None] = []
        for each in parameters:
            adds = self._accumulate or id(each) in seen
            seen.add(id(each))
            if not self._wants(each):
                buffers.append(None)
            else:
                buffers.append(self._forward.memory(each.shape, each.array.dtype) if adds else each.grad)
        return buffers


def needed(nodes: Sequence[Node[Key]], targets: set[Key], trains: Callable[[str], bool]) -> set[Key]:
    """The values whose gradient has to be known: the targets, and what lies above them or above a layer that trains."""
    found = set(targets)
    for node in nodes:
        below = any(can and key in found for can, key in zip(node.differentiable, node.bottom, strict=True))
        if below or (node.layer is not None and trains(node.layer)):
            found.update(node.top)
    return found
