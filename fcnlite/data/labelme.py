"""Pictures labelled with LabelMe: a JSON file of shapes beside each picture."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from fcnlite.data import splits
from fcnlite.data.annotations import outlines
from fcnlite.data.annotations.annotated import AnnotatedPictures
from fcnlite.data.annotations.json_files import is_size, points, read_json
from fcnlite.data.annotations.names import ClassNames
from fcnlite.data.annotations.painting import AnnotatedPicture, LabelledObject, Painter
from fcnlite.data.file_dataset import SampleFiles, picture_and_label
from fcnlite.data.pairing import files_below
from fcnlite.data.picture_files import MAX_PIXELS, refuse_size
from fcnlite.data.pictures import SUFFIXES, size_of
from fcnlite.data.problems import raise_if_any, try_all
from fcnlite.errors import DataError, FileError, brief


class LabelMe(AnnotatedPictures):
    """The pictures below `root` and their JSON files, which may be in sub-folders, also apart from the pictures.

    A JSON file belongs to the picture that it names, otherwise to the picture with its own name beside it. Polygons,
    rectangles, circles and masks are objects; lines and points have no area and are errors.
    `images`: the folder to look for pictures in that are not where the JSON file says, relative to `root`.
    `classes`: the names of the classes in the order of their numbers. Default: the lines of root/classes.txt or
    root/labels.txt, otherwise all labels found, sorted. `background` becomes class 0 unless the list places it.
    `rest`: the meaning of pixels without an object: `background` or `void`.
    `others`: the meaning of objects whose label is not in the list: `error`, `background` or `void`.
    `overlap`: the object that a pixel of several belongs to: the `smaller` one, or the `later` one of the file.
    `val`, `exif`, `bands`, `white`: as in `Folder`. If all pictures are in folders called train and val (or valid),
    these are the splits.
    `skip_bad`: skip JSON files and pictures without a partner, and make objects that cannot be used void.
    """

    published = "It is your own folder, which holds pictures and the JSON files that LabelMe saves beside them."

    def __init__(
        self,
        split: str,
        root: str | os.PathLike[str],
        *,
        images: str | os.PathLike[str] | None = None,
        classes: Sequence[str] | None = None,
        rest: str = "background",
        others: str = "error",
        overlap: str = "smaller",
        val: float | None = None,
        exif: str | None = None,
        white: int | None = None,
        bands: Sequence[int] = (),
        skip_bad: bool = False,
    ) -> None:
        folder = Path(root)
        if not folder.is_dir():
            raise DataError(f"data set 'labelme': the root {folder} is not a folder. {self.published}")
        found, files, problems = _find(folder, None if images is None else folder / images)
        if not skip_bad or not files:
            raise_if_any("data set 'labelme'", problems)
        if not files:
            raise DataError(f"data set 'labelme': {folder} holds no JSON files of LabelMe. {self.published}")
        doubts: list[str] = []
        labels = sorted({_label(shape) for file in found for shape in file.shapes} - {""})
        names = ClassNames.of("labelme", folder, labels, classes, rest, others, doubts.append)
        divided = splits.divide_as_found({each.name for each in files}, folder, val, split, doubts.append)
        of_split = splits.divide_files(files, divided, doubts.append)
        training = [each.images["data"] for each in of_split["train"]]
        super().__init__(
            "labelme",
            split,
            of_split[split],
            {file.path: partial(file.annotated, each.images["data"]) for file, each in zip(found, files, strict=True)},
            Painter(names, overlap),
            training=partial(tuple, training),
            skipped=problems,
            skip_bad=skip_bad,
            exif=exif,
            bands=bands,
            white=white,
            doubts=doubts,
        )


class _File:
    """What a JSON file of LabelMe says: the name of its picture, its size if it is given, and the shapes."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        shapes = content["shapes"]
        if not isinstance(shapes, list) or not all(isinstance(each, dict) for each in shapes):
            raise FileError(f"{path}: its shapes are not a list of objects; save it again with LabelMe.")
        named = content.get("imagePath")
        self.path = path
        self.picture = named if isinstance(named, str) else ""
        self.shapes: list[dict[str, Any]] = shapes
        self.embedded = bool(content.get("imageData"))
        size = content.get("imageHeight"), content.get("imageWidth")
        if size != (None, None) and not is_size(*size):
            shown = brief(f"{size[1]!r}×{size[0]!r}")
            raise FileError(f"{path}: its picture has {shown} pixels; save it again with LabelMe.")
        self.size: tuple[int, int] | None = size if is_size(*size) else None  # type: ignore[assignment]

    def annotated(self, picture: Path) -> AnnotatedPicture:
        """The objects in `picture`. Raises errors of the picture file if the size is not in the JSON file."""
        height, width = self.size or size_of(picture)[::-1]
        if height * width > MAX_PIXELS:
            raise DataError(f"{self.path}: its picture has {width}×{height} pixels; at most {MAX_PIXELS} are read.")
        objects = [
            LabelledObject(f"shape {number}", _label(shape), _outline(shape))
            for number, shape in enumerate(self.shapes, start=1)
        ]
        return AnnotatedPicture(str(self.path), height, width, objects)


