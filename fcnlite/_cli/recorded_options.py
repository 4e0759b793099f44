"""The data options that a weight file was trained with."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fcnlite.errors import DataError
from fcnlite.formats import storage


def use_recorded_options(options: argparse.Namespace, weights: str) -> None:
    """Without --data, fill in the data options that the weight file was trained with, and print them.

    The root comes from the checkpoint in the folder of the file. Raises `DataError` if the file records no training.
    """
    if options.data is not None:
        return
    recorded, in_run_folder = _recorded(weights)
    if recorded is None:
        raise DataError(f"{weights}: does not record the data set that it was trained on; give one with --data.")
    options.data = recorded["data"]
    given = {entry.partition("=")[0] for entry in options.data_option}
    kept = [entry for entry in recorded["data_option"] if entry.partition("=")[0] not in given]
    options.data_option = [*kept, *options.data_option]
    options.skip_bad = options.skip_bad or recorded["skip_bad"]
    options.split = options.split or recorded["val_split"]
    if options.root is None and in_run_folder:
        options.root = recorded["root"]
    elif options.root is None and recorded["root"] is not None:
        raise DataError(
            f"{weights}: was trained on data set {options.data!r} in a folder called {recorded['root']} and is not in "
            "the folder of its run, which records the path; give the path with --root DIR."
        )
    root = "" if options.root is None else f" --root {options.root}"
    entries = "".join(f" --data-option {entry}" for entry in options.data_option)
    split = f" --split {options.split}" if options.split else ""
    skip = " --skip-bad" if options.skip_bad else ""
    print(
        f"{weights}: measured on --data {options.data}{root}{entries}{split}{skip}, as it was trained", file=sys.stderr
    )


def _recorded(weights: str) -> tuple[dict[str, Any] | None, bool]:
    """The data options that a weight file records, and whether the file is in the folder of its run.

    In that folder the checkpoint records them with full paths.
    """
    if not storage.is_weight_file(weights):
        return None, False
    own = _data_options(storage.load(weights).info.record)
    for path in (Path(weights), Path(weights).parent / "last.h5"):
        found = _data_options(storage.load(path).progress) if storage.is_weight_file(path) else None
        # The file may have been copied into the folder of another run.
        if found is not None and (own is None or _same_run(own, found)):
            return found, True
    return own, False


def _data_options(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The data options in the record of a training; None if there are none."""
    match record:
        case {
            "options": {
                "data": str(data),
                "data_option": list(entries),
                "root": str() | None as root,
                "skip_bad": bool(skip_bad),
                "val_split": str() | None as val_split,
            }
        } if all(isinstance(entry, str) for entry in entries):
            found = {"data": data, "data_option": entries, "root": root, "skip_bad": skip_bad}
            return {**found, "val_split": val_split}
    return None


def _same_run(own: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    """Whether a weight file, which records only the names of folders, may come from this run."""
    name = None if run["root"] is None else Path(run["root"]).name
    same_root = own["root"] in (name, run["root"])
    return same_root and own["data"] == run["data"] and len(own["data_option"]) == len(run["data_option"])
