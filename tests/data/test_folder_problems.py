"""The problems of a folder that are found before training starts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import data
from fcnlite.errors import DataError, FcnliteError
from tests.data.folders import (
    names,
    opened,
    write_label,
)

Pairs = Callable[[int], Path]


def test_labels_out_of_range_are_named_with_their_values(pairs: Pairs) -> None:
    root = pairs(3)
    write_label(root, "p1", np.array([[0, 5, 6, 7, 9, 255] * 2] * 8, np.uint8))
    with pytest.raises(DataError, match=r"p1.png: holds 5 to 7, 9; expected 0 to 2, 255 \(3 classes\)"):
        opened(root, classes=3, val=0)
    write_label(root, "p1", np.arange(0, 192, 2, dtype=np.uint8).reshape(8, 12))
    with pytest.raises(DataError, match=r"p1.png: holds 4, 6, 8, 10, 12, 14, 16, 18, \.\.\.; expected"):
        opened(root, classes=3, val=0)


def test_masks_are_recognised_and_can_be_requested(pairs: Pairs) -> None:
    root = pairs(2)
    mask = np.array([[0, 255] * 6] * 8, np.uint8)
    for name in ("p0", "p1"):
        write_label(root, name, mask)
    for options in ({}, {"classes": 2}):
        with pytest.raises(DataError, match=r"hold only 0 and 255 .*binary_masks=True"):
            opened(root, **options)
    dataset = opened(root, val=0, binary_masks=True)
    assert dataset.classes == ("background", "foreground")
    assert np.array_equal(dataset[0].label, mask // 255)
    with pytest.raises(DataError, match=r"needs 2 classes, but 3 are given"):
        opened(root, binary_masks=True, classes=3)
    write_label(root, "p1", mask // 2)
    with pytest.raises(DataError, match=r"p1.png: holds 127; expected 0, 255"):
        opened(root, val=0, binary_masks=True)


def test_one_label_of_background_and_void_is_not_a_mask(pairs: Pairs) -> None:
    root = pairs(2)
    write_label(root, "p0", np.array([[0, 255] * 6] * 8, np.uint8))
    assert set(np.unique(opened(root, val=0, classes=3)[0].label)) == {0, 255}


def test_labels_of_one_class_are_refused(pairs: Pairs) -> None:
    root = pairs(2)
    for name in ("p0", "p1"):
        write_label(root, name, np.zeros((8, 12), np.uint8))
    with pytest.raises(DataError, match=r"all labels are class 0"):
        opened(root)


def test_missing_partners_and_jpeg_labels(pairs: Pairs) -> None:
    root = pairs(4)
    (root / "labels" / "p0.png").unlink()
    (root / "images" / "p1.png").unlink()
    (root / "labels" / "p2.png").rename(root / "labels" / "p2.jpg")
    (root / "images" / "p3.bmp").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        opened(root)
    message = str(caught.value)
    assert re.search(r"images/p0.png: has no label .*labels/p0.png", message)
    assert re.search(r"labels/p1.png: no picture .* has this name", message)
    assert re.search(r"labels/p2.jpg: is neither PNG nor TIFF", message)
    assert re.search(r"p3.(bmp|png): p3.(bmp|png) has the same name", message)


def test_check_lists_every_bad_file_at_once(pairs: Pairs) -> None:
    root = pairs(5)
    write_label(root, "p0", np.zeros((4, 4), np.uint8))
    (root / "images" / "p1.png").write_bytes((root / "images" / "p1.png").read_bytes()[:90])
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(root / "labels" / "p2.png")
    seen: list[tuple[int, int]] = []
    dataset = data.open("folder", root, val=0, classes=3)
    with pytest.raises(DataError) as caught:
        dataset.check(progress=lambda done, total: seen.append((done, total)))
    message = str(caught.value)
    assert "3 problems" in message
    assert re.search(r"images/p0.png: is 12×8 pixels, but its label .*labels/p0.png is 4×4", message)
    assert re.search(r"images/p1.png: is damaged", message)
    assert re.search(r"labels/p2.png: holds colours", message)
    assert seen == [(number, 5) for number in range(1, 6)]


def test_a_long_list_is_cut(pairs: Pairs) -> None:
    root = pairs(14)
    for number in range(13):
        write_label(root, f"p{number}", np.full((8, 12), 9, np.uint8))
    with pytest.raises(DataError) as caught:
        opened(root, val=0, classes=3)
    lines = str(caught.value).splitlines()
    assert "13 problems" in lines[0]
    assert len(lines) == 12
    assert lines[-1] == "  and 3 more."


def test_bad_labels_are_named_where_classes_are_counted(pairs: Pairs) -> None:
    root = pairs(3)
    (root / "labels" / "p1.png").write_text("no picture")
    with pytest.raises(DataError, match=r"labels/p1.png: is not a picture"):
        data.open("folder", root)


def test_folders_that_are_empty_or_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images: is not a directory"):
        opened(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match=r"images: holds no pictures"):
        opened(tmp_path)


def test_a_file_that_vanishes_later_is_named_too(pairs: Pairs) -> None:
    root = pairs(2)
    dataset = opened(root, val=0)
    (root / "images" / "p1.png").unlink()
    with pytest.raises(FcnliteError, match=r"p1.png: no such file"):
        dataset[1]


def test_unusable_samples_are_skipped_on_request(pairs: Pairs) -> None:
    root = pairs(6)
    (root / "labels" / "p1.png").unlink()
    (root / "images" / "p2.png").unlink()
    (root / "labels" / "p3.png").write_text("damaged")
    (root / "images" / "p4.png").write_bytes((root / "images" / "p4.png").read_bytes()[:80])
    with pytest.raises(DataError, match=r"2 problems"):
        data.open("folder", root, val=0)
    dataset = data.open("folder", root, val=0, skip_bad=True)
    assert len(dataset.classes) == 3
    indices, problems = dataset.usable()
    assert names(data.Subset(dataset, indices)) == {"p0", "p5"}
    assert len(problems) == 4
    for name in ("p1", "p2", "p3", "p4"):
        assert sum(f"{name}.png" in problem for problem in problems) == 1
