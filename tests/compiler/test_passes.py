"""Each pass: what it finds, what it leaves alone, and that the result stays the same. (elide and interpolate: by
themselves.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite.compiler.algorithms import candidates
from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.operations import Cut, FromBlocked, ToBlocked
from fcnlite.compiler.pooling import AveragePooling, MaxPooling
from fcnlite.description.spec import LayerSpec
from tests.compiler.twins import (
    GRADIENT_BAR,
    Array,
    assert_all_near,
    assert_near,
    assert_same_gradients,
    assert_same_outputs,
    conv,
    does,
    filled,
    gradients,
    in_place,
    layer,
    normal,
    plain_twin,
    plan_of,
    pool,
    spec_of,
    worked,
)

FEEDS = {"data": normal(0, 2, 3, 13, 18)}


def net_of(*layers: LayerSpec, phase: str = "TEST") -> Any:
    return filled(spec_of(FEEDS["data"].shape, *layers), phase=phase)


def check(*layers: LayerSpec, outputs: list[str] | None = None) -> Any:
    """Both paths agree, forward and backward; the plan of inference."""
    assert_same_gradients(net_of(*layers), FEEDS)
    return assert_same_outputs(net_of(*layers), FEEDS, outputs)


# drop


def test_dropout_and_split_are_dropped_in_inference() -> None:
    layers = (
        conv("a", "data", 5),
        in_place("Dropout", "a"),
        LayerSpec("split", "Split", ("a",), ("b", "c")),
        layer("d", "Dropout", "b"),
        in_place("ReLU", "d"),
        layer("sum", "Eltwise", ("c", "d")),
    )
    plan = check(*layers)
    assert worked(plan) == {"a", "relu_d", "sum"}
    assert len(plan.notes["drop"]) == 3


@pytest.mark.parametrize("bottom", ["data", "a"])
def test_a_slice_of_one_part_is_an_array_of_its_own(bottom: str) -> None:
    """Which a layer in place may write over."""
    net = net_of(
        conv("a", "data", 5),
        layer("s", "Slice", bottom, "t", axis=1),
        in_place("ReLU", "t"),
        layer("u", "TanH", bottom),
    )
    feeds = {name: array.copy() for name, array in FEEDS.items()}
    assert_same_outputs(net, feeds)
    np.testing.assert_array_equal(feeds["data"], FEEDS["data"])


def test_slices_are_cut() -> None:
    parts = LayerSpec("s", "Slice", ("a",), ("b", "c", "d"), {"axis": 1, "slice_point": [2, 7]})
    plan = check(conv("a", "data", 20), parts, in_place("ReLU", "b"), conv("e", "c", 4))
    assert plan.notes["cut"] == ["s"]


def test_dropout_stays_in_the_train_phase() -> None:
    net = net_of(conv("a", "data", 20), in_place("Dropout", "a"), conv("b", "a", 4), phase="TRAIN")
    found = net.forward(FEEDS, keep=True)
    assert_all_near(found, plain_twin(net).forward(FEEDS, keep=True))
    assert "dropout_a" in worked(plan_of(net, FEEDS, keep=True))
    assert 0.3 < (net.blobs["a"] == 0).mean() < 0.7


@pytest.mark.parametrize("how", ["Dropout", "Split"])
def test_what_is_dropped_may_be_asked_for(how: str) -> None:
    """Each an array of its own."""
    layers = (layer("d", how, "data"), layer("e", how, "d"), conv("a", "e", 5))
    net = net_of(*layers)
    outputs = ["data", "d", "e", "a"]
    found, expected = net.forward(FEEDS, outputs=outputs), plain_twin(net).forward(FEEDS, outputs=outputs)
    assert_all_near(found, expected)
    for name in ("data", "d", "e"):
        found[name][...] = 7
        assert sum(bool((each == 7).all()) for each in (FEEDS["data"], *found.values())) == 1
        found[name][...] = 0


def test_gradients_of_what_is_dropped_in_inference() -> None:
    """Of a blob that Dropout passes on and another reads, the gradient is the sum; of Dropout's own top, its share."""
    layers = (
        conv("a", "data", 5),
        layer("dropped", "Dropout", "a"),
        conv("b", "dropped", 4),
        conv("c", "a", 4),
        LayerSpec("split", "Split", ("a",), ("one", "two")),
        conv("d", "one", 4),
        conv("e", "two", 4),
    )
    assert_same_gradients(net_of(*layers), FEEDS, ["data", "a", "dropped", "one", "two"])


