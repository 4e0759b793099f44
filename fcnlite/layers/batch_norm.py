"""Batch normalisation by channel, without scale and shift (Caffe's BatchNorm; a Scale layer follows it).

    y = (x − mean) / σ,  σ = √(variance + eps)
    dx = (dy − mean(dy) − y · mean(dy · y)) / σ        (dx = dy / σ with use_global_stats)

Without use_global_stats, mean and variance are those of the batch, over all axes except axis 1, and are added to the
running sums, where f is moving_average_fraction and m the number of values in a channel:

    mean_sum ← f · mean_sum + mean        variance_sum ← f · variance_sum + variance · m / (m − 1)
    weight ← f · weight + 1

With use_global_stats, mean = mean_sum / weight and variance = variance_sum / weight. bottom N×C×…, top the same;
parameters mean_sum C, variance_sum C and weight 1, which solvers do not change. Options: use_global_stats (true in
TEST, false in TRAIN), moving_average_fraction 0.999, eps 1e-5. Ioffe and Szegedy, 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class BatchNormOptions:
    use_global_stats: bool | None = None
    moving_average_fraction: float = 0.999
    eps: float = 1e-5


@register
class BatchNorm(Layer):
    type = "BatchNorm"
    messages = ("batch_norm_param",)
    Options = BatchNormOptions
    backward_reads = frozenset({"top"})
    writes_out = True
    over_batch = True

    def check(self) -> None:
        o = self.options
        if o.eps < 0:
            raise SpecError(f"eps is {o.eps}; expected at least 0.")
        self.use_global_stats = self.phase == "TEST" if o.use_global_stats is None else o.use_global_stats
        self.updates_params = not self.use_global_stats

    def params(self, *bottom: Shape) -> list[ParamShape]:
        channels = _channels(bottom[0])
        return [
            ParamShape((channels,), statistic=True),
            ParamShape((channels,), statistic=True),
            ParamShape((1,), statistic=True),
        ]

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        _channels(bottom[0])
        return [bottom[0]]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        axes, per_channel = _over_channels(x)
        mean_sum, variance_sum, weight = run.params
        if self.use_global_stats:
            mean, variance = averages(mean_sum, variance_sum, weight)
            y = np.subtract(x, mean.reshape(per_channel), out=run.out)
        else:
            mean = x.mean(axis=axes)
            y = np.subtract(x, mean.reshape(per_channel), out=run.out)
            here = mean
            mean, variance, m = run.shard.moments(mean, np.square(y).mean(axis=axes), x.size // mean.size)
            if mean is not here:
                y = np.subtract(x, mean.reshape(per_channel), out=run.out)
            self.update_sums(mean, variance, m, run.params)
        sigma = np.sqrt(variance + x.dtype.type(self.options.eps)).reshape(per_channel)
        y /= sigma
        run.saved = sigma
        return [y]

    def update_sums(self, mean: Array, variance: Array, m: int, params: Sequence[Array]) -> None:
        """Add a batch's statistics, of m values in a channel, to the running sums."""
        mean_sum, variance_sum, weight = params
        f = mean_sum.dtype.type(self.options.moving_average_fraction)
        mean_sum[...] = f * mean_sum + mean
        variance_sum[...] = f * variance_sum + variance * mean_sum.dtype.type(m / (m - 1) if m > 1 else 1)
        weight[...] = f * weight + 1

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (y,), sigma = dtop, run.top, run.saved
        if self.use_global_stats:
            return [dy / sigma]
        axes, per_channel = _over_channels(y)
        means = np.stack([(dy * y).mean(axis=axes), dy.mean(axis=axes)])
        mean_dyy, mean_dy = run.shard.mean(means, y.size // means[0].size)
        dx = y * mean_dyy.reshape(per_channel)
        np.subtract(dy, dx, out=dx)
        dx -= mean_dy.reshape(per_channel)
        dx /= sigma
        return [dx]


def averages(mean_sum: Array, variance_sum: Array, weight: Array) -> tuple[Array, Array]:
    """The mean and variance of every channel from the running sums; 0 before the first batch, as in Caffe."""
    factor = 0 if weight[0] == 0 else 1 / weight[0]
    return mean_sum * factor, variance_sum * factor


def _channels(shape: Shape) -> int:
    """The number of channels, C; a blob with one axis has one channel, as in Caffe."""
    if not shape:
        raise ShapeError("expected a blob of at least one axis, found a scalar")
    return shape[1] if len(shape) > 1 else 1


def _over_channels(x: Array) -> tuple[tuple[int, ...], Shape]:
    """The axes to average over, and the shape in which one value per channel broadcasts over x."""
    if x.ndim == 1:
        return (0,), (1,)
    return (0, *range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
