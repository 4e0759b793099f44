"""Backpropagation: apply the chain rule to the steps of a forward pass, from last to first.

A value that several steps read, such as pool4 of an FCN with skips, gets a gradient from each of them: its gradient is
their sum.
"""

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
"""Identifies a value: a version of the schedule on the reference path, a `Value` of the plan on the fast path."""
Backward = Callable[[list[Array], Sequence[bool], Sequence[Array | None]], list[Array | None]]
"""Takes the tops' gradients, which bottoms need one, and arrays for the parameters'. Returns the bottoms' gradients."""
Timer = Callable[[Sequence[str], str, float], None]
"""Called after a step, with the names of its layers, "forward" or "backward", and the seconds that it took."""


@dataclass
class Node(Generic[Key]):
    """One step of the forward pass: a layer, or an operation of a plan."""

    bottom: Sequence[Key]
    top: Sequence[Key]
    differentiable: Sequence[bool]
    """Whether each bottom can get a gradient from this step."""
    layers: Sequence[str]
    """The layers that the step computes."""
    layer: str | None
    """The layer whose parameters, if it has any, get their gradients from this step; None if no parameter does."""
    top_shapes: Sequence[Shape]
    """The shapes of the arrays that hold the tops, in their own layouts."""
    backward: Backward


_NOWHERE = -1
"""The place of parameters that no node uses."""


class Pass(Generic[Key]):
    """The values and the steps of a forward pass; if it was kept, gradients can be computed from it."""

    def __init__(self, schedule: Schedule, values: Mapping[int, Array]) -> None:
        self.schedule = schedule
        self.values = values
        """The values that were kept, by version, in NCHW layout."""

    def nodes(self) -> Iterable[Node[Key]]:
        """The steps in the order in which they ran."""
        raise NotImplementedError

    def key(self, version: int) -> Key:
        """The key that `nodes` uses for a version."""
        raise NotImplementedError

    def in_full(self, version: int) -> bool:
        """Whether every row and column of a version is stored, so that each has a gradient of its own."""
        return True

    def in_layout(self, key: Key, gradient: Array) -> Array:
        """`gradient`, in NCHW layout, converted to the layout of its value."""
        return gradient

    def nchw(self, key: Key, gradient: Array) -> Array:
        """`gradient`, in the layout of its value, converted to NCHW."""
        return gradient

    def memory(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """Memory for a gradient that `Backprop` fills with zeros, or that it adds to another one."""
        return np.empty(shape, dtype)

    def add(self, gradient: Array, other: Array) -> Array:
        """The sum of two gradients of the same value."""
        return gradient + other


def first_nonfinite(last: Pass[Any], params: Mapping[str, Sequence[Parameter]]) -> tuple[int, str] | None:
    """The step in which NaN or infinity first appears, -1 for an input, and a description; None if nowhere."""
    for name, version in last.schedule.inputs.items():
        if not np.isfinite(last.values[version]).all():
            return -1, f"input {name!r}"
    overwritten: dict[str, Layer] = {}
    for place, step in enumerate(last.schedule.steps):
        name = step.layer.spec.name
        for i, parameter in enumerate(params.get(name, ())):
            if not np.isfinite(parameter.array).all():
                return place, f"parameter {i} of layer {name!r}"
        for blob, version in zip(step.layer.spec.top, step.top, strict=True):
            if version not in last.values:
                overwritten.setdefault(blob, step.layer)
                continue
            # In-place layers make finite values from finite ones, so blame the layer whose top they overwrote.
            origin = overwritten.pop(blob, step.layer)
            if not np.isfinite(last.values[version]).all():
                return place, f"the output of layer {origin.spec.name!r} ({origin.type})"
    return None


class Backprop(Generic[Key]):
    """One backward pass through `forward`: computes gradients of the parameters in `state` and of blobs.

    `frozen`: also compute the gradients of parameters with an lr_mult of 0. `accumulate`: add to the parameters'
    gradients instead of overwriting them. `timer`: called after each node. `final`: called with each parameter as soon
    as this pass has written its gradient for the last time.
    """

    def __init__(
        self,
        forward: Pass[Key],
        state: State,
        *,
        accumulate: bool,
        frozen: bool,
        timer: Timer | None = None,
        final: Callable[[Parameter], None] | None = None,
    ) -> None:
        self._forward = forward
        self._state = state
        self._accumulate = accumulate
        self._frozen = frozen
        self._timer = timer
        self._final = final
        self._written: set[int] = set()
        """The ids of the parameters whose gradients are written; other layers that share one add to its gradient."""

    def run(self, seeds: Mapping[int, Array], targets: set[int]) -> dict[int, Array]:
        """Propagate `seeds`, gradients by version, back to the parameters and to the versions in `targets`.

        Returns the gradients of the targets that the seeds reach. Parameters that they do not reach get zero, or keep
        their gradients with `accumulate`.
        """
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
        first = self._first_users(nodes)
        for place, node in reversed([*enumerate(nodes)]):
            found.update({key: gradients[key] for key in node.top if key in gradients and key in wanted})
            dtop = [gradients.pop(key, None) for key in node.top]
            if any(each is not None for each in dtop):
                began = time.perf_counter()
                self._step(node, dtop, needing, gradients)
                if self._timer is not None:
                    self._timer(node.layers, "backward", time.perf_counter() - began)
            for parameter in first.pop(place, ()):
                self._finish(parameter)
        for parameter in first.pop(_NOWHERE, ()):
            self._finish(parameter)
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
        del dparams  # frees the buffers, whose contents have been added
        for key, need, gradient in zip(node.bottom, needs, dbottom, strict=True):
            if need and gradient is not None:
                self._add(gradients, key, np.asarray(gradient, dtype, order="C"))

    def _first_users(self, nodes: Sequence[Node[Key]]) -> dict[int, list[Parameter]]:
        """The parameters by the place of the first node that uses them, which is the last one in backward."""
        places: dict[int, int] = {}
        for place, node in enumerate(nodes):
            for parameter in self._state.of(node.layer) if node.layer is not None else ():
                places.setdefault(id(parameter), place)
        found: dict[int, list[Parameter]] = {}
        unique = {id(each): each for group in (self._state.params or {}).values() for each in group}
        for key, parameter in unique.items():
            found.setdefault(places.get(key, _NOWHERE), []).append(parameter)
        return found

    def _finish(self, parameter: Parameter) -> None:
        """End the pass for a parameter: its gradient is zero if the pass has not reached it."""
        if not self._wants(parameter) or (id(parameter) not in self._written and not self._accumulate):
            parameter.zero_grad()
        if self._final is not None:
            self._final(parameter)

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
        """Where to write each parameter's gradient: `grad`, a buffer to be added to `grad`, or None if not wanted."""
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
    """The values whose gradients are needed: targets, tops of layers that train, and all that is computed from these.

    `trains`: whether a layer has parameters whose gradients are wanted.
    """
    found = set(targets)
    for node in nodes:
        below = any(can and key in found for can, key in zip(node.differentiable, node.bottom, strict=True))
        if below or (node.layer is not None and trains(node.layer)):
            found.update(node.top)
    return found
