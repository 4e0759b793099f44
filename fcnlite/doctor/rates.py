"""Learning rates that do not fit the normalisation of the loss.

The gradients of a loss that is summed over n pixels are n times those of the mean. These checks therefore judge the
effective rate on the mean loss, including momentum:

    effective = base_lr · loss_weight · positions / Z / (1 − momentum)

where Z is the divisor of the loss (layers/loss.py). With the paper's summed losses and 500×500 pictures, it is 2.5e-7
(base_lr 1e-14, momentum 0.99) to 2.5e-3 (base_lr 1e-10); with FCN-AlexNet's normalised loss 1e-3; for AlexNet from
scratch 0.1; for nets with BatchNorm 1. Solvers such as Adam do not depend on the scale of the loss and are not checked,
nor are solvers with `clip_gradients`.
"""

from __future__ import annotations

import os
from dataclasses import fields
from math import prod

from fcnlite import solver
from fcnlite.arrays import Shape
from fcnlite.doctor.finding import Finding
from fcnlite.doctor.structure import blob_shapes, softmax_losses
from fcnlite.errors import ShapeError, SpecError
from fcnlite.formats import caffe
from fcnlite.layers.loss import Loss
from fcnlite.net import Net
from fcnlite.solver import Solver, SolverOptions

CHECKED = ("SGD", "Nesterov")
LOWEST = 1e-7
"""Lower rates, such as 1e-8 for a normalised loss, change almost nothing. The paper's lowest is 2.5e-7."""
DIVERGES = 10.0
"""Ten times the rate of nets with BatchNorm."""
HIGH_OF_SUM = 0.25
"""For a summed loss without BatchNorm: a hundred times the paper's; base_lr 1e-7 at 500×500 and momentum 0.9."""
ADVISED = 1e-3
"""The effective rate of FCN-32s and FCN-AlexNet."""


def read(path: str | os.PathLike[str], net: Net) -> Solver:
    """The solver that a solver prototxt describes, for `net` instead of the net that the file names."""
    described = caffe.read_solver(path)
    named = described.get("type") or described.get("solver_type", "SGD")
    types = {type_.upper(): type_ for type_ in solver.TYPES}
    known = {each.name for each in fields(SolverOptions)}
    options = {name: value for name, value in described.items() if name in known}
    try:
        return solver.create(types.get(named.upper(), named), net, **options)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error


def check(solver: Solver) -> list[Finding]:
    """Check the effective rate for each loss of the solver's net, at the described size."""
    options = solver.options
    if type(solver).__name__ not in CHECKED or options.clip_gradients > 0 or options.momentum >= 1:
        return []
    layers = solver.net.layers
    try:
        shapes = blob_shapes(solver.net)
    except ShapeError:
        return []  # padding.py reports it
    has_batch_norm = any(layer.type == "BatchNorm" for layer in layers)
    findings = []
    for layer in softmax_losses(layers):
        weight = layer.spec.loss_weight[0] if layer.spec.loss_weight else 1.0
        scores = shapes.get(layer.spec.bottom[0])
        summed = weight * summed_positions(layer, scores) if scores is not None else 0
        if not summed:
            continue
        effective = options.base_lr * summed / (1 - options.momentum)
        how = (
            f"base_lr {options.base_lr:g} with momentum {options.momentum:g} and the loss {layer.spec.name!r}, "
            + (f"a sum over {summed:,.0f} pixels, " if summed > 1 else "a mean, ")
            + f"give an effective rate of {effective:.2g} on the mean loss"
        )
        advised = f"{ADVISED * (1 - options.momentum) / summed:.0e}"
        if effective > DIVERGES or (effective > HIGH_OF_SUM and summed > 1 and not has_batch_norm):
            findings.append(
                Finding(
                    "rate-too-high",
                    "error" if effective > DIVERGES else "warning",
                    f"{how}: training " + ("diverges." if effective > DIVERGES else "may diverge."),
                    f"Lower base_lr to about {advised}"
                    + (", or write `loss_param { normalization: VALID }` in the loss." if summed > 1 else "."),
                )
            )
        elif effective < LOWEST:
            findings.append(
                Finding(
                    "rate-too-low",
                    "warning",
                    f"{how}: the net learns nothing."
                    + ("" if summed > 1 else " Rates of 1e-10 to 1e-14 are for losses summed over the pixels."),
                    f"Raise base_lr to about {advised}.",
                )
            )
    return findings


def summed_positions(loss: Loss, scores: Shape) -> float:
    """The ratio of a loss to its mean over all positions, void ones included, of scores of this shape."""
    axis = loss.options.axis % len(scores)
    positions, pictures = prod(scores[:axis] + scores[axis + 1 :]), prod(scores[:axis])
    return {"BATCH_SIZE": positions / pictures, "NONE": float(positions)}.get(loss.normalization, 1.0)