def test_the_gradient_of_a_loss_that_dropout_passes_on() -> None:
    layers = (conv("a", "data", 5), conv("b", "data", 5), layer("l", "EuclideanLoss", ("a", "b")))
    fast = net_of(*layers, in_place("Dropout", "l"))
    plain = plain_twin(fast)
    for net in (fast, plain):
        net.forward(FEEDS, keep=True)
        net.backward(wrt=["l", "a"])
    assert_all_near(fast.grads, plain.grads)


# cut


def test_crop_becomes_a_cut_that_needs_no_reference() -> None:
    layers = (
        conv("a", "data", 5),
        conv("b", "data", 7, 5),
        layer("crop", "Crop", ("a", "b"), axis=2, offset=[1, 2]),
        conv("c", "crop", 3),
    )
    plan = check(*layers)
    assert isinstance(does(plan, "crop"), Cut)
    plan = assert_same_outputs(net_of(*layers), FEEDS, ["c"])
    assert "b" not in worked(plan)  # its shape alone was wanted


@pytest.mark.parametrize("options", [{"axis": 1, "offset": [2, 0, 1]}, {"axis": 3, "offset": [2]}, {}])
def test_crops_of_other_axes(options: dict[str, Any]) -> None:
    layers = (
        conv("a", "data", 20, pad=[1, 1] if options.get("axis") == 3 else [0]),
        conv("b", "data", 20 if options.get("axis") != 1 else 5, kernel_size=3 if options.get("axis") == 3 else 5,
             pad=[1, 0] if options.get("axis") == 3 else [0]),
        layer("crop", "Crop", ("a", "b"), **options),
        conv("c", "crop", 3),
    )  # fmt: skip
    check(*layers)


def test_a_crop_of_the_whole_copies_nothing() -> None:
    layers = (conv("a", "data", 5), layer("crop", "Crop", ("a", "a"), axis=2), in_place("ReLU", "crop"), pool("b", "a"))
    check(*layers)
    net = net_of(layers[0], layers[1])
    crop = does(plan_of(net, FEEDS, keep=True), "crop")
    assert isinstance(crop, Cut) and crop.aliases
    assert_same_gradients(net, FEEDS, ["data", "a", "crop"])
    first = net.forward(FEEDS)["crop"]
    copy = first.copy()
    net.forward(data=-FEEDS["data"])
    assert np.array_equal(first, copy)  # the caller's own


# lower


@pytest.mark.parametrize(
    ("options", "algorithm"),
    [
        ({}, "Winograd F(4×4, 3×3)"),
        ({"pad": [7]}, "Winograd F(6×6, 3×3)"),
        ({"stride": [2]}, "direct"),
        ({"dilation": [2]}, "Winograd F(4×4, 3×3)"),
        ({"dilation": [2], "pad": [2]}, "Winograd F(4×4, 3×3)"),
        ({"dilation": [2, 1]}, "direct"),
        ({"bias_term": False}, "Winograd F(4×4, 3×3)"),
        ({"kernel_size": [3, 1]}, "direct"),
        ({"group": 2}, "direct"),
        ({"group": 8}, "im2col"),
        ({"group": 64}, "im2col"),
    ],
)
def test_convolutions_are_lowered(options: dict[str, Any], algorithm: str) -> None:
    spec = layer("b", "Convolution", "tanh", **{"num_output": 64, "kernel_size": [3], **options})
    plan = check(conv("a", "data", 64, 1), layer("tanh", "TanH", "a"), spec)
    operation = does(plan, "b")
    assert operation.algorithm.name(operation.problem) == algorithm


@pytest.mark.parametrize("pooling", ["MAX", "AVE"])
def test_pooling_is_lowered(pooling: str) -> None:
    plan = check(conv("a", "data", 20), pool("b", "a", 3, 2, pool=pooling, pad=1))
    assert type(does(plan, "b")) is {"MAX": MaxPooling, "AVE": AveragePooling}[pooling]


