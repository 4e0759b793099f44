"""Operations without much to them: plain layers, conversions between layouts, parts and sums of arrays, losses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import prod

import numpy as np

from fcnlite.compiler.cost import Cost
from fcnlite.compiler.ir import Machine, Operation, Run, Value
from fcnlite.layers import calls, infogain_loss, softmax_loss
from fcnlite.layers.base import Array, BackwardRun, Layer, canonical_axis, named
from fcnlite.layers.concat import Concat
from fcnlite.layers.eltwise import Eltwise
from fcnlite.layers.infogain_loss import InfogainLoss
from fcnlite.layers.inner_product import InnerProduct
from fcnlite.layers.labels import read_labels
from fcnlite.layers.softmax_loss import SoftmaxWithLoss


class LayerOperation(Operation):
    """A layer as the plain path computes it."""

    kind = "layer"

    def __init__(self, layer: Layer, inputs: list[Value], outputs: list[Value], overwrite: bool) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.layer = layer
        self.aliases = layer.aliases or overwrite
        self.updates_params = layer.updates_params
        self.no_gradient = layer.stopped
        self.overwrite = overwrite

    def keep_inputs(self) -> None:
        """Never write over the first input."""
        self.overwrite, self.aliases = False, self.layer.aliases

    @property
    def learns(self) -> str | None:
        return self.layer.spec.name

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        outs = bottom[:1] if self.overwrite else top if self.layer.writes_out else []
        made, run.saved = machine.run_layer(self.layer, bottom, outs)
        if self.aliases:
            return made
        if len(top) > 1:  # one may lie in another's place
            made = [array if array is place else array.copy() for array, place in zip(made, top, strict=True)]
        for array, place in zip(made, top, strict=True):
            place[...] = array  # it lies there already, if the layer writes out
        if run.saved.top:  # what backward reads: not kept twice
            run.saved.top = top
        return top

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        inner: BackwardRun = run.saved
        inner.needs, inner.dparams = run.needs, run.dparams
        made = calls.backward(self.layer, dtop, inner)
        inner.dparams = ()
        return [None if each is None else machine.arena.taken(each) for each in made]

    def cost(self, threads: int) -> Cost:
        macs = self.layer.macs([each.shape for each in self.inputs], [each.shape for each in self.outputs])
        return super().cost(threads) + Cost(products=2.0 * macs)

    def describe(self) -> str:
        return self.kind if type(self) is not LayerOperation else f"plain {self.layer.type}"


class ToBlocked(Operation):
    """N×C×H×W to blocked."""

    kind = "to blocked"

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        machine.kernels.to_blocked(bottom[0], top[0], machine.threads)
        return top

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        dx = machine.buffer(self.inputs[0].shape)
        machine.kernels.from_blocked(dtop[0], dx, machine.threads)
        return [dx]


class FromBlocked(Operation):
    """Blocked to N×C×H×W."""

    kind = "from blocked"

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        machine.kernels.from_blocked(bottom[0], top[0], machine.threads)
        return top

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        dx = machine.buffer(self.inputs[0].memory_shape)
        machine.kernels.to_blocked(dtop[0], dx, machine.threads)
        return [dx]


class FewRows(LayerOperation):
    """InnerProduct of a batch so small that the weight's way from memory takes the time."""

    kind = "inner product of few rows"
    MOST = 16
    """Rows; for more, a matrix product reuses what it has read."""

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        if not isinstance(layer, InnerProduct) or layer.options.transpose:
            return False
        return prod(layer.split(bottom.shape)[0]) <= FewRows.MOST

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        weight, *bias = (each.array for each in machine.params(self.layer.spec.name))
        y = top[0].reshape(-1, weight.shape[0])
        x = machine.scratch.reshape(len(y), -1)  # aligned, which a vector's loads want
        x[...] = bottom[0].reshape(x.shape)
        none = np.empty(0, np.float32)
        machine.kernels.inner_product(x, weight, bias[0] if bias else none, y, machine.threads)
        run.saved = BackwardRun([weight, *bias], bottom=bottom, bottom_shapes=[each.shape for each in bottom])
        return top

    def scratch_floats(self, machine: Machine) -> int:
        return prod(self.inputs[0].shape)

    def cost(self, threads: int) -> Cost:
        layer = self.layer
        assert isinstance(layer, InnerProduct)
        weights = layer.split(self.inputs[0].shape)[1] * layer.options.num_output
        return super().cost(threads) + Cost(memory=4.0 * weights)


