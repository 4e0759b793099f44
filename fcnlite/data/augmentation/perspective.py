"""Perspective: look at a picture from a slightly different place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change

MOST = 0.25
"""Corners that move further may make a quadrilateral that is not convex."""


@dataclass(frozen=True)
class Perspective(Single):
    """Move each corner of the part that is shown by (u·W, v·H), u and v ~ U(−share, share).

    The projective map M solves M (x, y, 1)ᵀ ~ (x', y', 1)ᵀ for the four corners (x, y) and their places (x', y').
    """

    name = "perspective"
    form = "perspective=SHARE"
    example = "perspective=0.1"
    about = "move each corner by up to this share of the width and of the height"

    share: float

    def __post_init__(self) -> None:
        self.expect(0 < self.share <= MOST, f"above 0, at most {MOST}")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        height, width = change.geometry.out
        corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
        moved = corners + rng.uniform(-self.share, self.share, (4, 2))
        size = np.array([width, height])
        change.geometry.bend().project(projective(corners * size, moved * size))


def projective(points: np.ndarray, to: np.ndarray) -> np.ndarray:
    """The 3×3 matrix that maps four points (x, y) to four others."""
    rows, right = [], []
    for (x, y), (u, v) in zip(points.tolist(), to.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(right)), 1).reshape(3, 3)
