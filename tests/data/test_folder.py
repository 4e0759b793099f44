"""A folder of your own pictures: directories, classes, pictures of 16 bits, real files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import data
from fcnlite.data.transforms import to_blob
from fcnlite.errors import DataError
from tests.data.folders import (
    names,
    opened,
    write_label,
)

Pairs = Callable[[int], Path]


def test_pairs_are_matched_by_name_and_read(pairs: Pairs) -> None:
    root = pairs(5)
    picture = Image.open(root / "images" / "p0.png")
    (root / "images" / "p0.png").unlink()
    picture.save(root / "images" / "p0.JPG", format="BMP")
    train, val = opened(root), opened(root, "val")
    assert names(train) | names(val) == {f"p{number}" for number in range(5)}
    assert not names(train) & names(val)
    assert train.classes == ("class 0", "class 1", "class 2")
    assert train.colors == data.voc_colors(3)
    sample = train[0]
    assert sample.image.shape == (8, 12, 3)
    assert np.array_equal(sample.label, np.arange(96).reshape(8, 12) % 3)


def test_subdirectories_are_part_of_the_name(pairs: Pairs) -> None:
    root = pairs(2)
    for kind in ("images", "labels"):
        (root / kind / "day").mkdir()
        (root / kind / "p0.png").rename(root / kind / "day" / "p0.png")
        (root / kind / ".hidden.png").write_text("left out")
    assert names(opened(root, val=0)) == {"day/p0", "p1"}


def test_directories_of_other_names(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "images").rename(root / "photos")
    (root / "labels").rename(root / "masks")
    assert len(opened(root, images="photos", labels=root / "masks", val=0)) == 2


def test_classes_from_option_file_or_labels(pairs: Pairs) -> None:
    root = pairs(2)
    assert opened(root, classes=["a", "b", "c"]).classes == ("a", "b", "c")
    assert len(opened(root, classes=7).classes) == 7
    (root / "classes.txt").write_text("sky\n\nroad\ncar\ntree\n")
    assert opened(root).classes == ("sky", "road", "car", "tree")
    for wrong in (1, 256, 10**12, (), "sky"):
        with pytest.raises(DataError, match=r"expected (2 to 255|a count)"):
            opened(root, classes=wrong)
    (root / "classes.txt").write_text("\n")
    with pytest.raises(DataError, match=r"0 classes are given .*classes.txt"):
        opened(root)


def test_void_is_not_a_class(pairs: Pairs) -> None:
    root = pairs(2)
    label = np.array([[0, 1, 255] * 4] * 8, np.uint8)
    write_label(root, "p0", label)
    dataset = opened(root, val=0)
    assert len(dataset.classes) == 3
    assert np.array_equal(dataset[0].label, label)


def test_palette_labels_of_voc(shared: Path) -> None:
    root = shared / "data" / "voc2012_subset"
    dataset = opened(root, images="JPEGImages", labels="SegmentationClass", classes=21, val=0)
    found = set().union(*(np.unique(sample.label).tolist() for sample in dataset))
    assert len(dataset) == 17
    assert 255 in found
    assert found - {255} <= set(range(21))
    assert len(found) > 5


def test_membrane_masks(shared: Path) -> None:
    root = shared / "data" / "isbi_em_membrane" / "train"
    with pytest.raises(DataError, match=r"0 and 255 \(.*png and 29 others\).*binary_masks=True"):
        data.open("folder", root, images="image", labels="label")
    dataset = data.open("folder", root, images="image", labels="label", binary_masks=True)
    assert set(np.unique(dataset[0].label)) == {0, 1}
    assert dataset[0].image.shape == (512, 512, 3)


def test_gray_pictures_of_sixteen_bits_keep_their_values(pairs: Pairs) -> None:
    root = pairs(2)
    deep = np.arange(96, dtype=np.uint16).reshape(8, 12) * 40
    for name in ("p0", "p1"):
        Image.fromarray(deep).save(root / "images" / f"{name}.png")
    dataset = opened(root, val=0, white=4000)
    assert np.array_equal(dataset[0].image, deep)
    assert (dataset.preprocessing.bits, dataset.preprocessing.mean) == (16, (2000.0,) * 3)
    blob = to_blob(dataset[0].image, dataset.preprocessing)
    assert blob[:, 0, 0] == pytest.approx([-127.5] * 3)
    assert blob[2, 7, 11] == pytest.approx((3800 - 2000) * 255 / 4000)
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(root / "images" / "p1.png")
    with pytest.raises(DataError, match=r"p1.png: has 3 bands of type uint8; expected a 16-bit gray picture"):
        opened(root, val=0)
    with pytest.raises(DataError, match=r"white is 0; expected 1 to 65535"):
        opened(root, val=0, white=0)


def test_a_table_may_begin_with_a_byte_order_mark(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "classes.txt").write_text("ground\nroof\nroad\n", encoding="utf-8-sig")
    assert opened(root, val=0).classes == ("ground", "roof", "road")
