"""Labels that show classes in colours, and their table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite.errors import DataError
from tests.data.folders import (
    TABLE,
    opened,
    write_colors,
)

Pairs = Callable[[int], Path]


def test_a_table_maps_colours_to_classes(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "colors.txt").write_text(TABLE)
    write_colors(root, (128, 0, 0), (0, 128, 0), (0, 0, 128), (0, 0, 0))
    dataset = opened(root, val=0)
    assert dataset.classes == ("roof", "green lawn")
    assert dataset.colors == ((128, 0, 0), (0, 128, 0))
    assert dataset[0].label[0, :4].tolist() == [0, 1, 0, 255]
    palette = Image.fromarray(np.resize(np.array([7, 9], np.uint8), (8, 12)))
    palette.putpalette([0] * 21 + [0, 128, 0] + [0] * 3 + [128, 0, 0])
    palette.save(root / "labels" / "p0.png")
    assert opened(root, val=0)[0].label[0, :2].tolist() == [1, 0]
    (root / "colors.txt").rename(root / "legend.txt")
    assert opened(root, val=0, colors="legend.txt").classes == dataset.classes


def test_colours_without_a_table_are_shown_as_it_has_them(pairs: Pairs) -> None:
    root = pairs(2)
    write_colors(root, (128, 0, 0), (128, 0, 0), (0, 128, 0))
    words = r"labels show colours \(p0.png\).*colors.txt, .*Found: 128 0 0 \(66.7 %\), 0 128 0 \(33.3 %\)"
    with pytest.raises(DataError, match=words):
        opened(root, val=0)


def test_colours_that_are_not_in_the_table_are_named(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "colors.txt").write_text(TABLE)
    write_colors(root, (128, 0, 0), (1, 2, 3))
    with pytest.raises(DataError, match=r"p0.png: holds colours that the table does not have: 1 2 3 \(48 pixels\)"):
        opened(root, val=0)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("1 2 3 a\n1 2 3 b\n", r"line 2: the colour 1 2 3 is given twice"),
        ("1 2 300 a\n", r"line 1: found '1 2 300 a', expected one line per class"),
        ("road 1 2\n", r"line 1: found 'road 1 2'"),
        ("1 2 3 a\n0 0 0 void\n", r"has 1 classes; expected 2 to 255"),
    ],
)
def test_tables_that_are_wrong(pairs: Pairs, table: str, words: str) -> None:
    root = pairs(2)
    (root / "colors.txt").write_text(table)
    with pytest.raises(DataError, match=words):
        opened(root, val=0)


def test_a_table_and_classes_exclude_each_other(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "colors.txt").write_text(TABLE)
    assert opened(root, val=0, classes=3).classes == ("class 0", "class 1", "class 2")
    for options in ({"classes": 3}, {"binary_masks": True}):
        with pytest.raises(DataError, match=r"exclude each other"):
            opened(root, val=0, colors="colors.txt", **options)


def test_palettes_that_differ_are_colours(pairs: Pairs) -> None:
    root = pairs(2)
    for name, colors in (("p0", [0, 0, 0, 255, 0, 0]), ("p1", [255, 0, 0, 0, 0, 0])):
        label = Image.fromarray(np.resize(np.array([0, 1], np.uint8), (8, 12)))
        label.putpalette(colors)
        label.save(root / "labels" / f"{name}.png")
    words = r"different palettes \(0 is 0 0 0 in p0.png, 255 0 0 in p1.png\).*Found: .*255 0 0 \(50.0 %\)"
    for options in ({}, {"classes": 2}):
        with pytest.raises(DataError, match=words):
            opened(root, val=0, **options)
    (root / "colors.txt").write_text("0 0 0 ground\n255 0 0 roof\n")
    assert opened(root, val=0)[1].label[0, :2].tolist() == [1, 0]
    with pytest.raises(DataError, match=r"need the table .*colors.txt, which names the classes; leave out the option"):
        opened(root, val=0, classes=2)
