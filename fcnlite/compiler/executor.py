"""The fast path: compiles each prepared run into a plan, keeps the last plans, and runs them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from fcnlite import config
from fcnlite._kernels import isa
from fcnlite.arrays import Array
from fcnlite.compiler import compile_schedule, graph_of, report, rewrite
from fcnlite.compiler.arena import Arena, Outputs
from fcnlite.compiler.machine import DerivedObjects, Machine
from fcnlite.compiler.plan import Plan, PlanPass
from fcnlite.engine.backprop import Timer
from fcnlite.engine.state import State
from fcnlite.graph.preparation import PreparedRun

KEPT_PLANS = 8


class FastPath:
    """Runs compiled plans. All of them share one arena and the weights that they derive from parameters."""

    def __init__(self, state: State, *, low_memory: bool) -> None:
        self._state = state
        self._low_memory = low_memory
        self.plans: dict[tuple[PreparedRun, int], Plan] = {}
        """By prepared run and number of threads, oldest first."""
        self.arena, self._outputs = Arena(), Outputs()
        self.derived = DerivedObjects()
        """Arrays computed from parameters, such as transformed weights."""
        self.derived.first_pass = True

    def forward(
        self, prepared: PreparedRun, feeds: Mapping[str, Array], timer: Timer | None
    ) -> tuple[dict[str, Array], PlanPass]:
        """The output blobs by name, and what a backward pass needs."""
        plan = self.plan(prepared)
        clock: list[float] = []
        last = plan.forward(feeds, clock)
        if timer is not None:
            for operation, (began, ended) in zip(plan.graph.operations, pairwise(clock), strict=True):
                timer(operation.layers, "forward", ended - began)
        return last.outputs(), last

    def plan(self, prepared: PreparedRun) -> Plan:
        """The plan of a prepared run, compiled unless it is among the last `KEPT_PLANS`."""
        key = prepared, config.num_threads()
        if key not in self.plans:
            schedule, kept = prepared.schedule, prepared.kept
            in_full = [schedule.version(name) for name in kept.blobs]
            plan = compile_schedule(schedule, prepared.shapes, self._machine(), training=kept.backward, in_full=in_full)
            while len(self.plans) >= KEPT_PLANS:
                del self.plans[next(iter(self.plans))]
            self.plans[key] = plan
            if len(self.plans) == KEPT_PLANS:
                self._drop_derived()
        return self.plans[key]

    def listings(self, prepared: PreparedRun) -> dict[str, list[str]]:
        """The operations of a prepared run before the first pass of the compiler, under "", and after each pass."""
        schedule, kept = prepared.schedule, prepared.kept
        in_full = [schedule.version(name) for name in kept.blobs]
        graph = graph_of(schedule, prepared.shapes, training=kept.backward, in_full=in_full)
        listings = {"": report.operations(graph)}
        for name, _ in rewrite(graph, self._machine()):
            listings[name] = report.operations(graph)
        return listings

    def _drop_derived(self) -> None:
        """Free the derived arrays that no plan uses any more."""
        used = set().union(*(each.machine.used for each in self.plans.values()))
        for key in self.derived.keys() - used:
            del self.derived[key]

    def _machine(self) -> Machine:
        kernels, threads = isa.kernels("fast"), config.num_threads()
        return Machine(self._state, kernels, threads, self.derived, self.arena, self._outputs, self._low_memory)
