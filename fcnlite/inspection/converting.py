"""Writes a data set as a folder of images/ and labels/, which the data set `folder` reads."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fcnlite.data.bands import read_orientation
from fcnlite.data.file_dataset import FileDataset
from fcnlite.data.problems import Progress
from fcnlite.data.sample import Sample
from fcnlite.errors import DataError
from fcnlite.files import atomic_write
from fcnlite.inspection.contents import Split
from fcnlite.inspection.target import filled
from fcnlite.segmentation import plots


def write_folder(splits: Sequence[Split], out: Path, progress: Progress | None) -> int:
    """Write the usable samples of all splits below `out`; returns their number.

    Pictures are copied; those that EXIF turns, and generated ones, are saved as PNG. Labels become palette PNGs.
    classes.txt names the classes, train.txt and val.txt list the splits. Raises `DataError` for a data set of several
    pictures or label maps a sample, and for two samples of one name; nothing is then left of `out`.
    """
    first = splits[0].dataset
    if len(first.pictures) > 1 or len(first.labels) > 1:
        raise DataError(
            f"data set {first.name!r}: has several pictures or label maps a sample; a folder has one of each."
        )
    total, done = sum(len(split.usable) for split in splits), 0
    names: dict[str, str] = {}
    with filled(out):
        for split in splits:
            listed = []
            for index in split.usable:
                sample = split.dataset[index]
                if sample.name in names:
                    raise DataError(f"{sample.name}: is in the splits {names[sample.name]} and {split.dataset.split}.")
                names[sample.name] = split.dataset.split
                _write_picture(split, index, sample, out / "images" / sample.name)
                label = out / "labels" / f"{sample.name}.png"
                label.parent.mkdir(parents=True, exist_ok=True)
                plots.save_png(label, plots.label_image(sample.label, first.colors))
                listed.append(sample.name)
                done += 1
                if progress is not None:
                    progress(done, total)
            _write_lines(out / f"{split.dataset.split}.txt", listed)
        _write_lines(out / "classes.txt", first.classes)
    return done


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_picture(split: Split, index: int, sample: Sample, base: Path) -> None:
    """Copy the picture of a sample, or save it as it was read."""
    from PIL import Image

    base.parent.mkdir(parents=True, exist_ok=True)
    source = split.dataset.files[index].images["data"] if isinstance(split.dataset, FileDataset) else None
    # A name may hold dots, so that with_suffix would cut it.
    if source is not None and read_orientation(source) == 1:
        shutil.copyfile(source, base.with_name(base.name + source.suffix.lower()))
    elif sample.image.dtype == np.uint8 and sample.image.ndim == 3 and sample.image.shape[2] == 3:
        plots.save_png(base.with_name(f"{base.name}.png"), Image.fromarray(sample.image))
    else:
        with atomic_write(base.with_name(f"{base.name}.npy")) as temporary, temporary.open("wb") as stream:
            np.save(stream, sample.image)