# fold


NORMALISED = (
    conv("a", "data", 20),
    layer("norm", "BatchNorm", "a", "a", use_global_stats=True),
    layer("scale", "Scale", "a", "a", bias_term=True),
    layer("bias", "Bias", "a", "a"),
    in_place("ReLU", "a"),
)


def test_normalisation_folds_into_the_convolution_before_it() -> None:
    plan = check(*NORMALISED)
    assert does(plan, "a").layers == ("a", "norm", "scale", "bias", "relu_a")
    assert len(plan.notes["fold"]) == 3


def test_normalisation_folds_into_a_convolution_without_bias() -> None:
    plan = check(conv("a", "data", 20, bias_term=False), *NORMALISED[1:])
    assert does(plan, "scale") is does(plan, "a")


def test_normalisation_behind_no_convolution_stays() -> None:
    plan = check(in_place("ReLU", "data"), layer("b", "BatchNorm", "data"), layer("c", "Scale", "b"))
    assert worked(plan) == {"relu_data", "b", "c"}


def test_normalisation_by_the_batch_stays_apart_from_the_convolution() -> None:
    layers = (*NORMALISED[:1], layer("norm", "BatchNorm", "a", "a", use_global_stats=False), *NORMALISED[2:])
    assert_same_outputs(net_of(*layers), FEEDS)
    plan = plan_of(net_of(*layers), FEEDS)
    assert does(plan, "a").layers == ("a",) and does(plan, "norm").layers == ("norm", "scale")


@pytest.mark.parametrize("options", [{"axis": 0, "num_axes": 2}, {"axis": 2}, {"num_axes": 0}, {"num_axes": 3}])
def test_scales_of_other_axes_stay(options: dict[str, Any]) -> None:
    plan = check(conv("a", "data", 20), layer("scale", "Scale", "a", **options))
    assert does(plan, "a").layers == ("a",)


def test_a_scale_by_a_blob_stays() -> None:
    layers = (
        conv("a", "data", 5),
        layer("mean", "Pooling", "a", pool="AVE", global_pooling=True),
        layer("factors", "Reshape", "mean", shape={"dim": [0, -1]}),
        layer("scale", "Scale", ("a", "factors"), axis=0),
    )
    plan = check(*layers)
    assert does(plan, "a").layers == ("a",)


@pytest.mark.parametrize("options", [{}, {"group": 4, "pad": [2]}, {"pad": [30]}])
def test_a_scale_behind_a_pooling_folds_into_the_convolution_behind_it(options: dict[str, Any]) -> None:
    """As of fcn8s-atonce, whose padding elision then sees nothing between pooling and convolution."""
    layers = (
        conv("a", "data", 20),
        pool("pooled", "a"),
        layer("scale", "Scale", "pooled"),
        conv("b", "scale", 8, **options),
        layer("shift", "Scale", "b", "b", bias_term=True),
    )
    plan = check(*layers)
    assert does(plan, "b").layers == ("b", "shift", "scale")
    net = net_of(*layers)
    first = net.forward(FEEDS)
    net.params["scale"][0].data[...] *= 2  # prepared weights follow
    net.changed()
    assert_all_near(net.forward(FEEDS), plain_twin(net).forward(FEEDS))
    assert not np.allclose(first["b"], net.forward(FEEDS)["b"])


@pytest.mark.parametrize("between", [{"bias_term": True}, {"axis": 2}])
def test_other_scales_behind_a_pooling_stay(between: dict[str, Any]) -> None:
    layers = (pool("pooled", "data"), layer("scale", "Scale", "pooled", **between), conv("b", "scale", 8, pad=[2]))
    assert does(check(*layers), "b").layers == ("b",)


def test_a_scale_that_others_read_too_stays() -> None:
    layers = (pool("pooled", "data"), layer("scale", "Scale", "pooled"), conv("b", "scale", 8), conv("c", "scale", 8))
    assert does(check(*layers), "b").layers == ("b",)


