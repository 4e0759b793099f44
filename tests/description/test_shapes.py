"""Shape arithmetic against counting, probing and the actual alignment of pictures."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fcnlite import models
from fcnlite.description.shapes import Placement, Window, crop_offset, placements, show
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError
from fcnlite.formats.caffe import parse_net
from fcnlite.layers.registry import links
from fcnlite.net import Net

SIZES = st.integers(1, 40)
WINDOWS = st.builds(Window, st.integers(1, 7), st.integers(1, 4), st.integers(0, 5), st.integers(1, 3))


def test_shapes_are_shown_as_people_write_them() -> None:
    assert show((1, 3, 500, 400)) == "1×3×500×400"
    assert show(()) == "scalar"


@given(window=WINDOWS, size=SIZES)
def test_convolved_counts_the_places_of_the_window(window: Window, size: int) -> None:
    last = size + 2 * window.pad - window.dilation * (window.size - 1)
    places = len(range(0, last, window.stride))
    if places:
        assert window.convolved(size) == places
    else:
        with pytest.raises(ShapeError, match=str(size)):
            window.convolved(size)


@given(window=WINDOWS, size=SIZES)
def test_deconvolved_is_what_the_taps_reach(window: Window, size: int) -> None:
    read = {y * window.stride + element * window.dilation for y in range(size) for element in range(window.size)}
    left = max(read) + 1 - 2 * window.pad
    if left >= 1:
        assert window.deconvolved(size) == left
        assert window.convolved(left) == size  # it transposes the convolution
    else:
        with pytest.raises(ShapeError, match=str(window.pad)):
            window.deconvolved(size)


@given(size=SIZES, kernel=st.integers(1, 7), stride=st.integers(1, 4), pad=st.integers(0, 3))
def test_pooled_counts_windows(size: int, kernel: int, stride: int, pad: int) -> None:
    """FLOOR: windows that fit. CEIL: one more for what is left over, if it starts before the far pad."""
    assume(pad < kernel <= size + 2 * pad)
    fits = [start for start in range(-pad, size + pad, stride) if start + kernel <= size + pad]
    window = Window(kernel, stride, pad)
    assert window.pooled(size, "FLOOR") == len([start for start in fits if not pad or start < size])
    covered = fits[-1] + kernel
    more = covered < size + pad and not (pad and fits[-1] + stride >= size)
    assert window.pooled(size) == len([start for start in fits if not pad or start < size]) + more


def test_pooling_a_picture_smaller_than_the_window() -> None:
    """Caffe rounds (1 − 2)/2 up to 0, so that one pixel gives one."""
    assert Window(2, 2).pooled(1) == 1
    with pytest.raises(ShapeError, match="2 pixels"):
        Window(2, 2).pooled(1, "FLOOR")


# Placements


def conv(name: str, bottom: str, window: Window) -> LayerSpec:
    options = {
        "num_output": 1,
        "kernel_size": [window.size],
        "stride": [window.stride],
        "pad": [window.pad],
        "dilation": [window.dilation],
        "weight_filler": {"value": 1.0 / window.size**2},
    }
    return LayerSpec(name, "Convolution", (bottom,), (name,), options)


def pool(name: str, bottom: str, window: Window) -> LayerSpec:
    options = {"pool": "AVE", "kernel_size": window.size, "stride": window.stride, "pad": window.pad}
    return LayerSpec(name, "Pooling", (bottom,), (name,), options)


def upsample(name: str, bottom: str, factor: int) -> LayerSpec:
    kernel = 2 * factor - factor % 2
    options = {
        "num_output": 1,
        "kernel_size": [kernel],
        "stride": [factor],
        "bias_term": False,
        "weight_filler": {"type": "bilinear"},
    }
    return LayerSpec(name, "Deconvolution", (bottom,), (name,), options)


def data(height: int, width: int) -> LayerSpec:
    return LayerSpec("data", "Input", top=("data",), options={"shape": [{"dim": [1, 1, height, width]}]})


NARROW = st.builds(Window, st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2))


@settings(max_examples=50)
@given(stack=st.lists(st.tuples(st.booleans(), NARROW), min_size=1, max_size=3))
def test_receptive_fields_are_what_gradients_reach(stack: list[tuple[bool, Window]]) -> None:
    layers: list[LayerSpec] = [data(120, 120)]
    for i, (pooling, window) in enumerate(stack):
        assume(window.stride <= window.size)  # no pixels that nothing sees
        if pooling:
            window = Window(window.size, window.stride, min(window.pad, window.size - 1))
        layers.append((pool if pooling else conv)(f"b{i}", layers[-1].name, window))
    last = layers[-1].name
    net = Net(NetSpec(layers=tuple(layers)), path="plain", dtype="float64")
    net.forward(data=np.ones((1, 1, 120, 120)), keep=True)
    top = np.zeros_like(net.blobs[last])
    y = top.shape[2] // 2
    top[0, 0, y, y] = 1
    net.backward({last: top}, wrt=["data"])
    seen = np.flatnonzero(net.grads["data"][0, 0].any(1))

    for axis in (0, 1):
        origin, place = placements(links(layers, axis))[last]
        assert origin == "data"
        center = place.stride * y + place.offset
        assert (seen[0] + seen[-1]) / 2 == center
        assert seen[-1] - seen[0] + 1 == place.field


def test_rows_and_columns_are_placed_apart() -> None:
    options = {"num_output": 1, "kernel_h": 5, "kernel_w": 3, "stride_h": 2, "stride_w": 1, "pad_h": 2, "pad_w": 0}
    layers = [data(9, 9), LayerSpec("c", "Convolution", ("data",), ("c",), options)]
    assert placements(links(layers, 0))["c"] == ("data", Placement(Fraction(2), Fraction(0), Fraction(5)))
    assert placements(links(layers, 1))["c"] == ("data", Placement(Fraction(1), Fraction(1), Fraction(3)))


@settings(max_examples=40)
@given(
    first=st.builds(Window, st.sampled_from([1, 3, 5]), st.just(1), st.integers(8, 24)),
    halvings=st.integers(0, 3),
    factors=st.permutations([2, 4]).map(lambda each: each[:1]) | st.just([]),
    height=st.integers(24, 50),
    width=st.integers(24, 50),
)
def test_an_aligned_crop_really_aligns(
    first: Window, halvings: int, factors: list[int], height: int, width: int
) -> None:
    """A ramp stays a ramp under averaging and bilinear upsampling: cropped, it is the input's."""
    layers = [data(height, width), conv("first", "data", first)]
    stride = 1
    for i in range(halvings):
        layers.append(pool(f"half{i}", layers[-1].name, Window(2, 2)))
        stride *= 2
    for i, factor in enumerate(factors):
        if stride % factor == 0:
            layers.append(upsample(f"partly{i}", layers[-1].name, factor))
            stride //= factor
    if stride > 1:
        layers.append(upsample("up", layers[-1].name, stride))
    top = layers[-1].name
    offsets = [crop_offset(placements(links(layers, axis)), top, "data") for axis in (0, 1)]
    layers.append(LayerSpec("crop", "Crop", (top, "data"), ("crop",), {"offset": offsets}))
    net = Net(NetSpec(layers=tuple(layers)), path="plain", dtype="float64")
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    ramp = (rows + 3 * columns)[None, None]
    found = net.forward(data=ramp)["crop"]
    inner = (0, 0, slice(11, -11), slice(11, -11))  # what the pad of zeros does not reach
    reach = 2 * 2**halvings + first.size
    if reach < 11:
        np.testing.assert_allclose(found[inner], ramp[inner], atol=1e-9)
    for axis in (0, 1):
        (_, here), (_, there) = (placements(links(layers, axis))[name] for name in ("crop", "data"))
        assert (here.stride, here.offset) == (there.stride, there.offset)


