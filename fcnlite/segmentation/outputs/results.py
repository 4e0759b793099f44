"""Writes the results of a picture: label maps, overlays, and whatever else was asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.label_files import read_label
from fcnlite.data.pictures import show
from fcnlite.data.sample import VOID
from fcnlite.errors import DataError
from fcnlite.files import atomic_write
from fcnlite.segmentation import plots
from fcnlite.segmentation.blending import Difference
from fcnlite.segmentation.jobs import Job, make_folder
from fcnlite.segmentation.outputs import polygons, table
from fcnlite.segmentation.outputs.georeference import Georeference, write_tiff
from fcnlite.segmentation.outputs.regions import trace
from fcnlite.segmentation.outputs.selection import Selection
from fcnlite.segmentation.segmenter import Segmented, Segmenter

PROBABILITIES = {"tiff": "_probabilities.tif", "npy": "_probabilities.npy"}
"""The endings of the files of probabilities."""
_BRIGHTEST = 65535


@dataclass(frozen=True)
class Wanted:
    """The results to write besides label maps and overlays; those of the first label map."""

    selection: Selection = Selection()
    probabilities: str | None = None
    """`tiff`: C×H×W of 16 bits, 65535 for 1; `npy`: C×H×W float32."""
    polygons: str | None = None
    """A name in `polygons.FORMATS`."""
    tolerance: float = 1.0
    """The distance in pixels by which polygons may differ from the label map."""
    geotiff: bool = False
    table: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < 1e6:
            raise DataError(f"--tolerance is {self.tolerance:g}; expected 0 or more pixels.")

    @property
    def need_probabilities(self) -> bool:
        """Whether the results depend on more than the label map."""
        return self.probabilities is not None or self.polygons is not None or self.selection.min_confidence > 0

    @property
    def endings(self) -> dict[str, str]:
        """The endings of the files of a picture, by the kind of the result."""
        found = {} if self.probabilities is None else {"probabilities": PROBABILITIES[self.probabilities]}
        if self.polygons is not None and polygons.FORMATS[self.polygons]:
            found["polygons"] = polygons.FORMATS[self.polygons]
        return {**found, "geotiff": ".tif"} if self.geotiff else found


class Written(NamedTuple):
    """What was written for a picture, and what it adds to the files of all pictures."""

    source: str
    files: Sequence[str]
    rows: Sequence[table.Row]
    """Its rows of the table."""
    coco: dict[str, Any] | None
    """Its entry in COCO's file."""
    shares: Sequence[str]
    """The classes of each label map with their shares, in words."""
    difference: Difference | None
    """How far the scores are from those of the whole picture, if tiles were blended."""

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        found = {
            "picture": self.source,
            "files": list(self.files),
            "classes": [dict(zip(table.COLUMNS[1:], row[1:], strict=True)) for row in self.rows],
        }
        return found if self.difference is None else {**found, "difference": self.difference.values()}


def write_results(
    job: Job, image: Array, found: Mapping[str, Segmented], segmenter: Segmenter, wanted: Wanted
) -> Written:
    """Write the files of the job; `image` is the picture as `read_image` returns it.

    With a georeference, pixels that hold no data in the picture are void in the first label map.

    Raises `FileError` for files that cannot be written, `DataError` for a picture without a usable georeference.
    """
    reference = Georeference.read(job.source) if wanted.geotiff else None
    make_folder(next(iter(job.labels.values())).parent)
    shares = []
    first: Array | None = None
    for name, (labels, probabilities, _) in found.items():
        classes, colors = segmenter.heads[name].labels.classes, segmenter.heads[name].labels.colors
        if first is None:
            labels = wanted.selection.apply(labels, probabilities)
            empty = None if reference is None else reference.empty(image)
            first = labels = labels if empty is None else np.where(empty, np.uint8(VOID), labels)
        plots.save_png(job.labels[name], plots.label_image(labels, colors))
        if name in job.overlays:
            tinted = plots.overlay(show(image), labels, classes, colors)
            plots.save_png(job.overlays[name], plots.with_legend(tinted, labels, classes, colors, table.UNKNOWN))
        shares.append(class_shares(labels, classes))
    assert first is not None
    probabilities = next(iter(found.values())).probabilities
    _write_probabilities(job, probabilities, segmenter.classes, reference)
    if reference is not None:
        write_tiff(job.more["geotiff"], first, _described(segmenter.classes), reference, VOID)
    entry = _write_polygons(job, first, probabilities, segmenter.classes, reference, wanted)
    rows: list[table.Row] = []
    if wanted.table:
        area = None if reference is None else reference.pixel_area
        rows = table.rows(job.title, first, segmenter.classes, wanted.selection.only, area)
    difference = next(iter(found.values())).difference
    return Written(job.title, [str(path) for path in job.targets], rows, entry, shares, difference)


