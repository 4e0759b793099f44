"""Accuracy and ArgMax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from fcnlite.errors import ShapeError, SpecError
from tests.layers.examples import EXAMPLES, Example
from tests.layers.single import compute, one


def test_accuracy_counts_ties_as_better() -> None:
    """A label is right if fewer than top_k other scores are at least its own."""
    scores = [[1.0, 1.0, 0.0], [3.0, 2.0, 1.0], [0.0, 0.0, 0.0]]
    for top_k, expected in ((1, 1 / 3), (2, 2 / 3), (3, 1.0)):
        (found,) = compute("Accuracy", [scores, [0, 0, 0]], {"top_k": top_k})
        assert float(found) == pytest.approx(expected)


def test_accuracy_of_each_class() -> None:
    scores = [[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]]
    total, each = compute("Accuracy", [scores, [0, 0, 1, 1]], tops=2)
    assert float(total) == 0.75
    np.testing.assert_array_equal(each, [1, 0.5, 0])  # 0 for a class without labels


def test_accuracy_refuses_more_than_all_classes() -> None:
    with pytest.raises((SpecError, ShapeError), match=r"'layer'.*top_k"):
        one("Accuracy", [(2, 3), (2,)], {"top_k": 4})
    with pytest.raises(SpecError, match=r"'layer'.*top_k"):
        one("Accuracy", [(2, 3), (2,)], {"top_k": 0})


def caffe_arg_max(values: Sequence[float], top_k: int) -> list[tuple[float, int]]:
    """Caffe sorts pairs of value and place by `greater`, so the later of equal values is first."""
    return sorted(((value, place) for place, value in enumerate(values)), reverse=True)[:top_k]


@settings(max_examples=60)
@given(data=st.data(), values=st.booleans())
def test_arg_max_is_caffes(data: st.DataObject, values: bool) -> None:
    shape = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 3, shape).astype(np.float64)
    if data.draw(st.booleans()):
        axis = data.draw(st.integers(-len(shape), len(shape) - 1))
        top_k = data.draw(st.integers(1, shape[axis]))
        (top,) = compute("ArgMax", [x], {"axis": axis, "top_k": top_k, "out_max_val": values})
        lines = np.moveaxis(x, axis, -1).reshape(-1, shape[axis])
        found = np.moveaxis(top, axis, -1).reshape(-1, top_k)
        for line, row in zip(lines, found, strict=True):
            assert row.tolist() == [pair[0 if values else 1] for pair in caffe_arg_max(line, top_k)]
    else:
        count = int(np.prod(shape[1:]))
        top_k = data.draw(st.integers(1, count))
        (top,) = compute("ArgMax", [x], {"top_k": top_k, "out_max_val": values})
        assert top.shape[:3] == (shape[0], 2 if values else 1, top_k)
        for line, item in zip(x.reshape(len(x), -1), top, strict=True):
            best = caffe_arg_max(line, top_k)
            assert item[0].ravel().tolist() == [place for _, place in best]
            if values:
                assert item[1].ravel().tolist() == [value for value, _ in best]


def test_arg_max_refuses_a_top_k_above_the_count() -> None:
    with pytest.raises((SpecError, ShapeError), match=r"'layer'.*top_k"):
        one("ArgMax", [(2, 3)], {"top_k": 4, "axis": 1})
    with pytest.raises(SpecError, match=r"'layer'.*top_k"):
        one("ArgMax", [(2, 3)], {"top_k": 0})


@settings(max_examples=40)
@given(example=EXAMPLES["Accuracy"])
def test_accuracy_counts_labels_of_a_rank_up_to_top_k(example: Example) -> None:
    """The rank of a label is the number of scores that are at least its own. Ignored positions do not count."""
    o, (scores, labels) = example.options, example.inputs().values()
    scores = np.moveaxis(np.round(scores), o.get("axis", 1), -1)  # with ties
    labels = labels.reshape(scores.shape[:-1])
    right, counts = np.zeros(example.classes), np.zeros(example.classes)
    for place in np.ndindex(*labels.shape):
        if labels[place] == o.get("ignore_label"):
            continue
        label = int(labels[place])
        counts[label] += 1
        right[label] += rankdata(-scores[place], "max")[label] <= o.get("top_k", 1)
    fed = [np.round(example.inputs()["x0"]), example.inputs()["x1"]]
    total, *each = compute("Accuracy", fed, o, tops=example.tops)
    assert total == pytest.approx(right.sum() / max(counts.sum(), 1))
    if each:
        np.testing.assert_allclose(each[0], right / np.maximum(counts, 1))


def test_accuracy_of_ignored_labels_only_is_zero() -> None:
    total, each = compute("Accuracy", [[[1.0, 0], [0, 1]], [255, 255]], {"ignore_label": 255}, tops=2)
    assert total == 0 and not each.any()


@pytest.mark.parametrize(
    ("type_", "options", "words"),
    [
        ("Accuracy", {"axis": 2}, "axis 2"),
        ("Accuracy", {"top_k": 1.5}, "top_k: 1.5"),
        ("Accuracy", {"ignore_label": "void"}, "ignore_label: 'void'"),
        ("ArgMax", {"axis": -3}, "axis -3"),
        ("ArgMax", {"top_k": True}, "top_k: True"),
        ("ArgMax", {"out_max_val": 1}, "out_max_val: 1"),
    ],
)
def test_wrong_options_are_named(type_: str, options: dict[str, Any], words: str) -> None:
    shapes = [(2, 3), (2,)] if type_ == "Accuracy" else [(2, 3)]
    with pytest.raises((SpecError, ShapeError), match=f"'layer' .{type_}.: .*{words}"):
        one(type_, shapes, options)
