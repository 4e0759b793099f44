"""A warp of the result: displacements on a mesh, then a projective map."""

from __future__ import annotations

import numpy as np

CELL = 24
"""Height and width of the cells of the mesh, in pixels; between its vertices, displacements are bilinear."""


class Warp:
    """A map from points (x, y) of a result of `height`×`width` pixels to points of the same frame, at first identity.

    Points count from the upper left corner, so that the first pixel's centre is (½, ½).
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.x = np.append(np.arange(0, width, CELL), width).astype(np.float64)
        """The columns of the mesh's vertices; `y` has the rows."""
        self.y = np.append(np.arange(0, height, CELL), height).astype(np.float64)
        self.displacement: np.ndarray | None = None
        """How far each vertex moves in x and y: 2×len(y)×len(x); None for no mesh."""
        self.matrix = np.eye(3)
        """The projective map of points (x, y, 1), which comes after the displacement."""

    def project(self, matrix: np.ndarray) -> None:
        """Apply a 3×3 projective map about the centre, where the point (0, 0) is, after what there is."""
        y, x = self.height / 2, self.width / 2
        to, back = np.eye(3), np.eye(3)
        to[:2, 2], back[:2, 2] = (-x, -y), (x, y)
        self.matrix = back @ matrix @ to @ self.matrix

    def vertices(self, then: np.ndarray) -> np.ndarray:
        """Where the vertices go, after the warp and the projective map `then`: len(y)×len(x)×2, each (x, y)."""
        x, y = np.meshgrid(self.x, self.y)
        if self.displacement is not None:
            x, y = x + self.displacement[0], y + self.displacement[1]
        points = np.stack([x, y, np.ones_like(x)], axis=2) @ (then @ self.matrix).T
        moved: np.ndarray = points[:, :, :2] / points[:, :, 2:]
        return moved
