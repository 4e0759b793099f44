"""Picture in, label map out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fcnlite.data.transforms import to_blob
from fcnlite.errors import DataError, FileError, ShapeError
from fcnlite.heads import heads, picture_inputs
from fcnlite.loading import load
from fcnlite.net import Net
from fcnlite.shapes import show

if TYPE_CHECKING:
    from PIL import Image

Array = np.ndarray[Any, np.dtype[Any]]
Picture: TypeAlias = "Image.Image | Array"


class Segmenter:
    """Labels every pixel of a picture with the class that scores highest.

    `weights` is a self-contained weight file (.h5), or a `Net`, which is used in its TEST phase and with its
    own `path`. Like a net, a segmenter serves one thread at a time.

    Raises `FileError` for a file that is no such weight file, `SpecError` for a net that does not score each
    pixel of its pictures in 2 to 255 classes, or whose preprocessing or class names do not fit it.
    """

    def __init__(self, weights: str | os.PathLike[str] | Net, *, path: str = "fast") -> None:
        net = weights if isinstance(weights, Net) else _load(weights, path)
        self.net = net if net.phase == "TEST" else net.share("TEST")
        inputs = picture_inputs(self.net)
        self.inputs = tuple(inputs)
        """The blobs that take pictures; most nets have one."""
        self.heads = heads(self.net, inputs)
        """The scores of each label map, with names and colours of its classes, by the blob of the label."""
        self._first = next(iter(self.heads.values()))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the first label map's classes; where the file has none, VOC's for 21, else numbers."""
        return self._first.labels.classes

    @property
    def colors(self) -> tuple[tuple[int, int, int], ...]:
        """(red, green, blue) of each class of the first label map, for display."""
        return self._first.labels.colors

    def __call__(self, image: Picture | Mapping[str, Picture]) -> Array:
        """The H×W uint8 label map of a picture; `label_maps` says what may be given and what is raised."""
        return _strongest(self.scores(image))

    def scores(self, image: Picture | Mapping[str, Picture]) -> Array:
        """The C×H×W float32 scores of the first label map's classes; see `label_maps`."""
        (scores,) = self._forward(image, [self._first.blob])
        return scores

    def label_maps(self, image: Picture | Mapping[str, Picture]) -> dict[str, Array]:
        """The H×W uint8 label maps of a picture, by the blob of the label.

        A picture is a PIL image, or H×W×3 RGB or H×W gray bytes (uint8); of 16 bits, gray or depth, where the net takes
        that (a PIL image, or H×W uint16). Nets that take several want a mapping of them, by `inputs`.
        PIL images are taken as they are stored (no EXIF rotation), their alpha channel is dropped.
        Raises `DataError` for anything else and where the scores are not numbers, `ShapeError` for a picture
        that the net cannot take.
        """
        scores = self._forward(image, [head.blob for head in self.heads.values()])
        return {label: _strongest(each) for label, each in zip(self.heads, scores, strict=True)}

    def _forward(self, image: Picture | Mapping[str, Picture], wanted: list[str]) -> list[Array]:
        """C×H×W float32 of each of the blobs."""
        preprocessing = self.net.info.preprocessing
        images = {name: _pixels(each, preprocessing.of(name).bits) for name, each in self._by_input(image).items()}
        size = next(iter(images.values())).shape[:2]
        for name, pixels in images.items():
            if pixels.shape[:2] != size:
                raise DataError(
                    f"the picture for {name!r} has {_size(pixels.shape)}, that for {self.inputs[0]!r} {_size(size)}; "
                    "they must agree."
                )
        blobs = {name: to_blob(pixels, preprocessing.of(name))[None] for name, pixels in images.items()}
        try:
            made = self.net.forward(blobs, outputs=wanted)
        except MemoryError as error:
            raise DataError(f"a picture of {_size(size)} needs more memory than there is; make it smaller.") from error
        for blob in wanted:
            if made[blob].shape[2:] != size:
                raise ShapeError(
                    f"a picture of {_size(size)} got scores of {_size(made[blob].shape[2:])}; "
                    "the net must upsample and crop them to the picture's size."
                )
            if np.isnan(made[blob].min()):
                raise DataError(f"blob {blob!r} holds NaN: the weights are broken, or training diverged.")
        return [made[blob][0].astype(np.float32, copy=False) for blob in wanted]

    def _by_input(self, image: Picture | Mapping[str, Picture]) -> Mapping[str, Picture]:
        """The picture of each input; one alone goes to the only input, whatever it is called."""
        given = image if isinstance(image, Mapping) else {self.inputs[0]: image}
        if len(given) == len(self.inputs) == 1:
            return dict(zip(self.inputs, given.values(), strict=True))
        if set(given) != set(self.inputs):
            found = ", ".join(given) if isinstance(image, Mapping) else "one picture"
            raise DataError(
                f"the net takes {len(self.inputs)} pictures of a scene ({', '.join(self.inputs)}), but was given "
                f"{found}; give all of them, by name."
            )
        return {name: given[name] for name in self.inputs}


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


def _strongest(scores: Array) -> Array:
    return scores.argmax(axis=0).astype(np.uint8)


def _pixels(image: Picture, bits: int) -> Array:
    """`image` as H×W×3 uint8 RGB, or as H×W uint16 for 16 bits."""
    if not isinstance(image, np.ndarray):
        image = _pil_pixels(image, bits)
    gray, color = image.ndim == 2, image.ndim == 3 and image.shape[2] == 3
    if bits == 16:
        if image.dtype != np.uint16 or not gray or image.size == 0:
            raise DataError(
                f"the picture is an array of shape {show(image.shape)} and type {image.dtype}; "
                "expected H×W of 16 bits (uint16), which the net was trained on."
            )
        return image
    if image.dtype != np.uint8 or not (gray or color) or image.size == 0:
        raise DataError(
            f"the picture is an array of shape {show(image.shape)} and type {image.dtype}; "
            "expected H×W×3 RGB or H×W gray, uint8 from 0 to 255."
        )
    return np.repeat(image[:, :, None], 3, axis=2) if gray else image


def _pil_pixels(image: Any, bits: int) -> Array:
    from PIL import Image

    if not isinstance(image, Image.Image):
        raise DataError(
            f"the picture is a {type(image).__name__}; expected a PIL image or a uint8 array "
            "(open files with PIL.Image.open)."
        )
    deep = image.mode.startswith("I") or image.mode == "F"
    if deep and bits == 8:
        raise DataError(
            f"the picture has more than 8 bits a pixel (PIL mode {image.mode}); "
            "convert it to 8 bits, so that you choose which range of brightness is kept."
        )
    try:
        return np.asarray(image).astype(np.uint16) if deep else np.array(image.convert("RGB"))
    except Exception as error:  # PIL decodes only now, and raises a dozen types for damaged files
        raise DataError(f"the picture cannot be decoded ({error}).") from error


def _size(shape: tuple[int, ...]) -> str:
    """Height and width in words."""
    return f"{shape[0]} rows and {shape[1]} columns"
