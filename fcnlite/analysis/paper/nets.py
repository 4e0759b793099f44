"""The nets that the user names, and the shipped ones."""

from __future__ import annotations

from pathlib import Path

from fcnlite import models
from fcnlite.errors import FileError
from fcnlite.loading import load, read_weights, take
from fcnlite.net import Net

_WEIGHTS = Path(__file__).parents[3] / "weights"


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
    path = _WEIGHTS / f"{name}.h5"
    if not path.is_file():
        raise FileError(f"{path}: is missing; it comes with the repository, not with an installed package.")
    return path
