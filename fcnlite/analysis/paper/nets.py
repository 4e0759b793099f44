"""The nets that the user names, and the shipped ones."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from fcnlite import models
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