def read_results(job: Job, classes: Sequence[str], wanted: Wanted) -> Written:
    """What `write_results` returned for the job in an earlier run, by the first label map that it wrote.

    The words for the user, polygons for COCO's file and the difference of blended tiles are not known.

    Raises `FileError` for a label map that cannot be read, `DataError` for one of another run, and the errors of
    `Georeference.read`.
    """
    path = next(iter(job.labels.values()))
    labels = read_label(path)
    possible = [*(wanted.selection.only or range(len(classes))), VOID]
    others = np.setdiff1d(labels, possible)
    if len(others):
        names = ", ".join(classes[each] if each < len(classes) else str(each) for each in others.tolist())
        raise DataError(
            f"{path}: was written by another net or with other options, because it has pixels of {names}; delete it, "
            "or choose another --out folder."
        )
    area = Georeference.read(job.source).pixel_area if wanted.geotiff else None
    rows = table.rows(job.title, labels, classes, wanted.selection.only, area)
    return Written(job.title, [str(path) for path in job.targets], rows, None, (), None)


def write_collected(
    done: Sequence[Written], classes: Sequence[str], wanted: Wanted, out: Path, table_file: str | None
) -> list[Path]:
    """Write the files of all pictures, and return them: the table, and COCO's annotations.json in `out`.

    Raises `FileError` if one cannot be written.
    """
    files = []
    if wanted.polygons == "coco":
        files.append(out / "annotations.json")
        write_json(files[-1], polygons.coco([each.coco for each in done if each.coco], classes))
    if table_file is not None:
        files.append(Path(table_file))
        table.write(files[-1], [row for each in done for row in each.rows])
    return files


def _write_probabilities(
    job: Job, probabilities: Array | None, classes: Sequence[str], reference: Georeference | None
) -> None:
    path = job.more.get("probabilities")
    if path is None or probabilities is None:
        return
    if path.suffix == ".npy":
        with atomic_write(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, probabilities)
        return
    numbers = np.rint(np.clip(probabilities, 0, 1) * np.float32(_BRIGHTEST)).astype(np.uint16)
    write_tiff(path, numbers, f"{_described(classes)}; 65535 is probability 1", reference)


def _write_polygons(
    job: Job,
    labels: Array,
    probabilities: Array | None,
    classes: Sequence[str],
    reference: Georeference | None,
    wanted: Wanted,
) -> dict[str, Any] | None:
    """Write the polygons of a picture, or return its entry in COCO's file. The class `background` has none."""
    if wanted.polygons is None:
        return None
    left_out = [
        label for label, name in enumerate(classes) if name == plots.BACKGROUND and label not in wanted.selection.only
    ]
    regions = trace(labels, left_out, None if probabilities is None else probabilities.max(axis=0))
    height, width = labels.shape
    if wanted.polygons == "coco":
        found = polygons.coco_annotations(regions, wanted.tolerance)
        return {"file_name": job.name, "height": height, "width": width, "annotations": found}
    path = job.more["polygons"]
    if wanted.polygons == "geojson":
        content = polygons.geojson(regions, classes, wanted.tolerance, reference)
    else:
        beside = Path(os.path.relpath(job.source.absolute(), path.parent.absolute())).as_posix()
        content = polygons.labelme(regions, classes, wanted.tolerance, beside, height, width)
    write_json(path, content)
    return None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON. Raises `FileError` if that fails."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def class_shares(labels: Array, classes: Sequence[str]) -> str:
    """The classes in a label map with their shares of the pixels, largest first: `road 61.2 %, sky 38.8 %`."""
    from PIL import Image

    # NumPy would count bytes as integers of eight times their size.
    counts = np.array(Image.fromarray(labels).histogram())
    percents = 100 * counts / labels.size
    order = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
    names = {VOID: table.UNKNOWN, **dict(enumerate(classes))}
    return ", ".join(f"{names[i]} " + (f"{percents[i]:.1f} %" if percents[i] >= 0.05 else "< 0.1 %") for i in order)


def _described(classes: Sequence[str]) -> str:
    """The classes of a TIFF file in words."""
    return "classes from 0: " + ", ".join(classes)
