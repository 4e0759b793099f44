"""Folders of pictures in which every class is a colour, so that predictions are easy to check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

COLORS = {"road": (40, 40, 40), "car": (220, 40, 40), "sky": (60, 120, 240)}
SMALL = (
    "--width", 0.02, "--batch-size", 2, "--iterations", 1, "--base-lr", 0, "--crop", 16, 16, "--no-flip",
)  # fmt: skip


def scenes(root: Path, classes: Sequence[str], count: int = 6) -> Path:
    """Pictures of stripes; labels number the classes in this order, and classes.txt names them."""
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    names = list(COLORS)[: len(classes)]
    for i in range(count):
        rows = np.random.default_rng(i).integers(0, len(names), 16)
        rows[: len(names)] = range(len(names))
        picture = np.array([COLORS[names[row]] for row in rows], np.uint8)[:, None].repeat(16, axis=1)
        lower_case = [each.casefold() for each in classes]
        label = np.array([lower_case.index(names[row]) for row in rows], np.uint8)[:, None].repeat(16, axis=1)
        Image.fromarray(picture).save(root / "images" / f"{i}.png")
        Image.fromarray(label).save(root / "labels" / f"{i}.png")
    (root / "classes.txt").write_text("\n".join(classes) + "\n")
    (root / "val.txt").write_text("0\n1\n")
    return root
