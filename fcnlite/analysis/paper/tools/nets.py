"""Nets that the user names, shipped weights, and changes to a net."""

from __future__ import annotations

import importlib.resources
from dataclasses import replace
from pathlib import Path

from fcnlite import models, surgery
from fcnlite.arrays import Array
from fcnlite.description.fillers import Filler
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import FileError
from fcnlite.loading import load, read_weights, take
from fcnlite.net import Net

_PACKAGE = Path(str(importlib.resources.files("fcnlite")))
_WEIGHTS = (_PACKAGE / "weights", _PACKAGE.parent / "weights")
"""The folders of the shipped weights: in an installed package, and in the repository."""


def open_net(model: str, init: str | None = None, seed: int = 0) -> Net:
    """The net `model`: a name of the zoo, a prototxt, or a weight file of fcnlite; with the weights of the file `init`.

    Raises `FileError` for weights without a net, and the errors of `load`.
    """
    if model in models.names():
        net = models.build(model, seed=seed)
        if init is not None:
            take(net, read_weights(init), init)
        return net
    if Path(model).suffix == ".caffemodel":
        raise FileError(
            f"{model}: holds weights only; name its net with --model, such as voc-fcn8s or a prototxt, and give the "
            "weights with --init."
        )
    if not Path(model).exists() and not Path(model).suffix:
        models.describe(model)  # raises an error with similar names
    return load(model, init, seed=seed)


def shipped(name: str) -> Path:
    """The path of a shipped weight file, such as "shapes-fcn8s". Raises `FileError` if it is not there."""
    paths = [folder / f"{name}.h5" for folder in _WEIGHTS]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise FileError(f"{paths[0]}: is missing, but comes with fcnlite; install fcnlite again.")
    return found


def weights_of(net: Net) -> dict[str, list[Array]]:
    """A copy of the parameters of `net` by layer name."""
    return {name: [each.data.copy() for each in parameters] for name, parameters in net.params.items()}


def reference_fcn(classes: int) -> NetSpec:
    """The FCN-32s of the FCN reference, which takes the place of a small net if weights are given."""
    return models.describe("voc-fcn32s", classes=classes)


def slower(spec: NetSpec, factor: float) -> NetSpec:
    """`spec` whose layers, except those named after scores, learn at `factor` times their rate."""

    def changed(layer: LayerSpec) -> LayerSpec:
        if "score" in layer.name:
            return layer
        return replace(layer, param=tuple(replace(each, lr_mult=factor * each.lr_mult) for each in layer.param))

    return replace(spec, layers=tuple(map(changed, spec.layers)))


def frozen(spec: NetSpec) -> NetSpec:
    """`spec` whose layers do not learn, except those named after scores."""
    return slower(spec, 0)


def fill_scores(net: Net) -> Net:
    """`net` with random scores by msra in place of the FCNs' zeros, which pass no gradient."""
    names = [layer.spec.name for layer in net.layers if layer.spec.name.startswith("score")]
    surgery.fill(net, [name for name in names if net.layer(name).type == "Convolution"], Filler("msra"))
    return net
