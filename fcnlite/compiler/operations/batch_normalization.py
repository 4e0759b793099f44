"""Batch normalisation of a blocked array, with the Scale and the ReLU that follow it."""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import BLOCK, BackwardStep, ForwardStep, Layout, Operation, Value, blocks
from fcnlite.compiler.machine import Machine
from fcnlite.layers.batch_norm import BatchNorm, averages
from fcnlite.layers.scale import Scale


class BatchNormalization(Operation):
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
    def reads(self) -> Layout:
        return Layout.BLOCKED

    @property
    def learns(self) -> str | None:
        return None if self.scale is None else self.scale.spec.name

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        (x,) = bottom
        mean, variance, count = self._statistics(x, machine)
        sigma = np.sqrt(variance + self.layer.options.eps)
        factor, bias = 1 / sigma, np.zeros_like(sigma)
        if self.scale is not None:
            of_scale, *of_bias = (each.array.astype(np.float64) for each in machine.params(self.scale.spec.name))
            factor, bias = factor * of_scale, of_bias[0] if of_bias else bias
        affine = self._in_blocks(mean), self._in_blocks(factor), self._in_blocks(bias)
        machine.kernels.batch_norm(x, *affine, self.relu, top[0], machine.threads)
        step.saved = x, affine, sigma, count
        return top

    def _statistics(self, x: Array, machine: Machine) -> tuple[Array, Array, int]:
        """Mean, variance and number of values of every channel; those of the batch are added to the running sums.

        Mean and variance are in float64. The number is 0 with use_global_stats.
        """
        parameters = machine.params(self.layer.spec.name)
        if self.layer.use_global_stats:
            return *averages(*(each.array.astype(np.float64) for each in parameters)), 0
        n, count, height, width, _ = x.shape
        moments = np.empty((count, n * height, 2, BLOCK), np.float32)
        machine.kernels.row_moments(x, moments, machine.threads)
        of_rows, squares = moments[:, :, 0].astype(np.float64), moments[:, :, 1].sum(axis=1, dtype=np.float64)
        mean = of_rows.mean(axis=1)
        variance = (squares / width + np.square(of_rows - mean[:, None]).sum(axis=1)) / (n * height)
        of_part = self._channels(mean), self._channels(variance), n * height * width
        mean, variance, m = machine.state.shard.moments(*of_part)
        self.layer.update_sums(mean, variance, m, [each.data for each in parameters])
        for each in parameters:
            each.changed()  # another thread may have derived something from half-written sums
        return mean, variance, m

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        (dy,), (x, affine, sigma, m) = dtop, step.saved
        n, count, height, _, _ = x.shape
        rows = np.empty((count, n * height, 2, BLOCK), np.float32)
        machine.kernels.batch_norm_sums(dy, x, *affine, self.relu, rows, machine.threads)
        sums = rows.sum(axis=1, dtype=np.float64)
        dbias, dfactor = self._channels(sums[:, 0]), self._channels(sums[:, 1]) / sigma
        for gradient, into in zip((dfactor, dbias), step.dparams, strict=False):
            if into is not None:
                into[...] = gradient
        if not step.needs[0]:
            return [None]
        of_batch = np.stack([dbias, dfactor / sigma])
        of_batch = machine.state.shard.ranks.sum(of_batch) * (1 / m) if m else np.zeros_like(of_batch)
        means = [self._in_blocks(each) for each in of_batch]
        dx = machine.buffer(x.shape)
        machine.kernels.batch_norm_backward(dy, x, *affine, self.relu, *means, dx, machine.threads)
        return [dx]

    def _in_blocks(self, values: Array) -> Array:
        """One value for each channel, in blocks; 0 for the channels that pad them."""
        channels = self.inputs[0].shape[1]
        padded = np.zeros((blocks(channels), BLOCK), np.float32)
        padded.reshape(-1)[:channels] = values
        return padded

    def _channels(self, values: Array) -> Array:
        """The inverse: one value for each channel, without those that pad."""
        return values.reshape(-1)[: self.inputs[0].shape[1]]

    def describe(self) -> str:
        after = [word for word, there in (("scale", self.scale), ("ReLU", self.relu)) if there]
        return ", ".join([self.kind, *after])