class SoftmaxLoss(LayerOperation):
    """SoftmaxWithLoss over the channels of N×C×H×W or N×C, in one pass; or InfogainLoss with a diagonal matrix.

    The diagonal's entries say how much a pixel of each class counts.
    """

    kind = "softmax loss"

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        if type(layer) not in (SoftmaxWithLoss, InfogainLoss) or len(bottom.shape) not in (2, 4):
            return False
        if canonical_axis(layer.options.axis, len(bottom.shape)) != 1:
            return False
        if isinstance(layer, SoftmaxWithLoss):
            return True
        h = np.reshape(layer.options.matrix, (bottom.shape[1], -1))
        return h.size > 0 and bool((h == np.diag(np.diag(h))).all())  # empty: it is the third bottom

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        x, label = bottom
        layer = self.layer
        assert isinstance(layer, SoftmaxWithLoss | InfogainLoss)
        label, counted = named(layer, lambda: read_labels(label, x.shape, 1, layer.options.ignore_label))
        x = _as_pictures(x)
        label, counted = label.reshape(-1, *x.shape[2:]), counted.reshape(-1, *x.shape[2:])
        importance, smallest = counted.astype(np.float32), float(softmax_loss.SMALLEST)
        if isinstance(layer, InfogainLoss):
            smallest = infogain_loss.SMALLEST
            importance *= np.diag(np.reshape(layer.options.matrix, (x.shape[1], -1))).astype(np.float32)[label]
        p = _as_pictures(top[1]) if len(top) > 1 else machine.kept.reshape(x.shape)
        loss = machine.kernels.softmax_loss(x, label, importance, smallest, p, machine.threads)
        z = layer.normalizer(counted, x.shape[0])
        run.saved = p, label, importance, z
        top[0][...] = loss / z
        return top

    def kept_floats(self) -> int:
        return 0 if len(self.outputs) > 1 else prod(self.inputs[0].shape)

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        p, label, importance, z = run.saved
        dx = machine.buffer(p.shape)
        machine.kernels.softmax_loss_backward(p, label, importance, float(dtop[0]) / z, dx, machine.threads)
        return [dx.reshape(self.inputs[0].shape), None]


def _as_pictures(x: Array) -> Array:
    """N×C×H×W; of N×C pictures of one pixel."""
    return x.reshape(*x.shape[:2], *(x.shape[2:] or (1, 1)))


class Cut(Operation):
    """A part of an array, at a fixed place."""

    kind = "crop"

    def __init__(
        self, inputs: Sequence[Value], outputs: Sequence[Value], layers: Sequence[str], window: tuple[slice, ...]
    ) -> None:
        super().__init__(inputs, outputs, layers)
        self.window = window
        self.aliases = self.outputs[0].shape == self.inputs[0].shape
        """Whether it is the whole, and the same array."""

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        if self.aliases:
            return [bottom[0]]
        top[0][...] = bottom[0][self.window]
        return top

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        if self.aliases:
            return [dtop[0]]
        dx = machine.buffer(self.inputs[0].shape)
        dx[...] = 0
        dx[self.window] = dtop[0]
        return [dx]


class Concatenation(LayerOperation):
    """Arrays beside one another along an axis; blocked ones along the channels."""

    kind = "concatenation"

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        return type(layer) is Concat

    @property
    def axis(self) -> int:
        assert isinstance(self.layer, Concat)
        return canonical_axis(self.layer.axis, len(self.inputs[0].shape))

    def _parts(self) -> list[tuple[int, int]]:
        """Where on the axis each input begins and ends."""
        return list(pairwise(accumulate((each.shape[self.axis] for each in self.inputs), initial=0)))

    def _at(self, start: int, stop: int) -> tuple[slice, ...]:
        return (*[slice(None)] * self.axis, slice(start, stop))

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        for x, (start, stop) in zip(bottom, self._parts(), strict=True):
            if self.outputs[0].blocked:
                machine.kernels.put_channels(x, stop - start, top[0], start, machine.threads)
            else:
                top[0][self._at(start, stop)] = x
        return top

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        gradients: list[Array | None] = []
        for value, need, (start, stop) in zip(self.inputs, run.needs, self._parts(), strict=True):
            dx = machine.buffer(value.memory_shape) if need else None
            if dx is not None and value.blocked:
                machine.kernels.take_channels(dtop[0], start, stop - start, dx, machine.threads)
            elif dx is not None:
                dx[...] = dtop[0][self._at(start, stop)]
            gradients.append(dx)
        return gradients


class Sum(LayerOperation):
    """Eltwise SUM, in either layout."""

    kind = "sum"

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        return type(layer) is Eltwise and layer.options.operation == "SUM"

    @property
    def coefficients(self) -> Sequence[float]:
        """One for each input; none where all are 1."""
        return self.layer.options.coeff

    def scratch_floats(self, machine: Machine) -> int:
        return self.outputs[0].floats if self.coefficients else 0

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        if not self.coefficients:
            np.add(bottom[0], bottom[1], out=top[0])
            for x in bottom[2:]:
                top[0] += x
            return top
        term = machine.scratch.reshape(top[0].shape)
        np.multiply(bottom[0], np.float32(self.coefficients[0]), out=top[0])
        for x, coefficient in zip(bottom[1:], self.coefficients[1:], strict=True):
            top[0] += np.multiply(x, np.float32(coefficient), out=term)
        return top

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        (dy,) = dtop
        if not self.coefficients:
            return [dy if need else None for need in run.needs]
        return [
            np.multiply(dy, np.float32(each), out=machine.buffer(dy.shape)) if need else None
            for need, each in zip(run.needs, self.coefficients, strict=True)
        ]
