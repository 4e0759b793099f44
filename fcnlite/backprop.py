"""Backpropagation: the chain rule over the layers of a forward pass, last to first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcnlite.layers.base import Run, named
from fcnlite.parameter import Parameter
from fcnlite.schedule import Schedule, Step

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Pass:
    """A forward pass that a backward may follow."""

    schedule: Schedule
    values: dict[int, Array]
    """The versions that were kept."""
    runs: dict[int, Run]
    """What each step left, by its place in the schedule."""


class Backprop:
    """One backward pass over `forward`, with the net's `params`.

    `frozen`: parameters that do not learn get their gradients too. `accumulate`: parameters' gradients are added to
    what is there.
    """

    def __init__(
        self, forward: Pass, params: Mapping[str, Sequence[Parameter]], *, accumulate: bool, frozen: bool
    ) -> None:
        self._forward = forward
        self._params = params
        self._accumulate = accumulate
        self._frozen = frozen
        self._written: set[int] = set()
        """The parameters, by id, whose gradients this pass has written: one that several layers share is added to."""

    def run(self, seeds: Mapping[int, Array], targets: set[int]) -> dict[int, Array]:
        """Carry the gradients of the versions in `seeds` down; returns those of `targets`, where any reached them."""
        schedule = self._forward.schedule
        needed = schedule.needed(targets, lambda layer: any(map(self._wants, self._of(layer.spec.name))))
        gradients: dict[int, Array] = dict(seeds)
        found: dict[int, Array] = {}
        for i in reversed(range(len(schedule.steps))):
            step = schedule.steps[i]
            found.update({version: gradients[version] for version in step.top if version in gradients})
            dtop = [gradients.pop(version, None) for version in step.top]
            if any(each is not None for each in dtop):
                self._step(step, self._forward.runs[i], dtop, needed, gradients)
        for parameters in self._params.values():
            for parameter in parameters:
                if not self._wants(parameter) or (id(parameter) not in self._written and not self._accumulate):
                    parameter.zero_grad()
        found.update(gradients)
        return {version: found[version] for version in targets if version in found}

    def _step(
        self, step: Step, run: Run, dtop: Sequence[Array | None], needed: set[int], gradients: dict[int, Array]
    ) -> None:
        """Carry the gradients of one layer's tops to its bottoms and parameters."""
        layer, parameters = step.layer, self._of(step.layer.spec.name)
        run.needs = [version in needed for version in step.differentiable]
        run.dparams = self._buffers(parameters)
        if not any(run.needs) and all(each is None for each in run.dparams):
            return
        dtype = next(each.dtype for each in dtop if each is not None)
        full = [
            np.zeros(shape, dtype) if each is None else each for shape, each in zip(run.top_shapes, dtop, strict=True)
        ]
        dbottom = named(layer, lambda: layer.backward(full, run))
        for parameter, buffer in zip(parameters, run.dparams, strict=True):
            if buffer is None:
                continue
            if buffer is not parameter.grad:
                parameter.grad[...] += buffer
            self._written.add(id(parameter))
        for version, need, gradient in zip(step.bottom, run.needs, dbottom, strict=True):
            if need and gradient is not None:
                gradients[version] = gradients[version] + gradient if version in gradients else gradient

    def _of(self, layer: str) -> Sequence[Parameter]:
        return self._params.get(layer, ())

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
            buffers.append((np.empty_like(each.array) if adds else each.grad) if self._wants(each) else None)
        return buffers
