"""Elastic deformation: bend a picture smoothly, as tissue is bent (Ronneberger, Fischer, Brox, U-Net, 2015)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change

FOLDS = 4
"""A grid whose points move by at most a quarter of their spacing does not fold."""


@dataclass(frozen=True)
class Elastic(Single):
    """Move the points of a grid by (u, v), u and v ~ U(−pixels, pixels), and what is between them smoothly along.

    The points are `spacing` pixels apart. Between them the displacement is cubic (Catmull and Rom, 1974): along each
    axis at the share t between p₁ and p₂, ½ (2p₁ + (p₂ − p₀) t + (2p₀ − 5p₁ + 4p₂ − p₃) t² + (3p₁ − p₀ − 3p₂ + p₃) t³).
    """

    name = "elastic"
    form = "elastic=PIXELS[:SPACING]"
    example = "elastic=8:64"
    about = "bend: move the points of a grid, SPACING pixels apart (default: 64), by up to PIXELS"

    pixels: float
    spacing: int = 64

    def __post_init__(self) -> None:
        self.expect(self.spacing >= FOLDS, f"a spacing of at least {FOLDS} pixels")
        self.expect(
            0 < self.pixels <= self.spacing / FOLDS, "above 0, at most a quarter of the spacing, or the picture folds"
        )

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        warp = change.geometry.bend()
        points = [side // self.spacing + 4 for side in (warp.height, warp.width)]
        grid = rng.uniform(-self.pixels, self.pixels, (2, *points))
        down, right = (
            _weights(places / self.spacing, count) for places, count in zip((warp.y, warp.x), points, strict=True)
        )
        warp.displacement = down @ grid @ right.T


def _weights(places: np.ndarray, points: int) -> np.ndarray:
    """The weight of each point of a grid from −1 on for the value at each place: len(places)×points."""
    first = np.floor(places).astype(int)
    t = (places - first)[:, None]
    powers = np.concatenate([np.ones_like(t), t, t**2, t**3], axis=1)
    cubic = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    weights = np.zeros((len(places), points))
    np.put_along_axis(weights, first[:, None] + np.arange(4), powers @ cubic, axis=1)
    return weights
