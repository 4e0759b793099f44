"""Receptive fields: predicted ones against measured ones, on the zoo and on random nets."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models
from fcnlite.analysis import receptive_fields
from fcnlite.analysis.receptive_fields import bounds, composed, measured, measured_filter, place, predicted
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.net import Net


def chain(*filters: tuple[int, int], pad: int = 0, dilation: int = 1) -> NetSpec:
    """A net of convolutions, each (kernel, stride)."""
    layers = [LayerSpec("data", "Input", top=("data",))]
    below = "data"
    for i, (kernel, stride) in enumerate(filters, start=1):
        options = {
            "num_output": 2,
            "kernel_size": [kernel],
            "stride": [stride],
            "pad": [pad],
            "dilation": [dilation],
            "weight_filler": {"type": "gaussian", "std": 1},
        }
        layers.append(LayerSpec(f"c{i}", "Convolution", (below,), (f"c{i}",), options))
        below = f"c{i}"
    return NetSpec("chain", tuple(layers))


@pytest.mark.parametrize(
    ("lower", "upper", "expected"), [((3, 1), (3, 1), (5, 1)), ((11, 4), (3, 2), (19, 8)), ((5, 2), (4, 3), (11, 6))]
)
def test_the_rule_gives_the_measured_support(
    lower: tuple[int, int], upper: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert composed(upper, lower) == expected
    spec = chain(lower, upper)
    first, second = (measured_filter(spec, "c2", (0, x), (1, 1, 40, 40)) for x in (0, 1))
    top, bottom, left, right = bounds(first)
    assert (top, left) == (0, 0) and bottom + 1 == right + 1 == expected[0]
    assert bounds(second)[2] - left == expected[1]


def test_composition_is_associative() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b, c = ((int(k), int(s)) for k, s in rng.integers(1, 9, (3, 2)))
        assert composed(composed(a, b), c) == composed(a, composed(b, c))


@pytest.mark.parametrize(
    ("name", "blob", "size"),
    [
        ("lenet", "pool2", 41),
        ("alexnet", "pool5", 227),
        ("vgg16", "pool5", 224),
        ("googlenet", "inception_4a/output", 130),
        ("lite-fcn8s", "score", 150),
        ("lite-fcn2s-topdown", "fuse_pool2", 101),
        ("voc-fcn8s", "score", 90),
        ("voc-fcn-alexnet", "score", 131),
    ],
)
def test_positive_filters_reach_exactly_the_predicted_field(name: str, blob: str, size: int) -> None:
    net = models.build(name, width=1 / 64)
    shape = (1, 1 if name == "lenet" else 3, size, size + 3)
    height, width = receptive_fields.blob_shape(net, blob, shape)[2:]
    for position in ((0, 0), (height // 2, width // 3), (height - 1, width - 1)):
        expected = predicted(net, blob, position, shape)
        assert expected.any()
        assert (measured_filter(net.spec, blob, position, shape) == expected).all()


def test_a_pixel_of_the_input_has_itself_as_its_field() -> None:
    found = predicted(Net(chain((3, 1))), "data", (2, 1), (1, 1, 4, 4))
    assert np.argwhere(found).tolist() == [[2, 1]]


def test_dilation_leaves_holes_and_rounding_leaves_pixels_out() -> None:
    net = Net(chain((3, 2), (3, 1), pad=2, dilation=3))
    shape = (1, 1, 30, 31)
    for position in ((0, 0), (3, 4), (7, 8)):
        expected = predicted(net, "c2", position, shape)
        assert (measured_filter(net.spec, "c2", position, shape) == expected).all()
    top, bottom, left, right = bounds(predicted(net, "c2", (3, 4), shape))
    assert not predicted(net, "c2", (3, 4), shape)[top : bottom + 1, left : right + 1].all()


def test_the_field_of_the_net_itself_is_a_part_of_the_predicted_one() -> None:
    net = models.build("alexnet", width=1 / 16)
    picture = np.random.default_rng(0).normal(size=(1, 3, 227, 227))
    found = measured(net, "pool5", (3, 3), picture) > 0
    expected = predicted(net, "pool5", (3, 3), picture.shape)
    assert found.any() and not (found & ~expected).any() and found.sum() < expected.sum()


def test_the_field_is_that_of_the_rule() -> None:
    for name, blob, field in (("voc-fcn-alexnet", "fc6", 355), ("voc-fcn8s", "fc6", 404)):
        found = place(models.describe(name), blob)
        assert found.rows.field == found.columns.field == field and found.whole_stride(blob) == (32, 32)
    (*_, last) = receptive_fields.layer_filters(models.describe("voc-fcn8s"), "score_fr")
    assert last == ("fc6", 7, 1, 404, 32)


def test_blobs_without_a_field_are_errors() -> None:
    vgg = models.describe("vgg16", width=1 / 64)
    with pytest.raises(ShapeError, match=r"'fc7' has no place.*'pool5'"):
        place(vgg, "fc7")
    with pytest.raises(SpecError, match=r"no blob is called 'pol5'.*'pool5'"):
        place(vgg, "pol5")
    up = LayerSpec("up", "Deconvolution", ("c1",), ("up",), {"num_output": 1, "kernel_size": [4], "stride": [2]})
    spec = NetSpec("up", (*chain((3, 1)).layers, up))
    with pytest.raises(ShapeError, match=r"'up' has a stride of 1/2 pixels.*whole"):
        place(spec, "up").whole_stride("up")
    with pytest.raises(ShapeError, match=r"position \(9, 0\) is outside blob 'c1' of 6×6"):
        predicted(Net(chain((3, 1))), "c1", (9, 0), (1, 1, 8, 8))
    mvn = LayerSpec("mvn", "MVN", ("data",), ("mvn",))
    with pytest.raises(SpecError, match=r"'mvn'.*whole picture"):
        predicted(Net(NetSpec("mvn", (chain((3, 1)).layers[0], mvn))), "mvn", (0, 0), (1, 1, 8, 8))
    with pytest.raises(ShapeError, match="only padding"):
        bounds(np.zeros((2, 2), bool))
