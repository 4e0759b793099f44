"""Parameters, sizes and outputs that change between passes, and the caller's arrays, which must not."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import fcnlite
from fcnlite import config, models
from fcnlite.arrays import Array
from fcnlite.compiler.convolution import algorithms
from fcnlite.description.spec import LayerSpec
from fcnlite.net import Net
from tests.compiler.path_comparison import (
    GRADIENT_BAR,
    assert_all_near,
    assert_near,
    assert_same_outputs,
    conv,
    filled,
    gradients,
    in_place,
    layer,
    normal,
    pool,
    reference_net,
    spec_of,
)

SHAPE = (2, 3, 21, 26)
FEEDS = {"data": normal(0, *SHAPE)}


def everything() -> tuple[LayerSpec, ...]:
    """A net with a convolution by each algorithm, normalisation, pooling, an interpolation and a skip."""
    return (
        conv("thin", "data", 20, pad=[1]),
        in_place("ReLU", "thin"),
        conv("winograd", "thin", 33, pad=[1], bias_term=False),
        layer("norm", "BatchNorm", "winograd", "winograd", use_global_stats=True),
        layer("scale", "Scale", "winograd", "winograd", bias_term=True),
        in_place("ReLU", "winograd"),
        pool("pooled", "winograd"),
        conv("strided", "pooled", 32, 3, stride=[2], pad=[1]),
        layer("prelu", "PReLU", "strided"),
        layer("grouped", "Convolution", "prelu", num_output=32, kernel_size=[3], group=2, pad=[1]),
        conv("score", "grouped", 5, 1),
        layer("up", "Deconvolution", "score", num_output=5, kernel_size=[4], stride=[2], group=5, bias_term=False,
              weight_filler={"type": "bilinear"}),
        conv("skip", "pooled", 5, 1),
        layer("cropped", "Crop", ("up", "skip"), axis=2, offset=[1]),
        layer("fused", "Eltwise", ("skip", "cropped")),
    )  # fmt: skip


def net_of(**how: Any) -> Net:
    return filled(spec_of(SHAPE, *everything()), **how)


def parameter_names() -> list[str]:
    return [f"{name}[{i}]" for name, parameters in net_of().params.items() for i in range(len(parameters))]


# Parameters that change


@pytest.mark.parametrize("how", ["data", "held", "assigned"])
@pytest.mark.parametrize("which", parameter_names())
def test_a_parameter_that_changes_is_prepared_again(which: str, how: str) -> None:
    net = net_of()
    layer_name, index = which[:-3], int(which[-2])
    parameter = net.params[layer_name][index]
    held = parameter.data
    before = assert_and_run(net)
    if how == "data":
        parameter.data[...] *= 1.5
    elif how == "held":
        held[...] *= 1.5
        net.changed()
    else:
        parameter.data = 1.5 * parameter.array
    after = assert_and_run(net)
    assert any(np.abs(after[name] - before[name]).max() > 1e-3 for name in before)


def assert_and_run(net: Net) -> dict[str, Array]:
    outputs = ["fused", "score"]
    found = net.forward(FEEDS, outputs=outputs)
    assert_all_near(found, reference_net(net).forward(FEEDS, outputs=outputs))
    return found


def test_a_parameter_that_two_layers_share() -> None:
    shared = (fcnlite.description.spec.ParamSpec(name="w"), fcnlite.description.spec.ParamSpec(name="b"))
    layers = [
        LayerSpec(name, "Convolution", (bottom,), (name,), {"num_output": 16, "kernel_size": [3], "pad": [1]}, shared)
        for name, bottom in (("a", "data"), ("b", "a"))
    ]
    feeds = {"data": normal(0, 1, 16, 12, 13)}
    net = filled(spec_of((1, 16, 12, 13), *layers))
    for _ in range(2):
        assert_same_outputs(net, feeds)
        assert_all_near(gradients(net, feeds), gradients(reference_net(net), feeds), GRADIENT_BAR)
        net.params["b"][0].data[...] *= 0.5


def test_the_steps_of_a_solver() -> None:
    """With validation after each step; the losses are those of the reference path."""
    losses = []
    for path in ("fast", "plain"):
        net = models.build("lite-fcn8s", classes=5, width=0.25, phase="TRAIN", seed=3, normalization="VALID", path=path)
        rng = np.random.default_rng(0)
        for name, parameters in net.params.items():
            if name.startswith("score"):
                parameters[0].data = rng.normal(0, 0.05, parameters[0].shape)
        test = net.share("TEST")
        solver = fcnlite.SGD(net, base_lr=1e-2, momentum=0.9, weight_decay=5e-4)
        losses.append([])
        for i in range(4):
            batch = {"data": 50 * normal(i, 2, 3, 40, 37), "label": rng.integers(0, 5, (2, 40, 37))}
            losses[-1].append(solver.step(batch))
            found = test.forward(data=batch["data"])
            assert_all_near(found, reference_net(test).forward(data=batch["data"]))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert len(set(losses[0])) == 4


def test_training_and_inference_in_turn() -> None:
    """Both prepare the same parameters, in different ways."""
    net = net_of()
    for i in range(2):
        assert_all_near(net.forward(FEEDS), reference_net(net).forward(FEEDS))
        assert_all_near(gradients(net, FEEDS), gradients(reference_net(net), FEEDS), GRADIENT_BAR)
        net.params["scale"][i].data[...] += 0.5


# Sizes and outputs


def test_several_sizes_in_turn() -> None:
    net = net_of()
    sizes = [(1, 21, 26), (2, 21, 26), (1, 8, 40), (1, 1, 1), (3, 40, 8), (1, 90, 70)]
    expected = {size: reference_net(net).forward(data=normal(1, size[0], 3, *size[1:])) for size in sizes}
    for size in [*sizes, *sizes[::-1], sizes[3], sizes[0]]:
        assert_all_near(net.forward(data=normal(1, size[0], 3, *size[1:])), expected[size])


def test_more_sizes_than_plans_are_remembered() -> None:
    net = filled(spec_of((1, 3, 9, 9), conv("a", "data", 20, pad=[1]), in_place("ReLU", "a"), conv("b", "a", 20)))
    for side in (*range(5, 35), 5, 6, 5):
        assert_same_outputs(net, {"data": normal(side, 1, 3, side, side + 1)})


def test_other_outputs_in_turn() -> None:
    net = net_of()
    asked = (None, ["thin"], ["winograd", "pooled"], ["up", "score"], ["data", "cropped"], ["fused", "skip"], None)
    for outputs in asked:
        assert_same_outputs(net, FEEDS, outputs)


def test_other_rectifiers_of_one_convolution_in_turn() -> None:
    """Each is fused into the convolution if no other output is requested."""
    slopes = {"a": 0.0, "b": 0.1, "c": 0.5}
    layers = [layer(name, "ReLU", "conv", name, negative_slope=slope) for name, slope in slopes.items()]
    net = filled(spec_of(SHAPE, conv("conv", "data", 20), *layers, layer("d", "PReLU", "conv")))
    for name in (*slopes, "d", *slopes):
        plan = assert_same_outputs(net, FEEDS, [name])
        assert plan.graph.operations[0].layers == ("conv", name)


# Ownership of arrays


@pytest.mark.parametrize("keep", [False, True])
def test_returned_arrays_are_the_callers_own(keep: bool) -> None:
    net = net_of()
    outputs = ["data", "thin", "winograd", "pooled", "up", "cropped", "skip", "fused"]
    feeds = {"data": FEEDS["data"].copy()}
    first = net.forward(feeds, outputs=outputs, keep=keep)
    copies = {name: array.copy() for name, array in first.items()}
    second = net.forward(data=2 * feeds["data"], outputs=outputs, keep=keep)
    for name, array in copies.items():
        np.testing.assert_array_equal(first[name], array)  # the next forward changes nothing
    for name, array in first.items():
        assert array.flags.writeable and array.flags.c_contiguous
        array[...] = np.nan
        for others in (feeds, second, {key: each for key, each in first.items() if key != name}):
            assert not any(np.shares_memory(array, each) for each in others.values())
    third = net.forward(data=2 * feeds["data"], outputs=outputs, keep=keep)
    for name, array in second.items():
        np.testing.assert_array_equal(third[name], array)


def test_written_outputs_change_neither_blobs_nor_gradients() -> None:
    net = net_of()
    expected = gradients(net, FEEDS)
    feeds = {"data": FEEDS["data"].copy()}
    found = net.forward(feeds, keep=True)
    feeds["data"][...] = np.nan
    for array in found.values():
        array[...] = np.nan
    for array in net.blobs.values():
        assert np.isfinite(array).all()
    dtops = {name: normal(7 + i, *array.shape) for i, (name, array) in enumerate(sorted(found.items()))}
    net.backward(dtops, wrt=["data"], frozen=True)
    np.testing.assert_array_equal(net.grads["data"], expected["data"])
    held = net.grads["data"].copy(), net.grads["data"]
    net.backward({name: 2 * each for name, each in dtops.items()}, wrt=["data"])
    np.testing.assert_array_equal(held[0], held[1])


def test_the_callers_arrays_are_not_written() -> None:
    net = filled(spec_of(SHAPE, in_place("ReLU", "data"), conv("a", "data", 20), in_place("ReLU", "a")))
    feeds, dtop = {"data": FEEDS["data"].copy()}, normal(1, 2, 20, 19, 24)
    dcopy = dtop.copy()
    for keep in (False, True):
        net.forward(feeds, keep=keep)
        np.testing.assert_array_equal(feeds["data"], FEEDS["data"])
    net.backward(a=dtop, wrt=["data"])
    np.testing.assert_array_equal(dtop, dcopy)


def test_arrays_of_other_dtypes_may_be_fed() -> None:
    net, x = net_of(), FEEDS["data"]
    expected = net.forward(data=x)
    for same in (x.astype(np.float64), np.asfortranarray(x), x[:, ::-1][:, ::-1], x.tolist()):
        assert_all_near(net.forward(data=same), expected, 1e-6)


# keep=True


def test_blobs_and_gradients_equal_the_reference_path() -> None:
    net, reference = net_of(phase="TRAIN"), reference_net(net_of(phase="TRAIN"))
    assert_all_near(net.forward(FEEDS, keep=True), reference.forward(FEEDS, keep=True))
    assert_all_near(net.blobs, reference.blobs)
    assert_all_near(gradients(net, FEEDS, net.blobs), gradients(reference, FEEDS, reference.blobs), GRADIENT_BAR)


def test_gradients_add_up() -> None:
    net = net_of()
    once = gradients(net, FEEDS)
    dtops = {name: normal(7 + i, *net.blobs[name].shape) for i, name in enumerate(["fused"])}
    net.backward(dtops, accumulate=True, frozen=True)
    for name, expected in once.items():
        if name != "data":
            assert_near(net.params[name[:-3]][int(name[-2])].grad, 2 * expected, 1e-5, name)


def test_backward_twice_after_one_forward() -> None:
    net = net_of()
    first = gradients(net, FEEDS)
    net.backward(fused=normal(7, *net.blobs["fused"].shape), wrt=["data"], frozen=True)
    np.testing.assert_array_equal(net.grads["data"], first["data"])
    for name, expected in first.items():
        if name != "data":
            np.testing.assert_array_equal(net.params[name[:-3]][int(name[-2])].grad, expected)


def test_gradients_given_for_a_middle_blob_and_parts_without_gradient() -> None:
    found = []
    for net in (net_of(), reference_net(net_of())):
        net.forward(FEEDS, keep=True)
        dtops = {name: normal(i, *net.blobs[name].shape) for i, name in enumerate(("pooled", "thin"))}
        net.backward(dtops, wrt=["data", "up"])
        assert not net.grads["up"].any() and not net.params["score"][0].grad.any()
        found.append({"data": net.grads["data"], "thin[0]": net.params["thin"][0].grad.copy()})
    assert_all_near(*found, GRADIENT_BAR)


def test_weights_that_do_not_learn_get_no_gradient() -> None:
    for frozen in (False, True):
        net = net_of()
        net.params["winograd"][0].lr_mult = 0.0
        net.params["thin"][1].lr_mult = 0.0
        net.forward(FEEDS, keep=True)
        net.backward(fused=normal(1, *net.blobs["fused"].shape), frozen=frozen)
        assert net.params["winograd"][0].grad.any() == net.params["thin"][1].grad.any() == frozen
        assert net.params["thin"][0].grad.any() and net.params["grouped"][1].grad.any()


# Repeated runs


@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_inputs_give_the_same_bytes(threads: int) -> None:
    before = config.num_threads()
    config.set_num_threads(threads)
    try:
        runs = []
        for _ in range(3):
            net = net_of(phase="TRAIN")
            outputs = net.forward(FEEDS, outputs=["fused", "up", "thin"])
            runs.append({**outputs, **gradients(net, FEEDS)})
            again = net.forward(FEEDS, outputs=["fused", "up", "thin"])
            assert all(again[name].tobytes() == array.tobytes() for name, array in outputs.items())
        for other in runs[1:]:
            assert all(other[name].tobytes() == array.tobytes() for name, array in runs[0].items())
    finally:
        config.set_num_threads(before)


@pytest.mark.parametrize("seed", range(3))
def test_an_earlier_number_of_threads_does_not_matter(seed: int) -> None:
    """Even where the border of a picture is computed once, by a BLAS that divides its work among threads."""
    shape = (1, 3, 30, 30)
    layers = (
        conv("a", "data", 1, 3, pad=[9]),
        conv("b", "a", 33, 5, pad=[2]),
        conv("c", "b", 5, 3, pad=[1], dilation=[2]),
    )
    feeds, before = {"data": normal(seed, *shape)}, config.num_threads()
    used, fresh = (filled(spec_of(shape, *layers), seed) for _ in range(2))
    try:
        config.set_num_threads(1)
        used.forward(feeds)
        config.set_num_threads(2)
        np.testing.assert_array_equal(used.forward(feeds)["c"], fresh.forward(feeds)["c"])
    finally:
        config.set_num_threads(before)


def test_several_nets_in_several_threads() -> None:
    """Concurrent passes of several nets and sizes give the same bytes as one pass after another."""
    shapes = [(1, 3, 20, 25), (2, 3, 33, 18), (1, 3, 50, 50), (3, 3, 9, 12)]
    barrier = threading.Barrier(len(shapes))

    def work(i: int, at_once: bool) -> list[bytes]:
        net, feeds = filled(spec_of(shapes[i], *everything()), i), {"data": normal(i, *shapes[i])}
        if at_once:
            barrier.wait(20)
        found = []
        for _ in range(3):
            found += [array.tobytes() for array in net.forward(feeds).values()]
            found += [array.tobytes() for array in gradients(net, feeds).values()]
        return found

    expected = [work(i, False) for i in range(len(shapes))]
    with ThreadPoolExecutor(len(shapes)) as pool:
        found = list(pool.map(lambda i: work(i, True), range(len(shapes))))
    assert found == expected


def test_a_diverged_net_is_reported() -> None:
    """NaN propagates through fused operations, so that find_nonfinite names its origin."""
    net = net_of()
    net.params["winograd"][0].data[0, 0, 0, 0] = np.nan
    net.forward(FEEDS, keep=True)
    assert "winograd" in str(net.find_nonfinite())
    assert np.isnan(net.forward(FEEDS)["fused"]).any()
    reference = reference_net(net).forward(FEEDS)["fused"]
    assert np.isnan(reference).any()


def test_low_memory_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even for filters that are so large that they are not kept prepared."""
    for streamed in (algorithms.STREAMED, 1 << 10):
        monkeypatch.setattr(algorithms, "STREAMED", streamed)
        net = net_of(low_memory=True)
        assert_all_near(net.forward(FEEDS), reference_net(net).forward(FEEDS))
        assert_all_near(gradients(net, FEEDS), gradients(reference_net(net), FEEDS), GRADIENT_BAR)
        net.params["winograd"][0].data[...] *= 2
        assert_all_near(net.forward(FEEDS), reference_net(net).forward(FEEDS))