def _find(root: Path, images: Path | None) -> tuple[list[_File], list[SampleFiles], list[str]]:
    """The JSON files that have a picture, the pairs in the same order, and the problems of all others."""
    read, problems = try_all(_read, files_below(root, (".json",)))
    known = [each for each in read if each is not None]
    pictures = files_below(root, SUFFIXES)
    if images is not None:
        if not images.is_dir():
            raise DataError(f"{images}: is not a directory; correct the option images.")
        pictures = sorted({*pictures, *files_below(images, SUFFIXES)})
    places = {path.resolve(): path for path in pictures}
    owners: dict[Path, Path] = {}
    found: list[_File] = []
    pairs: list[SampleFiles] = []
    for each in known:
        picture = _partner(each, places, images)
        if picture is None:
            what = " (the JSON file holds a copy; labelme_export_json saves it)" if each.embedded else ""
            named = each.picture or f"{each.path.stem}.*"
            problems.append(f"{each.path}: its picture {named[:80]} is not there{what}; add it or remove the file.")
        elif picture in owners:
            problems.append(f"{each.path}: belongs to {picture}, as {owners[picture]} does; remove one of them.")
        else:
            owners[picture] = each.path
            found.append(each)
            name = picture.relative_to(root if picture.is_relative_to(root) else images or root)
            pairs.append(picture_and_label(name.with_suffix("").as_posix(), picture, each.path))
    if known:
        problems += [
            f"{picture}: no JSON file of LabelMe belongs to it; label it (save it without shapes if it shows none), or "
            "remove it."
            for picture in pictures
            if picture not in owners
        ]
    return found, pairs, problems


def _read(path: Path) -> _File | None:
    """A JSON file of LabelMe without the copy of the picture; None for other JSON files."""
    content = read_json(path)
    return _File(path, content) if "shapes" in content else None


def _partner(file: _File, places: dict[Path, Path], images: Path | None) -> Path | None:
    """The picture of a JSON file, among `places`: pictures by their real path."""
    # Both kinds of separators occur, since files are labelled on one system and read on another.
    named = PureWindowsPath(file.picture)
    folders = [file.path.parent, *([images] if images is not None else ())]
    wanted: list[Path] = []
    if named.name:
        with suppress(OSError, ValueError):  # a name that no file can have
            wanted += [(file.path.parent / named.as_posix()).resolve()]
            wanted += [(folder / named.name).resolve() for folder in folders]
    wanted += [(folder / f"{file.path.stem}{suffix}").resolve() for folder in folders for suffix in SUFFIXES]
    return next((places[each] for each in wanted if each in places), None)


def _label(shape: dict[str, Any]) -> str:
    label = shape.get("label")
    return label.strip() if isinstance(label, str) else ""


def _outline(shape: dict[str, Any]) -> outlines.Outline:
    """The outline of a shape."""
    kind, corners = shape.get("shape_type") or "polygon", points(shape.get("points"))
    if corners is None or not len(corners):
        return outlines.Unusable("has no points")
    if kind == "polygon":
        return outlines.Polygons([corners])
    if kind in ("rectangle", "circle", "mask") and len(corners) != 2:
        return outlines.Unusable(f"is a {kind} of {len(corners)} points; expected 2")
    if kind == "rectangle":
        return outlines.box(*corners[0], *corners[1])
    if kind == "circle":
        return outlines.circle(float(corners[0, 0]), float(corners[0, 1]), float(np.hypot(*(corners[1] - corners[0]))))
    if kind == "mask":
        return _mask(shape, corners)
    return outlines.Unusable(f"is of the kind {str(kind)[:20]!r}, which has no area")


def _mask(shape: dict[str, Any], corners: np.ndarray) -> outlines.Outline:
    """LabelMe's mask: a PNG in base64 within the box of two points, whose ends count."""
    from PIL import Image

    coded = shape.get("mask")
    try:
        content = base64.b64decode(coded if isinstance(coded, str) else "", validate=True)
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            refuse_size("mask", image)
            inside = np.array(image.convert("L")) > 0
        left, top = (round(each) for each in corners.min(axis=0).tolist())
    except Exception:  # Pillow raises a dozen types for damaged files
        return outlines.Unusable("has a mask that cannot be read")
    return outlines.PlacedMask(top, left, inside)
