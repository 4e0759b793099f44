"""Batch normalisation with scale and shift in one layer (BN of two forks of Caffe).

    y = scale · x̂ + shift for each channel,  x̂ = (x − mean) / σ,  σ = √(variance + eps)
    dscale = Σ dy · x̂, dshift = Σ dy, dx = (dx̂ − mean(dx̂) − x̂ · mean(dx̂ · x̂)) / σ with dx̂ = scale · dy

SegNet and DeconvNet (alexgkendall/caffe-segnet, HyeonwooNoh/caffe): parameters scale and shift. In bn_mode LEARN, the
default, mean and variance are those of the batch, in both phases, and eps is 1e-9. In INFERENCE x̂ is x itself: trained
nets are published so, with the statistics in scale and shift. With LEARN, the second and third top, if named, are mean
and variance of the batch; they have no gradient. Options: bn_mode, scale_filler, shift_filler.

PSPNet (hszhao/PSPNet): parameters slope, bias, mean and variance. In phase TEST, or with `frozen`, the last two are
used, and dx = dx̂ / σ. In TRAIN those of the batch are used, and mean ← momentum · mean + (1 − momentum) · mean of the
batch, and so for the variance. With `frozen` no parameter learns. Options: momentum 0.9, eps 1e-5, frozen false,
slope_filler, bias_filler.

A layer is PSPNet's if it has one of PSPNet's options, else SegNet's. Where it has no options, `caffe.with_bn_variants`
tells by the number of blobs in the weights; without weights it is SegNet's. bottom and top N×C×H×W; parameters and
statistics 1×C×1×1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape, four_axes
from fcnlite.layers.registry import register

_SEGNET_EPS = 1e-9
_OVER = (0, 2, 3)
"""The axes that a channel's statistics are taken over."""


@dataclass(frozen=True)
class BNOptions:
    bn_mode: Literal["LEARN", "INFERENCE"] | None = None
    scale_filler: Filler | None = None
    shift_filler: Filler | None = None
    momentum: float | None = None
    eps: float | None = None
    frozen: bool | None = None
    slope_filler: Filler | None = None
    bias_filler: Filler | None = None
    engine: str = "DEFAULT"


SEGNET = ("bn_mode", "scale_filler", "shift_filler")
PSPNET = ("momentum", "eps", "frozen", "slope_filler", "bias_filler")
"""The options that only one of the two forks has."""


@register
class BN(Layer):
    type = "BN"
    messages = ("bn_param",)
    Options = BNOptions
    tops = (1, 3)
    over_batch = True

    def check(self) -> None:
        o = self.options
        given = {fork: [name for name in fork if getattr(o, name) is not None] for fork in (SEGNET, PSPNET)}
        self.pspnet = bool(given[PSPNET])
        if all(given.values()):
            raise SpecError(
                f"{given[SEGNET][0]} is an option of SegNet's BN and {given[PSPNET][0]} of PSPNet's; keep one kind."
            )
        self.momentum = 0.9 if o.momentum is None else o.momentum
        self.eps = _SEGNET_EPS if not self.pspnet else 1e-5 if o.eps is None else o.eps
        if self.eps < 0:
            raise SpecError(f"eps is {o.eps}; expected at least 0.")
        if not 0 <= self.momentum <= 1:
            raise SpecError(f"momentum is {o.momentum}; expected 0 to 1.")
        frozen = bool(o.frozen)
        self.statistics = "batch"
        """Where mean and variance are from: batch, running, or none."""
        if self.pspnet and (frozen or self.phase == "TEST"):
            self.statistics = "running"
        elif o.bn_mode == "INFERENCE":
            self.statistics = "none"
        if len(self.spec.top) > 1 and (self.pspnet or self.statistics == "none"):
            raise SpecError("mean and variance as further tops belong to SegNet's BN in bn_mode LEARN; name one top.")
        self.updates_params = self.pspnet and self.statistics == "batch"

    def params(self, *bottom: Shape) -> list[ParamShape]:
        o, shape = self.options, (1, four_axes(bottom[0])[1], 1, 1)
        if not self.pspnet:
            return [ParamShape(shape, each or Filler()) for each in (o.scale_filler, o.shift_filler)]
        frozen = bool(o.frozen)
        learned = [ParamShape(shape, each or Filler(), frozen) for each in (o.slope_filler, o.bias_filler)]
        return [*learned, *(ParamShape(shape, Filler(value=v), True) for v in (0.0, float(frozen)))]

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        statistics = (1, four_axes(bottom[0])[1], 1, 1)
        return [bottom[0], statistics, statistics][: len(self.spec.top)]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,), scale, shift = bottom, *run.params[:2]
        if self.statistics == "none":
            run.saved = (x, None)
            return [x * scale + shift]
        mean, variance = self._statistics(x, run)
        sigma = np.sqrt(variance + x.dtype.type(self.eps))
        normalized = (x - mean) / sigma
        run.saved = (normalized, sigma)
        return [normalized * scale + shift, mean, variance][: len(self.spec.top)]

    def _statistics(self, x: Array, run: ForwardRun) -> tuple[Array, Array]:
        """Mean and variance of each channel."""
        if self.statistics == "running":
            mean, variance = run.params[2:]
        else:
            mean, variance = x.mean(_OVER, keepdims=True), x.var(_OVER, keepdims=True)
            mean, variance, _ = run.shard.moments(mean, variance, x.size // mean.size)
            for running, latest in zip(run.params[2:], (mean, variance), strict=False):
                running *= running.dtype.type(self.momentum)
                running += latest * running.dtype.type(1 - self.momentum)
        return mean, variance

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy, *_), (normalized, sigma), scale = dtop, run.saved, run.params[0]
        for dparam, values in zip(run.dparams[:2], (lambda: dy * normalized, lambda: dy), strict=True):
            if dparam is not None:
                values().sum(_OVER, out=dparam, keepdims=True)
        dx = dy * scale
        if self.statistics == "batch":
            means = np.stack([dx.mean(_OVER, keepdims=True), (dx * normalized).mean(_OVER, keepdims=True)])
            mean_dx, mean_dxx = run.shard.mean(means, dx.size // scale.size)
            dx -= mean_dx + normalized * mean_dxx
        if sigma is not None:
            dx /= sigma
        return [dx]
