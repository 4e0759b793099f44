"""The fast path against the plain one, over nets drawn by hypothesis: outputs, every blob, every gradient."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fcnlite import config
from fcnlite.spec import NetSpec
from tests.compiler.drawn import LARGE_SIDES, specs
from tests.compiler.twins import (
    GRADIENT_BAR,
    Array,
    assert_all_near,
    closest_call,
    error,
    filled,
    gradients,
    normal,
    plain_twin,
)

SEEDS = st.integers(0, 1000)
TOO_CLOSE = 1e-5
"""Of the largest value: where ReLU or a maximum may be decided by rounding."""
LARGE = specs(LARGE_SIDES, most_values=4_000_000)


def picture(spec: NetSpec, seed: int) -> dict[str, Array]:
    return {"data": normal(seed, *spec.layer("data").options["shape"][0]["dim"])}


def check_inference(spec: NetSpec, seed: int) -> None:
    net, feeds = filled(spec, seed), picture(spec, seed)
    assert_all_near(net.forward(feeds), plain_twin(net).forward(feeds))


def check_training(spec: NetSpec, phase: str, seed: int) -> None:
    net, feeds = filled(spec, seed, phase=phase), picture(spec, seed)
    plain = plain_twin(net)
    assert_all_near(net.forward(feeds, keep=True), plain.forward(feeds, keep=True))
    assert_all_near(net.blobs, plain.blobs)
    net.iteration = plain.iteration = 0
    found, expected = gradients(net, feeds), gradients(plain, feeds)
    assert found.keys() == expected.keys()
    off = {name: error(found[name], expected[name]) for name in expected}
    if max(off.values()) > GRADIENT_BAR:
        assume(closest_call(net, feeds) > TOO_CLOSE)
    assert max(off.values()) <= GRADIENT_BAR, off


@settings(max_examples=120)
@given(spec=specs(), seed=SEEDS)
def test_inference_is_the_plain_one(spec: NetSpec, seed: int) -> None:
    check_inference(spec, seed)


@settings(max_examples=80)
@given(spec=specs(most_values=60_000), phase=st.sampled_from(["TRAIN", "TEST"]), seed=SEEDS)
def test_training_is_the_plain_one(spec: NetSpec, phase: str, seed: int) -> None:
    check_training(spec, phase, seed)


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
@given(spec=LARGE, seed=SEEDS)
def test_inference_of_large_pictures(spec: NetSpec, seed: int) -> None:
    check_inference(spec, seed)


@pytest.mark.slow
@settings(max_examples=150)
@given(spec=LARGE, seed=SEEDS)
def test_training_on_large_pictures(spec: NetSpec, seed: int) -> None:
    check_training(spec, "TRAIN", seed)
