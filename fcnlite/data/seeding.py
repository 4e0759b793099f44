"""Randomness as a function of where it is used, never of what was drawn before."""

from __future__ import annotations

import zlib

import numpy as np

from fcnlite.errors import DataError


def generator(purpose: str, *words: int) -> np.random.Generator:
    """A generator that depends on `purpose` and `words` alone; another purpose gives other numbers.

    Each word must lie in 0…2³²−1: NumPy would cut a larger one into several, and two seeds could be one.
    """
    for word in words:
        if not 0 <= word < 1 << 32:
            raise DataError(f"seed {word}: expected a whole number from 0 to {(1 << 32) - 1}.")
    return np.random.default_rng((zlib.crc32(purpose.encode()), *words))
