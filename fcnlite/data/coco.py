"""Pictures labelled in COCO's format: one JSON file for all pictures of a split.

The places of the files are those that COCO itself, CVAT, Label Studio and Roboflow use.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from fcnlite.data import splits
from fcnlite.data.annotations import outlines
from fcnlite.data.annotations.annotated import AnnotatedPictures
from fcnlite.data.annotations.json_files import is_size, points, read_json
from fcnlite.data.annotations.names import ClassNames
from fcnlite.data.annotations.painting import AnnotatedPicture, LabelledObject, Painter
from fcnlite.data.annotations.run_lengths import run_lengths
from fcnlite.data.file_dataset import SampleFiles, picture_and_label
from fcnlite.data.pairing import files_below
from fcnlite.data.picture_files import MAX_PIXELS
from fcnlite.data.pictures import SUFFIXES
from fcnlite.data.problems import raise_if_any
from fcnlite.errors import DataError, FileError, brief
from fcnlite.files import is_file

_FOLDERS = (".", "annotations", "train", "val", "valid", "test", "images")
"""The folders in the root that may hold the JSON files."""
_OTHER_TASKS = ("captions_", "person_keypoints_", "image_info_", "panoptic_", "stuff_", "deepfashion")
_SIDES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


class COCO(AnnotatedPictures):
    """The pictures of a COCO file below `root`; polygons and RLE masks, several to an object.

    `annotations`: the JSON file, relative to `root`; its pictures are then divided as `val` says. Default: the file of
    the split (`train` or `val` in its name or folder), or the only one.
    `images`: the folder of the pictures, relative to `root`. Default: where COCO, CVAT, Label Studio and Roboflow put
    them.
    `classes`: the names of the classes in the order of their numbers. Default: the lines of root/classes.txt, otherwise
    all categories in the order of their ids. `background` becomes class 0 unless the list places it.
    `rest`: the meaning of pixels without an object: `background` or `void`.
    `others`: the meaning of objects whose category is not in the list: `error`, `background` or `void`.
    `overlap`: the object that a pixel of several belongs to: the `smaller` one, or the `later` one of the file.
    `crowd`: the meaning of objects with iscrowd: `void`, or `class` for that of their category.
    `val`, `exif`, `bands`, `white`: as in `Folder`; `val` divides the pictures of a single file.
    `skip_bad`: skip pictures that are missing or not in the file, and make objects that cannot be used void.
    """

    published = (
        "COCO is published at https://cocodataset.org; the root must hold annotations/instances_train2017.json, "
        "annotations/instances_val2017.json, train2017/ and val2017/, or the export of a labelling tool."
    )

    def __init__(
        self,
        split: str,
        root: str | os.PathLike[str],
        *,
        annotations: str | os.PathLike[str] | None = None,
        images: str | os.PathLike[str] | None = None,
        classes: Sequence[str] | None = None,
        rest: str = "background",
        others: str = "error",
        overlap: str = "smaller",
        crowd: str = "void",
        val: float | None = None,
        exif: str | None = None,
        white: int | None = None,
        bands: Sequence[int] = (),
        skip_bad: bool = False,
    ) -> None:
        folder = Path(root)
        if not folder.is_dir():
            raise DataError(f"data set 'coco': the root {folder} is not a folder. {self.published}")
        by_split = {"": folder / annotations} if annotations is not None else find_files(folder, self.published)
        if "" not in by_split and split not in by_split:
            raise DataError(f"data set 'coco': {folder} has no annotation file for the split {split!r}.")
        file = _File.read(by_split.get(split) or by_split[""])
        places = None if images is None else folder / images
        found = file.partners(folder, places)
        problems = list(found.problems)
        if found.unlisted:  # another split may have them in the same folder
            others_listed = {each for path in by_split.values() if path != file.path for each in _listed(path)}
            problems += [
                f"{each}: is not in {file.path}; add it (without annotations if it shows no object), or remove it."
                for each in found.unlisted
                if each.name not in others_listed
            ]
        if not skip_bad or not found.files:
            raise_if_any("data set 'coco'", problems)
        doubts: list[str] = []
        if crowd == "void":
            doubts += file.mostly_crowds()
        names = ClassNames.of("coco", folder, [*file.categories.values()], classes, rest, others, doubts.append)
        files, training = found.files, found.files
        if "" in by_split:
            divided = splits.divide({each.name for each in files}, folder, val, split, doubts.append)
            of_split = splits.divide_files(files, divided, doubts.append)
            training, files = of_split["train"], of_split[split]
        elif val is not None:
            raise DataError("data set 'coco': val divides the pictures of one file, and each split has its own file.")

        def training_pictures() -> list[Path]:
            if split == "train" or "" in by_split or "train" not in by_split:
                return [each.images["data"] for each in training]
            return [each.images["data"] for each in _File.read(by_split["train"]).partners(folder, places).files]

        super().__init__(
            "coco",
            split,
            files,
            {each.labels["label"]: partial(file.annotated, each.labels["label"]) for each in files},
            Painter(names, overlap, crowd),
            training=training_pictures,
            skipped=problems,
            skip_bad=skip_bad,
            exif=exif,
            bands=bands,
            white=white,
            doubts=doubts,
        )


def find_files(root: Path, published: str) -> dict[str, Path]:
    """The JSON file of each split, or that of all pictures under the name "".

    Raises `DataError` if there are none or several for one split.
    """
    found = [
        path
        for each in _FOLDERS
        if (root / each).is_dir()
        for path in sorted((root / each).glob("*.json"))
        if path.is_file() and not path.name.startswith((".", *_OTHER_TASKS))
    ]
    if not found:
        raise DataError(f"data set 'coco': {root} has no annotation file (*.json). {published}")
    by_split: dict[str, Path] = {}
    for path in found:
        words = [path.parent.name.lower()] if path.parent != root else []
        side = next((_SIDES[word] for word in [*_words(path.stem), *words] if word in _SIDES), "")
        if side in by_split:
            raise DataError(
                f"data set 'coco': {by_split[side]} and {path} both look like the annotations of "
                f"{f'the split {side}' if side else 'all pictures'}; choose one with annotations=FILE."
            )
        by_split[side] = path
    if "" in by_split and len(by_split) > 1:
        others = ", ".join(str(path) for side, path in by_split.items() if side)
        raise DataError(
            f"data set 'coco': {by_split['']} has no split in its name, but {others} has; choose one with "
            "annotations=FILE."
        )
    return by_split if "train" in by_split or "val" in by_split or "" in by_split else {"": found[0]}


class _Partners(NamedTuple):
    files: list[SampleFiles]
    problems: list[str]
    unlisted: list[Path]
    """Pictures beside the others that the file does not name."""


class _File:
    """An annotation file: its categories, its pictures, and the annotations of each picture."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self.path = path
        for key in ("images", "annotations", "categories"):
            rows = content.get(key)
            if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
                raise FileError(f"{path}: does not hold COCO's instances, since it has no list {key!r}.")
        self.categories = _categories(path, content["categories"])
        """The names of the categories by id, in the order of the ids."""
        self.pictures: dict[Path, dict[str, Any]] = {}
        """The entries of the pictures, by the path of the annotation file with the name of the picture."""
        ids: dict[Any, Path] = {}
        self.problems: list[str] = []
        for entry in content["images"]:
            number, name = entry.get("id"), entry.get("file_name")
            if not isinstance(number, (int, str)) or not isinstance(name, str) or not _inside(name):
                self.problems.append(f"{path}: has a picture without a usable id and file_name ({str(entry)[:80]}).")
            elif number in ids or path / name in self.pictures:
                self.problems.append(f"{path}: lists the picture {name[:80]} or its id {brief(number, 80)} twice.")
            else:
                ids[number] = path / name
                self.pictures[path / name] = entry
        self.annotations: dict[Path, list[dict[str, Any]]] = {each: [] for each in self.pictures}
        lost = 0
        for annotation in content["annotations"]:
            number = annotation.get("image_id")
            if isinstance(number, (int, str)) and number in ids:
                self.annotations[ids[number]].append(annotation)
            else:
                lost += 1
        if lost:
            words = "annotation belongs" if lost == 1 else "annotations belong"
            self.problems.append(f"{path}: {lost} {words} to no picture that it lists.")

    @staticmethod
    def read(path: Path) -> _File:
        return _File(path, read_json(path))

    def partners(self, root: Path, images: Path | None) -> _Partners:
        """The picture files of the entries. `images`: their folder, where it is given."""
        stem = "_".join(word for word in self.path.stem.split("_") if word != "instances")
        folders = [images] if images is not None else [
            self.path.parent,
            root / stem,
            root / "images" / stem,
            root / "images",
            root / "data",
            root,
        ]  # fmt: skip
        files: list[SampleFiles] = []
        problems = [*self.problems]
        for label in self.pictures:
            name = label.relative_to(self.path).as_posix()
            path = next((folder / name for folder in folders if is_file(folder / name)), None)
            if path is None:
                problems.append(
                    f"{self.path}: its picture {name[:80]} is not in {', '.join(map(str, dict.fromkeys(folders)))}; "
                    "add it, or give the folder with images=DIR."
                )
            else:
                files.append(picture_and_label(PurePosixPath(name).with_suffix("").as_posix(), path, label))
        there = {each.images["data"] for each in files}
        beside = {folder for path in there if path.suffix for folder in [path.parent]}
        unlisted = [path for folder in sorted(beside) for path in files_below(folder, SUFFIXES) if path not in there]
        return _Partners(files, problems, [*dict.fromkeys(unlisted)])

    def mostly_crowds(self) -> list[str]:
        """A warning for each category of which at least half of the objects are crowds.

        COCO has few crowds, but CVAT marks every mask as one (Datumaro, data_formats/coco/exporter.py).
        """
        rows = [each for of_picture in self.annotations.values() for each in of_picture]
        found = []
        for number, name in self.categories.items():
            crowds = [bool(each.get("iscrowd")) for each in rows if each.get("category_id") == number]
            if crowds and 2 * sum(crowds) >= len(crowds):
                found.append(
                    f"{self.path}: {sum(crowds)} of {len(crowds)} objects of {brief(name)!r} are crowds (iscrowd), "
                    "which are void; if they are single objects, drawn with CVAT's brush for example, give crowd=class."
                )
        return found

    def annotated(self, label: Path) -> AnnotatedPicture:
        """The objects of a picture. Raises `DataError` if the file gives it no usable size."""
        entry = self.pictures[label]
        height, width = entry.get("height"), entry.get("width")
        name = label.relative_to(self.path).as_posix()
        if not (isinstance(height, int) and isinstance(width, int) and is_size(height, width)) or (
            height * width > MAX_PIXELS
        ):
            shown = brief(f"{width!r}×{height!r}")
            raise DataError(
                f"{self.path}: its picture {name[:80]} has {shown} pixels; expected numbers, with at most {MAX_PIXELS} "
                "pixels."
            )
        objects = [self._object(each) for each in self.annotations[label]]
        return AnnotatedPicture(f"{self.path}, picture {brief(name, 80)}", height, width, objects)

    def _object(self, annotation: Mapping[str, Any]) -> LabelledObject:
        category = annotation.get("category_id")
        known = isinstance(category, (int, str)) and category in self.categories
        what = f"annotation {str(annotation.get('id', 'without id'))[:20]}"
        name = self.categories[category] if known else f"category {str(category)[:20]}"
        drawn = _outline(annotation.get("segmentation"), "bbox" in annotation)
        outline = drawn if known else outlines.Nameless(drawn, "has a category that the file does not list")
        return LabelledObject(what, name, outline, bool(annotation.get("iscrowd")))