def test_what_is_asked_for_before_normalisation_keeps_it_apart() -> None:
    layers = (
        conv("a", "data", 20),
        layer("norm", "BatchNorm", "a", use_global_stats=True),
        layer("scale", "Scale", "norm"),
    )
    for outputs, together in ((["scale"], ("a", "norm", "scale")), (["scale", "norm"], ("a", "norm"))):
        plan = assert_same_outputs(net_of(*layers), FEEDS, outputs)
        assert does(plan, "a").layers == together
    plan = assert_same_outputs(net_of(*layers), FEEDS, ["scale", "a"])
    assert does(plan, "a").layers == ("a",)


def test_nothing_folds_where_a_backward_may_follow() -> None:
    plan = plan_of(net_of(*NORMALISED), FEEDS, keep=True)
    assert "fold" not in plan.notes and does(plan, "norm").layers == ("norm", "scale")


def test_statistics_without_a_count_are_zero() -> None:
    """Caffe takes the running sums of a BatchNorm that has never been trained as 0."""
    net = net_of(*NORMALISED)
    net.params["norm"][2].data = np.zeros(1)
    assert_same_outputs(net, FEEDS)


# rectify


def test_relu_becomes_the_convolutions_last_step() -> None:
    for top in ("a", "b"):
        layers = (conv("a", "data", 20), layer("relu", "ReLU", "a", top), conv("c", top, 4, 1))
        plan = check(*layers)
        assert does(plan, "a").layers == ("a", "relu")


def test_in_training_only_where_it_is_in_place() -> None:
    for top, together in (("a", ("a", "relu")), ("b", ("a",))):
        layers = (conv("a", "data", 20), layer("relu", "ReLU", "a", top), conv("c", top, 4))
        plan = plan_of(net_of(*layers), FEEDS, keep=True)
        assert does(plan, "a").layers == together


@pytest.mark.parametrize("kind", ["PReLU", "shared", 0.1, -0.5])
@pytest.mark.parametrize("top", ["a", "b"])
def test_leaky_relus_and_prelus_too_unless_a_backward_may_follow(kind: str | float, top: str) -> None:
    def rectifier(name: str, bottom: str, top: str) -> LayerSpec:
        if isinstance(kind, float):
            return layer(name, "ReLU", bottom, top, negative_slope=kind)
        return layer(name, "PReLU", bottom, top, channel_shared=kind == "shared")

    layers = (
        conv("a", "data", 20),
        rectifier("relu", "a", top),
        conv("c", top, 20),
        conv("d", "c", 20),
        rectifier("relu_d", "d", "d"),
        pool("e", "d"),
        conv("f", "e", 20),
    )
    plan = check(*layers)
    assert "relu" in does(plan, "a").layers
    assert does(plan, "e").layers == ("e",)  # slopes may fall: the largest need not stay the largest
    assert does(plan_of(net_of(*layers), FEEDS, keep=True), "a").layers == ("a",)


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_in_place_activations_between_blocked_operations_keep_their_memory(slope: float) -> None:
    """Their outputs live as long as they are read, wherever they lie."""
    layers = []
    below = "data"
    for i in range(6):
        layers += [conv(f"c{i}", below, 32, pad=[1]), layer(f"r{i}", "ReLU", f"c{i}", f"c{i}", negative_slope=slope)]
        below = f"c{i}"
    layers += [layer("sum", "Eltwise", ("c1", "c3", "c5")), layer("all", "Concat", ("sum", "c2", "c4"))]
    check(*layers)


def test_relu_stays_where_others_read_what_is_before_it() -> None:
    layers = (conv("a", "data", 20), layer("relu", "ReLU", "a"), layer("sum", "Eltwise", ("a", "relu")))
    plan = check(*layers)
    assert does(plan, "a").layers == ("a",)
    plan = assert_same_outputs(net_of(*layers[:2]), FEEDS, ["relu", "a"])
    assert does(plan, "a").layers == ("a",)


def test_a_relu_that_passes_no_gradient_down() -> None:
    relu = LayerSpec("relu", "ReLU", ("a",), ("a",), propagate_down=(False,))
    layers = (conv("a", "data", 20), relu, conv("c", "a", 4))
    check(*layers)
    assert not gradients(net_of(*layers), FEEDS)["a[0]"].any()


