"""Picture in, label map out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fcnlite.data.dataset import VOID
from fcnlite.data.palette import voc_colors
from fcnlite.data.transforms import to_blob
from fcnlite.errors import DataError, FileError, ShapeError, SpecError
from fcnlite.layers import Layer
from fcnlite.loading import load
from fcnlite.net import Net
from fcnlite.shapes import Shape, show

if TYPE_CHECKING:
    from PIL import Image

Array = np.ndarray[Any, np.dtype[Any]]

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus",
    "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""PASCAL VOC's, which the published FCNs score; the names of any 21 classes that come without names."""

TRIAL_SIDE = 224
"""Height and width to infer shapes with where the description gives none."""


class Segmenter:
    """Labels every pixel of a picture with the class that scores highest.

    `weights` is a self-contained weight file (.h5), or a `Net`, which is used in its TEST phase and with its
    own `path`. Like a net, a segmenter serves one thread at a time.

    Raises `FileError` for a file that is no such weight file, `SpecError` for a net that does not score each
    pixel of one picture in 2 to 255 classes, or whose preprocessing or class names do not fit it.
    """

    def __init__(self, weights: str | os.PathLike[str] | Net, *, path: str = "fast") -> None:
        net = weights if isinstance(weights, Net) else _load(weights, path)
        self.net = net if net.phase == "TEST" else net.share("TEST")
        self._input, shape = _only_image(self.net)
        self._score, count = _score_blob(self.net, self._input, shape)
        info = self.net.info
        self.classes: tuple[str, ...] = info.classes or default_classes(count)
        """The name of each class; where the file has none, VOC's for 21 classes, else numbers."""
        if len(self.classes) != count:
            raise SpecError(
                f"the net scores {count} classes, but the file names {len(self.classes)}; "
                "correct `info.classes` and save the net again."
            )
        self.colors: tuple[tuple[int, int, int], ...] = info.colors or voc_colors(count)
        """(red, green, blue) of each class, for display."""

    def __call__(self, image: Image.Image | Array) -> Array:
        """The H×W uint8 label map of a picture; `scores` says what may be given and what is raised."""
        return self.scores(image).argmax(axis=0).astype(np.uint8)

    def scores(self, image: Image.Image | Array) -> Array:
        """The C×H×W float32 class scores of a picture: a PIL image, or H×W×3 RGB or H×W gray bytes (uint8).

        PIL images are taken as they are stored (no EXIF rotation), their alpha channel is dropped.
        Raises `DataError` for anything else and where the scores are not numbers, `ShapeError` for a picture
        that the net cannot take.
        """
        pixels = _rgb(image)
        blob = to_blob(pixels, self.net.info.preprocessing)[None]
        try:
            scores = self.net.forward({self._input: blob}, outputs=[self._score])[self._score][0]
        except MemoryError as error:
            raise DataError(
                f"a picture of {_size(pixels.shape)} needs more memory than there is; make it smaller."
            ) from error
        if scores.shape[1:] != pixels.shape[:2]:
            raise ShapeError(
                f"a picture of {_size(pixels.shape)} got scores of {_size(scores.shape[1:])}; "
                "the net must upsample and crop them to the picture's size."
            )
        if np.isnan(scores.min()):
            raise DataError(f"blob {self._score!r} holds NaN: the weights are broken, or training diverged.")
        return scores.astype(np.float32, copy=False)


def default_classes(count: int) -> tuple[str, ...]:
    """Names for classes that came without: VOC's if there are 21, else their numbers."""
    return VOC_CLASSES if count == len(VOC_CLASSES) else tuple(f"class {number}" for number in range(count))


def image_inputs(layers: Sequence[Layer]) -> dict[str, Shape | None]:
    """The inputs that a net of these layers computes with, and their described shapes (None: no description).

    Labels are not among them: what layers only compare or measure with has no gradient.
    """
    computed_with = {
        name for layer in layers for i, name in enumerate(layer.spec.bottom) if i not in layer.no_gradient
    }
    found: dict[str, Shape | None] = {}
    for layer in layers:
        if not layer.spec.bottom:
            described = dict(zip(layer.spec.top, layer.top_shapes(), strict=False))
            found.update({top: described.get(top) for top in layer.spec.top if top in computed_with})
    return found


