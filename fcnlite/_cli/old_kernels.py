"""Kernels that were compiled from an older version of their sources, or not at all."""

from __future__ import annotations

import traceback
from types import ModuleType

from fcnlite.errors import lacks_memory

_KERNELS = "fcnlite._kernels"


def complaint(error: BaseException) -> str | None:
    """The message of an error that kernels cause which do not fit the code that calls them; None for other errors.

    Such kernels have no module, no function or no argument of the name that the code expects.
    """
    if lacks_memory(error) or not _is_of_kernels(error):
        return None
    return (
        f"error: the compiled kernels do not fit this version of fcnlite ({error}); compile them again with "
        "`make install` in the folder of the project, or with `pip install .` there if you installed without make."
    )


def _is_of_kernels(error: BaseException) -> bool:
    if isinstance(error, ImportError):
        return (error.name or "").startswith(_KERNELS)
    if isinstance(error, AttributeError):
        return isinstance(error.obj, ModuleType) and error.obj.__name__.startswith(_KERNELS)
    if isinstance(error, TypeError):  # by a function that refuses its arguments: its source is the last file
        files = [each.filename for each in traceback.extract_tb(error.__traceback__)]
        return any(each.startswith("fcnlite/_kernels/") for each in files)
    return False
