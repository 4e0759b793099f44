"""Dead layers, exploding activations and vanished gradients."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.description.spec import ParamSpec
from fcnlite.doctor import Finding, activations
from fcnlite.doctor.batches import sample_batches
from fcnlite.net import Net
from tests.doctor.nets import changed, healthy, net_of, severities, small_fcn

SHAPES = data.open("shapes", count=2, size=64)


def found(net: Net, dataset: data.Dataset | None = SHAPES) -> list[Finding]:
    return activations.check(net, sample_batches(net, dataset, labelled=True))


def test_a_healthy_net_is_passed_over() -> None:
    assert found(healthy()) == []
    assert found(healthy(), None) == []
    assert found(models.build("lite-fcn8s", classes=6, width=0.1, phase="TRAIN")) == []


def test_a_dead_layer_is_named() -> None:
    net = healthy()
    net.params["conv2"][1].data[...] = -1e6
    findings = found(net)
    assert severities(findings) == [("error", "layer-dead")]  # the skip still learns
    assert findings[0].what.startswith("relu2, relu6: the output is zero")


def test_a_layer_that_is_dead_but_for_a_few_is_a_warning() -> None:
    net = healthy()
    net.params["fc6"][1].data[1:] = -1e6
    net.params["fc6"][0].data[0] = 0
    net.params["fc6"][0].data[0, 0, 3, 3] = 1
    net.params["fc6"][1].data[0] = -np.quantile(_of(net, "conv2"), 0.9)
    assert severities(found(net)) == [("warning", "layer-dead")]


def _of(net: Net, blob: str) -> np.ndarray:
    return net.forward(sample_batches(net, SHAPES)[0].pictures, outputs=[blob])[blob]


def test_a_leaky_relu_is_not_dead() -> None:
    net = net_of(changed(small_fcn(), "relu2", negative_slope=0.1))
    net.params["conv2"][1].data[...] = -1e6
    assert "layer-dead" not in [each.id for each in found(net)]


def test_an_exploding_layer_is_named_with_its_factor() -> None:
    net = healthy()
    net.params["conv2"][0].data *= 1e4
    (finding,) = [each for each in found(net) if each.id == "layer-explodes"]
    assert finding.severity == "warning"
    assert "of conv2 (" in finding.what and "fc6" not in finding.what


def test_values_that_are_not_finite_are_traced_to_their_layer() -> None:
    net = healthy()
    net.params["conv2"][0].data[0, 0, 0, 0] = np.nan
    (finding,) = found(net)
    assert (finding.severity, finding.id) == ("error", "not-finite")
    assert "parameter 0 of layer 'conv2'" in finding.what


def test_gradients_that_are_not_finite_are_told() -> None:
    spec = changed(small_fcn(normalization="NONE"), "loss", loss_weight=(1e33,))
    net = net_of(spec)
    assert ("error", "not-finite") in severities(found(net))


def test_a_trunk_without_gradients_is_told() -> None:
    net = healthy()
    for name in ("upscore", "upscore2"):
        net.params[name][0].data[...] = 0
    assert severities(found(net)) == [("error", "no-gradient")]


def test_score_layers_that_start_at_zero_are_no_disease() -> None:
    net = healthy()
    for name in ("score_fr", "score_pool1"):
        net.params[name][0].data[...] = 0
    assert found(net) == []


def test_a_fixed_trunk_needs_no_gradients() -> None:
    spec = small_fcn()
    for name in ("conv1", "conv2", "fc6"):
        spec = changed(spec, name, param=(ParamSpec(lr_mult=0), ParamSpec(lr_mult=0)))
    assert found(net_of(spec)) == []


def test_the_statistics_of_batch_norm_stay() -> None:
    net = models.build("lite-fcn8s", classes=6, width=0.1, phase="TRAIN")
    before = [each.array.copy() for each in net.params["bn1_1"]]
    found(net)
    for parameter, values in zip(net.params["bn1_1"], before, strict=True):
        np.testing.assert_array_equal(parameter.array, values)


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_both_phases_can_be_tried(phase: str) -> None:
    assert found(healthy().share(phase)) == []
