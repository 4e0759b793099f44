"""Weights for classes in another order: the same scores in other channels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fcnlite import models
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.net import Net
from fcnlite.segmentation.heads import heads, picture_inputs
from fcnlite.surgery import transplant
from fcnlite.surgery.reordering import reordered, score_path, scoring_layers

ORDER = (2, 0, 3, 1)


def randomized(name: str, classes: int | tuple[int, ...]) -> Net:
    """All parameters are random, even upsampling, so that no result agrees by symmetry."""
    net = models.build(name, classes=classes, width=1 / 64)
    rng = np.random.default_rng(0)
    for parameters in net.params.values():
        for each in parameters:
            each.data = rng.normal(0.2, 0.4, each.shape) if not each.statistic else rng.uniform(0.5, 1, each.shape)
    return net


def arrays(net: Net) -> dict[str, list[np.ndarray]]:
    return {name: [each.array for each in parameters] for name, parameters in net.params.items()}


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("voc-fcn8s", {"score_fr", "score_pool4", "score_pool3"}),
        ("voc-fcn32s", {"score_fr"}),
        ("lite-fcn2s-topdown", {"score_fr", "score_pool4", "score_pool3", "score_pool2", "score_pool1"}),
        ("voc-fcn8s-atonce", {"score_fr", "score_pool4", "score_pool3"}),
    ],
)
def test_scores_of_every_kind_of_net_are_permuted_exactly(name: str, scores: set[str]) -> None:
    net = randomized(name, 4)
    path = score_path(net, "score", picture_inputs(net))
    assert {each for each in path.axes if each.startswith("score")} == scores
    assert "conv1_1" not in path.axes
    other = models.build(name, classes=4, width=1 / 64)
    transplant(other, reordered(arrays(net), path, ORDER))
    x = np.random.default_rng(1).normal(0, 1, (1, 3, 40, 56))
    before, after = (each.forward(data=x, outputs=["score"])["score"] for each in (net, other))
    assert np.ptp(before) > 0
    for k, place in enumerate(ORDER):
        np.testing.assert_allclose(after[:, place], before[:, k], rtol=1e-4, atol=1e-5 * np.abs(before).max())


def test_each_of_two_label_maps_has_an_order_of_its_own() -> None:
    net = randomized("siftflow-fcn8s", (4, 3))
    pictures = picture_inputs(net)
    weights: dict[str, list[np.ndarray]] = arrays(net)
    for head, order in zip(heads(net, pictures).values(), (ORDER, (1, 2, 0)), strict=True):
        weights = reordered(weights, score_path(net, head.blob, pictures), order)
    other = models.build("siftflow-fcn8s", classes=(4, 3), width=1 / 64)
    transplant(other, weights)
    x = np.random.default_rng(1).normal(0, 1, (1, 3, 24, 24))
    blobs = ["score_sem", "score_geo"]
    before, after = (each.forward(data=x, outputs=blobs) for each in (net, other))
    for blob, order in zip(blobs, (ORDER, (1, 2, 0)), strict=True):
        limit = 1e-5 * np.abs(before[blob]).max()
        np.testing.assert_allclose(after[blob][:, order], before[blob], rtol=1e-4, atol=limit)


def small(*layers: LayerSpec) -> Net:
    shape = {"shape": [{"dim": [1, 3, 8, 8]}]}
    return Net(NetSpec("small", (LayerSpec("data", "Input", (), ("data",), shape), *layers)))


def convolution(name: str, bottom: str, count: int = 3, **options: int) -> LayerSpec:
    return LayerSpec(name, "Convolution", (bottom,), (name,), {"num_output": count, "kernel_size": [1], **options})


SCORE = LayerSpec("score", "ReLU", ("last",), ("score",))


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((convolution("a", "data", 4), convolution("last", "a", 4, group=2), SCORE), "'last' .*mixes"),
        ((LayerSpec("last", "Power", ("data",), ("last",)), SCORE), "input 'data'"),
        ((convolution("last", "data"), convolution("other", "last"), SCORE), "'other' .*computes with class scores"),
        ((convolution("last", "data"), LayerSpec("score", "LRN", ("last",), ("score",))), "'score' .LRN. mixes"),
    ],
)
def test_nets_without_a_proof_are_refused(layers: tuple[LayerSpec, ...], words: str) -> None:
    net = small(*layers)
    with pytest.raises(SpecError, match=words):
        score_path(net, "score", picture_inputs(net))


def test_a_parameter_that_is_shared_with_another_layer_is_refused() -> None:
    net = models.build("voc-fcn8s", classes=4, width=1 / 64)
    shared = [
        dataclasses.replace(each, param=(dataclasses.replace(each.param[0], name="w"), *each.param[1:]))
        if each.name in ("upscore2", "upscore_pool4")
        else each
        for each in net.spec
    ]
    net = Net(dataclasses.replace(net.spec, layers=tuple(shared)))
    with pytest.raises(SpecError, match=r"upscore2, upscore_pool4 share the parameter 'w'"):
        score_path(net, "score", picture_inputs(net))


def test_score_layers_have_one_output_for_each_class() -> None:
    net = models.build("voc-fcn8s", classes=5, width=1 / 64)
    scores = {"score_fr", "score_pool4", "score_pool3"}
    assert scoring_layers(net, "score", picture_inputs(net)) == {*scores, "upscore2", "upscore_pool4", "upscore8"}
