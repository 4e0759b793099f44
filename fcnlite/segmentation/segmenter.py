"""Segment pictures: a picture in, a label map out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias, overload

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.transforms import to_blob
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError, FileError, ShapeError, SpecError
from fcnlite.loading import load
from fcnlite.net import Net
from fcnlite.segmentation import resizing
from fcnlite.segmentation.given_pictures import Picture, pixels_of
from fcnlite.segmentation.heads import Head, heads, picture_inputs
from fcnlite.segmentation.tiling import Span, Tiling
from fcnlite.segmentation.views import Views
from fcnlite.text import classes_in_words, html_table

Scene: TypeAlias = "Picture | Mapping[str, Picture]"
"""One picture, or one for each input of a net that takes several."""


class Segmented(NamedTuple):
    """A label map and what it was chosen from."""

    labels: Array
    """H×W uint8: the class of each pixel."""
    probabilities: Array | None
    """C×H×W float32; None where they are not needed."""


class Segmenter:
    """Labels every pixel of a picture with the class of the highest score.

    `weights` is a self-contained weight file (.h5), loaded with `path`, or a `Net`, which runs in the TEST phase and
    with its own `path`. Several threads may call one segmenter; its net serves one call at a time. To compute in
    parallel, give each thread `Segmenter(net.share())`.

    With `flip` or several `scales`, the net sees several views of a picture: at each scale, and with `flip` also
    mirrored left to right. The class probabilities of each view are resized to the picture's size and averaged, and
    each pixel gets the class of the highest average. This takes as many passes as there are views, one after the other.

    With `tile`, larger pictures are computed in tiles of that many pixels along each side, which overlap so far that
    the scores are those of the whole picture, within rounding. `label_maps` keeps the scores of one tile at a time.

    Raises `FileError` if the file is not such a weight file. Raises `SpecError` if the net does not score every pixel
    for 2 to 255 classes, if its preprocessing or class names do not fit it, or if `tile` is too small or the net's
    scores depend on the whole picture. Raises `DataError` for scales that are not above 0 or occur twice.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | Net,
        *,
        path: str = "fast",
        flip: bool = False,
        scales: Sequence[float] = (1.0,),
        tile: int | None = None,
    ) -> None:
        self.views = Views(flip, tuple(scales))
        """The views of a picture that the net sees."""
        net = weights if isinstance(weights, Net) else _load(weights, path)
        self.net = net if net.phase == "TEST" else net.share("TEST")
        inputs = picture_inputs(self.net)
        self.inputs = tuple(inputs)
        """The input blobs that take pictures; most nets have one."""
        self.heads = heads(self.net, inputs)
        """The head of each label map (its score blob, class names and colours), by the name of the label's blob."""
        self._first = next(iter(self.heads.values()))
        self._warned = False
        self._tile, self._tiling = tile, None
        if tile is not None:
            if not self.views.single or self.net.info.preprocessing.mean_picture is not None:
                raise SpecError("--tile goes with one view and a mean for each channel; leave it out.")
            self._tiling = Tiling.of(self.net.layers, [head.blob for head in self.heads.values()], tile)

    def share(self) -> Segmenter:
        """Another segmenter with the same parameters, views and tiles, for another thread."""
        return Segmenter(self.net.share(), flip=self.views.flip, scales=self.views.scales, tile=self._tile)

    @property
    def tiled(self) -> bool:
        """Whether larger pictures are computed in tiles."""
        return self._tiling is not None

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of the first label map; if the model has none, VOC's for 21 classes, otherwise numbers."""
        return self._first.labels.classes

    @property
    def colors(self) -> tuple[tuple[int, int, int], ...]:
        """The display colour (red, green, blue) of each class of the first label map."""
        return self._first.labels.colors

    @overload
    def __call__(self, image: list[Scene]) -> list[Array]: ...

    @overload
    def __call__(self, image: Scene) -> Array: ...

    def __call__(self, image: Scene | list[Scene]) -> Array | list[Array]:
        """The first label map (H×W uint8) of a picture, or a list of them for a list; see `label_maps`."""
        if isinstance(image, list):
            return [_best_classes(self._ranking(each, [self._first])[0]) for each in image]
        return _best_classes(self._ranking(image, [self._first])[0])

    def scores(self, image: Scene) -> Array:
        """The class scores of the first label map, C×H×W float32; see `label_maps`.

        With several views these are the logarithms of the averaged probabilities.
        """
        (found,) = self._ranking(image, [self._first])
        return found if self.views.single else np.log(np.maximum(found, np.finfo(np.float32).tiny))

    def probabilities(self, image: Scene) -> Array:
        """The class probabilities of the first label map, C×H×W float32: the softmax of `scores`. See `label_maps`."""
        (found,) = self._ranking(image, [self._first])
        return self._as_probabilities(found, self._first) if self.views.single else found

    def softmax(self, scores: Array) -> Array:
        """The class probabilities that `scores`, C×H×W, mean: their softmax, unless the net computed that already."""
        return self._as_probabilities(scores, self._first)

    def label_maps(self, image: Scene) -> dict[str, Array]:
        """All label maps (H×W uint8) of a picture, by the name of the label's blob.

        A picture is the path of a file, a PIL image, or an array: H×W×3 RGB (not OpenCV's BGR) or H×W gray, of uint8.
        For a net that was trained on 16-bit gray or depth, the array is H×W uint16; on bands, H×W×bands of their type.
        A net that takes several pictures needs a mapping with one for each of `inputs`. Pictures from files are rotated
        as their EXIF orientation says. PIL images are used as stored, and their alpha channel is dropped.

        Raises `DataError` for other inputs and for scores that are not finite, `FileError` for a file that cannot be
        read, and `ShapeError` for a picture whose size the net cannot take.
        """
        wanted = [*self.heads.values()]
        tiles = self._tiles(image)
        if tiles is None:
            return dict(zip(self.heads, map(_best_classes, self._ranking(image, wanted)), strict=True))
        images, spans = tiles
        made = {label: np.empty(_first_shape(images), np.uint8) for label in self.heads}
        for row, column, scores in self._of_tiles(images, spans, wanted):
            for labels, each in zip(made.values(), scores, strict=True):
                labels[row.target, column.target] = _best_classes(each)
        return made

    def segmented(self, image: Scene) -> dict[str, Segmented]:
        """The label maps of a picture and their class probabilities, by the label's blob; see `label_maps`."""
        found = self._ranking(image, [*self.heads.values()])
        made = {}
        for (label, head), each in zip(self.heads.items(), found, strict=True):
            probabilities = self._as_probabilities(each, head) if self.views.single else each
            made[label] = Segmented(_best_classes(each), probabilities)
        return made

    def _ranking(self, image: Scene, wanted: Sequence[Head]) -> list[Array]:
        """For each head the values that rank the classes, C×H×W float32: scores, or averages of probabilities."""
        tiles = self._tiles(image)
        if tiles is not None:
            images, spans = tiles
            size = _first_shape(images)
            made = [np.empty((len(head.labels.classes), *size), np.float32) for head in wanted]
            for row, column, scores in self._of_tiles(images, spans, wanted):
                for whole, each in zip(made, scores, strict=True):
                    whole[:, row.target, column.target] = each
            return made
        blobs = self._blobs(image)
        return self._forward(blobs, wanted) if self.views.single else self._averages(blobs, wanted)

    def _tiles(self, image: Scene) -> tuple[dict[str, Array], list[tuple[Span, Span]]] | None:
        """The pixels of a scene, and its tiles; None if it is computed as a whole."""
        if self._tiling is None:
            return None
        images = self._scene_pixels(image)
        height, width = _first_shape(images)
        spans = [*self._tiling.tiles(height, width)]
        return (images, spans) if len(spans) > 1 else None

    def _of_tiles(
        self, images: Mapping[str, Array], spans: Sequence[tuple[Span, Span]], wanted: Sequence[Head]
    ) -> Iterator[tuple[Span, Span, list[Array]]]:
        """For each tile its place and the scores of each head that are kept, C×h×w float32."""
        preprocessing = self.net.info.preprocessing
        for row, column in spans:
            parts = {name: np.ascontiguousarray(each[row.fed, column.fed]) for name, each in images.items()}
            blobs = {name: to_blob(part, preprocessing.of(name)) for name, part in parts.items()}
            yield row, column, [each[:, row.kept, column.kept] for each in self._forward(blobs, wanted)]

    def _averages(self, blobs: Mapping[str, Array], wanted: Sequence[Head]) -> list[Array]:
        """The probabilities of each head, averaged over all views; one view is in memory at a time."""
        height, width = next(iter(blobs.values())).shape[1:]
        sums: list[Array] = []
        for scale in self.views.scales:
            view = self._scaled(blobs, *self.views.size(height, width, scale))
            for mirrored in (False, True) if self.views.flip else (False,):
                step = -1 if mirrored else 1
                made = self._forward({name: each[:, :, ::step] for name, each in view.items()}, wanted)
                made = [self._as_probabilities(*each)[:, :, ::step] for each in zip(made, wanted, strict=True)]
                if scale != 1:
                    made = [resizing.bilinear(each, height, width) for each in made]
                sums = [np.add(*each, out=each[0]) for each in zip(sums, made, strict=True)] if sums else made
        count = np.float32(len(self.views.scales) * (1 + self.views.flip))
        return [np.ascontiguousarray(each) / count for each in sums]

    def _scaled(self, blobs: Mapping[str, Array], height: int, width: int) -> dict[str, Array]:
        """The blobs at another size; distances by nearest neighbour, since some are unknown."""
        resized = {}
        for name, blob in blobs.items():
            if blob.shape[1:] == (height, width):
                resized[name] = blob
            elif self.net.info.preprocessing.of(name).color == "DEPTH":
                resized[name] = resizing.nearest(blob, height, width)
            else:
                resized[name] = resizing.bilinear(blob, height, width, smooth=True)
        return resized

    def _as_probabilities(self, scores: Array, head: Head) -> Array:
        """The softmax of the scores of a head, unless the net ends with one."""
        producers = [layer for layer in self.net.layers if head.blob in layer.spec.top]
        if producers[-1].type == "Softmax":
            return scores
        scores = np.exp(scores - scores.max(axis=0))
        return scores / scores.sum(axis=0)

    def _blobs(self, image: Scene) -> dict[str, Array]:
        """The C×H×W blob of each picture. All have one size."""
        preprocessing = self.net.info.preprocessing
        images = self._scene_pixels(image)
        self._warn_of_mean_picture(_first_shape(images), preprocessing)
        return {name: to_blob(pixels, preprocessing.of(name)) for name, pixels in images.items()}

    def _scene_pixels(self, image: Scene) -> dict[str, Array]:
        """The pixels of each picture of a scene, as `to_blob` takes them. All have one size."""
        preprocessing = self.net.info.preprocessing
        images = {name: pixels_of(each, preprocessing.of(name)) for name, each in self._by_input(image).items()}
        size = next(iter(images.values())).shape[:2]
        for name, pixels in images.items():
            if pixels.shape[:2] != size:
                raise DataError(
                    f"the picture for {name!r} has {_size(pixels.shape)}, that for {self.inputs[0]!r} {_size(size)}; "
                    "give pictures of one size."
                )
        return images

    def _forward(self, blobs: Mapping[str, Array], wanted: Sequence[Head]) -> list[Array]:
        """Run the net on C×H×W blobs. Returns the scores of each head, C×H×W float32."""
        size = next(iter(blobs.values())).shape[1:]
        names = [head.blob for head in wanted]
        try:
            made = self.net.forward({name: blob[None] for name, blob in blobs.items()}, outputs=names)
        except MemoryError as error:
            raise DataError(
                f"a picture of {_size(size)} needs more memory than is available; make it smaller."
            ) from error
        for blob in names:
            if made[blob].shape[2:] != size:
                raise ShapeError(
                    f"a picture of {_size(size)} got scores of {_size(made[blob].shape[2:])}; "
                    "the net must upsample and crop them to the picture's size."
                )
            if not (np.isfinite(made[blob].min()) and np.isfinite(made[blob].max())):
                raise DataError(f"blob {blob!r} holds NaN or infinity: the weights are broken, or training diverged.")
        return [made[blob][0].astype(np.float32, copy=False) for blob in names]

    def _warn_of_mean_picture(self, size: tuple[int, ...], preprocessing: Preprocessing) -> None:
        """Warn once if the net's mean picture does not fit a picture of this size."""
        mean = preprocessing.mean_picture
        if mean is None or self._warned or mean.cut(size[0], size[1], preprocessing.crop_size) is not None:
            return
        self._warned = True
        warnings.warn(
            f"the mean picture has {_size((mean.height, mean.width))}, a picture {_size(size)}: the mean of each "
            "channel is subtracted instead, so that the scores differ slightly from Caffe's.",
            stacklevel=4,
        )

    def _by_input(self, image: Scene) -> Mapping[str, Picture]:
        """The picture of each input. A single picture goes to the only input, under any name."""
        given = image if isinstance(image, Mapping) else {self.inputs[0]: image}
        if len(given) == len(self.inputs) == 1:
            return dict(zip(self.inputs, given.values(), strict=True))
        if set(given) != set(self.inputs):
            found = ", ".join(given) if isinstance(image, Mapping) else "one picture"
            raise DataError(
                f"the net takes {len(self.inputs)} pictures of a scene ({', '.join(self.inputs)}), but got "
                f"{found}; give a mapping with all of them by name."
            )
        return {name: given[name] for name in self.inputs}

    def __repr__(self) -> str:
        """The name of the net, then a line for each input (its preprocessing) and each label map (its classes)."""
        try:
            return "\n  ".join((self._title(), *(f"{name}: {text}" for name, text in self._descriptions())))
        except Exception:  # a debugger may show a half-initialised segmenter
            return object.__repr__(self)

    def _repr_html_(self) -> str | None:
        """The text of `repr` as an HTML table, for notebooks."""
        try:
            return html_table(self._title(), [("blob", ""), *self._descriptions()], "<<")
        except Exception:
            return None

    def _title(self) -> str:
        return f"Segmenter of the net {self.net.spec.name!r}"

    def _descriptions(self) -> list[tuple[str, str]]:
        inputs = [(name, f"fed as {self.net.info.preprocessing.of(name)}") for name in self.inputs]
        if not self.views.single:
            inputs.append(("views", str(self.views)))
        return inputs + [(label, classes_in_words(head.labels.classes)) for label, head in self.heads.items()]


def _load(weights: str | os.PathLike[str], path: str) -> Net:
    from fcnlite.formats import storage

    if Path(weights).suffix in (".prototxt", ".caffemodel"):
        raise FileError(
            f"{weights}: is not a self-contained weight file (.h5); for Caffe's files give the net itself, "
            "fcnlite.load('net.prototxt', 'weights.caffemodel')."
        )
    if not storage.is_weight_file(weights):
        storage.load(weights)  # raises an error that names the type of the file
    return load(weights, path=path)


def _first_shape(images: Mapping[str, Array]) -> tuple[int, int]:
    """Height and width of the pictures of a scene, H×W or H×W×C."""
    height, width = next(iter(images.values())).shape[:2]
    return height, width


def _best_classes(scores: Array) -> Array:
    """The class of the highest score of each pixel, H×W uint8."""
    return scores.argmax(axis=0).astype(np.uint8)


def _size(shape: tuple[int, ...]) -> str:
    """Height and width as text."""
    return f"{shape[0]} rows and {shape[1]} columns"
