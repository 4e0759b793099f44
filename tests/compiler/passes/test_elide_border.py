"""Only rows that depend on the picture are computed; results equal the reference path's for every size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import fcnlite
from fcnlite.arrays import Array
from fcnlite.compiler import Plan
from fcnlite.compiler.convolution.algorithms import Algorithm
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.convolution.problem import Problem
from fcnlite.compiler.convolution.winograd import Winograd
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.border import Border
from fcnlite.compiler.operations.thin_winograd import ThinWinograd
from fcnlite.compiler.passes import select_algorithms
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import ShapeError
from fcnlite.net import Net
from tests.compiler.convolution.problems import ISAS, guarded, machine_with
from tests.compiler.path_comparison import (
    assert_same_outputs,
    conv,
    does,
    filled,
    in_place,
    layer,
    normal,
    plan_of,
    pool,
    reference_net,
    spec_of,
)
from tests.compiler.wide_pads import chains, feed, net_of, rectified, trunk
from tests.random_nets import FLAG, Draw


def rows_of(plan: Plan, name: str) -> tuple[int, ...]:
    """Height and width of the output of a layer's operation."""
    return does(plan, name).outputs[0].shape[2:]


def bordered(plan: Plan) -> list[str]:
    """The blobs whose border comes from a picture of zeros."""
    return [each.outputs[0].name for each in plan.graph.operations if isinstance(each, Border)]


def test_a_pad_of_100_is_hardly_computed() -> None:
    feeds = feed(64, 80)
    plan = assert_same_outputs(net_of(trunk(), 64, 80), feeds)
    assert set(bordered(plan)) == {"pool4", "score_pool3", "score_pool4"}
    # A pixel of pool3 reads 44 pixels at stride 8, so that 13 rows and 15 columns depend on the picture; one on either
    # side does not. With the pad there are 33 and 35.
    assert rows_of(plan, "pool3") == (15, 17)
    assert does(plan, "fc6").inputs[0].shape[2:] == (17, 18)


def test_with_winograd_after_a_thin_first_convolution() -> None:
    layers = trunk(width=32)
    net = net_of(layers, 97, 60)
    for size in ((97, 60), (98, 61), (1, 130)):
        plan = assert_same_outputs(net, feed(*size, batch=2))
        assert isinstance(does(plan, "conv1_1"), ThinWinograd)
        assert "Winograd" in does(plan, "conv3_2").describe()


