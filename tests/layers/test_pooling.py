"""Pooling: Caffe's sizes, padding and places of the maxima."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.errors import ShapeError, SpecError
from tests.layers.examples import EXAMPLES, Example
from tests.layers.single import compute, gradients, normal, one


@settings(max_examples=60)
@given(
    size=st.integers(1, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    pad=st.integers(0, 2),
    ceil=st.booleans(),
)
def test_pooled_size_is_caffes(size: int, kernel: int, stride: int, pad: int, ceil: bool) -> None:
    if pad >= kernel or size + 2 * pad < kernel:
        return
    expected = (size + 2 * pad - kernel) / stride
    expected = int(np.ceil(expected) if ceil else np.floor(expected)) + 1
    if pad and (expected - 1) * stride >= size + pad:
        expected -= 1  # the last window must start inside the picture or the near pad
    options = {"kernel_size": kernel, "stride": stride, "pad": pad, "round_mode": "CEIL" if ceil else "FLOOR"}
    (top,) = compute("Pooling", [np.ones((1, 1, size, 9))], options)
    assert top.shape[2] == expected


def test_average_pooling_counts_the_padding() -> None:
    (top,) = compute("Pooling", [np.ones((1, 1, 2, 2))], {"pool": "AVE", "kernel_size": 3, "stride": 1, "pad": 1})
    np.testing.assert_allclose(top[0, 0], np.full((2, 2), 4 / 9))


def test_max_pooling_does_not_see_the_padding() -> None:
    (top,) = compute("Pooling", [-np.ones((1, 1, 2, 2))], {"kernel_size": 3, "stride": 1, "pad": 1})
    np.testing.assert_array_equal(top, -np.ones((1, 1, 2, 2)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "kernel_size"),
        ({"kernel_size": 3, "pad": 3}, "pad"),
        ({"kernel_size": 3, "stride": 0}, "stride"),
        ({"kernel_size": 3, "kernel_h": 3}, "kernel"),
        ({"kernel_h": 3}, "kernel"),
        ({"global_pooling": True, "kernel_size": 3}, "kernel"),
        ({"kernel_size": 2, "pad": 1, "pool": "STOCHASTIC"}, "STOCHASTIC"),
        ({"kernel_size": 2, "pool": "MEDIAN"}, "pool"),
    ],
)
def test_pooling_refuses_options_that_do_not_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=f"'layer'.*{words}"):
        one("Pooling", [(1, 1, 5, 5)], options)


@settings(max_examples=60)
@given(example=EXAMPLES["Pooling"].filter(lambda example: example.tops == 2))
def test_a_second_top_has_the_place_of_each_maximum_in_its_plane(example: Example) -> None:
    x = np.round(2 * example.inputs()["x0"])  # with ties, of which Caffe takes the first
    top, places = compute("Pooling", [x], example.options, tops=2)
    whole = example.options.get("global_pooling", False)
    for index in np.ndindex(*top.shape):
        window = []
        for axis, stem in ((2, "h"), (3, "w")):
            size = x.shape[axis]
            kernel = size if whole else of_axis(example.options, "kernel", stem, 0)
            start = index[axis] * of_axis(example.options, "stride", stem, 1) - of_axis(example.options, "pad", stem, 0)
            window.append(range(max(start, 0), min(start + kernel, size)))
        plane = x[index[:2]]
        best = max(plane[row, column] for row in window[0] for column in window[1])
        first = next(
            row * x.shape[3] + column for row in window[0] for column in window[1] if plane[row, column] == best
        )
        assert top[index] == best and places[index] == first


def of_axis(options: dict[str, Any], stem: str, axis: str, default: int) -> int:
    """The value of an option for rows (h) or columns (w)."""
    square = "kernel_size" if stem == "kernel" else stem
    return int(options.get(f"{stem}_{axis}", options.get(square, default)))


def test_the_places_of_maxima_have_no_gradient() -> None:
    net = one("Pooling", [(1, 1, 4, 4)], {"kernel_size": 2, "stride": 2}, tops=2)
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    dy = np.array([[[[1.0, 2], [3, 4]]]])
    (dx,) = gradients(net, [x], {"y0": dy, "y1": np.full((1, 1, 2, 2), 100.0)})
    np.testing.assert_array_equal(dx[0, 0], [[0, 0, 0, 0], [0, 1, 0, 2], [0, 0, 0, 0], [0, 3, 0, 4]])


def test_overlapping_windows_sum_their_gradients_at_one_maximum() -> None:
    net = one("Pooling", [(1, 1, 1, 5)], {"kernel_h": 1, "kernel_w": 3})
    (dx,) = gradients(net, [np.array([[[[0.0, 1, 9, 1, 0]]]])], {"y0": [[[[1.0, 10, 100]]]]})
    np.testing.assert_array_equal(dx, [[[[0, 0, 111, 0, 0]]]])


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
def test_global_pooling_takes_the_whole_plane_of_any_size(pool: str) -> None:
    net = one("Pooling", [(2, 3, 4, 5)], {"pool": pool, "global_pooling": True})
    for size in ((4, 5), (1, 1), (7, 2)):
        x = normal(2, 3, *size)
        expected = (x.max if pool == "MAX" else x.mean)((2, 3), keepdims=True)
        np.testing.assert_allclose(net.forward(x0=x)["y0"], expected, rtol=1e-12)


def test_only_maxima_have_places() -> None:
    with pytest.raises(SpecError, match=r"'layer'.*pool is AVE"):
        one("Pooling", [(1, 1, 5, 5)], {"pool": "AVE", "kernel_size": 2}, tops=2)


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 5), (1, 2, 3, 4, 5)])
def test_pooling_needs_blobs_of_four_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=rf"'layer'.*four axes.*{'×'.join(map(str, shape))}"):
        one("Pooling", [shape], {"kernel_size": 1})
