"""Pictures that a camera rotated, and the orientation of their labels."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import data
from fcnlite.errors import DataError

UPRIGHT = np.random.default_rng(5).integers(0, 256, (12, 12, 3), dtype=np.uint8)
"""The picture as displayed; its label marks where it is bright."""

TO_STORED = {
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    6: lambda picture: np.rot90(picture, 1),
    8: lambda picture: np.rot90(picture, -1),
}
"""By EXIF orientation: the picture as stored of what is shown."""


def add(root: Path, name: str, orientation: int, made_on: str, side: int = 12, suffix: str = "png") -> None:
    """A pair whose label marks the bright pixels of the picture upright or as stored."""
    shown = UPRIGHT[:, :side]
    stored = np.ascontiguousarray(TO_STORED[orientation](shown))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("images", "labels"):
        (root / kind).mkdir(exist_ok=True)
    Image.fromarray(stored).save(root / "images" / f"{name}.{suffix}", exif=exif)
    seen = shown if made_on == "upright" else stored
    Image.fromarray((seen[:, :, 0] > 127).astype(np.uint8)).save(root / "labels" / f"{name}.png")


def fits(dataset: data.Dataset) -> bool:
    return all(np.array_equal(each.image[:, :, 0] > 127, each.label == 1) for each in dataset)


def opened(root: Path, **options) -> data.Dataset:
    return data.open("folder", root, classes=2, val=0, **options)


@pytest.mark.parametrize("made_on", ["upright", "stored"])
def test_pairs_whose_sizes_tell_decide_for_all(tmp_path: Path, made_on: str) -> None:
    add(tmp_path, "long", 6, made_on, side=8)
    for orientation in TO_STORED:
        add(tmp_path, f"square{orientation}", orientation, made_on)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = opened(tmp_path)
    assert len(dataset) == 6
    assert fits(dataset)


@pytest.mark.parametrize("orientation", TO_STORED)
def test_an_unknown_orientation_is_reported_and_an_option_decides(tmp_path: Path, orientation: int) -> None:
    add(tmp_path, "a", orientation, "stored")
    (tmp_path / "images" / "b.png").write_bytes((tmp_path / "images" / "a.png").read_bytes())
    (tmp_path / "labels" / "b.png").write_bytes((tmp_path / "labels" / "a.png").read_bytes())
    words = r"turns or mirrors 2 of 2 pictures \(such as a.png\), .* exif=upright or exif=stored"
    with pytest.warns(UserWarning, match=words):
        assert not fits(opened(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fits(opened(tmp_path, exif="stored"))
        assert not fits(opened(tmp_path, exif="upright"))
    with pytest.raises(DataError, match=r"exif is 'sideways'; expected upright or stored"):
        opened(tmp_path, exif="sideways")


def test_pairs_that_disagree_are_each_oriented_separately(tmp_path: Path) -> None:
    add(tmp_path, "up", 6, "upright", side=8)
    add(tmp_path, "side", 8, "stored", side=8)
    add(tmp_path, "square", 3, "upright")
    words = (
        r"1 pictures fit their labels only if turned upright .* \(such as up.png\) and 1 only as stored \(such as "
        r"side.png\); each is read as it fits, and 1 that fit both ways are turned upright\. Give exif="
    )
    with pytest.warns(UserWarning, match=words):
        assert fits(opened(tmp_path))


def test_the_requested_orientation_must_fit(tmp_path: Path) -> None:
    add(tmp_path, "long", 6, "upright", side=8)
    with pytest.raises(DataError, match=r"long.png: is 12×8 pixels, but its label .* is 8×12"):
        opened(tmp_path, exif="stored").check()


def test_photos_are_turned_too(tmp_path: Path) -> None:
    add(tmp_path, "photo", 6, "upright", suffix="jpg")
    with pytest.warns(UserWarning, match=r"turns or mirrors 1 of 1 pictures \(such as photo.jpg\)"):
        picture = opened(tmp_path)[0].image
    assert np.abs(picture.astype(int) - UPRIGHT).mean() < np.abs(picture[::-1].astype(int) - UPRIGHT).mean()
