"""How long a training will take, told once, after its first iterations."""

from __future__ import annotations

import time
from statistics import median

_FEWEST = 5
"""Iterations that are measured; the first, in which plans are made, is not."""
_SECONDS = 2.0
"""Or as many as this takes, where iterations are short."""
_WORTH = 30.0
"""Seconds to go from which on it is told."""


class Pace:
    """Call `step` after each iteration, before what is done between two of them."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._times: list[float] = []
        self._told = False

    def step(self) -> None:
        """An iteration has ended."""
        self._times.append(time.perf_counter() - self._began)

    def tell(self, done: int, iterations: int) -> str | None:
        """The next iteration begins, with `done` behind it: what to tell the user, if it is time for that."""
        self._began = time.perf_counter()
        measured = self._times[1:]
        if self._told or len(measured) < _FEWEST or (sum(measured) < _SECONDS and done < iterations):
            return None
        self._told = True
        each = median(measured)
        left = each * (iterations - done)
        if left < _WORTH:
            return None
        return f"about {duration(left)} to go: {each:.3g} s an iteration, validation apart"


def duration(seconds: float) -> str:
    """In words."""
    minutes = max(1, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} minute" + ("" if minutes == 1 else "s")
    return f"{minutes // 60} h {minutes % 60:02} min"
