"""Makes np.empty fail every time: a function that adds to such an array is right or wrong by chance otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def marked() -> Iterator[None]:
    """While it lasts, np.empty and np.empty_like fill their arrays: with NaN, or with the largest whole number."""
    kept = {name: getattr(np, name) for name in ("empty", "empty_like")}
    for name, function in kept.items():
        setattr(np, name, _filling(function))
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(np, name, function)


def _filling(function: Callable[..., Any]) -> Callable[..., Any]:
    def filled(*arguments: Any, **options: Any) -> Any:
        array = function(*arguments, **options)
        if array.dtype.kind in "fc":
            array.fill(np.nan)
        elif array.dtype.kind in "iu":
            array.fill(np.iinfo(array.dtype).max)
        return array

    return filled
