"""Objects become label maps: which of several a pixel belongs to, and what has no class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcnlite.data.annotations import outlines
from fcnlite.data.annotations.names import ClassNames
from fcnlite.data.annotations.painting import AnnotatedPicture, LabelledObject, Painter
from fcnlite.errors import DataError

pytest.importorskip("pycocotools", reason="needs the extra labels (pycocotools)")
pytest.importorskip("shapely", reason="needs the extra labels (shapely)")

NAMES = ClassNames(("background", "cell", "nucleus"), 0, None)


def paint(painter: Painter, *objects: LabelledObject) -> tuple[list[list[int]], list[str]]:
    labels, problems = painter.paint(AnnotatedPicture("a.json", 3, 6, objects))
    return labels.tolist(), problems


def thing(name: str, left: int, right: int, crowd: bool = False) -> LabelledObject:
    """An object of all three rows."""
    return LabelledObject("shape 1", name, outlines.box(left, 0, right, 3), crowd)


def test_the_smaller_object_lies_on_top_and_of_equal_ones_the_later() -> None:
    cell, nucleus, other = thing("cell", 0, 5), thing("nucleus", 1, 3), thing("cell", 2, 4)
    for order in ((cell, nucleus), (nucleus, cell)):
        assert paint(Painter(NAMES), *order) == ([[1, 2, 2, 1, 1, 0]] * 3, [])
    assert paint(Painter(NAMES), nucleus, other)[0] == [[0, 2, 1, 1, 0, 0]] * 3
    assert paint(Painter(NAMES), other, nucleus)[0] == [[0, 2, 2, 1, 0, 0]] * 3


def test_the_later_object_lies_on_top_where_that_is_asked() -> None:
    assert paint(Painter(NAMES, "later"), thing("nucleus", 1, 3), thing("cell", 0, 5))[0] == [[1] * 5 + [0]] * 3


def test_crowds_are_void_below_all_others() -> None:
    crowd, cell = thing("cell", 2, 4, crowd=True), thing("nucleus", 0, 5)
    assert paint(Painter(NAMES), cell, crowd)[0] == [[2] * 5 + [0]] * 3
    assert paint(Painter(NAMES), crowd)[0] == [[0, 0, 255, 255, 0, 0]] * 3
    assert paint(Painter(NAMES, crowd="class"), crowd)[0] == [[0, 0, 1, 1, 0, 0]] * 3


def test_faulty_objects_are_named_and_void() -> None:
    labels, problems = paint(Painter(NAMES), thing("cel", 0, 2), thing("nucleus", 4, 9), thing("ignore", 2, 3))
    assert labels == [[255, 255, 255, 0, 255, 255]] * 3
    assert problems == [
        "a.json: shape 1 (cel) is of no class of the list; did you mean 'cell'?",
        "a.json: shape 1 (nucleus) reaches outside the picture of 6×3 pixels (columns 4 to 9, rows 0 to 3).",
    ]


def test_the_rest_and_the_others(tmp_path: Path) -> None:
    def names(rest: str = "background", others: str = "error", classes: list[str] | None = None) -> ClassNames:
        return ClassNames.of("coco", tmp_path, ["cell", "dirt", "nucleus"], classes, rest, others, lambda _: None)

    assert names() == ClassNames(("background", "cell", "dirt", "nucleus"), 0, None)
    assert names(rest="void") == ClassNames(("cell", "dirt", "nucleus"), 255, None)
    assert names(others="void", classes=["cell", "nucleus"]) == ClassNames(("background", "cell", "nucleus"), 0, 255)
    assert names(others="background", classes=["cell", "_background_"]) == ClassNames(("cell", "background"), 1, 1)
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nnucleus\ncell\n")
    listed = names()
    assert listed.names == ("background", "nucleus", "cell")
    assert [listed.number(each) for each in ("cell", "__ignore__", "_background_", "dirt")] == [2, 255, 0, None]
    for options, words in (
        ({"rest": "x"}, "rest is 'x'; expected background or void"),
        ({"others": "x"}, "others is 'x'; expected error, background or void"),
        ({"classes": ["a", "a"]}, "'a' is given twice"),
        ({"classes": ["a"], "rest": "void"}, "1 classes are given"),
    ):
        with pytest.raises(DataError, match=words):
            names(**options)  # type: ignore[arg-type]
    for option in ({"overlap": "x"}, {"crowd": "x"}):
        with pytest.raises(DataError, match="is 'x'; expected"):
            Painter(NAMES, **option)


def test_void_covers_what_is_below_it_only() -> None:
    labels, _ = paint(Painter(NAMES), thing("unknown", 0, 4), thing("cell", 1, 3))
    assert np.array_equal(labels, [[255, 1, 1, 255, 0, 0]] * 3)
