"""Which parameters a run learns and which of them decay: --freeze and --no-decay-norms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import TrainingError, nearest
from fcnlite.net import Net


def with_kept_statistics(spec: NetSpec, patterns: Sequence[str]) -> NetSpec:
    """`spec` with each BatchNorm whose name matches a pattern normalising by its running statistics.

    In training, such a layer does not change them.
    """

    def change(layer: LayerSpec) -> LayerSpec:
        if layer.type != "BatchNorm" or not _matches(layer.name, patterns):
            return layer
        return replace(layer, options={**layer.options, "use_global_stats": True})

    return replace(spec, layers=tuple(map(change, spec.layers)))


def freeze(net: Net, patterns: Sequence[str]) -> list[str]:
    """Let no solver change the parameters of the layers whose names match a glob pattern, such as `conv1_*`.

    Returns the names of these layers. Backward computes no gradients of frozen parameters, nor of what is below the
    lowest layer that learns. Raises `TrainingError` for a pattern that matches no layer with parameters, and if no
    parameter is left to learn.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in net.params):
            raise TrainingError(
                f"--freeze {pattern}: no layer with parameters has such a name; {nearest(pattern, net.params)}"
            )
    frozen = [name for name in net.params if _matches(name, patterns)]
    for name in frozen:
        for parameter in net.params[name]:
            parameter.lr_mult = 0.0
    if frozen and not net.learnable():
        raise TrainingError(f"--freeze {' '.join(patterns)}: leaves no parameter to learn; freeze fewer layers.")
    return frozen


def decay_weights_only(net: Net) -> None:
    """Exempt from weight decay what is not a weight: parameters of one axis, such as biases, scales and slopes."""
    for parameters in net.params.values():
        for parameter in parameters:
            if len(parameter.shape) <= 1:
                parameter.decay_mult = 0.0


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
