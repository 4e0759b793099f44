"""Pictures of your own: a directory of images and one of label PNGs, matched by name."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from fcnlite.data import splits
from fcnlite.data.band_preprocessing import band_preprocessing, with_measured_mean
from fcnlite.data.bands import read_format
from fcnlite.data.blending import REMEDY, Counts, signs_of_blending
from fcnlite.data.file_dataset import FileDataset, SampleFiles
from fcnlite.data.label_options import LabelOptions
from fcnlite.data.orientation import choose_orientation
from fcnlite.data.pairing import Naming, find_pairs
from fcnlite.data.problems import Progress, raise_if_any, try_all
from fcnlite.description.spec import Preprocessing
from fcnlite.errors import DataError, FcnliteError


class Folder(FileDataset):
    """Pairs of files in two directories, which may have subdirectories (the same ones on both sides).

    `images`, `labels`: the directories; relative ones are looked up in `root`. They may be one.
    `image_suffix`, `label_suffix`: what follows the name that a picture and its label share, such as `_mask`.
    `colors`: a table of the colours that the labels show the classes in (see `tables.COLOR_FORM`), looked up likewise.
    Without it root/colors.txt is one; without that file the labels hold class numbers.
    `classes`: the names of the classes, or how many there are; a colour table has its own. Without it the names are the
    lines of root/classes.txt; without that file the largest label number found, plus one, is the count, if the numbers
    look like those of classes.
    `masks`: the labels are masks of two classes. `nonzero`: 0 is class 0, any other value class 1; `threshold:T`:
    values from T on are class 1, and labels may be of any format.
    `binary_masks`: the labels hold 0 and 255, and 255 is class 1, not void.
    `remap`: a table that says which class each value of the labels is (see `tables.REMAP_FORM`), looked up likewise.
    `val`: the fraction held out for validation. A picture is held out or not by a hash of its name, so that
    adding pictures moves none of the others. Without it root/train.txt and root/val.txt list the names, one a
    line (if there is only one of the two, the other split has all the rest); without these files it is 0.2.
    `exif`: whether the labels were made for the pictures `upright`, as cameras say they were held, or as `stored`;
    without it the sizes of the pairs tell, where they can.
    `skip_bad`: pass over pictures without a label, labels without a picture and labels that cannot be read, which are
    errors otherwise; `usable` tells of them.
    `bands`: which bands of the pictures are fed to the net, counted from 1 (default: all; three in the order blue,
    green, red). Pictures that are not gray or RGB of 8 bits are fed less the mean of each band over the training split,
    divided by its deviation. `white`: instead, the value that is fed as white bytes are, for pictures of 16 bits.
    Raises `DataError` for what is wrong with names, options and splits; `check()` reads the files.
    """

    splits = ("train", "val")
    published = (
        "It is a folder of your own, which holds images/ and labels/ with files of the same names: labels as PNGs of "
        "class numbers (255 is void), or of colours together with a colors.txt."
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
            raise DataError(f"data set 'folder': the root {folder} is no folder. {self.published}")
        label_options = LabelOptions(folder, folder / labels, colors, classes, masks, binary_masks, remap, skip_bad)
        naming = Naming(image_suffix, label_suffix, label_options.png_only)
        files, self._passed_over = find_pairs(folder / images, folder / labels, naming)
        if not skip_bad or not files:
            raise_if_any("data set 'folder'", self._passed_over)
        doubts: list[str] = []
        divided = splits.divide({each.name for each in files}, folder, val, split, doubts.append)
        splits.warn_of_shared({each.name: each.images["data"] for each in files}, divided, doubts.append)
        kept = [each for each in files if each.name in divided[split]]
        meaning, read = label_options.resolve([each.labels["label"] for each in files], doubts.append)
        turned = choose_orientation(files, exif, doubts.append)
        if white is not None and not 1 <= white <= 65535:
            raise DataError(f"data set 'folder': white is {white}; expected 1 to 65535.")
        super().__init__("folder", split, {"label": meaning}, kept, {"label": read}, _kind(files, bands), turned)
        self._measured_on = [each.images["data"] for each in files if each.name in divided["train"]]
        self._white = white
        self.bands = tuple(bands)
        for doubt in doubts:
            warnings.warn(f"data set 'folder': {doubt}", stacklevel=3)

    @cached_property
    def own_preprocessing(self) -> Preprocessing | None:
        """None for pictures of 8 bits, gray or RGB; else the mean and deviation of each band in the training split."""
        kind = self._kinds if self._kinds.bits != 8 or self._kinds.bands else None
        if kind is None:
            return None
        if self._white is not None:  # fed as a byte of 255 is, about the middle of the range
            return replace(kind, mean=(self._white / 2,) * len(kind.mean), scale=255 / self._white)
        return with_measured_mean(kind, self._measured_on)

    def usable(self, progress: Progress | None = None) -> tuple[Sequence[int], list[str]]:
        """As every set; warns where the labels look blended although all their numbers are classes."""
        counts: list[Counts] = []

        def read(index: int) -> int:
            counts.append(Counts.of(self._visit(index).label))
            return index

        indices, problems = try_all(read, range(len(self)), progress)
        what = signs_of_blending(Counts.total(counts)) if counts else None
        if what is not None:
            warnings.warn(
                f"in the labels of data set 'folder' ({self.split}) {what}: they look anti-aliased, resized smoothly "
                f"or saved with losses (JPEG); if they are, {REMEDY}.",
                stacklevel=2,
            )
        return indices, [*self._passed_over, *problems]


def _kind(files: Sequence[SampleFiles], bands: Sequence[int]) -> Preprocessing | None:
    """How the pictures are read: as the first one that can be read is. None for 8 bits, gray or RGB."""
    for each in files:
        try:
            kind = read_format(each.images["data"])
        except FcnliteError:
            continue  # check() tells what is wrong with this file
        try:
            return band_preprocessing(kind, bands)
        except DataError as error:
            raise DataError(f"data set 'folder': {error}") from error
    return None
