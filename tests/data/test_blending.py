"""Labels that were anti-aliased, resized smoothly or saved with lossy compression."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import data
from fcnlite.errors import DataError
from tests.data.folders import (
    TABLE,
    as_jpeg,
    blobs_of_classes,
    enlarged,
    opened,
    smoothed,
    write_label,
)

Pairs = Callable[[int], Path]

REMEDY = "create the labels again: resize by nearest neighbour"


@pytest.mark.parametrize("spoil", ["smoothed", "as_jpeg"])
def test_blended_numbers_are_recognised(pairs: Pairs, tmp_path: Path, spoil: str) -> None:
    root = pairs(2)
    enlarged(root)
    label = blobs_of_classes(0, 60, 120)
    spoilt = smoothed(label) if spoil == "smoothed" else as_jpeg(label, tmp_path)
    for name in ("p0", "p1"):
        write_label(root, name, spoilt)
    with pytest.raises(DataError, match=rf"classes cannot be counted: .*{REMEDY}.*classes=N"):
        opened(root, val=0)
    with pytest.raises(DataError, match=rf"p0.png: holds .*; expected 0 to 9, 255 .* on edges, .*{REMEDY}"):
        opened(root, val=0, classes=10)


@pytest.mark.parametrize("spoil", ["smoothed", "as_jpeg"])
def test_blended_colours_are_recognised(pairs: Pairs, tmp_path: Path, spoil: str) -> None:
    root = pairs(2)
    enlarged(root)
    (root / "colors.txt").write_text(TABLE)
    label = blobs_of_classes((128, 0, 0), (0, 128, 0), (0, 0, 0))
    spoilt = smoothed(label) if spoil == "smoothed" else as_jpeg(label, tmp_path)
    for name in ("p0", "p1"):
        write_label(root, name, spoilt)
    with pytest.raises(DataError, match=rf"p0.png: holds \d+ colours that the table does not have.*{REMEDY}"):
        opened(root, val=0)


def test_blending_within_the_classes_is_warned_of(pairs: Pairs) -> None:
    root = pairs(2)
    enlarged(root)
    for name in ("p0", "p1"):
        write_label(root, name, smoothed(blobs_of_classes(0, 60, 120)))
    with pytest.warns(UserWarning, match=rf"on edges.*{REMEDY}"):
        opened(root, val=0, classes=121)
    for name in ("p0", "p1"):
        write_label(root, name, blobs_of_classes(0, 60, 120))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(root, val=0, classes=121)


@pytest.mark.parametrize("spoil", ["blurred", "jpeg"])
def test_blended_colours_are_recognised_without_a_table_too(pairs: Pairs, tmp_path: Path, spoil: str) -> None:
    root = pairs(2)
    for name in ("p0", "p1"):
        Image.new("RGB", (160, 120)).save(root / "images" / f"{name}.png")
        sharp = np.zeros((120, 160, 3), np.uint8)
        sharp[20:70, 30:90] = (255, 0, 0)
        sharp[50:110, 60:150] = (0, 255, 0)
        label = Image.fromarray(sharp)
        if spoil == "blurred":
            label = label.resize((81, 61), Image.Resampling.BILINEAR).resize((160, 120), Image.Resampling.BILINEAR)
        else:
            label.save(tmp_path / "lossy.jpg", quality=60)
            label = Image.open(tmp_path / "lossy.jpg")
        label.save(root / "labels" / f"{name}.png")
    with pytest.raises(DataError, match=r"others, which look anti-aliased or .* \(JPEG\): create the labels again"):
        opened(root, val=0)


def test_one_blended_label_is_named_and_can_be_left_out(pairs: Pairs) -> None:
    root = pairs(6)
    smooth = np.clip(np.add.outer(np.arange(40), np.arange(60)) * 2, 0, 254).astype(np.uint8)
    sharp = np.kron(np.arange(6).reshape(2, 3) % 3, np.ones((20, 20))).astype(np.uint8)
    for number in range(6):
        Image.new("RGB", (60, 40)).save(root / "images" / f"p{number}.png")
        write_label(root, f"p{number}", smooth if number == 4 else sharp)
    with pytest.raises(DataError, match=r"cannot be counted: .* \(p4.png\)"):
        opened(root, val=0)
    dataset = data.open("folder", root, "train", val=0, skip_bad=True)
    assert len(dataset.classes) == 3
    good, problems = dataset.usable()
    assert len(good) == 5
    assert len(problems) == 1 and "p4.png" in problems[0]


def test_a_label_with_losses_comes_with_the_remedy(pairs: Pairs) -> None:
    root = pairs(2)
    Image.open(root / "labels" / "p0.png").convert("L").save(root / "labels" / "p0.jpg")
    (root / "labels" / "p0.png").unlink()
    with pytest.raises(DataError, match=r"p0.jpg: is neither PNG nor TIFF; .*: create the labels again"):
        opened(root, val=0)
