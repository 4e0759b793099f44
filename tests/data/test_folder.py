"""A folder of one's own pictures: matching, splits, classes, and everything that can be wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fcnlite import data
from fcnlite.data.splits import held_out
from fcnlite.errors import DataError, FcnliteError

Pairs = Callable[[int], Path]


def names(dataset: data.Dataset) -> set[str]:
    return {dataset[index].name for index in range(len(dataset))}


def opened(root: Path, split: str = "train", **options) -> data.Dataset:
    dataset = data.open("folder", root, split, **options)
    dataset.check()
    return dataset


def write_label(root: Path, name: str, label: np.ndarray) -> None:
    Image.fromarray(label).save(root / "labels" / f"{name}.png")


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


def test_void_is_no_class(pairs: Pairs) -> None:
    root = pairs(2)
    label = np.array([[0, 1, 255] * 4] * 8, np.uint8)
    write_label(root, "p0", label)
    dataset = opened(root, val=0)
    assert len(dataset.classes) == 3
    assert np.array_equal(dataset[0].label, label)


# Splits


def test_adding_pictures_moves_no_other() -> None:
    everything = [f"picture {number}" for number in range(500)]
    before, after = held_out(set(everything[:100]), 0.2), held_out(set(everything), 0.2)
    assert before == after & set(everything[:100])


@given(st.sets(st.text(), min_size=1), st.floats(1e-9, 0.99))
def test_at_least_one_isheld_out(names: set[str], fraction: float) -> None:
    assert held_out(names, fraction) & names


def test_the_fractionheld_out() -> None:
    everything = {f"picture {number}" for number in range(1000)}
    assert 160 < len(held_out(everything, 0.2)) < 240
    assert held_out(everything, 0) == set()


def test_splits_by_file(pairs: Pairs) -> None:
    root = pairs(4)
    (root / "val.txt").write_text("p1\n")
    assert names(opened(root, "val")) == {"p1"}
    assert names(opened(root)) == {"p0", "p2", "p3"}
    (root / "train.txt").write_text("p0\np3\n")
    assert names(opened(root)) == {"p0", "p3"}
    assert names(opened(root, "val")) == {"p1"}
    (root / "val.txt").unlink()
    assert names(opened(root, "val")) == {"p1", "p2"}
    assert len(opened(root, val=0)) == 4  # the option beats the files


def test_split_files_that_are_wrong(pairs: Pairs) -> None:
    root = pairs(3)
    (root / "val.txt").write_text("p1\np9\n")
    with pytest.raises(DataError, match=r"val.txt: lists 'p9', but no pair"):
        opened(root)
    (root / "val.txt").write_text("p1\n")
    (root / "train.txt").write_text("p0\np1\n")
    with pytest.raises(DataError, match=r"val.txt: lists 'p1', as .*train.txt does"):
        opened(root)
    (root / "train.txt").write_text("")
    with pytest.raises(DataError, match=r"the split 'train' is empty"):
        opened(root)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": 1.0}, "val is 1.0; expected a fraction"),
        ({"val": -0.1}, "val is -0.1"),
        ({"val": 0, "split": "val"}, "the split 'val' is empty with 2 pictures and val=0"),
    ],
)
def test_fractions_that_are_wrong(pairs: Pairs, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(pairs(2), **options)


# What is found before training starts


def test_labels_out_of_range_are_named_with_their_values(pairs: Pairs) -> None:
    root = pairs(3)
    write_label(root, "p1", np.array([[0, 5, 6, 7, 9, 255] * 2] * 8, np.uint8))
    with pytest.raises(DataError, match=r"p1.png: holds 5 to 7, 9; expected 0 to 2, 255 \(3 classes\)"):
        opened(root, classes=3, val=0)
    write_label(root, "p1", np.arange(0, 192, 2, dtype=np.uint8).reshape(8, 12))
    with pytest.raises(DataError, match=r"p1.png: holds 4, 6, 8, 10, 12, 14, 16, 18, \.\.\.; expected"):
        opened(root, classes=3, val=0)


def test_masks_are_recognised_and_can_be_asked_for(pairs: Pairs) -> None:
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


def test_one_label_of_background_and_void_is_no_mask(pairs: Pairs) -> None:
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
    assert re.search(r"labels/p2.jpg: is no PNG", message)
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
    with pytest.raises(DataError, match=r"images: is no directory"):
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


# Real files


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
