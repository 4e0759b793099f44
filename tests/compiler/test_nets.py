"""The fast path against the reference path, over random nets: outputs, every blob, every gradient."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite import config
from fcnlite._kernels import isa
from fcnlite.arrays import Array
from fcnlite.compiler.convolution.operation import BackwardData, BackwardWeights, ConvolutionOperation
from fcnlite.compiler.convolution.winograd import Winograd
from fcnlite.compiler.machine import Machine
from fcnlite.description.spec import NetSpec
from tests.compiler.drawn import LARGE_SIDES, specs
from tests.compiler.path_comparison import (
    assert_all_near,
    assert_same_gradients,
    conv,
    does,
    filled,
    in_place,
    normal,
    plan_of,
    reference_net,
    spec_of,
)

SEEDS = st.integers(0, 1000)
ISAS = st.sampled_from(isa.available())
LARGE = specs(LARGE_SIDES, most_values=4_000_000)


def picture(spec: NetSpec, seed: int) -> dict[str, Array]:
    return {"data": normal(seed, *spec.layer("data").options["shape"][0]["dim"])}


def check_inference(spec: NetSpec, seed: int) -> None:
    net, feeds = filled(spec, seed), picture(spec, seed)
    assert_all_near(net.forward(feeds), reference_net(net).forward(feeds))


def check_training(spec: NetSpec, phase: str, seed: int) -> None:
    net, feeds = filled(spec, seed, phase=phase), picture(spec, seed)
    reference = reference_net(net)
    assert_all_near(net.forward(feeds, keep=True), reference.forward(feeds, keep=True))
    assert_all_near(net.blobs, reference.blobs)
    net.iteration = 0
    assert_same_gradients(net, feeds)


@contextmanager
def instruction_set(name: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isa, "kernels", lambda family: importlib.import_module(f"fcnlite._kernels.{family}_{name}"))
        yield


@settings(max_examples=150)
@given(spec=specs(), seed=SEEDS, isa=ISAS)
def test_inference_equals_the_reference_path(spec: NetSpec, seed: int, isa: str) -> None:
    with instruction_set(isa):
        check_inference(spec, seed)


@settings(max_examples=120)
@given(spec=specs(most_values=60_000), phase=st.sampled_from(["TRAIN", "TEST"]), seed=SEEDS, isa=ISAS)
def test_training_equals_the_reference_path(spec: NetSpec, phase: str, seed: int, isa: str) -> None:
    with instruction_set(isa):
        check_training(spec, phase, seed)


@pytest.mark.parametrize("side", [20, 200])
def test_a_slightly_wrong_gradient_is_found(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if many values are near a ReLU's kink."""
    proper = ConvolutionOperation._backward_weights

    def wrong(
        self: ConvolutionOperation, x: Array, dy: Array, dweight: Array, how: BackwardWeights, machine: Machine
    ) -> None:
        proper(self, x, dy, dweight, how, machine)
        dweight *= 1.005

    spec = spec_of((1, 3, side, side), conv("a", "data", 20, pad=[1]), in_place("ReLU", "a"), conv("b", "a", 20))
    check_training(spec, "TRAIN", 0)
    monkeypatch.setattr(ConvolutionOperation, "_backward_weights", wrong)
    with pytest.raises(AssertionError, match=r"0\.00(5|4999)"):
        check_training(spec, "TRAIN", 0)


@settings(max_examples=15)
@given(spec=specs(), seed=SEEDS, threads=st.sampled_from([2, 3, 5]))
def test_on_several_threads(spec: NetSpec, seed: int, threads: int) -> None:
    before = config.num_threads()
    config.set_num_threads(threads)
    try:
        check_inference(spec, seed)
        check_training(spec, "TRAIN", seed)
    finally:
        config.set_num_threads(before)


@pytest.mark.slow
@settings(max_examples=1000)
@given(spec=LARGE, seed=SEEDS, isa=ISAS)
def test_inference_of_large_pictures(spec: NetSpec, seed: int, isa: str) -> None:
    with instruction_set(isa):
        check_inference(spec, seed)


@pytest.mark.slow
@settings(max_examples=150)
@given(spec=LARGE, seed=SEEDS, isa=ISAS)
def test_training_on_large_pictures(spec: NetSpec, seed: int, isa: str) -> None:
    with instruction_set(isa):
        check_training(spec, "TRAIN", seed)


@pytest.mark.parametrize(
    ("outputs", "size", "expected"),
    [(256, (8, 9), Winograd), (16, (60, 50), BackwardData)],  # fc6: many filters, few tiles; few filters, many tiles
)
def test_two_algorithms_of_backward_data(outputs: int, size: tuple[int, int], expected: type) -> None:
    """It uses the filters of forward if transposing them would take longer than it saves."""
    layers = (conv("a", "data", 64, pad=[1]), conv("b", "a", outputs, 7, pad=[2]), in_place("ReLU", "b"))
    net, feeds = filled(spec_of((2, 3, *size), *layers)), {"data": normal(0, 2, 3, *size)}
    plan = plan_of(net, feeds, keep=True)
    operation = does(plan, "b")
    assert isinstance(operation, ConvolutionOperation)
    assert isinstance(plan.steps[plan.graph.operations.index(operation)].set_up.work.backward_data, expected)
    assert_same_gradients(net, feeds)
