"""Tables that people write: lists of classes, of colours, of pictures, in the forms that tools give them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import data
from fcnlite.data.label_tables import is_void, read_classes
from fcnlite.errors import DataError
from tests.data.folders import names, opened, write_colors, write_label

Pairs = Callable[[int], Path]


def classes(root: Path, text: str) -> list[str]:
    (root / "classes.txt").write_text(text)
    return read_classes(root / "classes.txt")


# Lists of classes


@pytest.mark.parametrize(
    "text",
    [
        "sky\nroad\ncar\n",
        "# my classes\nsky\n\n  road  # asphalt\n#car\ncar",
        "0 sky\n1 road\n2 car\n",
        "2: car\n0: sky\n1: road\n",
        "1,road\n2,car\n0,sky\n",
        "0. sky\n1. road\n2) car\n",
        "0 - sky\n1 - road\n2 - car\n",
        '"sky",\n"road",\n"car"\n',
        "sky: 0\ncar: 2\nroad: 1\n",
        "road\t1\nsky\t0\ncar\t2\n",
        "0 sky\n1 road\n2 car\n255 void\n",
    ],
)
def test_lists_of_classes_are_read(tmp_path: Path, text: str) -> None:
    assert classes(tmp_path, text) == ["sky", "road", "car"]


def test_numbers_that_are_part_of_names_stay(tmp_path: Path) -> None:
    assert classes(tmp_path, "road\n2 wheeler\n4-wheeler\n") == ["road", "2 wheeler", "4-wheeler"]
    assert classes(tmp_path, "class 0\nclass 1\n") == ["class 0", "class 1"]
    assert classes(tmp_path, "0 2 wheeler\n1 C# code\n") == ["2 wheeler", "C# code"]
    assert classes(tmp_path, "0\n1\n2\n") == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 sky\n2 road\n", r"numbers its classes 1, 2, but 0 has no line; add `0 NAME` \(or `0 void` to ignore it\)"),
        ("0 sky\n2 road\n", r"0, 2, but 1 has no line"),
        ("0 sky\n0 road\n", r"the number 0 is given twice \('sky', 'road'\)"),
        ("0: sky\nroad\n", r"line 2: 'road' has no number, but other lines have one"),
        ("0\n128\n255\n", r"holds only numbers \(0, 128, 255\).*remap=FILE"),
        ("road\nsky\nroad\n", r"the class 'road' is given 2 times"),
        ("sky, road, car\n", r"1 classes are given"),
        ("a\t" + " \t" * 240 + "b\n", r"1 classes are given"),
        (f"road\n{'x' * 600}\n", r"line 2: has 600 characters; expected at most 500"),
    ],
)
def test_lists_of_classes_that_are_wrong(pairs: Pairs, text: str, words: str) -> None:
    root = pairs(2)
    (root / "classes.txt").write_text(text)
    with pytest.raises(DataError, match=words):
        opened(root, val=0)


def test_void_is_not_a_class_wherever_it_is_listed(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "classes.txt").write_text("sky\nroad\nVoid\n")
    with pytest.warns(
        UserWarning, match=r"classes.txt: 'Void' is not a class: training and evaluation ignore label number 2"
    ):
        dataset = opened(root, val=0)
    assert dataset.classes == ("sky", "road")
    assert dataset[0].label[0, :4].tolist() == [0, 1, 255, 0]
    (root / "classes.txt").write_text("unlabeled\nsky\nroad\n")
    with pytest.warns(
        UserWarning, match=r"label number 0; each class after it has a number one less than in the labels"
    ):
        dataset = opened(root, val=0)
    assert dataset.classes == ("sky", "road")
    assert dataset[0].label[0, :4].tolist() == [255, 0, 1, 255]
    with pytest.warns(UserWarning, match="'__ignore__' is not a class"):
        assert opened(root, val=0, classes=["sky", "road", "__ignore__"]).classes == ("sky", "road")


def test_names_of_left_out_classes() -> None:
    assert all(map(is_void, ("void", "VOID", "ignore", "_ignore_", "Unlabeled", "unlabelled", "don't care")))
    assert not any(map(is_void, ("background", "other", "_background_", "unknown", "voided cheque")))


def test_files_in_capitals_are_seen(pairs: Pairs) -> None:
    root = pairs(3)
    (root / "Classes.txt").write_text("sky\nroad\ncar\n")
    (root / "Val.TXT").write_text("p1\n")
    with pytest.warns(UserWarning, match=r"(Classes.txt is read as classes.txt|Val.TXT is read as val.txt)") as caught:
        dataset = opened(root, "val")
    assert len(caught) == 2
    assert dataset.classes == ("sky", "road", "car") and names(dataset) == {"p1"}
    (root / "classes.txt").write_text("a\nb\nc\n")
    if len([*root.glob("[cC]lasses.txt")]) == 2:  # not where capitals do not count
        with pytest.raises(DataError, match=r"holds Classes.txt and classes.txt, whose names differ only in case"):
            opened(root)


def test_folders_in_capitals_are_named(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "labels").rename(root / "Labels")
    with pytest.raises(DataError, match=r"labels: is not a directory \(.*Labels exists: give labels=Labels\)"):
        opened(root)


# Tables of colours

ROOF, LAWN, NOTHING = (128, 0, 0), (0, 128, 0), (0, 0, 0)


@pytest.mark.parametrize(
    "table",
    [
        "128 0 0 roof\n0 128 0 lawn\n0 0 0 void # nothing\n",
        "128,0,0 roof\n0,128,0 lawn\n0,0,0 ignore\n",
        "# comment\nroof,128,0,0\nlawn,0,128,0\nvoid,0,0,0\n",
        "name,r,g,b\nroof,128,0,0\nlawn, 0, 128, 0\nunlabeled,0,0,0\n",
        "r g b name\n128\t0\t0\troof\n0\t128\t0\tlawn\n0\t0\t0\tVoid\n",
        "# label:color_rgb:parts:actions\nroof:128,0,0::\nlawn:0,128,0::\nignore:0,0,0::\n",
        "roof 128 0 0\nlawn 0 128 0\nvoid 0 0 0\n",
        '(128, 0, 0) "roof"\n(0, 128, 0) "lawn"\n[0, 0, 0] "void"\n',
        "128; 0; 0; roof\n0; 128; 0; lawn\n0; 0; 0; void\n",
    ],
)
def test_tables_of_colours_in_all_forms(pairs: Pairs, table: str) -> None:
    root = pairs(2)
    write_colors(root, ROOF, LAWN, NOTHING)
    (root / "COLORS.txt").write_text(table)
    with pytest.warns(UserWarning, match=r"COLORS.txt is read as colors.txt"):
        dataset = opened(root, val=0)
    assert dataset.classes == ("roof", "lawn")
    assert dataset.colors == (ROOF, LAWN)
    assert dataset[0].label[0, :3].tolist() == [0, 1, 255]


def test_colours_without_names(pairs: Pairs) -> None:
    """Labels as in DIGITS, with the names in a separate list."""
    root = pairs(2)
    write_colors(root, ROOF, LAWN, NOTHING)
    (root / "colors.txt").write_text("0 0 0\n128 0 0\n0 128 0\n")
    with pytest.warns(UserWarning, match=r"colors.txt: its colours have no names; classes are numbered by line"):
        assert opened(root, val=0).classes == ("class 0", "class 1", "class 2")
    (root / "classes.txt").write_text("void\nroof\nlawn\n")
    dataset = opened(root, val=0)
    assert dataset.classes == ("roof", "lawn")
    assert dataset[0].label[0, :3].tolist() == [0, 1, 255]
    (root / "classes.txt").write_text("roof\nlawn\n")
    with pytest.raises(
        DataError, match=r"has 3 colours without names, but the list of classes in its folder has 2 names"
    ):
        opened(root, val=0)


def test_a_list_of_classes_numbers_those_of_a_table(pairs: Pairs) -> None:
    root = pairs(2)
    write_colors(root, ROOF, LAWN)
    (root / "colors.txt").write_text("128 0 0 roof\n0 128 0 lawn\n0 0 0 void\n")
    (root / "classes.txt").write_text("lawn\nroof\n")
    dataset = opened(root, val=0)
    assert (dataset.classes, dataset.colors) == (("lawn", "roof"), (LAWN, ROOF))
    assert dataset[0].label[0, :2].tolist() == [1, 0]
    (root / "classes.txt").write_text("lawn\nroad\n")
    with pytest.warns(UserWarning, match=r"\(roof, lawn\) differ from the list .* \(lawn, road\); the table is used"):
        assert opened(root, val=0).classes == ("roof", "lawn")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("0 128 0 0 roof\n1 0 128 0 lawn\n", r"line 1: found a fourth number; expected one line per class"),
        ("128 0 0 255 roof\n0 128 0 255 lawn\n", r"found a fourth number"),
        ("#800000 roof\n#008000 lawn\n", r"line 1: write the colour #800000 as `128 0 0`"),
        ("128 0 0 roof\n0 128 0\n", r"line 2: the colour has no name, but others have"),
        ("128 0 roof\n", r"line 1: found '128 0 roof', expected one line per class"),
        ("0.5 0 0 roof\n", r"line 1: found '0.5 0 0 roof'"),
    ],
)
def test_tables_of_colours_that_would_be_misread(pairs: Pairs, table: str, words: str) -> None:
    root = pairs(2)
    (root / "colors.txt").write_text(table)
    with pytest.raises(DataError, match=words):
        opened(root, val=0)


def test_names_may_begin_with_numbers_in_a_table_too(pairs: Pairs) -> None:
    root = pairs(2)
    write_colors(root, ROOF, LAWN)
    (root / "colors.txt").write_text("128 0 0 2 wheeler\n0 128 0 lawn, cut\n")
    assert opened(root, val=0).classes == ("2 wheeler", "lawn, cut")


def test_the_table_of_a_tool_is_named_where_labels_show_colours(pairs: Pairs) -> None:
    root = pairs(2)
    write_colors(root, ROOF, LAWN, NOTHING)
    (root / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\nroof:128,0,0::\n")
    with pytest.raises(DataError, match=r"labelmap.txt exists: give colors=labelmap.txt"):
        opened(root, val=0)
    with pytest.raises(DataError, match=r"does not have: 0 128 0"):
        opened(root, val=0, colors="labelmap.txt")
    write_colors(root, ROOF, NOTHING)
    assert opened(root, val=0, colors="labelmap.txt").classes == ("background", "roof")


# Lists of pictures


def test_pairs_that_no_list_names_are_counted(pairs: Pairs) -> None:
    root = pairs(6)
    (root / "train.txt").write_text("# trained on\np0\np1\n")
    (root / "val.txt").write_text("p2\n")
    words = r"3 of the 6 pairs .* neither train.txt nor val.txt lists them \(p3, p4, p5\)"
    for split, expected in (("train", {"p0", "p1"}), ("val", {"p2"})):
        with pytest.warns(UserWarning, match=words):
            assert names(opened(root, split)) == expected
    (root / "val.txt").write_text("p2\np3\np4\np5\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(root)


def test_copies_on_both_sides_are_reported(pairs: Pairs) -> None:
    root = pairs(10)
    (root / "val.txt").write_text("p3\np4\np5\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(root)
    (root / "images" / "p4.png").write_bytes((root / "images" / "p8.png").read_bytes())
    (root / "images" / "p1.png").write_bytes((root / "images" / "p0.png").read_bytes())
    words = r"1 of the 3 validation pictures .* training pictures \(such as p4, which equals p8\)"
    for split in ("train", "val"):
        with pytest.warns(UserWarning, match=words):
            opened(root, split)
    for number in range(10):
        (root / "images" / f"p{number}.png").write_bytes((root / "images" / "p0.png").read_bytes())
    with pytest.warns(UserWarning, match=r"3 of the 3 validation pictures"):
        opened(root)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(root, val=0)


def test_pictures_that_differ_at_their_end_are_no_copies(pairs: Pairs) -> None:
    root = pairs(2)
    for name, last in (("p0", 1), ("p1", 2)):
        pixels = np.zeros((200, 200, 3), np.uint8)
        pixels[-1, -1] = last
        (root / "images" / f"{name}.png").unlink()
        Image.fromarray(pixels).save(root / "images" / f"{name}.bmp")
        write_label(root, name, np.arange(40000, dtype=np.uint8).reshape(200, 200) % 2)
    (root / "val.txt").write_text("p1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.open("folder", root, classes=2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name\nsky\ncar\n", "line 1: 'name' looks like a heading"),
        ("Classes:\nsky\ncar\n", "'Classes:' looks like a heading"),
        ("// ours\nsky\ncar\n", "comments begin with #"),
        ("road\nRoad\n", "differ only in case"),
    ],
)
def test_lines_of_classes_that_would_shift_the_others_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(DataError, match=words):
        read_classes(tmp_path / "classes.txt")