@pytest.mark.parametrize("type_", ["Dropout", "Crop", "Convolution"])
def test_others_that_pass_no_gradient_down(type_: str) -> None:
    bottom = ("a", "small") if type_ == "Crop" else ("a",)
    options = {"num_output": 3, "kernel_size": [3]} if type_ == "Convolution" else {}
    down = (False,) * len(bottom)
    layers = (
        conv("a", "data", 20),
        conv("small", "data", 20, 5),
        LayerSpec("stop", type_, bottom, ("b",), options, propagate_down=down),
        conv("c", "b", 4),
    )
    check(*layers)
    assert not gradients(net_of(*layers), FEEDS)["a[0]"].any()


# pool


POOLED = (conv("a", "data", 20, pad=[1]), in_place("ReLU", "a"), pool("b", "a"), conv("c", "b", 4))


def pooled(*layers: LayerSpec, channels: int = 48, keep: bool = False, outputs: list[str] | None = None) -> Any:
    """The plan for a picture of so many channels, on which both paths agree."""
    feeds = {"data": normal(1, 1, channels, 30, 33)}
    net = filled(spec_of(feeds["data"].shape, *layers))
    return plan_of(net, feeds, keep=True) if keep else assert_same_outputs(net, feeds, outputs)


@pytest.mark.parametrize("layers", [POOLED, (POOLED[0], *POOLED[2:])])
def test_two_by_two_pooling_becomes_the_convolutions_last_step(layers: tuple[LayerSpec, ...]) -> None:
    plan = pooled(*layers)
    assert does(plan, "a") is does(plan, "b")
    assert plan.notes["pool"][0].startswith("b into a")


def test_pooling_stays_where_another_way_to_convolve_is_predicted_to_take_less() -> None:
    """Of few channels the direct way."""
    plan = pooled(*POOLED, channels=3)
    assert does(plan, "b").layers == ("b",)
    assert plan.notes["pool"][0].startswith("not b into a")


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": 2, "stride": 1},
        {"kernel_size": 2, "pad": 1},
        {"kernel_size": 2, "round_mode": "FLOOR"},
        {"kernel_size": 2, "pool": "AVE"},
    ],
)
def test_other_poolings_stay(options: dict[str, Any]) -> None:
    plan = pooled(*POOLED[:2], layer("b", "Pooling", "a", **{"stride": 2, **options}), POOLED[3])
    assert does(plan, "b").layers == ("b",)


