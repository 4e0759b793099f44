"""What is open: a model, a picture and its truth. One page at a time works with a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data import pictures
from fcnlite.data.label_files import read_label
from fcnlite.data.shapes import Shapes
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError, FcnliteError
from fcnlite.explore.inference.model import Model, open_model, shipped_names
from fcnlite.explore.inference.uploads import clean_name, in_memory
from fcnlite.files import NPY
from fcnlite.segmentation.plots.colors import color_table
from fcnlite.segmentation.plots.label_maps import BACKGROUND

MOST_PIXELS = 1 << 22
"""The largest picture that the explorer takes: 2048×2048."""
SAMPLES = 8
"""The number of generated scenes to choose from."""
_MODEL_FILES = (".h5", ".caffemodel", ".prototxt")
SMALLEST = 8
"""The least height and width that a picture can be resized to."""


class Truth(NamedTuple):
    """A label map of the whole picture, as it was given, and the classes that its numbers mean."""

    labels: Array
    classes: tuple[str, ...]


@dataclass
class Picture:
    """A picture as it was given, and as the net takes it now."""

    name: str
    number: int
    """A later picture, or the same one in another size, has a higher number."""
    read: Callable[[Preprocessing], Array]
    """Reads it again, in the form that a net takes."""
    whole: tuple[int, int]
    """Its height and width as it was given, or as the net takes all pictures."""
    image: Array
    given: Truth | None = None
    truth: Array | None = None
    """The given truth in the size of `image`, if the open net has its classes: H×W uint8."""
    scores: Array | None = field(default=None, repr=False)
    """The scores of the open model, C×H×W, once they were computed."""


class Session:
    """The open model and picture. `net`, `weights`: files of the command, or none for the shipped weights."""

    def __init__(self, net: str | None, weights: str | None, preprocessing: Mapping[str, Any]) -> None:
        self._files = net, weights, dict(preprocessing)
        self.choices = shipped_names() if net is None else [Path(net).name]
        self._model: Model | None = None
        self._picture: Picture | None = None
        self._numbers = 0

    @property
    def model(self) -> Model:
        """The open model; the first choice if none was opened."""
        if self._model is None:
            self.open(self.choices[0])
        assert self._model is not None
        return self._model

    def open(self, choice: str) -> None:
        """Open one of `choices`. The picture is read again, as the new net takes it; if that fails, nothing changes."""
        if choice not in self.choices:
            raise DataError("the page asked for weights that are not among the choices; reload the page.")
        net, weights, preprocessing = self._files
        model = open_model(choice if net is None else net, weights, preprocessing)
        before = self._model, self._picture
        self._model, self._picture = model, None
        if before[1] is not None:
            try:
                self.take(before[1].name, before[1].read, before[1].given)
            except FcnliteError:
                self._model, self._picture = before
                raise

    def take(self, name: str, read: Callable[[Preprocessing], Array], given: Truth | None = None) -> None:
        """Make a picture the open one, with its truth, if it has one."""
        image = read(self.model.preprocessing)
        height, width = image.shape[:2]
        _check_size(name, height, width)
        fixed = self.model.fixed_size
        whole = (height, width) if fixed is None else fixed
        self.show(name, read, whole, resized(image, *whole), given)

    def show(
        self,
        name: str,
        read: Callable[[Preprocessing], Array],
        whole: tuple[int, int],
        image: Array,
        given: Truth | None,
    ) -> None:
        """Make `image`, in any size, the open picture."""
        self._numbers += 1
        head, truth = self.model.head, None
        if given is not None and head is not None and given.classes == head.labels.classes:
            truth = nearest(given.labels, *image.shape[:2])
        self._picture = Picture(name, self._numbers, read, whole, image, given, truth)

    @property
    def has_picture(self) -> bool:
        """Whether a picture is open."""
        return self._picture is not None

    @property
    def picture(self) -> Picture:
        """The open picture. Raises `DataError` if none is open, as after a restart of the process."""
        if self._picture is None:
            raise DataError("no picture is open; drop one, or take the sample.")
        return self._picture


def state(session: Session) -> dict[str, Any]:
    """The choices of weights, and the open model with its classes and colours."""
    model = session.model
    head = model.head
    table = color_table(head.labels.colors) if head is not None else color_table(())
    classes = head.labels.classes if head is not None else ()
    return {
        "choices": session.choices,
        "model": model.name.removesuffix(".h5") if model.name.removesuffix(".h5") in session.choices else model.name,
        "net": model.net.spec.name,
        "classes": list(classes),
        "colors": table,
        "untinted": [i for i, name in enumerate(classes) if name == BACKGROUND],
        "segments": model.segmenter is not None,
        "reason": model.no_segmenter,
        "preprocessing": str(model.preprocessing),
        "fixed": model.fixed_size,
        "samples": SAMPLES,
        "parameters": sum(each.array.size for many in model.net.params.values() for each in many)
        if model.net.sized
        else None,
    }


def choose(session: Session, model: str) -> dict[str, Any]:
    """Open other shipped weights; returns the new `state`."""
    session.open(model)
    return state(session)


def opened(session: Session) -> dict[str, Any]:
    """What the page needs of the open picture: name, number, size as given, pixels for display, and truth."""
    picture = session.picture
    return {
        "name": picture.name,
        "number": picture.number,
        "whole": list(picture.whole),
        "pixels": pictures.show(picture.image),
        "truth": picture.truth,
        "other_classes": picture.given is not None and picture.truth is None,
    }


def current(session: Session) -> dict[str, Any] | None:
    """What `opened` returns, or None if no picture is open: for a page that is loaded again."""
    return None if not session.has_picture else opened(session)


def sample(session: Session, index: int = 0) -> dict[str, Any]:
    """Open a generated scene with its truth. Returns what `opened` does.

    A net of other classes gets no truth, and one that takes other pictures than colours gets an error.
    """
    index = index % SAMPLES
    found = Shapes("test", size=320, scene=True)[index]
    image, label = found.images["data"], found.labels["label"]

    def read(preprocessing: Preprocessing) -> Array:
        if preprocessing.bits != 8 or preprocessing.color not in ("BGR", "RGB", "GRAY"):
            raise DataError(f"the sample is in colour, but the net takes {preprocessing}; drop a picture of its kind.")
        return image

    session.take(f"sample {index + 1}", read, Truth(label, Shapes("test").classes))
    return opened(session)


def upload(session: Session, name: str, content: Array) -> dict[str, Any]:
    """Open a dropped picture, `content` being the bytes of its file. Returns what `opened` does."""
    name = clean_name(name)
    if Path(name).suffix in _MODEL_FILES:
        raise DataError(
            f"{name}: is a file of weights or a description of a net; the page takes pictures, so give it to the "
            f"command: `python -m fcnlite.explore {name}`."
        )
    content = np.array(content, np.uint8)  # a copy, because the message goes

    def read(preprocessing: Preprocessing) -> Array:
        with in_memory(content, name) as path:
            width, height = _size(path)
            _check_size(path, height, width)
            return pictures.read_image(path, orientation="upright", preprocessing=preprocessing)

    session.take(name, read)
    return opened(session)


def _check_size(name: str, height: int, width: int) -> None:
    if height * width > MOST_PIXELS:
        raise DataError(
            f"{name}: has {width}×{height} pixels; the explorer takes up to {MOST_PIXELS:,}; make it smaller."
        )


def _size(path: str) -> tuple[int, int]:
    """Width and height from the header, before anything is decoded; (0, 0) for arrays, whose size `take` checks."""
    with Path(path).open("rb") as stream:
        if stream.read(len(NPY)) == NPY:
            return 0, 0
    return pictures.size_of(path)


def truth(session: Session, name: str, content: Array) -> dict[str, Any]:
    """Take a dropped label PNG of class numbers as the truth of the open picture. Returns what `opened` does."""
    name = clean_name(name)
    picture = session.picture
    if session.model.head is None:
        raise DataError(f"{name}: cannot be compared, because this net makes no label maps.")
    with in_memory(content, name) as path:
        size = pictures.size_of(path)
        expected = picture.image.shape[1::-1]
        if size != expected:
            raise DataError(
                f"{path}: has {size[0]}×{size[1]} pixels, the picture {expected[0]}×{expected[1]}; give a label of the "
                "picture's size."
            )
        label = read_label(path)
        classes = len(session.model.head.labels.classes)
        wrong = label[(label >= classes) & (label != 255)]
        if wrong.size:
            raise DataError(
                f"{path}: holds the class number {wrong.max()}, but the net has {classes} classes; expected 0 to "
                f"{classes - 1}, or 255 for pixels that do not count."
            )
    picture.given = Truth(label, session.model.head.labels.classes)
    picture.truth = label
    return opened(session)


def resize(session: Session, height: int, width: int) -> dict[str, Any]:
    """Resize the open picture, from the one that was given. Returns what `opened` does."""
    if not (type(height) is type(width) is int and min(height, width) >= SMALLEST and height * width <= MOST_PIXELS):
        raise DataError(
            f"the size {height}×{width} is not usable; expected at least {SMALLEST} rows and columns, and up to "
            f"{MOST_PIXELS:,} pixels."
        )
    if session.model.fixed_size is not None:
        raise DataError("this net has layers that take one size of pictures only, so the picture keeps its size.")
    picture = session.picture
    original = picture.read(session.model.preprocessing)
    session.show(picture.name, picture.read, picture.whole, resized(original, height, width), picture.given)
    return opened(session)


def resized(image: Array, height: int, width: int) -> Array:
    """A picture in another size: 8-bit colours are interpolated, other values taken from the nearest pixel."""
    if image.shape[:2] == (height, width):
        return image
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        return nearest(image, height, width)
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def nearest(values: Array, height: int, width: int) -> Array:
    """`values`, H×W or H×W×bands, in another size: each pixel is the nearest one."""
    rows = (np.arange(height) + 0.5) * values.shape[0] / height
    columns = (np.arange(width) + 0.5) * values.shape[1] / width
    found: Array = values[rows.astype(int)][:, columns.astype(int)]
    return found
