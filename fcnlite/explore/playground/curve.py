"""A curve of bounded length, however long a training is."""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array

POINTS = 400
"""The most points of a curve; an even number."""


class Curve:
    """Values by iteration. Each point is the mean of `span` values in sequence; when there are too many points, each
    two become one, and `span` doubles."""

    def __init__(self) -> None:
        self.span = 1
        self._points: list[tuple[float, float]] = []
        self._pending: list[tuple[float, float]] = []

    def add(self, iteration: int, value: float) -> None:
        self._pending.append((float(iteration), value))
        if len(self._pending) == self.span:
            self._points.append(_mean(self._pending))
            self._pending.clear()
        if len(self._points) == POINTS:
            self._points = [_mean(self._points[i : i + 2]) for i in range(0, POINTS, 2)]
            self.span *= 2

    @property
    def points(self) -> Array:
        """N×2 float32: the mean iteration and the mean value of each point, with one for the values not yet full."""
        points = [*self._points, _mean(self._pending)] if self._pending else self._points
        return np.array(points, np.float32).reshape(-1, 2)


def _mean(points: list[tuple[float, float]]) -> tuple[float, float]:
    iterations, values = zip(*points, strict=True)
    return sum(iterations) / len(points), sum(values) / len(points)
