"""A dropped file as a file in memory, for the readers of `fcnlite.data`, which take paths. Nothing reaches a disk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from fcnlite.arrays import Array
from fcnlite.errors import DataError, FcnliteError

_LONGEST_NAME = 80


def clean_name(name: str) -> str:
    """The last part of a file's name, without characters that do not print."""
    last = re.split(r"[/\\]", str(name))[-1]
    return "".join(each if each.isprintable() else "?" for each in last)[:_LONGEST_NAME] or "picture"


@contextmanager
def in_memory(content: Array, name: str) -> Iterator[str]:
    """The path of a file in memory that holds `content`, uint8; errors in the block name it `name`.

    Raises `DataError` where the system does not have such files.
    """
    if not hasattr(os, "memfd_create"):
        raise DataError(
            f"{name}: cannot be read, because dropped pictures need files in memory, which Linux has; take the sample."
        )
    file = os.memfd_create("picture", os.MFD_CLOEXEC)
    path = f"/proc/self/fd/{file}"
    try:
        with open(file, "wb", closefd=False) as stream:
            stream.write(content.tobytes())
        yield path
    except FcnliteError as error:
        # NumPy and others resolve the link, and name the memory file itself.
        text = re.sub(r"/proc/self/fd/\d+|/memfd:picture( \(deleted\))?", name, str(error))
        raise type(error)(text) from error
    finally:
        os.close(file)
