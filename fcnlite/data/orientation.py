"""Whether the labels of a folder were made for its pictures upright or as stored.

A camera writes how it was held (the EXIF orientation). Annotation tools differ in whether they heed it. Where turning
swaps width and height the size of a label tells; turned upside down, mirrored or square pictures fit both ways.
"""

from __future__ import annotations

from collections.abc import Sequence

from fcnlite.data.file_dataset import SampleFiles
from fcnlite.data.label_tables import Warn
from fcnlite.data.pictures import SUFFIXES, Orientation, orientation_of, size_of
from fcnlite.data.problems import try_all
from fcnlite.errors import DataError

_WITH_EXIF = frozenset(SUFFIXES) - {".bmp", ".gif", ".ppm", ".pgm", ".npy"}


def choose_orientation(files: Sequence[SampleFiles], given: str | None, warn: Warn) -> Orientation:
    """What holds for all pairs: what the option exif says, else what those show whose sizes tell.

    Where nothing tells, or pairs disagree, this is said: those that fit both ways are taken upright.
    """
    if given == "upright":
        return "upright"
    if given == "stored":
        return "stored"
    if given is not None:
        raise DataError(f"data set 'folder': exif is {given!r}; expected upright or stored.")
    found, _ = try_all(_evidence, [each for each in files if each.images["data"].suffix.lower() in _WITH_EXIF])
    kinds = ("upright", "stored", "either")
    upright, stored, either = ([name for what, name in found if what == kind] for kind in kinds)
    if bool(upright) != bool(stored):
        return "upright" if upright else "stored"
    options = "exif=upright or exif=stored says how the labels were made."
    if upright:
        warn(
            f"by their EXIF orientation, {len(upright)} pictures fit their labels upright (such as {upright[0]}) and "
            f"{len(stored)} as they are stored (such as {stored[0]}); each is taken as it fits"
            + (f", {len(either)} that fit both ways upright" if either else "")
            + f". {options}"
        )
    elif either:
        warn(
            f"the EXIF orientation turns or mirrors {len(either)} of {len(files)} pictures (such as {either[0]}) and "
            f"their labels fit them upright as well as stored: they are taken upright, as people see them. {options}"
        )
    return "auto"


def _evidence(files: SampleFiles) -> tuple[str, str]:
    """Which way the label of a pair fits its picture, and the picture's name."""
    picture, label = files.images["data"], files.labels["label"]
    orientation, (width, height) = orientation_of(picture)
    if orientation == 1:
        return "", picture.name
    wanted = size_of(label)
    fits_stored = wanted == (width, height)
    fits_upright = wanted == ((height, width) if orientation > 4 else (width, height))
    if fits_stored and fits_upright:
        return "either", picture.name
    return ("stored" if fits_stored else "upright" if fits_upright else ""), picture.name
