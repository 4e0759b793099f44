"""The look of a changed picture: its values, not its geometry.

Changes of each value by itself (tones) become one table for bytes, changes of red, green and blue together one matrix,
so that a picture of bytes is rounded at most twice before filters such as noise, however many transforms a list has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fcnlite.data.transforms import mean_pixel
from fcnlite.description.model_info import Preprocessing

Tone = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Changes values: float32 with the bands last, given these and the mean pixel."""
Filter = Callable[[np.ndarray, Preprocessing], np.ndarray]
"""Changes a picture of any type, H×W or H×W×C, which has this preprocessing."""


class Look:
    """The changes of a picture's values, at first none: tones in order, then a matrix of colours, then filters."""

    def __init__(self) -> None:
        self.tones: list[Tone] = []
        self.colors: np.ndarray | None = None
        """3×3, for red, green and blue; None for no change."""
        self.filters: list[Filter] = []

    def mix_colors(self, matrix: np.ndarray) -> None:
        """Multiply (red, green, blue) by a 3×3 matrix, after what there is."""
        self.colors = matrix if self.colors is None else matrix @ self.colors

    def applied(self, image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
        """The picture with these changes, of the same type; it may be the given array."""
        if self.tones:
            image = self._toned(image, mean_pixel(preprocessing))
        if self.colors is not None:
            image = _mixed(image, self.colors)
        for each in self.filters:
            image = each(image, preprocessing)
        return image

    def _toned(self, image: np.ndarray, mean: np.ndarray) -> np.ndarray:
        mean = mean.astype(np.float32)
        if image.dtype != np.uint8:
            return as_type(self._tones_of(image.astype(np.float32), mean), image.dtype)
        values = np.repeat(np.arange(256, dtype=np.float32)[:, None], mean.size, axis=1)
        return _looked_up(image, as_type(self._tones_of(values, mean), np.uint8))

    def _tones_of(self, values: np.ndarray, mean: np.ndarray) -> np.ndarray:
        for tone in self.tones:
            values = tone(values, mean)
        return values


def _looked_up(image: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Each byte of a picture replaced by its entry in `table`, 256×bands."""
    from PIL import Image

    if image.shape[2:] == (3,):
        return np.array(Image.fromarray(image).point(table.T.ravel().tolist()))
    planes = image.reshape(*image.shape[:2], -1)
    bands = [table[:, band][planes[:, :, band]] for band in range(planes.shape[2])]
    return np.stack(bands, axis=2).reshape(image.shape)


def _mixed(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    from PIL import Image

    rows = np.concatenate([matrix, np.zeros((3, 1))], axis=1)
    return np.array(Image.fromarray(image).convert("RGB", tuple(rows.ravel().tolist())))


def as_type(values: np.ndarray, dtype: np.dtype | type) -> np.ndarray:
    """Values as a picture's type: whole numbers are rounded and clipped to its range."""
    if np.dtype(dtype).kind == "u":
        values = np.clip(np.rint(values), 0, np.iinfo(dtype).max)
    return values.astype(dtype)
