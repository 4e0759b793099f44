"""A net as the explorer uses it: pictures go in, and every value is known by the layer that makes it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite import models
from fcnlite.analysis.paper.tools.nets import shipped
from fcnlite.arrays import Array, Shape
from fcnlite.data.transforms import to_blob
from fcnlite.description.model_info import Preprocessing
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import FcnliteError, FileError, ShapeError, SpecError
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers import Layer
from fcnlite.loading import load
from fcnlite.net import Net
from fcnlite.segmentation.heads import TRIAL_SIDE, Head
from fcnlite.segmentation.segmenter import Segmenter

SHIPPED = ("shapes-fcn8s", "camvid-fcn8s", "em-membrane-fcn8s", "shapes-classifier")
"""The shipped weights to choose from, the first one to begin with."""
_KEPT = 2
"""The number of layers whose values are kept for the next question about them."""


def shipped_names() -> list[str]:
    """The shipped weights that are there; a wheel has those of generated shapes only."""
    found = []
    for name in SHIPPED:
        try:
            shipped(name)
        except FileError:
            continue
        found.append(name)
    return found


def open_model(net: str, weights: str | None = None, preprocessing: Mapping[str, Any] | None = None) -> Model:
    """The model of shipped weights, of a weight file, of a prototxt with or without weights, or of a zoo's name.

    Raises what `load` raises; messages name files without their folders.
    """
    files = [str(each) for each in (net, weights) if each is not None]
    if net in SHIPPED:
        files = [str(shipped(net))]

    def without_folders(text: str) -> str:
        for each in files:
            text = text.replace(each, Path(each).name).replace(f"{Path(each).parent}/", "")
        return text

    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            made = _opened(net, files, preprocessing or {})
            model = Model(made, Path(files[0]).name)
    except FcnliteError as error:
        raise type(error)(without_folders(str(error))) from error
    for each in told:
        warnings.warn(without_folders(str(each.message)), stacklevel=2)
    return model


def _opened(net: str, files: Sequence[str], preprocessing: Mapping[str, Any]) -> Net:
    if net in models.names():
        return models.build(net)
    if not Path(files[0]).suffix and not Path(files[0]).exists():
        models.describe(net)  # raises an error with similar names
    return load(*files, **preprocessing)


@dataclass(frozen=True)
class Values:
    """What a layer reads and makes on one picture."""

    bottoms: list[Array]
    tops: list[Array]


class Model:
    """A net that takes one picture, in phase TEST.

    `segmenter` is None for a net that does not score every pixel; `no_segmenter` then says why.
    """

    def __init__(self, net: Net, name: str) -> None:
        self.name = name
        inputs = image_inputs(net.layers)
        if len(inputs) != 1:
            found = ", ".join(inputs) or "none"
            raise SpecError(
                f"{name}: the net takes {len(inputs)} pictures ({found}), and the explorer shows nets that take one; "
                "`python -m fcnlite.summary` lists its layers and shapes, and `python -m fcnlite.predict` runs it."
            )
        ((self.input, declared),) = inputs.items()
        self.segmenter: Segmenter | None = None
        self.no_segmenter = ""
        try:
            self.segmenter = Segmenter(net)
        except FcnliteError as error:
            self.no_segmenter = str(error)
        self.net = net if self.segmenter is None else self.segmenter.net
        self.declared = declared
        self._values: dict[tuple[int, str], Values] = {}

    @property
    def preprocessing(self) -> Preprocessing:
        """How the net takes pictures."""
        return self.net.info.preprocessing.of(self.input)

    @property
    def head(self) -> Head | None:
        """The scores of the first label map."""
        return None if self.segmenter is None else next(iter(self.segmenter.heads.values()))

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """Height and width of every picture, for a net with layers that take one size only."""
        if self.declared is None or len(self.declared) != 4:
            return None
        if not any(layer.type in ("InnerProduct", "Reshape", "Flatten") for layer in self.net.layers):
            return None
        return self.declared[2], self.declared[3]

    def blob(self, image: Array) -> Array:
        """The net's input for a picture, 1×C×H×W."""
        made: Array = to_blob(image, self.preprocessing)[None]
        return made

    def shape(self, height: int, width: int) -> Shape:
        """The shape of the input for a picture of this size."""
        return (1, len(self.preprocessing.mean), height, width)

    def running(self, height: int, width: int) -> list[tuple[Layer, list[Shape], list[Shape]]]:
        """The layers that run on such a picture, each with the shapes of its bottoms and tops."""
        return self.net.shapes({self.input: self.shape(height, width)})

    @cached_property
    def by_layer(self) -> tuple[Net, dict[str, LayerSpec]]:
        """A net with the same parameters in which no layer writes in place, and its layers by name.

        The last value of a blob keeps the blob's name; an earlier one also names the layer that makes it.
        """
        if not self.net.sized:
            self.net.forward({self.input: np.zeros(self.shape(TRIAL_SIDE, TRIAL_SIDE), np.float32)})
        spec = out_of_place(self.net.spec)
        net = Net(spec, shared=self.net.params, info=self.net.info)
        return net, {layer.spec.name: layer.spec for layer in net.layers}

    def layer(self, name: str) -> Layer:
        """The layer of this name. Raises `UnknownNameError`."""
        return self.net.layer(name)

    def values(self, layer: str, image: Array, picture: int) -> Values:
        """What a layer reads and makes on a picture; `picture` is its number, by which values are kept.

        Raises `ShapeError` if the net does not take pictures of this size, and `SpecError` for a layer that does not
        run on a picture alone.
        """
        key = picture, layer
        if key not in self._values:
            net, layers = self.by_layer
            self.layer(layer)  # raises for an unknown name
            spec = layers[layer]
            names = [each for each in dict.fromkeys((*spec.bottom, *spec.top)) if each != self.input]
            made = self.forward(net, image, names)
            made[self.input] = self.blob(image)
            while len(self._values) >= _KEPT:
                del self._values[next(iter(self._values))]
            self._values[key] = Values([made[each] for each in spec.bottom], [made[each] for each in spec.top])
        return self._values[key]

    def forward(
        self, net: Net, image: Array, outputs: Sequence[str], keep: bool | Sequence[str] = False
    ) -> dict[str, Array]:
        """The blobs `outputs` of `net`, which is this model's net or `by_layer`'s, for a picture."""
        return net.forward({self.input: self.blob(image)}, outputs=list(outputs), keep=keep)

    def check_map(self, layer: str, array: Array) -> Array:
        """`array` without its first axis, C×H×W; C×1×1 for a vector. Raises `ShapeError` for other shapes."""
        if array.ndim == 2:
            array = array[:, :, None, None]
        if array.ndim != 4:
            raise ShapeError(f"layer {layer!r} makes a blob of {array.ndim} axes; the explorer shows those of 2 and 4.")
        found: Array = array[0]
        return found


def out_of_place(spec: NetSpec) -> NetSpec:
    """`spec` in phase TEST with a name of its own for each value: only the last value of a blob has the blob's name."""
    layers = spec.for_phase("TEST").layers
    last = {top: i for i, layer in enumerate(layers) for top in layer.top}
    taken = {name for layer in layers for name in layer.top}
    now: dict[str, str] = {}
    made = []
    for i, layer in enumerate(layers):
        bottoms = tuple(now[name] for name in layer.bottom)
        for top in layer.top:
            now[top] = top
            if last[top] != i:
                now[top] = f"{top}@{layer.name}"
                while now[top] in taken:
                    now[top] += "@"
                taken.add(now[top])
        made.append(replace(layer, bottom=bottoms, top=tuple(now[name] for name in layer.top)))
    return replace(spec, layers=tuple(made))
