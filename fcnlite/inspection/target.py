"""The folder that a conversion writes: new or empty before, complete or gone after."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fcnlite.errors import FileError
from fcnlite.files import cannot_write


def check_new(out: Path) -> None:
    """Raise `FileError` unless `out` is a new or an empty folder."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileError(f"{out}: exists already; give a new folder after --to folder.")


@contextmanager
def filled(out: Path) -> Iterator[None]:
    """Make the new or empty folder `out`, which the block fills. If the block fails, all that was made is removed.

    Raises `FileError` for an `OSError` in the block.
    """
    made = [each for each in (out, *out.parents) if not each.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        with suppress(OSError):
            for each in out.iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()
            for folder in made:
                folder.rmdir()
        if isinstance(error, OSError):
            raise cannot_write(out, error) from error
        raise
