"""Writes the frames of a video as pictures."""

from __future__ import annotations

from pathlib import Path

from fcnlite.data.video import frames
from fcnlite.errors import DataError
from fcnlite.inspection.target import filled
from fcnlite.segmentation import plots


def write_frames(video: Path, out: Path, every: int, skip_bad: bool) -> tuple[int, str]:
    """Write every `every`-th frame as OUT/NAME_000000.png, with its number; returns their count and the problem.

    The problem is empty, or that of a video that ends early, whose frames are kept with `skip_bad`; otherwise it is
    raised as `DataError` and the folder is removed.
    """
    from PIL import Image

    count = 0
    with filled(out):
        try:
            for number, pixels in frames(video, every):
                plots.save_png(out / f"{video.stem}_{number:06}.png", Image.fromarray(pixels))
                count += 1
        except DataError as error:
            if skip_bad and count:
                return count, str(error)
            raise DataError(f"{error} Nothing is written; --skip-bad keeps the frames before.") from error
    return count, ""
