"""The views of a picture that a `Segmenter` averages over: mirrored and resized copies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fcnlite.errors import DataError


@dataclass(frozen=True)
class Views:
    """Each picture at each of `scales`, and with `flip` also mirrored left to right.

    Raises `DataError` for scales that are not above 0 or occur twice.
    """

    flip: bool = False
    scales: Sequence[float] = (1.0,)

    def __post_init__(self) -> None:
        if not self.scales:
            raise DataError("scales is empty; expected at least one factor, such as 1.")
        for each in self.scales:
            if isinstance(each, bool) or not isinstance(each, (int, float)) or not (each > 0 and math.isfinite(each)):
                raise DataError(f"scales has {each!r}; expected factors above 0, such as 0.75 1 1.25.")
        if twice := [each for i, each in enumerate(self.scales) if each in self.scales[:i]]:
            raise DataError(f"scales has {twice[0]:g} twice; give each factor once.")

    @property
    def single(self) -> bool:
        """Whether the picture as it is is the only view."""
        return not self.flip and tuple(self.scales) == (1,)

    def size(self, height: int, width: int, scale: float) -> tuple[int, int]:
        """Height and width of a picture at `scale`, rounded. Raises `DataError` if one is 0."""
        scaled = math.floor(height * scale + 0.5), math.floor(width * scale + 0.5)
        if 0 in scaled:
            raise DataError(
                f"a picture of {height} rows and {width} columns has {scaled[0]} rows and {scaled[1]} columns at scale "
                f"{scale:g}; leave this scale out."
            )
        return scaled

    def __str__(self) -> str:
        """scales 0.75, 1, 1.25, each also mirrored"""
        scales = f"scale{'s' if len(self.scales) > 1 else ''} {', '.join(f'{each:g}' for each in self.scales)}"
        return scales + (
            ", each also mirrored" if self.flip and len(self.scales) > 1 else ", also mirrored" if self.flip else ""
        )
