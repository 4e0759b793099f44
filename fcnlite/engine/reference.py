"""The reference path: run the layers one by one, on N×C×H×W arrays, as the layer files define them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.engine.backprop import Node, Pass, Timer
from fcnlite.engine.state import State
from fcnlite.graph.preparation import PreparedRun
from fcnlite.graph.schedule import Schedule
from fcnlite.layers import calls
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.threads import blas_alone


class ReferencePath:
    """The executor of the reference path."""

    def __init__(self, state: State) -> None:
        self._state = state

    def forward(
        self, prepared: PreparedRun, feeds: Mapping[str, Array], timer: Timer | None
    ) -> tuple[dict[str, Array], ReferencePass]:
        """The output blobs by name, and the pass, from which gradients can be computed if `prepared` keeps it."""
        with blas_alone():
            return self._forward(prepared, feeds, timer)

    def _forward(
        self, prepared: PreparedRun, feeds: Mapping[str, Array], timer: Timer | None
    ) -> tuple[dict[str, Array], ReferencePass]:
        schedule, keep = prepared.schedule, prepared.kept.backward
        values = {version: feeds[name] for name, version in schedule.inputs.items()}
        runs = []
        for step in schedule.steps:
            began = time.perf_counter()
            bottom = [values[version] for version in step.bottom]
            top, run = run_layer(step.layer, bottom, bottom[:1] if step.overwrite else (), self._state)
            if timer is not None:
                timer((step.layer.spec.name,), "forward", time.perf_counter() - began)
            values.update(zip(step.top, top, strict=True))
            if keep:
                runs.append(run)
            for version in step.release:
                del values[version]
        outputs = {}
        for name, version in schedule.outputs.items():
            outputs[name] = values[version].copy() if keep or version in schedule.aliased else values[version]
        return outputs, ReferencePass(schedule, values, runs)


def run_layer(
    layer: Layer, bottom: list[Array], outs: Sequence[Array], state: State
) -> tuple[list[Array], BackwardRun]:
    """The layer's tops, and the run for its backward. `outs`: arrays that the layer may write its tops into."""
    parameters = state.of(layer.spec.name)
    run = ForwardRun(
        params=[each.data if layer.updates_params else each.array for each in parameters],
        outs=outs,
        rng=state.rng(layer.spec.name),
        shard=state.shard,
    )
    made = calls.forward(layer, bottom, run)
    if layer.updates_params:
        for each in parameters:
            each.changed()  # again, since another thread may have derived arrays from half-written values
    # NumPy returns scalars for arrays without axes; layers and callers get arrays.
    top = [np.asarray(each, state.dtype, order="C") for each in made]
    if not layer.aliases and not any(each is x for each in outs for x in bottom):
        top = [each.copy() if any(np.may_share_memory(each, x) for x in bottom) else each for each in top]
    return top, run.backward(layer, bottom, top)


class ReferencePass(Pass[int]):
    """A forward pass of the reference path. `runs`: the run for the backward of each step; empty if not kept."""

    def __init__(self, schedule: Schedule, values: Mapping[int, Array], runs: Sequence[BackwardRun]) -> None:
        super().__init__(schedule, values)
        self._runs = runs

    def key(self, version: int) -> int:
        return version

    def nodes(self) -> Iterator[Node[int]]:
        for step, run in zip(self.schedule.steps, self._runs, strict=True):
            layer = step.layer

            def backward(
                dtop: list[Array],
                needs: Sequence[bool],
                dparams: Sequence[Array | None],
                layer: Any = layer,
                run: BackwardRun = run,
            ) -> list[Array | None]:
                run.needs, run.dparams = needs, dparams
                dbottom = calls.backward(layer, dtop, run)
                run.dparams = ()  # releases the arrays, which `Backprop` gave for this call
                return dbottom

            yield Node(
                step.bottom,
                step.top,
                [i not in layer.stopped for i in range(len(step.bottom))],
                (layer.spec.name,),
                layer.spec.name,
                run.top_shapes,
                backward,
            )