@pytest.mark.parametrize("low_memory", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_with_low_memory_and_several_threads(low_memory: bool, threads: int) -> None:
    before = fcnlite.config.num_threads()
    fcnlite.set_num_threads(threads)
    try:
        net = net_of(trunk(width=16), 50, 64)
        net.low_memory = low_memory
        assert_same_outputs(net, feed(50, 64))
    finally:
        fcnlite.set_num_threads(before)


@pytest.mark.parametrize(("size", "seen"), [((40, 40), (25, 25)), ((41, 64), (26, 37)), ((1, 90), (6, 50))])
def test_other_rows_are_not_computed_after_the_picture_meets_the_border(
    size: tuple[int, int], seen: tuple[int, int]
) -> None:
    layers = [*rectified("a", "data", 4, pad=[12]), pool("b", "a"), *rectified("c", "b", 4, kernel_size=5, pad=[2])]
    for below, name in (("c", "d"), ("d", "e"), ("e", "f")):
        layers += rectified(name, below, 4, pad=[1])
    layers.append(conv("g", "f", 4, 7))
    net = net_of(tuple(layers), *size)
    plan = assert_same_outputs(net, feed(*size, batch=2))
    # Of 40 rows, 21 of b depend on the picture, and 4 more of c; b has 31, one of which on either side is border. Each
    # layer adds one to both.
    assert bordered(plan) == ["c", "d", "e"]
    for more, name in enumerate("cde"):
        assert rows_of(plan, name) == (seen[0] + 2 * more, seen[1] + 2 * more)
    net.params["d"][1].data += 1
    assert_same_outputs(net, feed(*size))


def test_the_border_changes_with_the_parameters() -> None:
    net, feeds = net_of(trunk(), 40, 40), feed(40, 40)
    assert_same_outputs(net, feeds)
    for name in ("conv1_1", "conv2_2", "score_pool3"):
        net.params[name][1].data += 1
        assert_same_outputs(net, feeds)


@pytest.mark.parametrize("first", ["ReLU", "PReLU"])
def test_a_value_that_is_rectified_in_place_twice(first: str) -> None:
    sloped = {"negative_slope": 0.2}
    layers = (conv("a", "data", 16, pad=[100]), layer("first", first, "a", "a", **(sloped if first == "ReLU" else {})))
    feeds = {"data": normal(0, 1, 17, 20, 20)}
    net = filled(spec_of(feeds["data"].shape, *layers, in_place("ReLU", "a", **sloped), conv("b", "a", 4, pad=[1])))
    net.params["a"][1].data = np.full(16, -1.0)
    operation = does(assert_same_outputs(net, feeds), "a")
    assert isinstance(operation, ConvolutionOperation) and operation.leaves_margins


def test_zeros_are_computed_once() -> None:
    net = net_of(trunk(), 40, 40)
    net.forward(feed(40, 40))
    (made,) = zero_pictures(net)
    net.forward(feed(40, 40))
    assert len(zero_pictures(net)) == 1 and zero_pictures(net)[0] is made


def zero_pictures(net: Net) -> list[Any]:
    """The prepared pictures of zeros."""
    return [found.value for key, found in net.executor.derived.items() if key[0] == "zero picture"]


def test_the_picture_of_zeros_does_not_grow_with_the_picture() -> None:
    """The picture of zeros has the same size for larger pictures."""
    net = net_of(trunk(), 40, 40)
    for size in ((40, 40), (200, 300)):
        net.forward(feed(*size))
    for arrays, _ in zero_pictures(net):
        assert all(max(each.shape[2:]) < 20 for each in arrays.values())


@pytest.mark.parametrize("height", range(1, 41))
def test_every_small_size(height: int) -> None:
    """Heights 1 to 40, with widths of other remainders, for one net."""
    net = net_of(trunk(), 40, 40)
    for width in {height, 41 - height, 7 * height % 41 or 40}:
        assert_same_outputs(net, feed(height, width))


@pytest.mark.slow
@pytest.mark.parametrize("height", range(1, 41))
def test_every_pair_of_small_sizes(height: int) -> None:
    net = net_of(trunk(width=2), 40, 40)
    for width in range(1, 41):
        assert_same_outputs(net, feed(height, width))


@pytest.mark.parametrize("size", [(1, 1), (3, 250), (199, 1), (97, 131)])
def test_other_shapes(size: tuple[int, int]) -> None:
    plan = assert_same_outputs(net_of(trunk(), *size), feed(*size, batch=2))
    assert bordered(plan)


@pytest.mark.parametrize("outputs", [["pool3"], ["pool1"], ["conv1_1"], ["pool2", "fc6"], ["score_pool3"], ["conv3_2"]])
def test_requested_blobs_are_whole(outputs: list[str]) -> None:
    feeds = feed(33, 50)
    net = net_of(trunk(), 33, 50)
    assert_same_outputs(net, feeds, outputs)


@pytest.mark.parametrize("how", ["Dropout", "Split"])
def test_an_output_renamed_by_eliminate_identity_is_whole(how: str) -> None:
    layers = (
        *rectified("a", "data", 4, pad=[8]),
        *rectified("b", "a", 4),
        pool("c", "b"),
        layer("d", how, "c"),
    )
    assert_same_outputs(net_of(layers, 1, 1), feed(1, 1))
    assert_same_outputs(net_of((*layers, conv("e", "d", 4)), 1, 1), feed(1, 1), ["d", "e"])
    assert_same_outputs(net_of((*layers, conv("e", "d", 4)), 1, 1), feed(1, 1), ["c", "e"])


def test_values_with_other_readers_are_whole() -> None:
    """Average pooling and TanH read the blob with its border."""
    feeds = feed(20, 30)
    layers = (*trunk(), layer("tanh", "TanH", "pool3"), layer("mean", "Pooling", "pool2", pool="AVE", kernel_size=3))
    plan = assert_same_outputs(net_of(layers, 20, 30), feeds)
    assert {"pool2", "pool3"} <= set(bordered(plan))
    assert rows_of(plan, "tanh") == (28, 29)


def test_small_pads_are_not_elided() -> None:
    for pad in (1, 7):
        plan = assert_same_outputs(net_of(trunk(pad)[:19], 40, 40), feed(40, 200))
        assert not bordered(plan)


@pytest.mark.parametrize("pad", [8, 9, 15, 16, 30, 31, 52, 99, 101, 150])
def test_other_pads(pad: int) -> None:
    for size in ((1, 1), (16, 23)):
        assert_same_outputs(net_of(trunk(pad)[:19], *size), feed(*size))


@pytest.mark.parametrize("pads", [(100, 0), (0, 100), (60, 100), (100, 8)])
def test_pads_that_differ(pads: tuple[int, int]) -> None:
    layers = (conv("conv1_1", "data", 4, pad=list(pads)), *trunk()[1:16])
    assert_same_outputs(net_of(layers, 30, 41), feed(30, 41))


def test_two_readers_that_begin_at_different_rows() -> None:
    """Two poolings need their input to begin at different rows, so one of them reads the whole value."""
    layers = (
        *rectified("a", "data", 4, pad=[30]),
        pool("b", "a", 3, 2),
        pool("c", "a", 2, 1),
        layer("d", "ReLU", "b"),
        conv("e", "d", 4, pad=[1]),
        conv("f", "c", 4, pad=[1]),
    )
    for size in ((9, 10), (16, 33)):
        plan = assert_same_outputs(net_of(layers, *size), feed(*size))
        assert "a" in bordered(plan)


def test_the_borders_of_other_outputs() -> None:
    """One net, whose values have equal shapes and get their borders in turn."""
    layers = (conv("a", "data", 4, pad=[8]), conv("b", "a", 4, pad=[1]), conv("c", "b", 4, pad=[1]))
    net, feeds = net_of(layers, 5, 5), feed(5, 5)
    for outputs in (["a", "c"], ["b", "c"], ["c"], ["a", "b"], ["a", "c"]):
        assert_same_outputs(net, feeds, outputs)


@pytest.mark.parametrize("size", [4, 5, 7, 10, 13])
def test_different_rows_of_equal_number(size: int) -> None:
    """A convolution may need the same number of rows as a parallel pooling, but different ones."""
    dilated = (conv("a", "data", 16, pad=[20]), pool("p", "a", 4, 3), conv("b", "a", 32, dilation=[2]))
    pointwise = (conv("a", "data", 17, pad=[13]), pool("p", "a", 3, 3), conv("b", "a", 32, 1), pool("q", "b", 4, 1))
    for layers in (dilated, pointwise):
        net = net_of(layers, size, size)
        assert_same_outputs(net, feed(size, size))
        for operation in plan_of(net, feed(size, size)).graph.operations:
            if isinstance(operation, ConvolutionOperation) and operation.problem.simple:
                for source, n in zip(operation.problem.sources, operation.problem.size, strict=True):
                    np.testing.assert_array_equal(source, np.arange(n))


def test_rows_that_do_not_depend_on_the_picture_stay_unaffected() -> None:
    net, feeds = net_of(trunk(width=32), 33, 40), {"data": np.full((1, 3, 33, 40), np.nan, np.float32)}
    outputs = ["pool2", "score_pool3", "pool4"]
    found, expected = (each.forward(feeds, outputs=outputs) for each in (net, reference_net(net)))
    for name in outputs:
        np.testing.assert_array_equal(np.isnan(found[name]), np.isnan(expected[name]))
        assert 0 < np.isnan(found[name]).mean() < 1


def test_outputs_may_not_depend_on_the_picture_at_all() -> None:
    """A stride larger than the window skips pixels, here the only one."""
    layers = (conv("a", "data", 4, 1, pad=[9], stride=[5]), conv("b", "a", 4, pad=[1]))
    assert_same_outputs(net_of(layers, 1, 1), feed(1, 1))


@st.composite
def graphs(draw: Draw) -> tuple[LayerSpec, ...]:
    """Branches that merge, as in GoogLeNet and in residual nets, with pixelwise layers between them."""
    pad, kernel = draw(st.integers(8, 40)), draw(st.integers(1, 7))
    layers = [*rectified("a0", "data", 4, kernel_size=kernel, pad=[pad], stride=[draw(st.integers(1, 3))])]
    blobs = ["a0"]

    def add(*new: LayerSpec) -> None:
        layers.extend(new)
        blobs.append(new[0].top[0])

    for i in range(1, draw(st.integers(3, 9))):
        below, name = draw(st.sampled_from(blobs[-3:])), f"a{i}"
        what = draw(st.sampled_from(["conv", "conv", "pool", "point", "meet", "other"]))
        if what == "conv":
            kernel = draw(st.sampled_from([1, 3, 5]))
            add(*rectified(name, below, 4, kernel_size=kernel, pad=[kernel // 2]))
        elif what == "pool" and draw(FLAG):
            add(pool(name, below, draw(st.integers(2, 3))))
        elif what == "pool":
            add(pool(name, below, 3, 1, pad=1))
        elif what == "point":
            type_ = draw(st.sampled_from(["LRN", "PReLU", "ReLU", "Scale", "BatchNorm", "Dropout"]))
            options = {"use_global_stats": True} if type_ == "BatchNorm" else {}
            add(layer(name, type_, below, **options))
        elif what == "meet":
            branches = [f"{name}_{j}" for j in range(2)]
            for branch in branches:
                kernel = draw(st.sampled_from([1, 3, 5]))
                layers.extend(rectified(branch, below, 4, kernel_size=kernel, pad=[kernel // 2]))
            meeting = [*branches, below][: draw(st.integers(2, 3))]
            add(layer(name, draw(st.sampled_from(["Concat", "Eltwise"])), meeting))
        else:
            add(layer(name, draw(st.sampled_from(["TanH", "Power", "Split"])), below))
    return tuple(layers)


@settings(max_examples=100)
@given(layers=graphs(), size=st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_any_graph_after_a_wide_pad(layers: tuple[LayerSpec, ...], size: tuple[int, int]) -> None:
    try:
        net = net_of(layers, *size)
    except ShapeError:
        reject()
    assert_same_outputs(net, feed(*size))


@settings(max_examples=100)
@given(layers=chains(), size=st.tuples(st.integers(1, 50), st.integers(1, 50)))
def test_any_chain_after_a_wide_pad(layers: tuple[LayerSpec, ...], size: tuple[int, int]) -> None:
    try:
        net = net_of(layers, *size)
    except ShapeError:
        reject()
    assert_same_outputs(net, feed(*size))


@settings(max_examples=100)
@given(layers=chains(), size=st.tuples(st.integers(1, 50), st.integers(1, 50)), points=st.sampled_from([6, 8]))
def test_any_chain_by_winograd(layers: tuple[LayerSpec, ...], size: tuple[int, int], points: int) -> None:
    """Winograd skips the pixels far from the border; all memory initially holds NaN."""

    def winograd_if_possible(p: Problem, machine: Machine, found: Sequence[Algorithm]) -> Algorithm:
        return next((each for each in found if each == Winograd(points)), found[0])

    try:
        net = net_of(layers, *size)
    except ShapeError:
        reject()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_algorithms, "cheapest", winograd_if_possible)
        plan = plan_of(net, feed(*size))
        net.executor.arena.of(plan.arena_floats).fill(np.nan)
        assert_same_outputs(net, feed(*size))


# The kernel


@pytest.mark.parametrize("instructions", ISAS)
@settings(max_examples=50)
@given(data=st.data(), lanes=st.sampled_from([1, 16]), threads=st.sampled_from([1, 3]))
def test_the_kernel(instructions: str, data: st.DataObject, lanes: int, threads: int) -> None:
    """A value with its border, in either layout, against NumPy."""
    small = st.integers(1, 6)
    planes, pictures, height, width = (data.draw(small) for _ in range(4))
    x = normal(0, pictures * planes, data.draw(small), data.draw(small), lanes)
    zeros = normal(1, planes, data.draw(small), data.draw(small), lanes)

    def places(count: int, least: int, size: int) -> Array:
        return np.array(data.draw(st.lists(st.integers(least, size - 1), min_size=count, max_size=count)), np.int32)

    rows, columns = places(height, -1, x.shape[1]), places(width, -1, x.shape[2])
    if data.draw(FLAG):
        columns = np.arange(min(width, x.shape[2]), dtype=np.int32)  # neighbours
    zero_rows, zero_columns = places(height, 0, zeros.shape[1]), places(len(columns), 0, zeros.shape[2])
    around = np.tile(zeros, (pictures, 1, 1, 1))[:, zero_rows][:, :, zero_columns]
    inside = ((rows >= 0)[:, None] & (columns >= 0))[:, :, None]
    expected = np.where(inside, x[:, rows][:, :, columns], around)
    with guarded(*expected.shape) as y:
        machine_with(instructions).kernels.add_border(x, zeros, rows, columns, zero_rows, zero_columns, y, threads)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("instructions", ISAS)
def test_places_beyond_the_arrays_are_refused(instructions: str) -> None:
    kernels = machine_with(instructions).kernels
    x, zeros, y = normal(0, 4, 3, 3, 1), normal(1, 2, 2, 2, 1), np.zeros((4, 2, 2, 1), np.float32)
    fine = [np.array(each, np.int32) for each in ([-1, 2], [0, -1], [0, 1], [1, 0])]
    kernels.add_border(x, zeros, *fine, y, 1)
    for i, wrong in itertools.product(range(4), ([0, 3], [-2, 0], [0], [0, 0, 0])):
        changed = [np.array(wrong, np.int32) if i == j else each for j, each in enumerate(fine)]
        with pytest.raises(ValueError, match="does not fit"):
            kernels.add_border(x, zeros, *changed, y, 1)
    with pytest.raises(ValueError, match="does not fit"):
        kernels.add_border(x, normal(1, 3, 2, 2, 1), *fine, y, 1)
