"""Writes a data set as a folder of images/ and labels/, which the data set `folder` reads."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fcnlite.data.file_dataset import FileDataset
from fcnlite.data.picture_files import open_picture
from fcnlite.data.pictures import orientation_of
from fcnlite.data.problems import Progress
from fcnlite.data.sample import Sample
from fcnlite.errors import DataError, FileError
from fcnlite.files import atomic_write, cannot_write
from fcnlite.inspection.contents import Split
from fcnlite.segmentation import plots


def check_target(out: Path) -> None:
    """Raise `FileError` unless `out` is a new or an empty folder."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileError(f"{out}: exists already; give a new folder after --to folder.")


def write_folder(splits: Sequence[Split], out: Path, progress: Progress | None) -> int:
    """Write the usable samples of all splits below `out`; returns their number.

    Pictures are copied; those that EXIF turns, and generated ones, are saved as PNG. Labels become palette PNGs.
    classes.txt names the classes, train.txt and val.txt list the splits. Raises `DataError` for a data set of several
    pictures or label maps a sample, and for two samples of one name.
    """
    first = splits[0].dataset
    if len(first.pictures) > 1 or len(first.labels) > 1:
        raise DataError(
            f"data set {first.name!r}: has several pictures or label maps a sample; a folder has one of each."
        )
    total, done = sum(len(split.usable) for split in splits), 0
    names: dict[str, str] = {}
    try:
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
    except OSError as error:
        raise cannot_write(out, error) from error
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
    if source is not None and (source.suffix == ".npy" or _upright(source)):
        shutil.copyfile(source, base.with_name(base.name + source.suffix.lower()))
    elif sample.image.dtype == np.uint8 and sample.image.ndim == 3 and sample.image.shape[2] == 3:
        plots.save_png(base.with_name(f"{base.name}.png"), Image.fromarray(sample.image))
    else:
        with atomic_write(base.with_name(f"{base.name}.npy")) as temporary, temporary.open("wb") as stream:
            np.save(stream, sample.image)


def _upright(path: Path) -> bool:
    """Whether a picture file is one page that EXIF does not turn."""
    with open_picture(path) as image:
        several = getattr(image, "n_frames", 1) > 1
    return not several and orientation_of(path)[0] == 1
