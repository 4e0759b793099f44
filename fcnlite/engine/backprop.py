"""Backpropagation: applies the chain rule to the steps of a forward pass, from last to first."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.engine.parameter import Parameter
from fcnlite.engine.state import State
from fcnlite.graph.schedule import Schedule
from fcnlite.layers.base import Layer

Key = TypeVar("Key", bound=Hashable)
"""Identifies a value: on the reference path a version of the schedule, on the fast path a value of the plan."""
Backward = Callable[[list[Array], Sequence[bool], Sequence[Array | None]], list[Array | None]]
"""Takes the tops' gradients, which bottoms need one, and arrays for the parameters'; returns the bottoms' gradients."""
Timer = Callable[[Sequence[str], str, float], None]
"""Called with the layers of one step, "forward" or "backward", and the seconds that the step took."""


@dataclass
class Node(Generic[Key]):
    """One step of the forward pass: a layer, or an operation of a plan."""

    bottom: Sequence[Key]
    top: Sequence[Key]
    differentiable: Sequence[bool]
    """Whether each bottom can have a gradient."""
    layers: Sequence[str]
    """The layers that the step computes."""
    layer: str | None
    """The layer whose parameters the step uses; None without parameters."""
    top_shapes: Sequence[Shape]
    """The shapes of the tops in the layout in which they are stored."""
    backward: Backward


class Pass(Generic[Key]):
    """A forward pass from which gradients can be computed."""

    def __init__(self, schedule: Schedule, values: Mapping[int, Array]) -> None:
        self.schedule = schedule
        self.values = values
        """The kept values by version, N×C×H×W."""

    def nodes(self) -> Iterable[Node[Key]]:
        """The steps in the order in which they ran."""
        raise NotImplementedError

    def key(self, version: int) -> Key:
        """The key that `nodes` uses for a version."""
        raise NotImplementedError

    def in_full(self, version: int) -> bool:
        """Whether every row and column of a blob was computed, so that each can have its own gradient."""
        return True

    def in_layout(self, key: Key, gradient: Array) -> Array:
        """Converts a gradient N×C×H×W to the layout of its value."""
        return gradient

    def nchw(self, key: Key, gradient: Array) -> Array:
        """Converts the gradient of a value to N×C×H×W."""
        return gradient

    def memory(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """Memory for a gradient that `Backprop` computes itself."""
        return np.empty(shape, dtype)

    def add(self, gradient: Array, other: Array) -> Array:
        """The sum of two gradients of the same value."""
        return gradient + other


def first_nonfinite(last: Pass[Any], params: Mapping[str, Sequence[Parameter]]) -> str | None:
    """Describes where NaN or infinity first appears in a pass; None if nowhere."""
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
            # A layer that works in place computes finite values from finite ones: blame the layer before.
            origin = overwritten.pop(blob, step.layer)
            if not np.isfinite(last.values[version]).all():
                return f"the output of layer {origin.spec.name!r} ({origin.type})"
    return None


class Backprop(Generic[Key]):
    """One backward pass: the gradients of the pass `forward` for the parameters of `state`.

    `frozen`: also compute the gradients of parameters with an lr_mult of 0. `accumulate`: add to the parameters'
    gradients instead of overwriting them. `timer`: called for each node.
    """

    def __init__(
        self,
        forward: Pass[Key],
        state: State,
        *,
        accumulate: bool,
        frozen: bool,
        timer: Timer | None = None,
    ) -> None:
        self._forward = forward
        self._state = state
        self._accumulate = accumulate
        self._frozen = frozen
        self._timer = timer
        self._written: set[int] = set()
        """The ids of parameters whose gradients are written already: further layers that share one add to it."""

    def run(self, seeds: Mapping[int, Array], targets: set[int]) -> dict[int, Array]:
        """Propagate the gradients `seeds` back. Returns those of the `targets` that they reach, by version."""
        forward = self._forward
        nodes = list(forward.nodes())
        keys = {version: forward.key(version) for version in targets}
        wanted = set(keys.values())
        needing = needed(nodes, wanted, lambda layer: any(map(self._wants, self._state.of(layer))))
        gradients: dict[Key, Array] = {}
        for version, seed in seeds.items():
            key = forward.key(version)
            self._add(gradients, key, forward.in_layout(key, seed))
        found: dict[Key, Array] = {}
        for node in reversed(nodes):
            found.update({key: gradients[key] for key in node.top if key in gradients and key in wanted})
            dtop = [gradients.pop(key, None) for key in node.top]
            if any(each is not None for each in dtop):
                began = time.perf_counter()
                self._step(node, dtop, needing, gradients)
                if self._timer is not None:
                    self._timer(node.layers, "backward", time.perf_counter() - began)
        for parameters in (self._state.params or {}).values():
            for parameter in parameters:
                if not self._wants(parameter) or (id(parameter) not in self._written and not self._accumulate):
                    parameter.zero_grad()
        found.update(gradients)
        return {version: forward.nchw(key, found[key]) for version, key in keys.items() if key in found}

    def _step(
        self, node: Node[Key], dtop: Sequence[Array | None], needing: set[Key], gradients: dict[Key, Array]
    ) -> None:
        """Propagate the gradients of one node's tops to its bottoms and parameters."""
        parameters = self._state.of(node.layer) if node.layer is not None else ()
        needs = [can and key in needing for can, key in zip(node.differentiable, node.bottom, strict=True)]
        dparams = self._buffers(parameters)
        if not any(needs) and all(each is None for each in dparams):
            return
        dtype = next(each.dtype for each in dtop if each is not None)
        tops = zip(node.top_shapes, dtop, strict=True)
        full = [self._zeros(shape, dtype) if each is None else each for shape, each in tops]
        dbottom = node.backward(full, needs, dparams)
        for parameter, buffer in zip(parameters, dparams, strict=True):
            if buffer is None:
                continue
            if buffer is not parameter.grad:
                parameter.grad[...] += buffer
            self._written.add(id(parameter))
        del dparams  # frees the buffers, which are added by now
        for key, need, gradient in zip(node.bottom, needs, dbottom, strict=True):
            if need and gradient is not None:
                self._add(gradients, key, np.asarray(gradient, dtype, order="C"))

    def _add(self, gradients: dict[Key, Array], key: Key, gradient: Array) -> None:
        gradients[key] = self._forward.add(gradients[key], gradient) if key in gradients else gradient

    def _zeros(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        zeros = self._forward.memory(shape, dtype)
        zeros.fill(0)
        return zeros

    def _wants(self, parameter: Parameter) -> bool:
        """Whether to compute the parameter's gradient."""
        return not parameter.statistic and (self._frozen or parameter.lr_mult != 0)

    def _buffers(self, parameters: Sequence[Parameter]) -> list[Array | None]:
        """Where the layer writes each parameter's gradient: `grad`, a buffer that is added to `grad`, or None."""
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
    """The values whose gradients are needed: the targets, and all that depend on them or on a layer that trains."""
    found = set(targets)
    for node in nodes:
        below = any(can and key in found for can, key in zip(node.differentiable, node.bottom, strict=True))
        if below or (node.layer is not None and trains(node.layer)):
            found.update(node.top)
    return found
