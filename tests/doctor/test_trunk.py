"""A trunk without trained weights."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models, surgery
from fcnlite.description.fillers import Filler
from fcnlite.doctor import trunk
from tests.doctor.nets import changed, healthy, net_of, severities, small_fcn


def test_learned_weights_are_passed_over() -> None:
    assert trunk.check(healthy()) == []


@pytest.mark.parametrize(
    "filler",
    [
        {"type": "msra"},
        {"type": "xavier", "variance_norm": "AVERAGE"},
        {"type": "gaussian", "std": 0.01},
        {"type": "gaussian", "mean": 1.0, "std": 0.3},
        {"type": "uniform", "min": -0.2, "max": 0.5},
    ],
)
def test_weights_as_their_filler_draws_them_were_not_transplanted(filler: dict[str, object]) -> None:
    net = net_of(changed(small_fcn(), "conv2", weight_filler=filler))
    surgery.fill(net, ["conv2"], Filler(**filler))  # type: ignore[arg-type]
    (found,) = trunk.check(net)
    assert (found.severity, found.id) == ("warning", "trunk-untrained")
    assert "conv2" in found.what and "conv1" not in found.what


def test_msra_and_xavier_are_known_where_the_description_writes_no_filler() -> None:
    net = healthy()
    surgery.fill(net, ["conv1", "conv2"], Filler("msra"))
    assert "conv1, conv2" in trunk.check(net)[0].what
    surgery.fill(net, ["conv1", "conv2"], Filler("xavier"))
    assert "conv1, conv2" in trunk.check(net)[0].what


def test_weights_that_left_their_filler_are_passed_over() -> None:
    net = healthy()
    surgery.fill(net, ["conv2"], Filler("msra"))
    net.params["conv2"][0].data[:8] *= 1.3
    assert trunk.check(net) == []


def test_small_layers_that_kept_the_look_of_their_filler_are_known_by_their_bias() -> None:
    net = healthy()
    surgery.fill(net, ["conv2"], Filler("msra"))
    weight, bias = net.params["conv2"]
    spread = np.linspace(-1, 1, bias.shape[0]) * weight.array.std()
    bias.data = spread * 0.01  # as after a training that does not get on
    assert severities(trunk.check(net)) == [("warning", "trunk-untrained")]
    bias.data = spread
    assert trunk.check(net) == []


def test_a_bias_that_a_filler_draws_tells_nothing() -> None:
    net = net_of(changed(small_fcn(), "conv2", bias_filler={"type": "gaussian", "std": 1.0}))
    surgery.fill(net, ["conv2"], Filler("msra"))
    assert net.params["conv2"][1].array.std() > 0.5
    assert severities(trunk.check(net)) == [("warning", "trunk-untrained")]


def test_nets_with_batch_norm_are_meant_to_start_so() -> None:
    net = models.build("lite-fcn8s", classes=5, width=0.1)
    assert severities(trunk.check(net)) == [("note", "trunk-untrained")]


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_constant_weights_compute_nothing(value: float) -> None:
    net = healthy()
    net.params["conv1"][0].data[...] = value
    (found,) = trunk.check(net)
    assert (found.severity, found.id) == ("error", "trunk-constant")
    assert "conv1 " in found.what


def test_a_fixed_average_is_meant() -> None:
    net = healthy()
    net.params["conv1"][0].data[...] = 0.1
    net.params["conv1"][0].lr_mult = 0
    assert trunk.check(net) == []
    net.params["conv1"][0].data[...] = 0
    assert severities(trunk.check(net)) == [("error", "trunk-constant")]


def test_score_layers_may_start_at_zero() -> None:
    net = healthy()
    for name in ("score_fr", "score_pool1"):
        net.params[name][0].data[...] = 0
    assert trunk.check(net) == []


def test_a_constant_is_known_by_all_its_values() -> None:
    weight = np.zeros((64, 64, 7, 7), np.float32)
    assert trunk.is_constant(weight)
    weight[0, 0, 0, 1] = 1  # not among those that are asked first
    assert not trunk.is_constant(weight)
