"""The libraries of the extra `labels`, or an error that names the way to install them."""

from __future__ import annotations

import importlib
from typing import Any

from fcnlite.errors import FcnliteError


def shapely() -> Any:
    """The module shapely. Raises `FcnliteError` if it is not installed."""
    return _module("shapely")


def coco_mask() -> Any:
    """The module pycocotools.mask. Raises `FcnliteError` if it is not installed."""
    return _module("pycocotools.mask")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise FcnliteError(
            f"outlines of objects need the package {package} ({error}): pip install 'fcnlite[labels]'."
        ) from error
