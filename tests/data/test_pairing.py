"""Which files of a folder are pairs: suffixes, links, one directory for both, near matches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import data
from fcnlite.data import pairing
from fcnlite.errors import DataError
from tests.data.folders import names, opened

Pairs = Callable[[int], Path]


def renamed(root: Path, images: str = "", labels: str = "") -> None:
    """Put suffixes to the names of all files."""
    for kind, suffix in (("images", images), ("labels", labels)):
        for path in [*(root / kind).iterdir()]:
            path.rename(path.with_stem(path.stem + suffix))


def test_suffixes_are_options_and_a_near_match_names_them(pairs: Pairs) -> None:
    root = pairs(3)
    renamed(root, labels="_mask")
    with pytest.raises(DataError) as caught:
        opened(root, val=0)
    words = f"p0.png: has no label {root}/labels/p0.png; {root}/labels/p0_mask.png exists: give label_suffix=_mask."
    assert words in str(caught.value)
    assert "3 problems" in str(caught.value)
    assert names(opened(root, val=0, label_suffix="_mask")) == {"p0", "p1", "p2"}
    renamed(root, images="_im")
    with pytest.raises(DataError, match=r"p0_mask.png exists: give image_suffix=_im and label_suffix=_mask"):
        opened(root, val=0)
    assert names(opened(root, val=0, label_suffix="_mask", image_suffix="_im")) == {"p0", "p1", "p2"}
    with pytest.raises(DataError, match=r"holds no pictures \(\*_pic.png"):
        opened(root, val=0, image_suffix="_pic")


def test_numbers_are_no_suffixes(pairs: Pairs) -> None:
    root = pairs(1)
    for kind, name in (("images", "img_1"), ("labels", "img_2")):
        (root / kind / "p0.png").rename(root / kind / f"{name}.png")
    with pytest.raises(DataError) as caught:
        opened(root)
    assert "img_1.png: has no label" in str(caught.value) and "suffix=" not in str(caught.value)
    (root / "labels" / "img_2.png").rename(root / "labels" / "IMG_1.png")
    with pytest.raises(DataError, match=r"IMG_1.png exists: rename it, since case matters"):
        opened(root)


def test_one_directory_for_both(pairs: Pairs) -> None:
    root = pairs(3)
    renamed(root, labels="_mask")
    for path in [*(root / "labels").iterdir()]:
        path.rename(root / "images" / path.name)
    dataset = opened(root, val=0, labels="images", label_suffix="_mask")
    assert names(dataset) == {"p0", "p1", "p2"}
    assert dataset[0].label[0, :3].tolist() == [0, 1, 2]
    for number in range(3):
        (root / "images" / f"p{number}_mask.png").rename(root / "images" / f"p{number}_mask_.png")
        picture = root / "images" / f"p{number}.png"
        Image.open(picture).save(picture.with_suffix(".jpg"))
        (root / "images" / f"p{number}_mask_.png").replace(picture)
    dataset = opened(root, val=0, labels="images")
    assert names(dataset) == {"p0", "p1", "p2"}
    assert dataset[0].label[0, :3].tolist() == [0, 1, 2]


def test_labels_in_a_folder_of_the_pictures(pairs: Pairs) -> None:
    root = pairs(2)
    for path in [*(root / "images").iterdir()]:
        path.rename(root / path.name)
    (root / "images").rmdir()
    assert names(opened(root, val=0, images=".")) == {"p0", "p1"}


def test_links_to_folders_are_followed_but_not_in_circles(pairs: Pairs, tmp_path: Path) -> None:
    root = pairs(6)
    for kind in ("images", "labels"):
        elsewhere = tmp_path / "elsewhere" / kind
        elsewhere.mkdir(parents=True)
        for number in range(3):
            (root / kind / f"p{number}.png").rename(elsewhere / f"p{number}.png")
        (root / kind / "night").symlink_to(elsewhere)
        (elsewhere / "back").symlink_to(root / kind)
    assert names(opened(root, val=0)) == {f"night/p{n}" for n in range(3)} | {f"p{n}" for n in range(3, 6)}


def test_links_that_multiply_folders_end(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    root = pairs(1)
    monkeypatch.setattr(pairing, "_MOST_FOLDERS", 100)
    for level in range(12):
        inside = root / f"level{level}"
        inside.mkdir()
        for name in ("a", "b"):
            (inside / name).symlink_to(root / f"level{level + 1}")
    (root / "level12").mkdir()
    (root / "images" / "more").symlink_to(root / "level0")
    with pytest.raises(DataError, match=r"images: has more than 100 sub-folders"):
        opened(root)


def test_broken_links_are_reported(pairs: Pairs) -> None:
    root = pairs(3)
    for kind in ("images", "labels"):
        (root / kind / "p0.png").unlink()
        (root / kind / "p0.png").symlink_to(root / "annex" / "p0.png")
    with pytest.raises(DataError, match=r"(?s)2 problems.*images/p0.png: is a broken link.*labels/p0"):
        opened(root, val=0)
    assert names(data.open("folder", root, val=0, skip_bad=True)) == {"p1", "p2"}


def test_two_labels_of_one_name(pairs: Pairs) -> None:
    root = pairs(2)
    mask = Image.fromarray(np.resize(np.array([0, 255], np.uint8), (8, 12)))
    mask.save(root / "labels" / "p0.png")
    mask.save(root / "labels" / "p1.png")
    mask.save(root / "labels" / "p0.bmp")
    with pytest.raises(DataError, match=r"p0.bmp: p0.png has the same name"):
        opened(root, val=0, masks="threshold:128")
    assert len(opened(root, val=0, binary_masks=True)) == 2