def _load(weights: str | os.PathLike[str], path: str) -> Net:
    from fcnlite import storage

    if Path(weights).suffix in (".prototxt", ".caffemodel"):
        raise FileError(
            f"{weights}: is not a self-contained weight file (.h5); for Caffe's files give the net itself, "
            "fcnlite.load('net.prototxt', 'weights.caffemodel')."
        )
    if not storage.is_weight_file(weights):
        storage.load(weights)  # says what it is instead
    return load(weights, path=path)


def _only_image(net: Net) -> tuple[str, Shape]:
    """The one input that takes a picture, and a shape to try the net with."""
    inputs = image_inputs(net.layers)
    if len(inputs) != 1:
        names = ", ".join(inputs) or "none"
        raise SpecError(f"the net computes with {len(inputs)} inputs ({names}); expected one, the picture.")
    ((name, shape),) = inputs.items()
    preprocessing = net.info.preprocessing
    channels = len(preprocessing.mean)
    if shape is None:
        return name, (1, channels, TRIAL_SIDE, TRIAL_SIDE)
    if len(shape) != 4 or shape[1] != channels:
        raise SpecError(
            f"input {name!r} has shape {show(shape)}, but pictures in {preprocessing.color} come as "
            f"1×{channels}×H×W; correct the preprocessing or the description."
        )
    return name, shape


def _score_blob(net: Net, image: str, shape: Shape) -> tuple[str, int]:
    """The blob of class scores and its channels: `score` if it exists, else the only output of four axes."""
    made: dict[str, Shape] = {}
    unread: dict[str, Shape] = {}
    for layer, _, tops in net.shapes({image: shape}):
        for bottom in layer.spec.bottom:
            unread.pop(bottom, None)
        made.update(zip(layer.spec.top, tops, strict=True))
        unread.update(zip(layer.spec.top, tops, strict=True))
    maps = {name: found for name, found in unread.items() if len(found) == 4}
    if "score" in made and len(made["score"]) == 4:
        maps = {"score": made["score"]}
    if len(maps) != 1:
        outputs = ", ".join(f"{name} {show(found)}" for name, found in unread.items())
        raise SpecError(
            f"the net has {len(maps)} outputs of four axes (found: {outputs}), and none is called 'score'; "
            "expected one, N×C×H×W class scores, from a fully convolutional net."
        )
    ((name, found),) = maps.items()
    if not 2 <= found[1] <= VOID:
        raise SpecError(
            f"blob {name!r} has {found[1]} channels; expected 2 to {VOID} classes, since label maps are "
            f"uint8 and {VOID} is void."
        )
    return name, found[1]


def _rgb(image: Image.Image | Array) -> Array:
    """`image` as H×W×3 uint8 RGB."""
    if not isinstance(image, np.ndarray):
        image = _pil_pixels(image)
    gray, color = image.ndim == 2, image.ndim == 3 and image.shape[2] == 3
    if image.dtype != np.uint8 or not (gray or color) or image.size == 0:
        raise DataError(
            f"the picture is an array of shape {show(image.shape)} and type {image.dtype}; "
            "expected H×W×3 RGB or H×W gray, uint8 from 0 to 255."
        )
    return np.repeat(image[:, :, None], 3, axis=2) if gray else image


def _pil_pixels(image: Any) -> Array:
    from PIL import Image

    if not isinstance(image, Image.Image):
        raise DataError(
            f"the picture is a {type(image).__name__}; expected a PIL image or a uint8 array "
            "(open files with PIL.Image.open)."
        )
    if image.mode.startswith("I") or image.mode == "F":
        raise DataError(
            f"the picture has more than 8 bits a pixel (PIL mode {image.mode}); "
            "convert it to 8 bits, so that you choose which range of brightness is kept."
        )
    try:
        return np.array(image.convert("RGB"))
    except Exception as error:  # PIL decodes only now, and raises a dozen types for damaged files
        raise DataError(f"the picture cannot be decoded ({error}).") from error


def _size(shape: tuple[int, ...]) -> str:
    """Height and width in words."""
    return f"{shape[0]} rows and {shape[1]} columns"