def _outline(segmentation: Any, boxed: bool) -> outlines.Polygons | outlines.RunLengths | outlines.Unusable:
    if isinstance(segmentation, dict):
        return run_lengths(segmentation)
    if not isinstance(segmentation, list) or not segmentation:
        return outlines.Unusable("has a box but no outline" if boxed else "has no outline")
    rings = [points(each) for each in segmentation]
    good = [each for each in rings if each is not None]
    return outlines.Polygons(good) if len(good) == len(rings) else outlines.Unusable("has points that are not pairs")


def _categories(path: Path, rows: Sequence[Mapping[str, Any]]) -> dict[Any, str]:
    """The names by id, in the order of the ids."""
    found: dict[Any, str] = {}
    for row in rows:
        number, name = row.get("id"), row.get("name")
        if not isinstance(number, (int, str)) or not isinstance(name, str) or not name.strip():
            raise FileError(f"{path}: has a category without id and name ({str(row)[:80]}).")
        if number in found:
            raise FileError(
                f"{path}: has two categories of the id {brief(number, 80)} ({brief(found[number])!r}, {brief(name)!r})."
            )
        found[number] = name
    return dict(sorted(found.items(), key=lambda each: (str(type(each[0])), each[0])))


def _listed(path: Path) -> set[str]:
    """The names of the files that another annotation file lists, without folders."""
    return {each.name for each in _File.read(path).pictures}


def _inside(name: str) -> bool:
    """Whether a name leads to a file below the folder that it is relative to."""
    parts = PurePosixPath(name).parts
    return bool(parts) and "\\" not in name and "\0" not in name and not name.startswith("/") and ".." not in parts


def _words(stem: str) -> list[str]:
    """The words in the name of a file in lower case, without digits: instances_train2017 has instances and train."""
    return ["".join(filter(str.isalpha, word)) for word in stem.lower().replace("-", "_").replace(".", "_").split("_")]
