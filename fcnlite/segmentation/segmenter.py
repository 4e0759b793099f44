"""Segment pictures: a picture in, a label map out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias, overload

import numpy as np

from fcnlite import config
from fcnlite._kernels.best_class import best_class
from fcnlite.arrays import Array
from fcnlite.data.transforms import to_blob
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError, FileError, ShapeError, SpecError
from fcnlite.loading import load
from fcnlite.net import Net
from fcnlite.segmentation import resizing
from fcnlite.segmentation.blending import Blending, Comparison, Difference
from fcnlite.segmentation.given_pictures import Picture, pixels_of
from fcnlite.segmentation.heads import Head, heads, picture_inputs
from fcnlite.segmentation.tiling import Scores, Tiling
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
    difference: Difference | None = None
    """How far the scores are from those of the whole picture, at one seam, if tiles were blended."""


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
    With a smaller `overlap`, in pixels, the scores of neighbouring tiles are blended, and differ from those of the
    whole picture; `segmented` measures how far.

    Raises `FileError` if the file is not such a weight file. Raises `SpecError` if the net does not score every pixel
    for 2 to 255 classes, if its preprocessing or class names do not fit it, or if `tile` or `overlap` does not
    fit it or the net's scores depend on the whole picture. Raises `DataError` for scales that are not above 0 or occur
    twice.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | Net,
        *,
        path: str = "fast",
        flip: bool = False,
        scales: Sequence[float] = (1.0,),
        tile: int | None = None,
        overlap: int | None = None,
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
        self._tile, self._overlap = tile, overlap
        self._tiling = self._tiles()

    def _tiles(self) -> Tiling | Blending | None:
        """How large pictures are divided; None: they are not."""
        if self._tile is None:
            if self._overlap is not None:
                raise SpecError("--overlap goes with --tile PIXELS, the size of the tiles.")
            return None
        if not self.views.single or self.net.info.preprocessing.mean_picture is not None:
            raise SpecError("--tile goes with one view and a mean for each channel; leave it out.")
        blobs = [head.blob for head in self.heads.values()]
        if self._overlap is None:
            return Tiling.of(self.net.layers, blobs, self._tile)
        return Blending.of(self.net.layers, blobs, self._tile, self._overlap)

    def share(self) -> Segmenter:
        """Another segmenter with the same parameters, views and tiles, for another thread."""
        views = self.views
        return Segmenter(self.net.share(), flip=views.flip, scales=views.scales, tile=self._tile, overlap=self._overlap)

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
            return [best_classes(self._ranking(each, [self._first])[0]) for each in image]
        return best_classes(self._ranking(image, [self._first])[0])

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
        return {name: each.labels for name, each in self._segmented(image, probabilities=False).items()}

    def segmented(self, image: Scene, *, probabilities: bool = True) -> dict[str, Segmented]:
        """The label maps of a picture, by the label's blob, and what they were chosen from; see `label_maps`.

        Without `probabilities` these are left out. Blended tiles are compared with the whole picture at one seam.
        """
        return self._segmented(image, probabilities=probabilities, compared=True)

    def _segmented(self, image: Scene, *, probabilities: bool, compared: bool = False) -> dict[str, Segmented]:
        wanted, images = [*self.heads.values()], self._scene_pixels(image)
        if self._computed_in(images) is not None:
            return dict(zip(self.heads, self._segmented_in_parts(images, wanted, probabilities, compared), strict=True))
        made = {}
        for (label, head), each in zip(self.heads.items(), self._of_whole(images, wanted), strict=True):
            kept = self._as_probabilities(each, head) if probabilities and self.views.single else each
            made[label] = Segmented(best_classes(each), kept if probabilities else None)
        return made

    def _segmented_in_parts(
        self, images: Mapping[str, Array], wanted: Sequence[Head], probabilities: bool, compared: bool
    ) -> list[Segmented]:
        """Choose the classes of each part as its scores are computed; only the parts of one row are in memory."""
        tiling, (height, width) = self._computed_in(images), _first_shape(images)
        assert tiling is not None
        scores, comparison = self._window(images, wanted), None
        if compared and isinstance(tiling, Blending):
            comparison = Comparison(tiling, height, width)
        maps = [np.empty((height, width), np.uint8) for _ in wanted]
        kept = [np.empty((len(head.labels.classes), height, width), np.float32) for head in wanted if probabilities]
        for part in tiling.parts(height, width, scores):
            if comparison is not None:
                comparison.add(part)
            for number, (head, each) in enumerate(zip(wanted, part.scores, strict=True)):
                maps[number][part.rows, part.columns] = best_classes(each)
                if probabilities:
                    kept[number][:, part.rows, part.columns] = self._as_probabilities(each, head)
        difference = None if comparison is None else comparison.difference(scores)
        return [Segmented(each, kept[i] if probabilities else None, difference) for i, each in enumerate(maps)]

    def _ranking(self, image: Scene, wanted: Sequence[Head]) -> list[Array]:
        """For each head the values that rank the classes, C×H×W float32: scores, or averages of probabilities."""
        images = self._scene_pixels(image)
        tiling = self._computed_in(images)
        if tiling is None:
            return self._of_whole(images, wanted)
        size = _first_shape(images)
        made = [np.empty((len(head.labels.classes), *size), np.float32) for head in wanted]
        for part in tiling.parts(*size, self._window(images, wanted)):
            for whole, each in zip(made, part.scores, strict=True):
                whole[:, part.rows, part.columns] = each
        return made

    def _computed_in(self, images: Mapping[str, Array]) -> Tiling | Blending | None:
        """The tiles of a scene; None if it is computed as a whole."""
        return None if self._tiling is None or self._tiling.whole(*_first_shape(images)) else self._tiling

    def _of_whole(self, images: Mapping[str, Array], wanted: Sequence[Head]) -> list[Array]:
        """`_ranking` of a scene that is computed as a whole."""
        preprocessing = self.net.info.preprocessing
        self._warn_of_mean_picture(_first_shape(images), preprocessing)
        blobs = {name: to_blob(pixels, preprocessing.of(name)) for name, pixels in images.items()}
        return self._forward(blobs, wanted) if self.views.single else self._averages(blobs, wanted)

    def _window(self, images: Mapping[str, Array], wanted: Sequence[Head]) -> Scores:
        """A function that feeds a window of the pictures to the net."""
        preprocessing = self.net.info.preprocessing

        def scores(rows: slice, columns: slice) -> list[Array]:
            parts = {name: np.ascontiguousarray(each[rows, columns]) for name, each in images.items()}
            return self._forward({name: to_blob(part, preprocessing.of(name)) for name, part in parts.items()}, wanted)

        return scores

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


def best_classes(scores: Array) -> Array:
    """The class of the highest score of each pixel, H×W uint8, for C×H×W float32 without NaN."""
    labels = np.empty(scores.shape[1:], np.uint8)
    best_class(scores, labels, config.num_threads())
    return labels


def _size(shape: tuple[int, ...]) -> str:
    """Height and width as text."""
    return f"{shape[0]} rows and {shape[1]} columns"
