"""Labels whose numbers are not classes: masks, numbers of objects, slips; and what the options make of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import Segmenter, data, predict
from fcnlite._cli.running import run_command
from fcnlite.data.label_files import read_numbers
from fcnlite.errors import DataError
from fcnlite.train.__main__ import main as train
from tests.data.folders import enlarged, opened, smoothed, write_label

Pairs = Callable[[int], Path]


def tiled(*numbers: int, dtype: type = np.uint8) -> np.ndarray:
    """A label map of 8×12 in which these numbers take turns."""
    return np.resize(np.array(numbers, dtype), (8, 12))


def bands(*numbers: int) -> np.ndarray:
    """A label map in which each of these numbers is a band of 3 columns."""
    return np.tile(np.array(numbers, np.uint8).repeat(3), (8, 1))


def write_labels(root: Path, *labels: np.ndarray) -> None:
    for number, label in enumerate(labels):
        write_label(root, f"p{number}", label)
        Image.new("RGB", label.shape[::-1], (number, 0, 0)).save(root / "images" / f"p{number}.png")


def refusal(root: Path, **options) -> str:
    with pytest.raises(DataError) as caught:
        data.open("folder", root, val=0, **options)
    return str(caught.value)


def gray_masks(root: Path) -> None:
    """The masks of 0 and 128 that a user had: 8 labels of 48×64."""
    for number in range(8):
        mask = np.zeros((48, 64), np.uint8)
        mask[5:21, 3 + number : 24 + number] = 128
        Image.fromarray(np.dstack([mask + 40] * 3)).save(root / "images" / f"p{number}.png")
        write_label(root, f"p{number}", mask)


# What is recognised


def test_masks_of_two_values_stop_with_their_histogram_and_the_options(pairs: Pairs) -> None:
    root = pairs(8)
    gray_masks(root)
    message = refusal(root)
    assert "hold 0, 128, as masks of two values do; as classes they would make a net of 129" in message
    rows = [line.split() for line in message.splitlines()]
    assert ["0", "21888", "89.1", "%", "8", "of", "8"] in rows
    assert ["128", "2688", "10.9", "%", "8", "of", "8"] in rows
    for option in ("masks=nonzero", "masks=threshold:128", "remap=FILE", "classes=N", "--data-option"):
        assert option in message
    for option in ("nonzero", "threshold:128"):
        dataset = opened(root, val=0, masks=option)
        assert dataset.classes == ("background", "foreground")
        label = next(sample.label for sample in dataset if sample.name == "p3")
        assert np.array_equal(label == 1, np.pad(np.ones((16, 21), bool), ((5, 27), (6, 37))))
    assert len(opened(root, val=0, classes=129).classes) == 129


def test_one_stray_pixel_is_recognised(pairs: Pairs) -> None:
    root = pairs(8)
    gray_masks(root)
    for number in range(8):
        label = np.array(Image.open(root / "labels" / f"p{number}.png")) // 128
        label[0, 0] = 94 if number == 5 else 0
        write_label(root, f"p{number}", label)
    message = refusal(root)
    assert "hold 94 in a few pixels of one picture only" in message
    assert "`94 void`" in message
    (root / "values.txt").write_text("0 ground\n1 roof\n94 void\n")
    dataset = opened(root, val=0, remap="values.txt")
    assert dataset.classes == ("ground", "roof")
    assert [int(sample.label[0, 0]) for sample in dataset].count(255) == 1
    write_label(root, "p5", np.array(Image.open(root / "labels" / "p5.png")) % 94)
    assert len(opened(root, val=0).classes) == 2


def test_numbers_of_objects_are_recognised(pairs: Pairs) -> None:
    root = pairs(5)
    write_labels(root, *(bands(*range(objects + 1)) for objects in (1, 4, 2, 7, 3)))
    message = refusal(root)
    assert "count from 0 in each picture (0 to 7), some further than others, as the numbers of objects do" in message
    assert message.index("masks=nonzero") < message.index("classes=N")
    dataset = opened(root, val=0, masks="nonzero")
    assert dataset[3].label[0].tolist() == [0] * 3 + [1] * 21
    assert len(opened(root, val=0, classes=8).classes) == 8


def test_an_object_may_have_been_erased(pairs: Pairs) -> None:
    root = pairs(12)
    counts = (1, 4, 2, 5, 3, 1, 4, 2, 5, 3, 2)
    write_labels(root, *(bands(*range(objects + 1)) for objects in counts), bands(0, 1, 3))
    assert "as the numbers of objects do" in refusal(root)
    assert len(opened(root, val=0, classes=6).classes) == 6


def test_a_number_for_every_object_of_the_set_is_recognised(pairs: Pairs) -> None:
    root = pairs(4)
    write_labels(root, bands(0, 2), bands(0, 1, 3), bands(0, 4, 6), bands(0, 5, 7))
    assert "of which 7 are found in one picture only, as the numbers of objects are" in refusal(root)


def test_two_objects_at_most_are_warned_of(pairs: Pairs) -> None:
    root = pairs(5)
    write_labels(root, tiled(0, 1), tiled(0, 1, 2), tiled(0), tiled(0, 1), tiled(0, 1, 2))
    with pytest.warns(UserWarning, match=r"2 is found only in labels that also hold 1; .*masks=nonzero; .*classes=3"):
        assert len(opened(root, val=0).classes) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(root, val=0, classes=3)


def test_classes_that_never_occur_want_a_word(pairs: Pairs) -> None:
    root = pairs(3)
    write_labels(root, tiled(0, 2, 3), tiled(0, 2), tiled(3, 5, 255))
    message = refusal(root)
    assert "hold 0, 2, 3, 5, but no pixel of 1, 4" in message
    assert "N is 6 or more" in message
    assert message.index("classes=N") < message.index("remap=FILE")
    assert len(opened(root, val=0, classes=9).classes) == 9
    (root / "classes.txt").write_text("sky\nroad\ncar\ntree\nroof\nwall\n")
    assert opened(root, val=0).classes[5] == "wall"


@pytest.mark.parametrize(
    "labels",
    [
        [(0, 1, 2)] * 4,
        [(0, 1), (1, 2), (0, 3), (0, 1, 2, 3)],  # of four classes, any may be missing
        [(0, 1), (0, 1, 255), (0, 1), (255, 0)],
        [(0, 1, 2, 3, 4)] * 3 + [(0, 1, 2, 3)],  # one class is missing once
        [(0, 1, 2), (0, 2), (1,), (2, 0)],
    ],
)
def test_honest_classes_are_counted(pairs: Pairs, labels: list[tuple[int, ...]]) -> None:
    root = pairs(len(labels))
    write_labels(root, *(bands(*each) for each in labels))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = opened(root, val=0)
    assert len(dataset.classes) == max({number for each in labels for number in each} - {255}) + 1


def test_a_long_histogram_is_cut(pairs: Pairs) -> None:
    root = pairs(3)
    write_labels(root, bands(*range(0, 90, 2)), bands(0, 2), bands(0, 4))
    message = refusal(root).splitlines()
    assert sum("of 3" in line for line in message) == 14
    assert any("... 31 more ..." in line for line in message)
    assert any(line.split()[:1] == ["88"] for line in message)


# MaskRule


def test_masks_in_other_formats_want_a_threshold(pairs: Pairs) -> None:
    root = pairs(4)
    square = np.zeros((48, 64), np.uint8)
    square[10:30, 20:50] = 255
    for number, kind in enumerate(("jpg", "bmp", "tif", "png")):
        Image.new("RGB", (64, 48), (number, 0, 0)).save(root / "images" / f"p{number}.png")
        (root / "labels" / f"p{number}.png").unlink()
        mask = Image.fromarray(square)
        (mask.convert("RGB") if number == 0 else mask).save(root / "labels" / f"p{number}.{kind}")
    assert len(np.unique(np.array(Image.open(root / "labels" / "p0.jpg")))) > 2
    with pytest.raises(DataError, match=r"p0.jpg: is neither PNG nor TIFF; .* masks=threshold:128 reads it"):
        opened(root, val=0)
    dataset = opened(root, val=0, masks="threshold:128")
    for sample in dataset:
        assert np.array_equal(sample.label, square // 255), sample.name


def test_smoothed_masks_want_a_threshold(pairs: Pairs) -> None:
    root = pairs(2)
    enlarged(root)
    sharp = np.zeros((90, 120), np.uint8)
    sharp[20:60, 30:90] = 255
    write_labels(root, smoothed(sharp), smoothed(sharp))
    with pytest.raises(DataError, match=r"classes cannot be counted: .*masks=threshold:128"):
        opened(root, val=0)
    found = opened(root, val=0, masks="threshold:128")[0].label
    assert np.mean(found != sharp // 255) < 0.01


def test_a_threshold_uses_displayed_values_and_nonzero_stored_ones(pairs: Pairs, tmp_path: Path) -> None:
    root = pairs(4)
    mask = tiled(0, 1)
    bits = Image.fromarray(mask.astype(bool))
    bits.save(root / "labels" / "p0.png")  # 1 bit: shown as 0 and 255
    write_label(root, "p1", mask * 255)
    Image.fromarray(np.dstack([mask * 200, mask * 0, mask * 0])).save(root / "labels" / "p2.png")  # red on black
    write_label(root, "p3", mask.astype(np.uint16) * 300)
    assert all(np.array_equal(sample.label, mask) for sample in opened(root, val=0, masks="nonzero"))
    with pytest.raises(DataError, match=r"1 problem:\n.*p2.png: shows colours, expected gray for masks=threshold:9"):
        opened(root, val=0, masks="threshold:9")
    write_label(root, "p2", mask * 9)
    assert all(np.array_equal(sample.label, mask) for sample in opened(root, val=0, masks="threshold:9"))
    hidden = Image.fromarray(np.dstack([np.zeros((8, 12, 3), np.uint8), mask * 255]), "RGBA")
    hidden.save(root / "labels" / "p2.png")
    for option in ("nonzero", "threshold:128"):
        with pytest.raises(DataError, match=r"p2.png: shows its mask only by transparency"):
            opened(root, val=0, masks=option)


def test_masks_that_leave_one_class(pairs: Pairs) -> None:
    root = pairs(2)
    write_labels(root, tiled(1, 90), tiled(90))
    with pytest.raises(DataError, match=r"with masks=threshold:128 all labels are class 0"):
        opened(root, val=0, masks="threshold:128")
    with pytest.raises(DataError, match=r"with masks=nonzero all labels are class 1"):
        opened(root, val=0, masks="nonzero")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"masks": "nonsense"}, r"masks is 'nonsense'; expected nonzero or threshold:T"),
        ({"masks": "threshold:0"}, r"masks is 'threshold:0'; expected"),
        ({"masks": "threshold:9999999"}, r"T from 1 to 65535"),
        ({"masks": "nonzero", "binary_masks": True}, r"masks and binary_masks exclude each other"),
        ({"masks": "nonzero", "remap": "x.txt"}, r"masks and remap exclude each other"),
        ({"masks": "nonzero", "classes": 3}, r"masks=nonzero needs 2 classes, but 3 are given"),
        ({"remap": "x.txt"}, r"x.txt: no such file"),
        ({"classes": ["a", "b", "a"]}, r"the class 'a' is given 2 times"),
    ],
)
def test_options_that_cannot_be(pairs: Pairs, options: dict, words: str) -> None:
    with pytest.raises(DataError if "no such" not in words else Exception, match=words):
        opened(pairs(2), val=0, **options)


def test_masks_may_have_names_of_their_own(pairs: Pairs) -> None:
    root = pairs(2)
    assert opened(root, val=0, masks="nonzero", classes=["wall", "crack"]).classes == ("wall", "crack")
    (root / "Classes.txt").write_text("ground\ncrack\nvoid\n")
    with pytest.warns(UserWarning, match=r"Classes.txt is read as classes.txt") as caught:
        assert opened(root, val=0, masks="nonzero").classes == ("ground", "crack")
    assert len(caught) == 1  # the numbers of classes.txt mean nothing here, so void is not spoken of


def test_the_remedy_is_given_with_given_classes_too(pairs: Pairs) -> None:
    root = pairs(2)
    write_labels(root, tiled(0, 128), tiled(0, 128))
    with pytest.raises(DataError, match=r"p0.png: holds 128; expected 0, 1, 255 \(2 classes\).*masks=nonzero"):
        opened(root, val=0, classes=2)
    write_labels(root, tiled(0, 255), tiled(0, 255))
    with pytest.raises(DataError, match=r"--data-option binary_masks=true \(in Python: binary_masks=True\)"):
        opened(root, val=0, classes=2)


# Remapping


def test_a_table_gives_values_a_class(pairs: Pairs) -> None:
    root = pairs(2)
    write_labels(root, tiled(0, 7, 200, 255), tiled(7, 300, 512, 0, dtype=np.uint16))
    with pytest.raises(DataError, match=r"values up to 512; .*masks=nonzero .*remap=FILE"):
        opened(root, val=0)
    table = root / "values.txt"
    table.write_text("# value class\n0 ground\n7: car\n200 -> ground # parked\n255,void\n300-512 person\n")
    dataset = opened(root, val=0, remap="values.txt")
    assert dataset.classes == ("ground", "car", "person")
    assert dataset[0].label[0, :4].tolist() == [0, 1, 0, 255]
    assert dataset[1].label[0, :4].tolist() == [1, 2, 2, 0]
    assert read_numbers(root / "labels" / "p1.png").max() == 512
    dataset = opened(root, val=0, remap=table, classes=["person", "car", "ground"])
    assert dataset[1].label[0, :4].tolist() == [1, 0, 0, 2]
    table.write_text("0 0\n7 2\n200 255\n255 ignore\n300-512 1\n")
    dataset = opened(root, val=0, remap=table)
    assert dataset.classes == ("class 0", "class 1", "class 2")
    assert dataset[0].label[0, :4].tolist() == [0, 2, 255, 255]
    table.write_text("0 ground\n7 car\n300-512 person\n")
    with pytest.raises(DataError, match=r"p0.png: holds 200, 255; expected 0, 7, 300 to 512 .*add it to the table"):
        opened(root, val=0, remap=table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("0 a\nb 1\n", r"line 2: found 'b 1', expected one line per value"),
        ("0 a\n1 b\n0-3 b\n", r"line 3: the value 0 is given twice"),
        ("0 a\n70000 b\n", r"line 2: the values 70000 to 70000: expected 0 to 65535"),
        ("9-2 b\n", r"line 1: the values 9 to 2"),
        ("0 a\n1 void\n", r"gives 1 classes; expected 2 to 255"),
        ("0 0\n1 99999999999999999999\n", r"gives 256 classes"),
    ],
)
def test_tables_of_values_that_are_wrong(pairs: Pairs, table: str, words: str) -> None:
    root = pairs(2)
    (root / "values.txt").write_text(table)
    with pytest.raises(DataError, match=words):
        opened(root, val=0, remap="values.txt")


def test_classes_of_a_remapping_are_known(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "values.txt").write_text("0 a\n1 b\n2 c\n")
    with pytest.raises(DataError, match=r"line 3: 'c' is not a class; the classes are a, b"):
        opened(root, val=0, remap="values.txt", classes=["a", "b"])
    with pytest.warns(UserWarning, match=r"values.txt: no value is mapped to 'd'"):
        assert len(opened(root, val=0, remap="values.txt", classes=["a", "b", "c", "d"]).classes) == 4


# From instance masks to a picture


def test_a_walk_from_masks_of_objects_to_a_label_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, run = tmp_path / "people", tmp_path / "run"
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
    for number in range(6):
        label = np.zeros((40, 60), np.uint8)
        for person in range(number % 5 + 1):
            label[5:35, 3 + 11 * person : 11 + 11 * person] = person + 1
        Image.fromarray(np.dstack([60 + 150 * (label > 0)] * 3).astype(np.uint8)).save(
            root / "images" / f"{number}.jpg"
        )
        Image.fromarray(label).save(root / "labels" / f"{number}.png")
    command = ["--data", "folder", "--root", str(root), "--iterations", "5", "--width", "0.05", "--crop", "32", "32"]
    command += ["--batch-size", "2", "--out", str(run)]
    out = tmp_path / "out"
    assert run_command(train, command) == 1
    error = capsys.readouterr().err
    assert "error: " in error and "masks=nonzero" in error and not run.exists()
    assert run_command(train, [*command, "--data-option", "masks=nonzero"]) == 0
    assert {"background", "foreground"} <= set(capsys.readouterr().out.split())
    picture = tmp_path / "new.jpg"
    picture.write_bytes((root / "images" / "4.jpg").read_bytes())
    assert run_command(predict.main, [str(run / "best.h5"), str(picture), "--out", str(out)]) == 0
    label = read_numbers(out / "new.png")
    assert label.shape == (40, 60) and label.max() <= 1
    assert Segmenter(run / "best.h5").classes == ("background", "foreground")
