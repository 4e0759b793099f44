"""Shift-and-stitch and rarefaction: equal to each other and to the net at every pixel, on random nets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite import dense
from fcnlite.analysis.dense.part import DensePart
from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.net import Net
from tests.net.nets import conv, data, layer, net_of

PADS = ("pad", "pad_h", "pad_w")


@st.composite
def filters(draw: Any) -> NetSpec:
    """Nets of convolutions, poolings and elementwise layers, with pads and strides, also along one axis only."""
    layers = [data(1, 2, 40, 40)]
    bottom, stride = "data", 1
    for i in range(draw(st.integers(1, 5))):
        size, step, top = draw(st.integers(1, 3)), draw(st.integers(1, 2)), f"b{i}"
        pad = draw(st.integers(0, size - 1))
        step = step if stride < 4 else 1
        kind = draw(st.sampled_from(["conv", "MAX", "AVE", "ReLU", "sum", "oblong"]))
        if kind == "conv":
            rest = {"dilation": [draw(st.integers(1, 2))], "bias_filler": {"type": "uniform", "min": -0.5}}
            layers.append(conv(top, bottom, 2, size, stride=[step], pad=[pad], **rest))
        elif kind in ("MAX", "AVE"):
            layers.append(layer(top, "Pooling", bottom, pool=kind, kernel_size=size, stride=step, pad=pad))
        elif kind == "ReLU":
            layers.append(layer(top, "ReLU", bottom, bottom if bottom != "data" else top))
            bottom = layers[-1].top[0]
            continue
        elif kind == "sum":
            layers += [conv(f"{top}a", bottom, 2, 3, pad=[1]), conv(f"{top}b", bottom, 2, 1)]
            layers.append(layer(top, "Eltwise", f"{top}a {top}b"))
            step = 1
        else:
            layers.append(layer(top, "Pooling", bottom, kernel_h=size, kernel_w=1, stride_h=1, stride_w=step, pad=0))
        bottom, stride = top, stride * step
    return NetSpec("filters", (*layers, conv("score", bottom, 3, draw(st.integers(1, 2)))))


def without_pads(net: Net) -> Net:
    """The net without paddings; branches of one sum stay aligned, since their windows are made equal in size."""

    def bare(spec: LayerSpec) -> LayerSpec:
        return replace(spec, options={key: value for key, value in spec.options.items() if key not in PADS})

    return Net(
        replace(net.spec, layers=tuple(map(bare, net.spec.layers))),
        path="plain",
        dtype="float64",
        shared=net.params,
    )


def pixel_by_pixel(net: Net, x: Array, before: tuple[int, int], field: tuple[int, int]) -> Array:
    """The net on the receptive field of each pixel, with zeros beyond the picture."""
    height, width = x.shape[2:]
    margins = [(b, f - 1 - b) for b, f in zip(before, field, strict=True)]
    wide = np.pad(x, ((0, 0), (0, 0), *margins))
    patches = [
        wide[:, :, row : row + field[0], column : column + field[1]] for row in range(height) for column in range(width)
    ]
    scores = net.forward(data=np.concatenate(patches))["score"]
    assert scores.shape[2:] == (1, 1)
    return np.moveaxis(scores.reshape(height, width, -1), 2, 0)[None]


@settings(max_examples=40, deadline=None)
@given(filters(), st.integers(1, 19), st.integers(1, 17))
def test_both_ways_equal_the_net_at_every_pixel(spec: NetSpec, height: int, width: int) -> None:
    net = Net(spec, path="plain", dtype="float64", seed=1)
    x = np.random.default_rng(0).normal(size=(1, 2, height, width))
    stitched = dense.shift_and_stitch(net, x)
    assert stitched.shape == (1, 3, height, width)
    rarefied = dense.rarefy(net)
    np.testing.assert_allclose(dense.shift_and_stitch(rarefied, x), stitched, rtol=1e-9, atol=1e-12)
    part = DensePart.of(net)
    assert DensePart.of(rarefied).stride == (1, 1) and DensePart.of(rarefied).field == part.field
    if not any(each.type == "Eltwise" for each in spec):
        before = part.before(0), part.before(1)
        expected = pixel_by_pixel(without_pads(net), x, before, part.field)
        np.testing.assert_allclose(stitched, expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(filters(), st.integers(0, 9), st.integers(0, 9))
def test_the_rarefied_net_is_equal_where_no_padding_is_in_the_field(spec: NetSpec, more: int, further: int) -> None:
    net = Net(spec, path="plain", dtype="float64", seed=1)
    part = DensePart.of(net)
    height, width = part.field[0] + part.stride[0] * 4 + more, part.field[1] + part.stride[1] * 4 + further
    x = np.random.default_rng(0).normal(size=(1, 2, height, width))
    region = dense.unpadded(net, height, width)
    found = dense.rarefy(net).forward(data=x)["score"][(..., *region.rarefied)]
    stitched = dense.shift_and_stitch(net, x)[(..., *region.picture)]
    assert found.size
    np.testing.assert_allclose(found, stitched, rtol=1e-9, atol=1e-12)


def test_the_outputs_of_the_net_itself_are_among_the_dense_ones() -> None:
    net = net_of(
        data(1, 2, 9, 9),
        conv("conv", "data", 2, 3),
        layer("pool", "Pooling", "conv", kernel_size=2, stride=2),
        conv("score", "pool", 3, 2, stride=[2]),
    )
    x = np.random.default_rng(0).normal(size=(2, 2, 27, 22))
    own = net.forward(data=x)["score"]
    whole = dense.rarefy(net).forward(data=x)["score"]
    clean = own[:, :, : -(-whole.shape[2] // 4), : -(-whole.shape[3] // 4)]
    np.testing.assert_allclose(whole[:, :, ::4, ::4], clean, rtol=1e-12)
    assert clean.size > 20


def test_a_net_of_one_layer_has_the_result_worked_out_by_hand() -> None:
    net = net_of(data(1, 1, 4, 4), layer("score", "Pooling", "data", kernel_size=2, stride=2))
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    expected = [[4, 5, 5], [7, 8, 8], [7, 8, 8]]
    assert dense.shift_and_stitch(net, x)[0, 0].tolist() == expected
    assert dense.rarefy(net).forward(data=x)["score"][0, 0].tolist() == [[4, 5], [7, 8]]
    region = dense.unpadded(net, 3, 3)
    assert region.picture == region.rarefied == (slice(0, 2), slice(0, 2))


def test_the_fast_path_computes_the_same() -> None:
    spec = net_of(
        data(1, 2, 19, 19),
        conv("conv", "data", 16, 3, pad=[1]),
        layer("relu", "ReLU", "conv", "conv"),
        layer("pool", "Pooling", "conv", kernel_size=2, stride=2),
        conv("conv2", "pool", 16, 3, pad=[1]),
        layer("pool2", "Pooling", "conv2", kernel_size=3, stride=2),
        conv("score", "pool2", 3, 3),
    ).spec
    x = np.random.default_rng(0).normal(size=(1, 2, 45, 39)).astype(np.float32)
    net = Net(spec)
    rarefied = dense.rarefy(net)
    assert rarefied.params["conv2"][0] is net.params["conv2"][0]
    stitched = dense.shift_and_stitch(net, x)
    np.testing.assert_allclose(dense.shift_and_stitch(rarefied, x), stitched, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (layer("up", "Deconvolution", "conv", num_output=2, kernel_size=[2]), "'up' .Deconvolution."),
        (layer("ip", "InnerProduct", "conv", num_output=2), "'ip' .InnerProduct.*output=.*surgery"),
        (layer("pool", "Pooling", "conv", pool="AVE", global_pooling=True), "'pool' .Pooling.*whole picture"),
        (layer("lrn", "LRN", "conv", norm_region="WITHIN_CHANNEL"), "'lrn' .LRN.*mix"),
        (layer("pool", "Pooling", "conv", "pool places", kernel_size=2), "'pool' .Pooling.*places"),
    ],
)
def test_other_layers_are_refused_by_name(bad: LayerSpec, words: str) -> None:
    net = net_of(data(1, 2, 8, 8), conv("conv", "data"), bad)
    for call in (lambda: dense.rarefy(net, output=bad.top[0]), lambda: dense.unpadded(net, 9, 9, bad.top[0])):
        with pytest.raises(SpecError, match=words):
            call()
    assert dense.shift_and_stitch(net, np.ones((1, 2, 3, 4)), output="conv").shape == (1, 2, 3, 4)


def test_bad_requests_are_clear_errors() -> None:
    net = net_of(data(1, 2, 8, 8), conv("one", "data", 2, 5), conv("two", "data", 2, 1))
    with pytest.raises(SpecError, match="outputs one, two; choose"):
        dense.rarefy(net)
    with pytest.raises(SpecError, match=r"'ono'.*'one'"):
        dense.rarefy(net, output="ono")
    with pytest.raises(ShapeError, match="expected N×C×H×W"):
        dense.shift_and_stitch(net, np.ones((2, 8, 8)), output="one")
    with pytest.raises(ShapeError, match=r"field of 5×5 pixels.*larger picture"):
        dense.unpadded(net, 4, 9, "one")


def test_blobs_of_different_strides_are_refused() -> None:
    net = net_of(
        data(1, 2, 1, 1), conv("one", "data", 2, 1), conv("two", "data", 2, 1, stride=[2]),
        layer("sum", "Eltwise", "one two"),
    )  # fmt: skip
    with pytest.raises(SpecError, match=r"'sum' .Eltwise.*1×1 and 2×2"):
        dense.rarefy(net)
