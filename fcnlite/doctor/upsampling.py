"""Deconvolutions that should upsample bilinearly (paper, section 3.3): zero, other filters, or mixed classes.

Only deconvolutions with a window of 2·stride or 2·stride − 1 pixels and as many outputs as inputs can upsample
bilinearly; others are not checked. The published nets fix all of them (lr_mult 0). The paper fixes the last one and
lets the others learn.
"""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.fillers import bilinear_kernel
from fcnlite.doctor.finding import Finding, listed
from fcnlite.doctor.trunk import matches_filler
from fcnlite.layers.deconvolution import Deconvolution
from fcnlite.net import Net

TOLERANCE = 1e-3
"""For filters with values up to 1: larger than the rounding of float16, smaller than the changes of learning."""

_INTERP = "Call fcnlite.surgery.interp(net), or load weights with bilinear filters"


def check(net: Net) -> list[Finding]:
    upsampling = [layer for layer in net.layers if isinstance(layer, Deconvolution)]
    zero = [layer.spec.name for layer in upsampling if not net.params[layer.spec.name][0].array.any()]
    findings = _zero(zero)
    for layer in upsampling:
        parameter = net.params[layer.spec.name][0]
        if layer.spec.name not in zero and interpolates(layer, parameter.array.shape[0]):
            learns = parameter.lr_mult > 0
            findings += _compared(layer, parameter.array, learns)
            if learns:
                findings.append(_learning(layer, parameter.lr_mult, is_last=layer is upsampling[-1]))
    return findings


def interpolates(layer: Deconvolution, inputs: int) -> bool:
    """Whether a deconvolution's window, stride and channels are those of bilinear upsampling."""
    rows, columns, outputs = layer.geometry.rows, layer.geometry.columns, layer.options.num_output
    return (
        rows == columns
        and rows.dilation == 1
        and rows.stride > 1
        and rows.size in (2 * rows.stride - 1, 2 * rows.stride)
        and inputs == outputs
        and layer.options.group in (1, outputs)
    )


def _compared(layer: Deconvolution, weight: Array, learns: bool) -> list[Finding]:
    """Compare each class's filter for itself with the bilinear one, and those between classes with zero.

    Weights that learn may differ from both; for them only random values are a finding.
    """
    if learns:
        return [_random(layer)] if matches_filler(weight, layer.options.weight_filler) else []
    name, classes = layer.spec.name, range(weight.shape[0])
    grouped = weight.shape[1] == 1
    own = weight[classes, 0 if grouped else classes]
    bilinear = bilinear_kernel(weight.shape[2])
    off = float(abs(own - bilinear).max())
    # Off the diagonal, without a copy: the count of all minus that of the diagonal.
    mixing = 0 if grouped else np.count_nonzero(abs(weight) > TOLERANCE) - np.count_nonzero(abs(own) > TOLERANCE)
    findings = []
    if mixing:
        findings.append(
            Finding(
                "upsampling-mixes-classes",
                "error",
                f"Deconvolution {name!r} adds other classes' scores to each class ({mixing:,} weights off the diagonal "
                "are not zero), as with Caffe's bilinear filler without `group`, and does not learn.",
                f"{_INTERP} on the diagonal only, or set group: {weight.shape[0]}.",
            )
        )
    if off > TOLERANCE:
        findings.append(
            Finding(
                "upsampling-not-bilinear",
                "warning",
                f"Deconvolution {name!r} is fixed (lr_mult 0) but is not bilinear: its filters of {len(bilinear)} "
                f"pixels are off by up to {off:.3g}; the largest bilinear weight is {bilinear.max():.3g}.",
                f"{_INTERP}; if other filters are intended, leave them.",
            )
        )
    return findings


def _zero(names: list[str]) -> list[Finding]:
    if not names:
        return []
    return [
        Finding(
            "upsampling-zero",
            "error",
            f"The weights of the deconvolutions {listed(names)} are all zero: their scores are zero everywhere, and no "
            "gradient reaches the layers before them.",
            f"{_INTERP}.",
        )
    ]


def _random(layer: Deconvolution) -> Finding:
    return Finding(
        "upsampling-not-bilinear",
        "warning",
        f"The weight of deconvolution {layer.spec.name!r} is as a random filler draws it: the scores are scrambled "
        "until it has learned to interpolate.",
        f"{_INTERP}; it may learn from there.",
    )


def _learning(layer: Deconvolution, lr_mult: float, is_last: bool) -> Finding:
    others = (
        "the paper and the published nets fix the last one"
        if is_last
        else "the published nets fix it, the paper does not"
    )
    return Finding(
        "upsampling-learns",
        "warning" if is_last else "note",
        f"Deconvolution {layer.spec.name!r} learns (lr_mult {lr_mult:g}); {others}.",
        "Write `param { lr_mult: 0 }` in the layer, unless you want it to learn.",
    )
