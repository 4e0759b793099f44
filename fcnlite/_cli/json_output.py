"""The files that commands write besides their results: checked before the work, written after it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fcnlite.errors import FileError
from fcnlite.files import atomic_write


def add_json(to: argparse.ArgumentParser, what: str) -> None:
    """Add the option --json, for `what`; `write_json` reads it."""
    words = f"write {what} as JSON (docs/json.md); '-': to standard output, instead of the text"
    to.add_argument("--json", metavar="FILE", help=words)


def check_target(target: str | None, makes: str | None = None) -> None:
    """Refuse a file that cannot be written before the net runs. `makes`: the folder that the command makes."""
    if target is None:
        return
    folder = Path(target).parent
    if Path(target).is_dir():
        raise FileError(f"{target}: is a folder; give the name of a file to write.")
    if not folder.is_dir() and (makes is None or folder.absolute() != Path(makes).absolute()):
        raise FileError(f"{target}: there is no folder {folder} to write it to; make it first.")


def write_json(target: str | None, schema: str, values: Mapping[str, Any]) -> None:
    """Write values to the file that --json names, to standard output for '-', or nothing without the option."""
    if target is None:
        return
    text = json.dumps({"schema": f"fcnlite.{schema}", **values})
    if target == "-":
        print(text)
        return
    with atomic_write(target) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
