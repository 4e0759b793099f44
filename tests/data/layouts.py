"""Small data sets in the folder layouts in which the real ones are published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse
from PIL import Image

SCENES = "spatial_envelope_256x256_static_8outdoorcategories"
SIZE = (8, 12)
"""Height and width."""


def picture(path: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Save a picture of random colours; returns its pixels, which PNG keeps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def png(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def mat(path: Path, **variables: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, variables, do_compression=True)


def lines(path: Path, names: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))


def bands(*numbers: int, size: tuple[int, int] = SIZE, dtype: Any = np.uint8) -> np.ndarray:
    """A label map whose columns are these numbers in turn."""
    return np.resize(np.array(numbers, dtype), size[1])[None].repeat(size[0], axis=0)


def voc(root: Path, label: np.ndarray, **splits: Sequence[str]) -> Path:
    """A VOC folder; each split has these pictures, all with one label, in VOC's palette."""
    from fcnlite.data import voc_colors

    for split, names in splits.items():
        lines(root / "ImageSets" / "Segmentation" / f"{split}.txt", names)
        for name in names:
            picture(root / "JPEGImages" / f"{name}.jpg", size=label.shape)
            image = Image.fromarray(label)
            image.putpalette(np.array(voc_colors(256), np.uint8).tobytes())
            (root / "SegmentationClass").mkdir(exist_ok=True)
            image.save(root / "SegmentationClass" / f"{name}.png")
    return root


def sbd(root: Path, label: np.ndarray, **splits: Sequence[str]) -> Path:
    """SBD's dataset/, with its struct GTcls: boundaries are sparse, one matrix a class."""
    boundaries = np.empty((20, 1), object)
    for i in range(20):
        boundaries[i, 0] = scipy.sparse.csc_matrix(label.shape, dtype=bool)
    for split, names in splits.items():
        lines(root / f"{split}.txt", names)
        for name in names:
            picture(root / "img" / f"{name}.jpg")
            categories = np.unique(label[label > 0])
            truth = {"Boundaries": boundaries, "Segmentation": label, "CategoriesPresent": categories}
            mat(root / "cls" / f"{name}.mat", GTcls=truth)
    return root


def nyud(root: Path, label: np.ndarray, depth: np.ndarray, **splits: Sequence[str]) -> Path:
    for split, names in splits.items():
        lines(root / f"{split}.txt", names)
        for name in names:
            picture(root / "data" / "images" / f"img_{name}.png", seed=1, size=label.shape)
            picture(root / "data" / "hha" / f"img_{name}.png", seed=2, size=label.shape)
            png(root / "data" / "depth" / f"img_{name}.png", depth)
            mat(root / "segmentation" / f"img_{name}.mat", segmentation=label)
    return root


def siftflow(root: Path, semantic: np.ndarray, geometric: np.ndarray, **splits: Sequence[str]) -> Path:
    for split, names in splits.items():
        lines(root / f"{split}.txt", names)
        for name in names:
            picture(root / "Images" / SCENES / f"{name}.jpg", size=semantic.shape)
            mat(root / "SemanticLabels" / SCENES / f"{name}.mat", S=semantic, names=np.array(["a", "b"], object))
            mat(root / "GeoLabels" / SCENES / f"{name}.mat", S=geometric)
    return root
