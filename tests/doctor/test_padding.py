"""A missing or doubled pad of 100."""

from __future__ import annotations

import pytest

from fcnlite import models
from fcnlite.description.model_info import Preprocessing
from fcnlite.description.spec import NetSpec
from fcnlite.doctor import Finding, padding
from fcnlite.models.builder import Builder
from tests.doctor.nets import changed, small_fcn


def found(spec: NetSpec, *sizes: tuple[int, int]) -> list[Finding]:
    return padding.check(spec, "TRAIN", Preprocessing(), sizes)


@pytest.mark.parametrize("name", ["voc-fcn8s", "voc-fcn-alexnet", "nyud-fcn32s-color-hha", "lite-fcn8s", "vgg16"])
def test_the_models_are_passed_over(name: str) -> None:
    assert found(models.describe(name)) == []


def test_a_pad_of_100_makes_any_size_fit() -> None:
    assert found(models.describe("voc-fcn32s"), (1, 1), (40, 700)) == []


def test_without_it_the_described_size_does_not_fit() -> None:
    (finding,) = found(changed(models.describe("voc-fcn8s"), "conv1_1", pad=[1]))
    assert (finding.severity, finding.id) == ("error", "input-too-small")
    assert "500×500" in finding.what and not finding.what.endswith("..")
    assert "'fc6'" in finding.mend and "'conv1_1', a pad of 100" in finding.mend and "(it has 1)" in finding.mend


def test_without_it_small_pictures_leave_nothing() -> None:
    assert found(small_fcn(), (8, 8)) == []
    net = Builder("unpadded")
    net.pool("pool1", net.convolution("conv1", net.input("data", 1, 3, 64, 64), 8, 3, pad=1), 8, 8)
    net.convolution("fc6", "pool1", 8, 7)
    assert found(net.spec(), (70, 90)) == []
    (finding,) = found(net.spec(), (70, 40))
    assert finding.id == "input-too-small"
    assert "70×40 pixels" in finding.what and "'fc6'" in finding.what
    assert "'conv1', a pad of 100" in finding.mend


def test_a_pad_written_twice_is_told_with_both_layers() -> None:
    spec = changed(models.describe("voc-fcn32s"), "conv1_2", pad=[100])
    (finding,) = found(spec)
    assert (finding.severity, finding.id) == ("warning", "pad-doubled")
    assert "200 pixels in all (conv1_1 100, conv1_2 100)" in finding.what


def test_a_doubled_number_is_told() -> None:
    (finding,) = found(changed(models.describe("voc-fcn32s"), "conv1_1", pad=[200]))
    assert "(conv1_1 200)" in finding.what
