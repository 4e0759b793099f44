"""The zoo: nets by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from fcnlite import surgery
from fcnlite.description.fillers import Filler
from fcnlite.description.model_info import MOST_BANDS
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError, nearest
from fcnlite.models import alexnet, dilated, googlenet, lenet, lite, unet, vgg
from fcnlite.net import Net

_Writer = Callable[..., NetSpec]
_NETS: dict[str, tuple[_Writer, tuple[int, ...]]] = {
    "lenet": (lenet.lenet, (10,)),
    "alexnet": (alexnet.alexnet, (1000,)),
    "caffenet": (alexnet.caffenet, (1000,)),
    "vgg16": (vgg.vgg16, (1000,)),
    "googlenet": (googlenet.googlenet, (1000,)),
    "voc-fcn32s": (partial(vgg.fcn_of_stride, stride=32), (21,)),
    "voc-fcn16s": (partial(vgg.fcn_of_stride, stride=16), (21,)),
    "voc-fcn8s": (partial(vgg.fcn_of_stride, stride=8), (21,)),
    "voc-fcn8s-atonce": (partial(vgg.fcn_of_stride, stride=8, at_once=True), (21,)),
    "voc-fcn-alexnet": (alexnet.fcn_alexnet, (21,)),
    "voc-fcn-googlenet": (googlenet.fcn_googlenet, (21,)),
    "pascalcontext-fcn32s": (partial(vgg.fcn_of_stride, stride=32), (60,)),
    "pascalcontext-fcn16s": (partial(vgg.fcn_of_stride, stride=16), (60,)),
    "pascalcontext-fcn8s": (partial(vgg.fcn_of_stride, stride=8), (60,)),
    "nyud-fcn32s-color": (partial(vgg.fcn_of_stride, stride=32), (40,)),
    "nyud-fcn32s-hha": (partial(vgg.fcn_of_stride, stride=32), (40,)),
    "nyud-fcn32s-color-d": (vgg.early_fusion, (40,)),
    "nyud-fcn32s-color-hha": (vgg.late_fusion, (40,)),
    "siftflow-fcn32s": (partial(vgg.two_heads, stride=32), (33, 3)),
    "siftflow-fcn16s": (partial(vgg.two_heads, stride=16), (33, 3)),
    "siftflow-fcn8s": (partial(vgg.two_heads, stride=8), (33, 3)),
    "lite-classifier": (lite.lite_classifier, (1000,)),
    "lite-fcn8s": (partial(lite.lite_fcn, stride=8), (21,)),
    "lite-fcn4s": (partial(lite.lite_fcn, stride=4), (21,)),
    "lite-fcn2s": (partial(lite.lite_fcn, stride=2), (21,)),
    "lite-fcn2s-topdown": (partial(lite.lite_fcn, stride=2, top_down=True), (21,)),
    "lite-dilated": (dilated.lite_dilated, (21,)),
    "lite-unet": (unet.lite_unet, (21,)),
}
"""The function that writes each net, and its numbers of classes, one for each head."""


def names() -> list[str]:
    """The names that `describe` and `build` know."""
    return list(_NETS)


def describe(
    name: str,
    *,
    classes: int | Sequence[int] | None = None,
    width: float = 1.0,
    normalization: str | None = None,
    channels: int | None = None,
) -> NetSpec:
    """The description of a net.

    `classes` is the number of outputs of the score layers (default: the published net's); SIFT Flow's nets have two
    heads and take two numbers, semantic and geometric. `width` is a factor on the channel counts. `normalization` is
    that of the losses: VALID, FULL, BATCH_SIZE or NONE (default: the published net's; most FCNs sum over a picture's
    pixels, which requires rates of 1e-10 to 1e-14). `channels` is the number of channels of the picture, for nets that
    take one picture (default: the published net's, 3 or, for lenet, 1). Raises `SpecError` for an unknown name or a
    value out of range.
    """
    if name not in _NETS:
        raise SpecError(f"no model is called {name!r}; {nearest(name, _NETS)}")
    write, default = _NETS[name]
    counts = default if classes is None else tuple(classes) if isinstance(classes, Sequence) else (classes,)
    if len(counts) != len(default):
        raise SpecError(
            f"classes is {classes}; {name!r} takes one number for each head, by default {', '.join(map(str, default))}."
        )
    if not all(1 <= each <= 1 << 20 for each in counts):
        raise SpecError(f"classes is {classes}; expected at least 1.")
    if not 0 < width <= 16:
        raise SpecError(f"width is {width}; expected a factor above 0, up to 16.")
    spec = write(name, *counts, width, normalization)
    return spec if channels is None else _of_channels(spec, channels)


def build(
    name: str,
    *,
    classes: int | Sequence[int] | None = None,
    width: float = 1.0,
    normalization: str | None = None,
    channels: int | None = None,
    path: str = "fast",
    phase: str = "TEST",
    dtype: str = "float32",
    seed: int = 0,
    low_memory: bool = False,
) -> Net:
    """A net by name, ready to be trained.

    The description's fillers set the initial parameters (AlexNet, CaffeNet, GoogLeNet and LeNet have fillers). Without
    them, features start with the msra filler, scores at zero and upsampling as bilinear interpolation. See `describe`
    for `classes`, `width`, `normalization` and `channels`, and `Net` for the other options.
    """
    spec = describe(name, classes=classes, width=width, normalization=normalization, channels=channels)
    net = Net(spec, path=path, phase=phase, dtype=dtype, seed=seed, low_memory=low_memory)
    initialize(net)
    return net


def initialize(net: Net) -> None:
    """Start the parameters for which the description writes no filler: features by msra, upsampling bilinear."""
    surgery.fill(net, surgery.unfilled_features(net), Filler("msra"))
    surgery.interp(net)


def _of_channels(spec: NetSpec, channels: int) -> NetSpec:
    """`spec` with this number of channels in the pictures, which are fed to `data`."""
    if not 1 <= channels <= MOST_BANDS:
        raise SpecError(f"channels is {channels}; expected 1 to {MOST_BANDS}.")
    if all(layer.top != ("data",) for layer in spec):
        raise SpecError(f"{spec.name!r} takes several pictures, whose channels are fixed; leave `channels` out.")

    def changed(layer: LayerSpec) -> LayerSpec:
        if layer.top != ("data",):
            return layer
        ((count, _, *sides),) = (each["dim"] for each in layer.options["shape"])
        return replace(layer, options={**layer.options, "shape": [{"dim": [count, channels, *sides]}]})

    return replace(spec, layers=tuple(map(changed, spec.layers)))
