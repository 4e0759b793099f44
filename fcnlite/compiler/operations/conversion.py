"""Conversions from one layout to the other."""

from __future__ import annotations

from fcnlite.arrays import Array
from fcnlite.compiler.ir import BackwardStep, ForwardStep, Layout, Operation
from fcnlite.compiler.machine import Machine


class ToBlocked(Operation):
    """N×C×H×W to blocked."""

    kind = "to blocked"

    @property
    def writes(self) -> Layout:
        return Layout.BLOCKED

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        machine.kernels.to_blocked(bottom[0], top[0], machine.threads)
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        dx = machine.buffer(self.inputs[0].shape)
        machine.kernels.from_blocked(dtop[0], dx, machine.threads)
        return [dx]


class FromBlocked(Operation):
    """Blocked to N×C×H×W."""

    kind = "from blocked"

    @property
    def reads(self) -> Layout:
        return Layout.BLOCKED

    @property
    def writes(self) -> Layout:
        return Layout.NCHW

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        machine.kernels.from_blocked(bottom[0], top[0], machine.threads)
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        dx = machine.buffer(self.inputs[0].memory_shape)
        machine.kernels.to_blocked(dtop[0], dx, machine.threads)
        return [dx]
