"""Folder data sets for tests: writing labels, opening, spoiling labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from fcnlite import data

TABLE = "# red green blue name\n128 0 0 roof\n0, 128, 0, green lawn\n0 0 128 roof\n0 0 0 void\n"


def names(dataset: data.Dataset) -> set[str]:
    return {dataset[index].name for index in range(len(dataset))}


def opened(root: Path, split: str = "train", **options) -> data.Dataset:
    dataset = data.open("folder", root, split, **options)
    dataset.check()
    return dataset


def write_label(root: Path, name: str, label: np.ndarray) -> None:
    Image.fromarray(label).save(root / "labels" / f"{name}.png")


def write_colors(root: Path, *colors: tuple[int, int, int]) -> None:
    for name in ("p0", "p1"):
        write_label(root, name, np.resize(np.array(colors, np.uint8), (8, 12, 3)))


def blobs_of_classes(*values: object) -> np.ndarray:
    """Large squares of three values, 90×120."""
    squares = np.array([[0, 1, 2, 1], [2, 0, 1, 0], [1, 2, 0, 2]])
    return np.array(values, np.uint8)[squares].repeat(30, 0).repeat(30, 1)


def enlarged(root: Path) -> None:
    for name in ("p0", "p1"):
        Image.new("RGB", (120, 90)).save(root / "images" / f"{name}.png")


def smoothed(label: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(label).resize((80, 60), Image.Resampling.BILINEAR).resize((120, 90), 2))


def as_jpeg(label: np.ndarray, tmp_path: Path) -> np.ndarray:
    Image.fromarray(label).save(tmp_path / "x.jpg", quality=85)
    return np.array(Image.open(tmp_path / "x.jpg"))
