"""Crop, Concat, Slice, Split, Tile, Reshape, Flatten and Silence: layers that move values without changing them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.net import Net
from tests.layers.examples import EXAMPLES, Example, input_layer
from tests.layers.single import compute, gradients, normal, one


@settings(max_examples=40)
@given(example=EXAMPLES["Crop"])
def test_crop_is_a_slice(example: Example) -> None:
    x, reference = example.inputs().values()
    axis = example.options["axis"] % x.ndim
    offsets = example.options.get("offset", [0])
    if len(offsets) == 1:
        offsets = offsets * (x.ndim - axis)
    expected = x
    for i, offset in zip(range(axis, x.ndim), offsets, strict=True):
        expected = np.take(expected, range(offset, offset + reference.shape[i]), axis=i)
    np.testing.assert_array_equal(compute("Crop", [x, reference], example.options)[0], expected)


def test_crop_defaults_to_rows_and_columns_from_the_start() -> None:
    x = np.arange(2 * 3 * 5 * 6.0).reshape(2, 3, 5, 6)
    np.testing.assert_array_equal(compute("Crop", [x, np.zeros((1, 1, 2, 3))])[0], x[:, :, :2, :3])


def test_crop_names_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*x0 1×1×5×5.*x1 1×1×4×4"):
        one("Crop", [(1, 1, 5, 5), (1, 1, 4, 4)], {"offset": [2]})
    with pytest.raises((ShapeError, SpecError), match=r"'layer'.*offset"):
        one("Crop", [(1, 1, 5, 5), (1, 1, 4, 4)], {"offset": [0, 0, 0]})
    with pytest.raises(SpecError, match=r"'layer'.*offset"):
        one("Crop", [(1, 1, 5, 5), (1, 1, 4, 4)], {"offset": [-1]})


@settings(max_examples=20)
@given(example=EXAMPLES["Concat"])
def test_concat_is_numpys(example: Example) -> None:
    arrays = list(example.inputs().values())
    axis = example.options.get("axis", example.options.get("concat_dim", 1))
    expected = np.concatenate(arrays, axis)
    np.testing.assert_array_equal(compute("Concat", arrays, example.options)[0], expected)


def test_concat_names_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*x0 1×2×5×5.*x1 1×2×5×6"):
        one("Concat", [(1, 2, 5, 5), (1, 2, 5, 6)])
    with pytest.raises(SpecError, match=r"'layer'.*concat_dim"):
        one("Concat", [(1, 2)], {"axis": 1, "concat_dim": 1})


def test_split_sums_gradients() -> None:
    net = one("Split", [(2,)], tops=3)
    out = net.forward(x0=[1.0, 2.0], keep=True)
    assert all(out[f"y{i}"].tolist() == [1, 2] for i in range(3))
    net.backward(y0=[1.0, 10.0], y2=[100.0, 1000.0], wrt=["x0"])
    np.testing.assert_array_equal(net.grads["x0"], [101, 1010])


# Slice and Tile


@settings(max_examples=30)
@given(example=EXAMPLES["Slice"])
def test_slice_is_numpys_split(example: Example) -> None:
    x, o = example.inputs()["x0"], example.options
    parts = np.split(x, o.get("slice_point", example.tops), axis=o.get("axis", o.get("slice_dim", 1)))
    tops = compute("Slice", [x], o, tops=example.tops)
    for top, part in zip(tops, parts, strict=True):
        np.testing.assert_array_equal(top, part)


def test_slice_of_two_points() -> None:
    x = np.arange(14.0).reshape(2, 7)
    first, second, third = compute("Slice", [x], {"slice_point": [1, 4]}, tops=3)
    assert first.tolist() == [[0], [7]]
    assert second.tolist() == [[1, 2, 3], [8, 9, 10]]
    assert third.tolist() == [[4, 5, 6], [11, 12, 13]]


def test_slice_takes_gradients_of_some_tops_only() -> None:
    net = one("Slice", [(2, 4)], tops=2)
    (dx,) = gradients(net, [np.zeros((2, 4))], {"y1": [[1.0, 2], [3, 4]]})
    np.testing.assert_array_equal(dx, [[0, 0, 1, 2], [0, 0, 3, 4]])


@pytest.mark.parametrize(
    ("options", "tops", "words"),
    [
        ({}, 2, "axis 1 cannot be split into 2 equal tops; add slice_point"),
        ({"slice_point": [1, 2]}, 2, "slice_point has 2 values for 2 tops; expected 1"),
        ({"slice_point": [2, 1]}, 3, "slice_point .*must rise"),
        ({"slice_point": [1, 1]}, 3, "slice_point .*must rise"),
        ({"slice_point": [0]}, 2, "slice_point .*must rise"),
        ({"slice_point": [5]}, 2, "slice_point .*5 places"),
        ({"slice_point": [-1]}, 2, "slice_point .*must rise"),
        ({"axis": 3}, 1, "axis 3"),
        ({"axis": -4}, 1, "axis -4"),
        ({"axis": 1, "slice_dim": 1}, 1, "both axis and slice_dim"),
    ],
)
def test_slice_names_what_does_not_fit(options: dict[str, Any], tops: int, words: str) -> None:
    with pytest.raises((SpecError, ShapeError), match=f"'layer' .Slice.: .*{words}"):
        one("Slice", [(2, 5, 4)], options, tops=tops)


@settings(max_examples=30)
@given(example=EXAMPLES["Tile"])
def test_tile_is_numpys(example: Example) -> None:
    x, o = example.inputs()["x0"], example.options
    times = [1] * x.ndim
    times[o.get("axis", 1)] = o["tiles"]
    np.testing.assert_array_equal(compute("Tile", [x], o)[0], np.tile(x, times))


@pytest.mark.parametrize(
    ("options", "words"),
    [({}, "tiles is 0"), ({"tiles": -1}, "tiles is -1"), ({"tiles": 2, "axis": 2}, "axis 2")],
)
def test_tile_names_what_does_not_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises((SpecError, ShapeError), match=f"'layer' .Tile.: .*{words}"):
        one("Tile", [(2, 3)], options)


# Reshape and Flatten


@pytest.mark.parametrize(
    ("bottom", "options", "top"),
    [
        ((2, 8), {"shape": {"dim": [2, 2, 4]}}, (2, 2, 4)),
        ((2, 8), {"shape": {"dim": [0, 2, -1]}}, (2, 2, 4)),
        ((2, 8), {"shape": {"dim": [2, 4]}, "axis": 1}, (2, 2, 4)),
        ((2, 8), {"shape": {"dim": [2, -1]}, "axis": -2}, (2, 2, 4)),
        ((2, 8), {"shape": {"dim": [1]}, "num_axes": 0}, (1, 2, 8)),
        ((2, 8), {"shape": {"dim": [1]}, "axis": 1, "num_axes": 0}, (2, 1, 8)),
        ((2, 8), {"shape": {"dim": [1]}, "axis": -1, "num_axes": 0}, (2, 8, 1)),
        ((2, 3, 4, 5), {"shape": {"dim": [0, 0, -1]}}, (2, 3, 20)),
        ((2, 3, 4, 5), {"shape": {"dim": [-1, 0]}, "axis": 1, "num_axes": 2}, (2, 3, 4, 5)),
        ((2, 3, 4, 5), {"shape": {"dim": [12]}, "axis": 1, "num_axes": 2}, (2, 12, 5)),
        ((2, 3, 4, 5), {"shape": {"dim": [-1]}}, (120,)),
        ((2, 1, 3, 1, 2), {"shape": {"dim": [0, 3]}, "num_axes": 4}, (2, 3, 2)),
        ((6,), {"shape": {"dim": [1, 2, 3, 1, -1]}}, (1, 2, 3, 1, 1)),
        ((1, 1), {"shape": {"dim": []}}, ()),
    ],
)
def test_reshape_by_hand(bottom: tuple[int, ...], options: dict[str, Any], top: tuple[int, ...]) -> None:
    """0 copies the axis in that place, counted from `axis` on; −1 is inferred."""
    x = np.arange(float(np.prod(bottom))).reshape(bottom)
    (y,) = compute("Reshape", [x], options)
    np.testing.assert_array_equal(y, x.reshape(top), strict=True)
    (dx,) = gradients(one("Reshape", [bottom], options), [x], {"y0": y + 1})
    np.testing.assert_array_equal(dx, x + 1, strict=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shape": {"dim": [7, -1]}}, "2×8 cannot become"),
        ({"shape": {"dim": [4, 8]}}, "2×8 cannot become 4×8: 16 values are not 32"),
        ({"shape": {"dim": [-1, -1]}}, r"shape is \(-1, -1\)"),
        ({"shape": {"dim": [-2, 8]}}, r"shape is \(-2, 8\)"),
        ({"shape": {"dim": [2, 8, 0]}}, "shape .*copies axis 2"),
        ({"shape": {"dim": [16]}, "num_axes": 3}, "axis 0 and num_axes 3"),
        ({"shape": {"dim": [8]}, "axis": 1, "num_axes": 2}, "axis 1 and num_axes 2"),
        ({"shape": {"dim": [8]}, "axis": 3}, "axis 3"),
        ({"shape": {"dim": [8]}, "axis": -4}, "axis -4"),
        ({"shape": {"dim": [16]}, "num_axes": -2}, "num_axes is -2"),
        ({"shape": {"dims": [16]}}, "shape: unknown option 'dims'"),
        ({"shape": [16]}, "shape: .*braces"),
    ],
)
def test_reshape_names_what_does_not_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises((SpecError, ShapeError), match=f"'layer' .Reshape.: .*{words}"):
        one("Reshape", [(2, 8)], options)


@pytest.mark.parametrize(
    ("bottom", "options", "top"),
    [
        ((2, 3, 4, 5), {}, (2, 60)),
        ((2, 3, 4, 5), {"axis": 0}, (120,)),
        ((2, 3, 4, 5), {"axis": 2}, (2, 3, 20)),
        ((2, 3, 4, 5), {"axis": -2}, (2, 3, 20)),
        ((2, 3, 4, 5), {"end_axis": 2}, (2, 12, 5)),
        ((2, 3, 4, 5), {"axis": 0, "end_axis": -2}, (24, 5)),
        ((2, 3, 4, 5), {"axis": 3}, (2, 3, 4, 5)),
        ((2, 1, 3, 4, 2), {"axis": 1, "end_axis": 3}, (2, 12, 2)),
        ((2, 3), {}, (2, 3)),
        ((5,), {"axis": 0}, (5,)),
    ],
)
def test_flatten_by_hand(bottom: tuple[int, ...], options: dict[str, Any], top: tuple[int, ...]) -> None:
    x = normal(*bottom)
    (y,) = compute("Flatten", [x], options)
    np.testing.assert_array_equal(y, x.reshape(top), strict=True)
    (dx,) = gradients(one("Flatten", [bottom], options), [x], {"y0": y})
    np.testing.assert_array_equal(dx, x, strict=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"axis": 2, "end_axis": 1}, "axis 2 comes after end_axis 1"),
        ({"axis": 4}, "axis 4"),
        ({"end_axis": 4}, "axis 4"),
        ({"end_axis": -5}, "axis -5"),
    ],
)
def test_flatten_names_what_does_not_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ShapeError, match=f"'layer' .Flatten.: .*{words}.*x0 2×3×4×5"):
        one("Flatten", [(2, 3, 4, 5)], options)


# Silence


def test_silence_removes_outputs_and_adds_no_gradient() -> None:
    layers = (
        input_layer("x", (2, 4)),
        LayerSpec("cut", "Slice", ("x",), ("y", "unwanted", "too"), {"slice_point": [1, 3]}),
        LayerSpec("hush", "Silence", ("unwanted", "too")),
    )
    net = Net(NetSpec(layers=layers), path="plain", dtype="float64")
    x = normal(2, 4)
    assert list(net.forward(x=x, keep=True)) == ["y"]
    net.backward(y=np.ones((2, 1)), wrt=["x", "unwanted"])
    np.testing.assert_array_equal(net.grads["x"], [[1, 0, 0, 0]] * 2)
    np.testing.assert_array_equal(net.grads["unwanted"], np.zeros((2, 2)))
    assert list(net.forward(x=x, outputs=["unwanted"])) == ["unwanted"]


def test_silence_has_no_tops() -> None:
    with pytest.raises(SpecError, match=r"'layer' .Silence.: has 1 top blobs; expected 0"):
        one("Silence", [(2, 3)])


def test_reshape_stops_at_caffe_s_axes() -> None:
    assert one("Reshape", [(2, 3)], {"shape": {"dim": [2, 3] + [1] * 30}})
    with pytest.raises(ShapeError, match=r"33 axes.*32"):
        one("Reshape", [(2, 3)], {"shape": {"dim": [2, 3] + [1] * 31}})
