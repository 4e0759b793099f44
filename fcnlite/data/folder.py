"""Your own pictures: a directory of images and one of labels, paired by name."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fcnlite.data import splits
from fcnlite.data.blending import REMEDY, Counts, signs_of_blending
from fcnlite.data.label_options import LabelOptions
from fcnlite.data.orientation import choose_orientation
from fcnlite.data.own_pictures import OwnPictures
from fcnlite.data.pairing import Naming, find_pairs
from fcnlite.data.problems import Progress, raise_if_any, try_all
from fcnlite.errors import DataError


class Folder(OwnPictures):
    """Pairs of files in two directories, which may have subdirectories (the same in both).

    `images`, `labels`: the two directories, relative to `root`. Both may be the same directory.
    `image_suffix`, `label_suffix`: the ending, such as `_mask`, after the name that a picture and its label share.
    `colors`: a table of the classes' colours in the labels (see `label_tables.COLOR_FORM`), relative to `root`.
    Default: root/colors.txt; without that file the labels hold class numbers.
    `classes`: the names of the classes, or their number; a colour table has its own names. Default: the lines of
    root/classes.txt. Without that file, their number is the largest value in the labels plus one, if the values look
    like class numbers.
    `masks`: the labels are masks of two classes. `nonzero`: 0 is class 0, every other value class 1. `threshold:T`:
    values from T on are class 1, and labels may have any picture format.
    `binary_masks`: the labels hold 0 and 255, and 255 is class 1 instead of void.
    `remap`: a table that maps each value of the labels to a class (see `label_tables.REMAP_FORM`), relative to `root`.
    `val`: the fraction held out for validation. A hash of the name of a picture decides whether it is held out, so that
    new pictures do not move the others. Default: root/train.txt and root/val.txt list the names, one per line (if only
    one list exists, the other split has all other names); without these files, 0.2.
    `exif`: whether the labels were made for pictures turned `upright` by their EXIF orientation, or for pictures as
    `stored`. Default: the sizes of the pairs decide, where they differ.
    `skip_bad`: skip pictures without a label, labels without a picture and unreadable labels, which are errors
    otherwise; `usable` reports them.
    `bands`: the bands of the pictures to feed to the net, counted from 1 (default: all; three bands in the order blue,
    green, red). Pictures other than 8-bit gray or RGB are fed minus the mean of each band over the training split,
    divided by its deviation.
    `white`: for 16-bit pictures, the value that is fed like 255 in an 8-bit picture, instead of mean and deviation.
    Raises `DataError` for problems of names, options and splits; `check()` reads the files.
    """

    published = (
        "It is your own folder, which holds images/ and labels/ with files of the same names. Labels are PNGs of class "
        "numbers (255 is void), or of colours, with a table colors.txt."
    )

    def __init__(
        self,
        split: str,
        root: str | os.PathLike[str],
        *,
        images: str | os.PathLike[str] = "images",
        labels: str | os.PathLike[str] = "labels",
        image_suffix: str = "",
        label_suffix: str = "",
        colors: str | os.PathLike[str] | None = None,
        classes: int | Sequence[str] | None = None,
        masks: str | None = None,
        binary_masks: bool = False,
        remap: str | os.PathLike[str] | None = None,
        val: float | None = None,
        exif: str | None = None,
        white: int | None = None,
        bands: Sequence[int] = (),
        skip_bad: bool = False,
    ) -> None:
        folder = Path(root)
        if not folder.is_dir():
            raise DataError(f"data set 'folder': the root {folder} is not a folder. {self.published}")
        label_options = LabelOptions(folder, folder / labels, colors, classes, masks, binary_masks, remap, skip_bad)
        naming = Naming(image_suffix, label_suffix, label_options.lossless_only)
        files, skipped = find_pairs(folder / images, folder / labels, naming)
        if not skip_bad or not files:
            raise_if_any("data set 'folder'", skipped)
        doubts: list[str] = []
        divided = splits.divide({each.name for each in files}, folder, val, split, doubts.append)
        of_split = splits.divide_files(files, divided, doubts.append)
        meaning, read = label_options.resolve([each.labels["label"] for each in files], doubts.append)
        orientation = choose_orientation(files, exif, doubts.append)
        training = [each.images["data"] for each in of_split["train"]]
        super().__init__(
            "folder",
            split,
            meaning,
            of_split[split],
            read,
            training=partial(tuple, training),
            skipped=skipped,
            orientation=orientation,
            bands=bands,
            white=white,
            doubts=doubts,
        )

    def usable(self, progress: Progress | None = None) -> tuple[Sequence[int], list[str]]:
        """As in every data set; also warns if the labels show signs of blending although all numbers are classes."""
        counts: list[Counts] = []

        def read(index: int) -> int:
            counts.append(Counts.of(self._visit(index).label))
            return index

        indices, problems = try_all(read, range(len(self)), progress)
        what = signs_of_blending(Counts.total(counts)) if counts else None
        if what is not None:
            warnings.warn(
                f"in the labels of data set 'folder' ({self.split}) {what}: they look anti-aliased, resized smoothly "
                f"or saved with lossy compression (JPEG); if they are, {REMEDY}.",
                stacklevel=2,
            )
        return indices, [*self._skipped_files, *problems]
