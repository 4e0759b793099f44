"""Frames of video files, through PyAV (FFmpeg)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.picture_files import MAX_PIXELS, too_large
from fcnlite.errors import DataError, FcnliteError, FileError
from fcnlite.files import reading

SUFFIXES = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".ogv")
"""The extensions of video files, in lower case."""

_SECONDS_MISSING = 1.0
"""The time by which the last frame may begin before the declared end."""


def frames(path: Path, every: int = 1) -> Iterator[tuple[int, Array]]:
    """Every `every`-th frame of a video with its number from 0, H×W×3 uint8 RGB, turned upright.

    Raises `FileError` for a file that is not a video, `DataError` for a video that ends early or is damaged, after the
    frames before that place, and `FcnliteError` without PyAV.
    """
    av = library()
    with reading(path) as stream:
        stream.read(1)  # a missing file has an error of ours
    try:
        container = av.open(str(path))
    except Exception as error:  # FFmpeg's errors have a type for each number
        raise FileError(f"{path}: is not a video that can be read ({_words(error)}).") from error
    with container:
        if not container.streams.video:
            raise FileError(f"{path}: holds no video.")
        video = container.streams.video[0]
        if video.width * video.height > MAX_PIXELS:
            raise too_large(path, f"{video.width}×{video.height} pixels")
        number, shown = -1, 0.0
        decoded = container.decode(video)
        while True:
            try:
                frame = next(decoded, None)
            except Exception as error:
                raise DataError(f"{path}: is damaged after {number + 1} frames ({_words(error)}).") from error
            if frame is None:
                break
            number += 1
            shown = frame.time or shown
            if number % every == 0:
                yield number, _pixels(frame)
        if video.frames > number + 1:
            raise DataError(f"{path}: ends early: it has {number + 1} of {video.frames} frames.")
        # Some formats have a duration instead of a count.
        declared = (container.duration or 0) / 1e6
        if not video.frames and declared - shown > _SECONDS_MISSING:
            raise DataError(f"{path}: ends early: it has {shown:.1f} of {declared:.1f} seconds.")
        if number < 0:
            raise DataError(f"{path}: has no frames.")


def _pixels(frame: Any) -> Array:
    """A frame turned as its display says, in steps of 90 degrees."""
    found = frame.to_ndarray(format="rgb24")
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(found, turns)) if turns else np.asarray(found)


def declared_frames(path: Path) -> int:
    """The number of frames that a video declares; 0 if it does not say, or cannot be read."""
    with suppress(Exception), library().open(str(path)) as container:
        return int(container.streams.video[0].frames)
    return 0


def _words(error: Exception) -> str:
    """What FFmpeg says, without its number."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:120]


def library() -> Any:
    """PyAV. Raises `FcnliteError` if it is not installed."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise FcnliteError(f"videos need the package av ({error}): pip install 'fcnlite[video]'.") from error
