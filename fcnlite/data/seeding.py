"""Randomness as a function of where it is used, never of what was drawn before."""

from __future__ import annotations

import numpy as np

from fcnlite.errors import DataError


def generator(*words: int) -> np.random.Generator:
    """A generator that depends on `words` alone.

    NumPy pads short seeds with zeros, so that (1, 2) and (1, 2, 0) are one seed: callers that use different
    numbers of words begin with a word of their own. Each word must lie in 0…2³²−1, else two seeds could
    flow into one another.
    """
    for word in words:
        if not 0 <= word < 1 << 32:
            raise DataError(f"seed {word}: expected a whole number from 0 to {(1 << 32) - 1}.")
    return np.random.default_rng(words)