@pytest.mark.parametrize("kernel", [1, 4, 6, 8])
def test_pooling_stays_where_no_algorithm_does_it(kernel: int) -> None:
    plan = pooled(conv("a", "data", 20, kernel, pad=[kernel // 2]), *POOLED[1:])
    assert does(plan, "b").layers == ("b",)
    assert not plan.notes["pool"]


def test_pooling_stays_where_others_read_what_is_before_it_and_in_training() -> None:
    assert does(pooled(*POOLED, outputs=["c", "a"]), "b").layers == ("b",)
    assert does(pooled(*POOLED, keep=True), "b").layers == ("b",)


# join


def test_a_thin_first_convolution_joins_the_next() -> None:
    layers = (
        conv("a", "data", 20, pad=[1]),
        in_place("ReLU", "a"),
        conv("b", "a", 33, pad=[1]),
        in_place("ReLU", "b"),
        pool("c", "b"),
        conv("d", "c", 16, 1),
    )
    plan = check(*layers)
    assert does(plan, "a").layers == ("a", "relu_a", "b", "relu_b", "c")
    assert does(assert_same_outputs(net_of(*layers), FEEDS, ["d", "a"]), "a").layers == ("a", "relu_a")


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("options", [{}, {"pad": [100]}, {"stride": [2]}, {"kernel_size": [5, 2], "pad": [3]}])
@pytest.mark.parametrize("size", [(1, 1, 5, 5), (3, 4, 6, 90), (1, 3, 61, 47)])
def test_joined_convolutions_of_any_kind(kernel: int, options: dict[str, Any], size: tuple[int, ...]) -> None:
    feeds = {"data": normal(1, *size)}
    first = layer("a", "Convolution", "data", **{"num_output": 20, "kernel_size": [3], "pad": [1], **options})
    layers = (first, in_place("ReLU", "a"), conv("b", "a", 40, kernel, pad=[kernel // 2]), in_place("ReLU", "b"))
    assert_same_outputs(filled(spec_of(size, *layers)), feeds)
    assert_same_outputs(filled(spec_of(size, first, *layers[2:3], pool("c", "b"))), feeds)


@pytest.mark.parametrize("rectifier", ["PReLU", "TanH"])
def test_others_between_or_behind_keep_them_apart(rectifier: str) -> None:
    layers = (conv("a", "data", 20, pad=[1]), in_place(rectifier, "a"), conv("b", "a", 40, pad=[1]))
    plan = check(*layers)
    assert "b" not in does(plan, "a").layers
    plan = check(conv("a", "data", 20), conv("b", "a", 40), in_place("PReLU", "b"))
    assert "b" not in does(plan, "a").layers


# choose


@pytest.mark.parametrize(
    ("options", "algorithm"),
    [
        ({"kernel_size": [1]}, "matrix product"),
        ({"kernel_size": [1], "stride": [2]}, "direct"),
        ({"kernel_size": [3], "pad": [1]}, "Winograd F(6×6, 3×3)"),
        ({"kernel_size": [3], "stride": [2]}, "direct"),
        ({"kernel_size": [3], "dilation": [2]}, "Winograd F(6×6, 3×3)"),
        ({"kernel_size": [3], "dilation": [2, 1]}, "direct"),
        ({"kernel_size": [7], "dilation": [4], "pad": [12]}, "Winograd F(2×2, 7×7)"),
        ({"kernel_size": [5]}, "Winograd F(4×4, 5×5)"),
        ({"kernel_size": [7], "pad": [3]}, "Winograd F(2×2, 7×7)"),
        ({"kernel_size": [9]}, "direct"),
        ({"kernel_size": [3], "group": 8}, "im2col"),
    ],
)
def test_the_algorithm_follows_from_the_cost_model(options: dict[str, Any], algorithm: str) -> None:
    feeds = {"data": normal(0, 1, 64, 48, 48)}
    spec = spec_of(feeds["data"].shape, layer("a", "Convolution", "data", num_output=64, **options))
    plan = assert_same_outputs(filled(spec), feeds)
    operation = does(plan, "a")
    assert isinstance(operation, Convolution) and operation.algorithm.name(operation.problem) == algorithm
    p, threads = operation.problem, plan.machine.threads
    costs = {each.name(p): each.cost(p).seconds(threads) for each in candidates(p)}
    assert costs[algorithm] == min(costs.values())
    assert all(name in plan.notes["choose"][0] for name in costs)


@pytest.mark.parametrize("channels", [3, 4, 16])
def test_few_channels_are_read_as_the_caller_has_them(channels: int) -> None:
    feeds = {"data": normal(0, 1, channels, 20, 20)}
    plan = assert_same_outputs(filled(spec_of(feeds["data"].shape, conv("a", "data", 32))), feeds)
    assert any(isinstance(each, ToBlocked) for each in plan.graph.operations) == (channels > 4)


@pytest.mark.parametrize(
    ("options", "turned"),
    [({"kernel_size": [3], "num_output": 16}, True), ({"kernel_size": [7], "num_output": 256}, False)],
)
def test_kernels_are_turned_for_gradients_where_that_saves_more_than_it_takes(
    options: dict[str, Any], turned: bool
) -> None:
    """Not those of fc6, the likes of which are large beside the picture."""
    feeds = {"data": normal(0, 1, 64, 22, 22)}
    layers = layer("a", "Convolution", "data", **options), conv("b", "a", 8)
    net = filled(spec_of(feeds["data"].shape, *layers), phase="TRAIN")
    gradients(net, feeds)
    assert any(layers == ("a",) and how == "turned" for layers, _, how in net.executor.derived) == turned


# lay out


def count(plan: Any, kind: type) -> int:
    return sum(isinstance(each, kind) for each in plan.graph.operations)


def test_a_chain_stays_blocked() -> None:
    layers = (
        conv("a", "data", 32),
        in_place("ReLU", "a"),
        conv("b", "a", 32),
        pool("c", "b"),
        conv("d", "c", 32),
        pool("e", "d", 2, 1),
        conv("f", "e", 32, 2),
    )
    plan = check(*layers)
    assert (count(plan, ToBlocked), count(plan, FromBlocked)) == (0, 1)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_what_a_view_looks_at_stays(overwrite: bool, last: bool) -> None:
    """Others get its place in the arena only when nobody reads the view any more, which may be written over too."""
    layers = [
        conv("a", "data", 6, group=3, pad=[1]),  # made N×C×H×W, in the arena
        layer("view", "Reshape", "a", shape={"dim": [0, -1, 1, 0]}),
        layer("again", "Reshape", "view", shape={"dim": [0, 6, -1, 18]}),
        *([in_place("ReLU", "again")] if overwrite else []),
        conv("b", "data", 6, group=3, pad=[1]),
        layer("c", "TanH", "b"),
        conv("d", "c", 6, group=3, pad=[1]),
        conv("e", "d", 6, group=3, pad=[1]),
    ]
    check(*layers, *([] if last else [layer("both", "Eltwise", ("again", "e"))]))


def test_a_value_is_converted_once_for_all_who_read_it_otherwise() -> None:
    layers = (
        conv("a", "data", 32),
        layer("one", "TanH", "a"),
        layer("two", "Sigmoid", "a"),
        layer("three", "AbsVal", "a"),
        conv("b", "a", 32),
        layer("out", "Concat", ("one", "two", "three")),
        conv("c", "out", 32),
        conv("d", "out", 32),
    )
    plan = check(*layers)
    assert count(plan, ToBlocked) == 1


@pytest.mark.parametrize("channels", [32, 20, 3])
def test_blocked_values_are_put_together_as_they_lie(channels: int) -> None:
    layers = (
        conv("a", "data", channels),
        conv("b", "data", 16),
        layer("both", "Concat", ("a", "b")),
        conv("c", "both", 32),
    )
    plan = check(*layers)
    before = plan.graph.operations[: plan.graph.operations.index(does(plan, "both"))]
    assert sum(isinstance(each, FromBlocked) for each in before) == 0


@pytest.mark.parametrize(("reader", "conversions"), [("Convolution", (1, 1)), ("TanH", (0, 1))])
def test_what_takes_either_layout_has_that_of_its_readers(reader: str, conversions: tuple[int, int]) -> None:
    """To blocked, from blocked: of a blocked and a plain value, and of an upsampled one."""
    options = {"num_output": 32, "kernel_size": [3]} if reader == "Convolution" else {}
    layers = (
        conv("a", "data", 20, pad=[1]),
        layer("plain", "TanH", "data"),
        layer("both", "Concat", ("a", "plain")),
        layer("out", reader, "both", **options),
    )
    plan = check(*layers)
    assert (count(plan, ToBlocked), count(plan, FromBlocked)) == conversions


@pytest.mark.parametrize(("reader", "before"), [("Convolution", False), ("TanH", True)])
def test_features_are_upsampled_as_they_lie(reader: str, before: bool) -> None:
    options = {"num_output": 32, "kernel_size": [3]} if reader == "Convolution" else {}
    up = {"num_output": 20, "kernel_size": [4], "stride": [2], "pad": [1], "bias_term": False, "group": 20}
    layers = (
        conv("a", "data", 20, stride=[2], pad=[1]),
        layer("up", "Deconvolution", "a", weight_filler={"type": "bilinear"}, **up),
        layer("skip", "Crop", ("up", "data"), axis=2, offset=[0, 0]),
        layer("out", reader, "skip", **options),
    )
    plan = check(*layers)
    first = plan.graph.operations.index(does(plan, "up"))
    assert any(isinstance(each, FromBlocked) for each in plan.graph.operations[:first]) == before


@pytest.mark.parametrize("axis", [0, 2, 3, -3])
def test_blocked_values_put_together_along_other_axes(axis: int) -> None:
    layers = (conv("a", "data", 32), conv("b", "data", 32), layer("both", "Concat", ("a", "b"), axis=axis))
    check(*layers, conv("c", "both", 5))


@pytest.mark.parametrize("coeff", [(0.5, -2.0), (1.0, 0.0)])
@pytest.mark.parametrize("blocked", [False, True])
def test_weighted_sums(coeff: tuple[float, ...], blocked: bool) -> None:
    """Also of a blob with itself, and of what is upsampled."""
    skip = conv("b", "data", 20, pad=[1]) if blocked else layer("b", "TanH", "data")
    layers = (
        conv("a", "data", 20 if blocked else 3, pad=[1]),
        skip,
        layer("both", "Eltwise", ("a", "b"), coeff=coeff),
        layer("twice", "Eltwise", ("both", "both"), coeff=coeff),
        conv("c", "twice", 32),
    )
    check(*layers)


@pytest.mark.parametrize("operation", ["SUM", "PROD", "MAX"])
def test_sums_of_blocked_values(operation: str) -> None:
    layers = (
        conv("a", "data", 32),
        conv("b", "data", 32),
        layer("both", "Eltwise", ("a", "b"), operation=operation),
        conv("c", "both", 32),
        conv("d", "both", 32),
    )
    plan = check(*layers)
    assert count(plan, FromBlocked) == 2  # the outputs


def test_blocked_values_that_are_asked_for() -> None:
    plan = assert_same_outputs(net_of(*POOLED), FEEDS, ["c", "b", "a", "data"])
    assert all(not value.blocked for value in plan.graph.outputs.values())


def test_an_input_nobody_reads_and_one_that_is_returned() -> None:
    net = net_of(conv("a", "data", 5))
    found = net.forward(FEEDS, outputs=["data"])["data"]
    assert_near(found, FEEDS["data"])
    assert not np.shares_memory(found, FEEDS["data"])


# Layers that the passes do not know


def test_layers_of_all_kinds_between() -> None:
    layers = (
        conv("a", "data", 20, pad=[1]),
        layer("lrn", "LRN", "a", local_size=3, alpha=0.1),
        pool("b", "lrn"),
        LayerSpec("parts", "Slice", ("b",), ("left", "right"), {"slice_point": [7]}),
        layer("mvn", "MVN", "left"),
        conv("c", "mvn", 6),
        layer("elu", "ELU", "right"),
        layer("flat", "Flatten", "c"),
        layer("fc", "InnerProduct", "flat", num_output=9),
        layer("soft", "Softmax", "fc"),
    )
    net = net_of(*layers)
    assert_all_near(net.forward(FEEDS), plain_twin(net).forward(FEEDS))
    found, expected = gradients(net, FEEDS), gradients(plain_twin(net), FEEDS)
    assert_all_near(found, expected, GRADIENT_BAR)


@pytest.mark.parametrize("shape", [(1, 16, 1, 1), (2, 3, 1, 9), (1, 1, 9, 1)])
def test_pictures_of_a_pixel_or_a_row(shape: tuple[int, ...]) -> None:
    feeds: dict[str, Array] = {"data": normal(1, *shape)}
    layers = (conv("a", "data", 20, pad=[1]), in_place("ReLU", "a"), pool("b", "a"), conv("c", "b", 4, 1))
    assert_same_outputs(filled(spec_of(shape, *layers)), feeds)
    assert_same_gradients(filled(spec_of(shape, *layers)), feeds)


def test_dropout_with_other_readers_before_it_stays_in_training() -> None:
    """Their gradients are not its top's."""
    half = layer("c", "Power", "a", scale=0.5)
    net = net_of(conv("a", "data", 20), conv("b", "a", 4), in_place("Dropout", "a"), half)
    assert_same_gradients(net, FEEDS, ["data", "a"])


def test_running_sums_grow_though_nobody_reads_what_was_normalised() -> None:
    silence = LayerSpec("s", "Silence", ("n",))
    net = net_of(conv("a", "data", 20), layer("n", "BatchNorm", "a"), silence, conv("b", "a", 4), phase="TRAIN")
    before = net.params["n"][2].array.copy()
    net.forward(FEEDS)
    assert net.params["n"][2].array == pytest.approx(0.999 * before + 1)
