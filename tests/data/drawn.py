"""Pictures whose label maps are known, and their labels as LabelMe, COCO and CVAT save them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (20, 30)
"""Height and width."""
CLASSES = ("background", "cell", "nucleus")

# A cell of 10×12 pixels with a nucleus of 4×4 in it, a triangle of a cell, and a cell in two parts.
CELL = [[3, 2], [15, 2], [15, 12], [3, 12]]
NUCLEUS = [[5, 4], [9, 4], [9, 8], [5, 8]]
PARTS = [[[18, 2], [22, 2], [22, 6], [18, 6]], [[24, 2], [28, 2], [28, 6], [24, 6]]]


def truth() -> np.ndarray:
    """The label map of CELL, NUCLEUS and PARTS, by hand."""
    label = np.zeros(SIZE, np.uint8)
    label[2:12, 3:15] = 1
    label[4:8, 5:9] = 2
    label[2:6, 18:22] = label[2:6, 24:28] = 1
    return label


def picture(path: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def shape(label: str, points: Any, kind: str = "polygon", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def shapes() -> list[dict[str, Any]]:
    """The objects of `truth`; the nucleus comes before the cell that it lies in."""
    return [shape("nucleus", NUCLEUS), shape("cell", CELL), *(shape("cell", each) for each in PARTS)]


def labelme(root: Path, *names: str, content: list[dict[str, Any]] | None = None, **more: Any) -> None:
    """Pictures and JSON files of LabelMe."""
    for seed, name in enumerate(names):
        picture(root / f"{name}.png", seed)
        saved = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes() if content is None else content,
            "imagePath": Path(f"{name}.png").name,
            "imageData": None,
            "imageHeight": SIZE[0],
            "imageWidth": SIZE[1],
            **more,
        }
        (root / f"{name}.json").write_text(json.dumps(saved))


def flat(points: list[list[int]]) -> list[int]:
    return [number for point in points for number in point]


def annotations(image: int) -> list[dict[str, Any]]:
    """The objects of `truth`, the one in two parts as one object."""
    rows = [([flat(NUCLEUS)], 7), ([flat(CELL)], 3), ([flat(each) for each in PARTS], 3)]
    return [
        {"id": 10 * image + i, "image_id": image, "category_id": category, "segmentation": outline, "iscrowd": 0}
        for i, (outline, category) in enumerate(rows)
    ]


def coco(
    path: Path, folder: Path, *names: str, content: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """A COCO file at `path` with pictures in `folder`; returns what it holds."""
    for seed, name in enumerate(names):
        picture(folder / name, seed)
    images = [
        {"id": i, "file_name": name, "height": SIZE[0], "width": SIZE[1]} for i, name in enumerate(names, start=1)
    ]
    drawn = [each for image in images for each in annotations(int(image["id"]))] if content is None else content
    held = {
        "images": images,
        "annotations": drawn,
        "categories": [{"id": 7, "name": "nucleus"}, {"id": 3, "name": "cell"}],
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(held))
    return held


def cvat(root: Path, *names: str) -> None:
    """A mask export of CVAT."""
    colors = np.array([[0, 0, 0], [250, 50, 83], [51, 221, 255]], np.uint8)
    lines = ["# label:color_rgb:parts:actions"]
    lines += [f"{name}:{','.join(map(str, color))}::" for name, color in zip(CLASSES, colors.tolist(), strict=True)]
    root.mkdir(parents=True, exist_ok=True)
    (root / "labelmap.txt").write_text("\n".join(lines) + "\n")
    for folder in ("SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        picture(root / "JPEGImages" / f"{name}.png", seed)
        Image.fromarray(colors[truth()]).save(root / "SegmentationClass" / f"{name}.png")
    (root / "ImageSets" / "Segmentation" / "default.txt").write_text("".join(f"{name}\n" for name in names))
