"""A number taken apart: the sum of the products is what the engine computed, at every position and for every type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite.errors import DataError, UnknownNameError
from fcnlite.net import Net
from tests.explore.conftest import Functions
from tests.explore.nets import skip_net

TAKEN_APART = ("conv1", "pool1", "conv2", "pool2", "score_fr", "upscore2", "upscore2c", "upscore", "score")
ROUNDING = 2e-5
"""Of float32, relative to the sum of the magnitudes; Winograd's transforms have most of it."""


def positions(top: list[int], count: int = 24) -> list[tuple[int, int, int]]:
    """Corners, edges and random positions of a top."""
    channels, height, width = top
    rng = np.random.default_rng(1)
    inner = [tuple(int(rng.integers(size)) for size in top) for _ in range(count)]
    edges = [(c, y, x) for c in (0, channels - 1) for y in (0, height - 1) for x in (0, width // 2, width - 1)]
    return inner + edges  # type: ignore[operator, return-value]


@pytest.fixture(scope="module")
def before_in_place(picture: np.ndarray) -> dict[str, np.ndarray]:
    """Every top, also those that a ReLU overwrites, by the reference path in float64, by layer."""
    net = skip_net()
    found: dict[str, np.ndarray] = {}
    exact = Net(net.spec, path="plain", dtype="float64", info=net.info)
    for name, parameters in net.params.items():
        for mine, theirs in zip(exact.params[name], parameters, strict=True):
            mine.data[...] = theirs.array
    x = (picture[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float64) - [[[100.0]], [[110.0]], [[120.0]]]) * 0.05
    for i, layer in enumerate(net.spec.layers):
        if layer.name in TAKEN_APART:
            part = Net(
                type(net.spec)("part", net.spec.layers[: i + 1]), path="plain", dtype="float64", shared=exact.params
            )
            found[layer.name] = part.forward({"data": x}, outputs=[layer.top[0]])[layer.top[0]][0]
    return found


@pytest.mark.parametrize("layer", TAKEN_APART)
def test_the_sum_is_what_the_engine_computed(
    functions: Functions, before_in_place: dict[str, np.ndarray], layer: str
) -> None:
    exact = before_in_place[layer]
    for channel, row, column in positions(list(exact.shape)):
        found = functions["number"](layer=layer, channel=channel, row=row, column=column)
        assert found["top"] == list(exact.shape)
        allowed = ROUNDING * found["magnitude"] + 1e-6
        assert abs(found["sum"] - found["value"]) <= allowed
        assert abs(found["sum"] - exact[channel, row, column]) <= 20 * allowed  # its bottom is float32 too


@pytest.mark.parametrize("layer", ["conv2", "upscore"])
def test_products_and_parts_add_up(functions: Functions, layer: str) -> None:
    found = functions["number"](layer=layer, channel=1, row=8, column=9)
    np.testing.assert_allclose(found["products"], found["patch"].astype(float) * found["kernel"], rtol=1e-6)
    assert found["products"].sum() == pytest.approx(found["part"])
    assert found["parts"].sum() + found["rest"] + found["bias"] == pytest.approx(found["sum"])
    other = int(found["index"][-1])
    again = functions["number"](layer=layer, channel=1, row=8, column=9, source=other)
    assert again["source"] == other and again["sum"] == found["sum"]
    assert again["part"] == pytest.approx(found["parts"][-1])


def test_the_filter_is_the_parameter_and_the_pad_is_marked(functions: Functions, net: Net) -> None:
    found = functions["number"](layer="conv1", channel=5, row=8, column=30, source=2)
    np.testing.assert_array_equal(found["kernel"], net.params["conv1"][0].array[5, 2])
    np.testing.assert_array_equal(found["rows"], [-1, 0, 1])
    np.testing.assert_array_equal(found["inside"], [[False] * 3, [True] * 3, [True] * 3])
    assert (found["patch"][0] == 0).all() and found["windows"]["pad"] == [9, 9]


def test_a_group_reads_its_own_channels(functions: Functions) -> None:
    found = functions["number"](layer="conv2", channel=6, row=3, column=3)
    assert sorted(found["index"]) == [4, 5, 6, 7]


def test_a_deconvolution_lists_the_kernels_that_overlap(functions: Functions, net: Net) -> None:
    found = functions["number"](layer="upscore", channel=0, row=7, column=6)
    np.testing.assert_array_equal(found["rows"], [2, 3])
    np.testing.assert_array_equal(found["columns"], [2, 3])
    weight = net.params["upscore"][0].array[found["source"], 0]
    np.testing.assert_array_equal(found["kernel"], weight[np.ix_([3, 1], [2, 0])])


def test_a_crop_moves_by_its_offset(functions: Functions) -> None:
    found = functions["number"](layer="score", channel=2, row=0, column=4)
    assert found["offset"] == [5, 6]
    assert (found["source"], found["rows"][0], found["columns"][0]) == (2, 5, 10)
    assert found["sum"] == found["value"]


def test_pooling_marks_its_largest_value(functions: Functions) -> None:
    found = functions["number"](layer="pool1", channel=3, row=10, column=10)
    assert found["patch"].ravel()[found["best"]] == found["value"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layer": "relu1"}, "is of type ReLU"),
        ({"layer": "conv1", "channel": 8}, "from 0 to 7"),
        ({"layer": "conv1", "row": 10**6}, "outside"),
        ({"layer": "conv1", "row": 1.5}, "outside"),
        ({"layer": "conv1", "source": 3}, "expected 0 to 2"),
    ],
)
def test_wrong_questions_are_one_sentence(functions: Functions, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        functions["number"](**{"channel": 0, "row": 0, "column": 0} | arguments)


def test_an_unknown_layer_lists_similar_ones(functions: Functions) -> None:
    with pytest.raises(UnknownNameError, match="conv1"):
        functions["number"](layer="konv1", channel=0, row=0, column=0)
