"""Random generators that depend only on where they are used, never on earlier draws."""

from __future__ import annotations

import zlib

import numpy as np

from fcnlite.errors import DataError


def generator(purpose: str, *words: int) -> np.random.Generator:
    """A random generator that is a function of `purpose` and `words` alone; different purposes give different numbers.

    Raises `DataError` for a word outside 0…2³²−1: NumPy would split it into several, so that two seeds could coincide.
    """
    for word in words:
        if not 0 <= word < 1 << 32:
            raise DataError(f"seed {word}: expected a whole number from 0 to {(1 << 32) - 1}.")
    return np.random.default_rng((zlib.crc32(purpose.encode()), *words))
