"""Resampling pictures and label maps of any type with Pillow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fcnlite.data.augmentation.warp import Warp

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""


def resized(array: np.ndarray, size: tuple[int, int], box: Box, smooth: bool) -> np.ndarray:
    """Resize the part of a picture or label map in `box` to `size` (width, height)."""
    from PIL import Image

    method = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return _by_pillow(array, lambda image, fill: image.resize(size, method, box), 0)


def warped(
    array: np.ndarray, out: tuple[int, int], warp: Warp, to_source: np.ndarray, fill: np.ndarray | int, smooth: bool
) -> np.ndarray:
    """The result of `out` (height, width) pixels, each of which shows the point of `array` where `warp` leads.

    `to_source` is the 3×3 matrix from the warp's frame to the array. Pixels that show a point outside are `fill`. Where
    it interpolates bytes, Pillow rounds down.
    """
    from PIL import Image

    sampling = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    size = out[1], out[0]
    if warp.displacement is None:
        matrix = to_source @ warp.matrix
        method, data = Image.Transform.PERSPECTIVE, (matrix / matrix[2, 2]).ravel()[:8].tolist()
    else:
        method, data = Image.Transform.MESH, _mesh(warp, warp.vertices(to_source))
    return _by_pillow(array, lambda image, fill: image.transform(size, method, data, sampling, fillcolor=fill), fill)


def covered(source: tuple[int, int], out: tuple[int, int], warp: Warp, to_source: np.ndarray) -> np.ndarray:
    """The pixels of the result that show a point of the picture of `source` (height, width) pixels: H×W bool."""
    points = warp.vertices(to_source)
    if (points >= 0).all() and (points < (source[1], source[0])).all():  # the cells between them are inside as well
        return np.ones(out, bool)
    return warped(np.ones(source, np.uint8), out, warp, to_source, 0, smooth=False).astype(bool)


def _mesh(warp: Warp, points: np.ndarray) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    """Each cell of the mesh, with the points of its corners in Pillow's order: counterclockwise from the upper left."""
    corners = np.concatenate([points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]], axis=2).tolist()
    x, y = warp.x.astype(int).tolist(), warp.y.astype(int).tolist()
    return [
        ((x[j], y[i], x[j + 1], y[i + 1]), tuple(corners[i][j])) for i in range(len(y) - 1) for j in range(len(x) - 1)
    ]


def _by_pillow(array: np.ndarray, change: Callable[[Any, Any], Any], fill: np.ndarray | int) -> np.ndarray:
    """`change(image, fill)` of a picture or label map; bands of other types than bytes are changed one by one."""
    from PIL import Image

    if array.dtype == np.uint8 and array.shape[2:] in ((), (3,)):
        colors = np.broadcast_to(fill, array.shape[2:]).tolist()
        return np.array(change(Image.fromarray(array), tuple(colors) if array.ndim == 3 else colors))
    # float32 holds 16 bits exactly.
    bands = array.shape[2] if array.ndim == 3 else 1
    planes = np.moveaxis(array.reshape(*array.shape[:2], bands), 2, 0)
    fills = np.broadcast_to(fill, bands).tolist()
    changed = [
        np.asarray(change(Image.fromarray(plane.astype(np.float32)), value))
        for plane, value in zip(planes, fills, strict=True)
    ]
    values = changed[0] if array.ndim == 2 else np.stack(changed, axis=2)
    return values.astype(array.dtype) if array.dtype.kind == "f" else np.rint(values).astype(array.dtype)
