"""Decides whether the labels of a folder were made for its pictures turned upright or as stored.

A camera records how it was held (the EXIF orientation), and only some annotation tools apply it. If the orientation
swaps width and height, the size of the label shows which; pictures turned by 180 degrees, mirrored or square fit both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fcnlite.data.file_dataset import SampleFiles
from fcnlite.data.label_tables import Warn
from fcnlite.data.pictures import SUFFIXES, Orientation, orientation_of, size_of
from fcnlite.data.problems import try_all
from fcnlite.errors import DataError

_WITH_EXIF = frozenset(SUFFIXES) - {".bmp", ".gif", ".ppm", ".pgm", ".npy"}


def _size_of_file(files: SampleFiles) -> tuple[int, int]:
    """The size of a label that is a picture file."""
    return size_of(files.labels["label"])


def choose_orientation(
    files: Sequence[SampleFiles],
    given: str | None,
    warn: Warn,
    label_size: Callable[[SampleFiles], tuple[int, int]] = _size_of_file,
) -> Orientation:
    """The orientation for all pairs: the option `exif` (`given`), else the one that the sizes of the pairs show.

    `label_size` returns width and height of the label of a pair.
    If no size shows it, or the pairs disagree, this is a warning, and pairs that fit both ways are turned upright.
    """
    if given == "upright":
        return "upright"
    if given == "stored":
        return "stored"
    if given is not None:
        raise DataError(f"option exif is {given!r}; expected upright or stored.")
    looked_at = [each for each in files if each.images["data"].suffix.lower() in _WITH_EXIF]
    found, _ = try_all(lambda each: _evidence(each, label_size), looked_at)
    kinds = ("upright", "stored", "either")
    upright, stored, either = ([name for what, name in found if what == kind] for kind in kinds)
    if bool(upright) != bool(stored):
        return "upright" if upright else "stored"
    options = "Give exif=upright or exif=stored for the way in which the labels were made."
    if upright:
        warn(
            f"{len(upright)} pictures fit their labels only if turned upright by their EXIF orientation (such as "
            f"{upright[0]}) and {len(stored)} only as stored (such as {stored[0]}); each is read as it fits"
            + (f", and {len(either)} that fit both ways are turned upright" if either else "")
            + f". {options}"
        )
    elif either:
        warn(
            f"the EXIF orientation turns or mirrors {len(either)} of {len(files)} pictures (such as {either[0]}), and "
            f"their labels fit them both upright and as stored: they are turned upright, as viewers do. {options}"
        )
    return "auto"


def _evidence(files: SampleFiles, label_size: Callable[[SampleFiles], tuple[int, int]]) -> tuple[str, str]:
    """The orientation in which a pair fits (upright, stored, either or neither), and the name of the picture."""
    picture = files.images["data"]
    orientation, (width, height) = orientation_of(picture)
    if orientation == 1:
        return "", picture.name
    wanted = label_size(files)
    fits_stored = wanted == (width, height)
    fits_upright = wanted == ((height, width) if orientation > 4 else (width, height))
    if fits_stored and fits_upright:
        return "either", picture.name
    return ("stored" if fits_stored else "upright" if fits_upright else ""), picture.name
