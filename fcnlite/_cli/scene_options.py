"""The option --also of predict, for nets that take several pictures of a scene."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from fcnlite.errors import DataError, FileError, nearest
from fcnlite.segmentation.segmenter import Segmenter


def add_also(to: argparse.ArgumentParser) -> None:
    """Add the option --also; `folders` reads it."""
    words = "for a net that takes several pictures of a scene: the folder with the pictures for the input NAME, where "
    words += "they have the same file names; may be given several times"
    to.add_argument("--also", metavar="NAME=DIR", action="append", default=[], help=words)


def folders(entries: Iterable[str]) -> dict[str, Path]:
    """The folders that --also gives, by the net's input."""
    folders: dict[str, Path] = {}
    for entry in entries:
        name, equals, folder = entry.partition("=")
        if not equals or not name:
            raise DataError(f"--also {entry}: expected NAME=DIR, such as hha=nyud/data/hha.")
        if not Path(folder).is_dir():
            raise FileError(f"--also {entry}: {folder} is not a folder.")
        folders[name] = Path(folder)
    return folders


def main_input(segmenter: Segmenter, also: Mapping[str, Path]) -> str:
    """The input for the pictures on the command line: the one that --also does not name."""
    for name in also:
        if name not in segmenter.inputs:
            raise DataError(f"--also {name}=...: the net has no such input; {nearest(name, segmenter.inputs)}")
    left = [name for name in segmenter.inputs if name not in also]
    if len(left) != 1:
        raise DataError(
            f"the net takes {len(segmenter.inputs)} pictures of a scene ({', '.join(segmenter.inputs)}); give the "
            f"folders of all but one with --also NAME=DIR, such as --also {segmenter.inputs[-1]}=DIR."
        )
    return left[0]
