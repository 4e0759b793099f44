"""Batch normalisation of a blocked array, with what follows it at once: Scale and ReLU."""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import BLOCK, Machine, Operation, Run, Value, blocks
from fcnlite.layers.batch_norm import BatchNorm, averages
from fcnlite.layers.scale import Scale


class Normalization(Operation):
    """BatchNorm; then Scale, if `scale` is set; then ReLU, if `relu` is.

    g = dy where y > 0,  x̂ = (x − mean) / σ
    dfactor = Σ g · x̂,  dbias = Σ g
    dx = factor / σ · (g − mean(g) − x̂ · mean(g · x̂))        (dx = factor / σ · g with use_global_stats)
    """

    kind = "batch normalisation"

    def __init__(self, layer: BatchNorm, inputs: list[Value], outputs: list[Value]) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.layer = layer
        self.updates_params = layer.updates_params
        self.scale: Scale | None = None
        self.relu = False

    @property
    def learns(self) -> str | None:
        return None if self.scale is None else self.scale.spec.name

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        (x,) = bottom
        mean, variance = self._statistics(x, machine)
        sigma = np.sqrt(variance + self.layer.options.eps)
        factor, bias = 1 / sigma, np.zeros_like(sigma)
        if self.scale is not None:
            of_scale, *of_bias = (each.array.astype(np.float64) for each in machine.params(self.scale.spec.name))
            factor, bias = factor * of_scale, of_bias[0] if of_bias else bias
        affine = self._laid(mean), self._laid(factor), self._laid(bias)
        machine.kernels.normalize(x, *affine, self.relu, top[0], machine.threads)
        run.saved = x, affine, sigma
        return top

    def _statistics(self, x: Array, machine: Machine) -> tuple[Array, Array]:
        """Mean and variance of every channel, in float64. The batch's join the running sums."""
        parameters = machine.params(self.layer.spec.name)
        if self.layer.use_global_stats:
            return averages(*(each.array.astype(np.float64) for each in parameters))
        n, count, height, width, _ = x.shape
        moments = np.empty((count, n * height, 2, BLOCK), np.float32)
        machine.kernels.row_moments(x, moments, machine.threads)
        of_rows, squares = moments[:, :, 0].astype(np.float64), moments[:, :, 1].sum(axis=1, dtype=np.float64)
        mean = of_rows.mean(axis=1)
        variance = (squares / width + np.square(of_rows - mean[:, None]).sum(axis=1)) / (n * height)
        mean, variance = self._channels(mean), self._channels(variance)
        self.layer.update_sums(mean, variance, n * height * width, [each.data for each in parameters])
        for each in parameters:
            each.changed()  # another thread may have prepared what was half written
        return mean, variance

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        (dy,), (x, affine, sigma) = dtop, run.saved
        n, count, height, width, _ = x.shape
        rows = np.empty((count, n * height, 2, BLOCK), np.float32)
        machine.kernels.normalize_sums(dy, x, *affine, self.relu, rows, machine.threads)
        sums = rows.sum(axis=1, dtype=np.float64)
        dbias, dfactor = self._channels(sums[:, 0]), self._channels(sums[:, 1]) / sigma
        for gradient, into in zip((dfactor, dbias), run.dparams, strict=False):
            if into is not None:
                into[...] = gradient
        if not run.needs[0]:
            return [None]
        m = 0 if self.layer.use_global_stats else 1 / (n * height * width)
        means = self._laid(dbias * m), self._laid(dfactor / sigma * m)
        dx = machine.buffer(x.shape)
        machine.kernels.normalize_backward(dy, x, *affine, self.relu, *means, dx, machine.threads)
        return [dx]

    def _laid(self, values: Array) -> Array:
        """A value for every channel in blocks; 0 for those that pad."""
        channels = self.inputs[0].shape[1]
        laid = np.zeros((blocks(channels), BLOCK), np.float32)
        laid.reshape(-1)[:channels] = values
        return laid

    def _channels(self, values: Array) -> Array:
        """The values of the channels that there are, out of blocks."""
        return values.reshape(-1)[: self.inputs[0].shape[1]]

    def describe(self) -> str:
        after = [word for word, there in (("scale", self.scale), ("ReLU", self.relu)) if there]
        return ", ".join([self.kind, *after])