@pytest.mark.parametrize(
    ("name", "offsets"),
    [
        ("voc-fcn32s", {"score": 19}),
        ("voc-fcn16s", {"score_pool4c": 5, "score": 27}),
        ("voc-fcn8s", {"score_pool4c": 5, "score_pool3c": 9, "score": 31}),
    ],
)
def test_crop_offsets_of_the_published_nets(name: str, offsets: dict[str, int]) -> None:
    crops = {each.name: each.options for each in models.describe(name) if each.type == "Crop"}
    assert {key: options["offset"] for key, options in crops.items()} == {
        key: pytest.approx([value]) for key, value in offsets.items()
    }


def test_crops_that_cannot_align_say_why() -> None:
    def offset(*layers: LayerSpec, blob: str = "blob", reference: str = "data") -> int:
        return crop_offset(placements(links([data(20, 20), *layers], 0)), blob, reference)

    assert offset(conv("blob", "data", Window(3, 1, 4))) == 3
    with pytest.raises(ShapeError, match=r"'blob'.*'data'"):
        offset(conv("blob", "data", Window(3)))  # it would need pixels before the first
    with pytest.raises(ShapeError, match=r"3/2"):
        offset(conv("blob", "data", Window(2, 1, 2)))
    with pytest.raises(ShapeError, match=r"stride of 2.*1"):
        offset(conv("blob", "data", Window(3, 2, 4)))
    with pytest.raises(ShapeError, match=r"'blob'"):
        offset(LayerSpec("blob", "InnerProduct", ("data",), ("blob",), {"num_output": 2}))
    other = LayerSpec("other", "Input", top=("other",))
    with pytest.raises(ShapeError, match=r"'other'"):
        offset(other, conv("blob", "other", Window(1)))


def test_the_widest_path_gives_the_field() -> None:
    layers: list[Any] = [data(30, 30), conv("narrow", "data", Window(1)), conv("wide", "data", Window(7, 1, 3))]
    layers.append(LayerSpec("sum", "Eltwise", ("narrow", "wide"), ("sum",)))
    assert placements(links(layers, 0))["sum"][1] == Placement(field=Fraction(7))


def test_a_pad_on_either_axis_drops_windows_that_start_beyond_the_picture_on_both() -> None:
    """As Caffe's pooling does: 5 columns, a window of 1 every 3, are 2 windows, since the rows have a pad."""
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 5 dim: 5 } } }
    layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param {
        kernel_h: 3 kernel_w: 1 stride_h: 1 stride_w: 3 pad_h: 1 pad_w: 0 } }
    """
    top = Net(parse_net(text)).forward(data=np.zeros((1, 1, 5, 5)))["pool"]
    assert top.shape == (1, 1, 5, 2)
    assert not top.any()
