"""Small sets of files for the data tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pairs(tmp_path: Path) -> Callable[..., Path]:
    """`pairs(count)` makes a folder set of `count` 12×8 pairs with classes 0, 1 and 2; returns its root."""

    def make(count: int) -> Path:
        for kind in ("images", "labels"):
            (tmp_path / kind).mkdir(exist_ok=True)
        for number in range(count):
            rng = np.random.default_rng(number)
            label = np.arange(96, dtype=np.uint8).reshape(8, 12) % 3
            image = rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / "images" / f"p{number}.png")
            Image.fromarray(label).save(tmp_path / "labels" / f"p{number}.png")
        return tmp_path

    return make
