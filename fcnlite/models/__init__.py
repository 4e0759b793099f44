"""Nets by name, written by builder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fcnlite import surgery
from fcnlite.errors import SpecError, nearest
from fcnlite.fillers import Filler
from fcnlite.models import lite, vgg
from fcnlite.net import Net
from fcnlite.spec import NetSpec

_NETS: dict[str, tuple[Callable[[int, float, str | None], NetSpec], int]] = {
    "vgg16": (vgg.vgg16, 1000),
    "voc-fcn32s": (partial(vgg.fcn, 32), 21),
    "voc-fcn16s": (partial(vgg.fcn, 16), 21),
    "voc-fcn8s": (partial(vgg.fcn, 8), 21),
    "lite-fcn8s": (lite.lite_fcn8s, 21),
}


def names() -> list[str]:
    """The names that `describe` and `build` know."""
    return list(_NETS)


def describe(
    name: str, *, classes: int | None = None, width: float = 1.0, normalization: str | None = None
) -> NetSpec:
    """The description of a net.

    `classes`: outputs of the score layers (default: those of the published net). `width`: a factor on the channel
    counts. `normalization` of the loss: VALID, FULL, BATCH_SIZE or NONE (default: the published net's; the FCNs sum
    over a picture's pixels, which wants rates of 1e-10 to 1e-14). Raises `SpecError` for an unknown name or a value
    out of range.
    """
    if name not in _NETS:
        raise SpecError(f"no model is called {name!r}; {nearest(name, _NETS)}")
    write, default = _NETS[name]
    classes = default if classes is None else classes
    if not 1 <= classes <= 1 << 20:
        raise SpecError(f"classes is {classes}; expected at least 1.")
    if not 0 < width <= 16:
        raise SpecError(f"width is {width}; expected a factor above 0, up to 16.")
    return write(classes, width, normalization)


def build(
    name: str,
    *,
    classes: int | None = None,
    width: float = 1.0,
    normalization: str | None = None,
    path: str = "fast",
    phase: str = "TEST",
    dtype: str = "float32",
    seed: int = 0,
) -> Net:
    """A net by name, ready to be trained: features start by the msra filler, scores at zero, upsampling bilinear.

    See `describe` for `classes`, `width` and `normalization`, `Net` for the rest.
    """
    spec = describe(name, classes=classes, width=width, normalization=normalization)
    net = Net(spec, path=path, phase=phase, dtype=dtype, seed=seed)
    features = [
        layer.name
        for layer in spec.layers
        if layer.type in ("Convolution", "InnerProduct") and not layer.name.startswith(("score", "fc8"))
    ]
    surgery.fill(net, features, Filler("msra"))
    surgery.interp(net)
    return net
