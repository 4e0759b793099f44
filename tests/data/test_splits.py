"""Training and validation splits of a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcnlite.data.splits import held_out
from fcnlite.errors import DataError
from tests.data.folders import (
    names,
    opened,
)

Pairs = Callable[[int], Path]


def test_adding_pictures_moves_no_other() -> None:
    everything = [f"picture {number}" for number in range(500)]
    before, after = held_out(set(everything[:100]), 0.2), held_out(set(everything), 0.2)
    assert before == after & set(everything[:100])


@given(st.sets(st.text(), min_size=1), st.floats(1e-9, 0.99))
def test_at_least_one_is_held_out(names: set[str], fraction: float) -> None:
    assert held_out(names, fraction) & names


def test_the_fraction_held_out() -> None:
    everything = {f"picture {number}" for number in range(1000)}
    assert 160 < len(held_out(everything, 0.2)) < 240
    assert held_out(everything, 0) == set()


@pytest.mark.filterwarnings("ignore:.*neither train.txt nor val.txt:UserWarning")
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
