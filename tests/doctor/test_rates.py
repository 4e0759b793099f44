"""Learning rates that do not fit the normalisation of the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcnlite import caffe, models
from fcnlite.description.spec import NetSpec
from fcnlite.doctor import rates
from fcnlite.errors import SpecError
from fcnlite.net import Net
from fcnlite.solver import SGD, Adam
from fcnlite.train.balance import weighted
from tests.doctor.nets import changed, severities, small_fcn

SUMMED = models.describe("voc-fcn32s", width=0.02)
MEAN = models.describe("voc-fcn32s", width=0.02, normalization="VALID")


def found(spec: NetSpec, base_lr: float, momentum: float = 0.9, **options: Any) -> list[tuple[str, str]]:
    return severities(rates.check(SGD(Net(spec, phase="TRAIN"), base_lr=base_lr, momentum=momentum, **options)))


@pytest.mark.parametrize("base_lr", [1e-10, 1e-12, 1e-14])
def test_the_references_rates_fit_a_summed_loss(base_lr: float) -> None:
    assert found(SUMMED, base_lr, 0.99) == []


@pytest.mark.parametrize("base_lr", [1e-4, 1e-3, 1e-2])
def test_usual_rates_fit_a_mean_loss(base_lr: float) -> None:
    assert found(MEAN, base_lr) == []


@pytest.mark.parametrize("base_lr", [1e-2, 1e-4, 1e-5])
def test_usual_rates_with_a_summed_loss_diverge(base_lr: float) -> None:
    assert found(SUMMED, base_lr) == [("error", "rate-too-high")]


def test_rates_above_1e_7_are_suspect_with_a_summed_loss() -> None:
    assert found(SUMMED, 2e-7) == [("warning", "rate-too-high")]
    assert found(SUMMED, 0.5e-7) == []


def test_the_references_rates_move_nothing_with_a_mean_loss() -> None:
    assert found(MEAN, 1e-10, 0.99) == [("warning", "rate-too-low")]
    assert found(MEAN, 0.9e-8) == [("warning", "rate-too-low")]
    assert found(MEAN, 2e-8) == []


def test_weights_of_the_classes_change_nothing() -> None:
    weights = {"label": [1.0] * 21}
    assert found(weighted(SUMMED, weights), 1e-4) == [("error", "rate-too-high")]
    assert found(weighted(SUMMED, weights), 1e-10, 0.99) == []
    assert found(weighted(MEAN, weights), 1e-10, 0.99) == [("warning", "rate-too-low")]


def test_the_words_name_loss_rate_and_pixels() -> None:
    (finding,) = rates.check(SGD(Net(SUMMED, phase="TRAIN"), base_lr=1e-3, momentum=0.9))
    for words in ("'loss'", "base_lr 0.001", "momentum 0.9", "250,000 pixels", "2.5e+03"):
        assert words in finding.what
    assert "about 4e-10" in finding.mend and "normalization: VALID" in finding.mend


def test_batch_norm_bears_more() -> None:
    spec = models.describe("lite-fcn8s", width=0.02, normalization="BATCH_SIZE")
    assert found(spec, 2e-6) == []
    assert found(spec, 1e-4) == [("error", "rate-too-high")]


def test_a_loss_weight_counts() -> None:
    layer = next(each for each in SUMMED if each.type == "SoftmaxWithLoss")
    light = changed(SUMMED, layer.name, loss_weight=(1e-6,))
    assert found(light, 1e-3) == []


def test_normalization_none_sums_over_the_batch_too() -> None:
    assert rates.summed_positions(_loss("NONE"), (4, 6, 10, 20)) == 800
    assert rates.summed_positions(_loss("BATCH_SIZE"), (4, 6, 10, 20)) == 200
    assert rates.summed_positions(_loss("VALID"), (4, 6, 10, 20)) == 1


def _loss(normalization: str) -> Any:
    net = Net(small_fcn(normalization=normalization), phase="TRAIN")
    return net.layers[-1]


def test_what_does_not_depend_on_the_scale_is_not_judged() -> None:
    assert found(SUMMED, 1e-2, clip_gradients=10.0) == []
    assert rates.check(Adam(Net(SUMMED, phase="TRAIN"), base_lr=1e-3)) == []


def test_solver_files_are_read_for_the_net_at_hand(tmp_path: Path) -> None:
    file = tmp_path / "solver.prototxt"
    file.write_text(
        'net: "elsewhere.prototxt"\nbase_lr: 1e-4\nlr_policy: "fixed"\nmomentum: 0.99\nsolver_type: NESTEROV'
    )
    net = Net(SUMMED, phase="TRAIN")
    solver = rates.read(file, net)
    assert (type(solver).__name__, solver.net) == ("Nesterov", net)
    assert severities(rates.check(solver)) == [("error", "rate-too-high")]
    file.write_text('base_lr: 1e-4 lr_policy: "step"')
    with pytest.raises(SpecError, match=r"solver\.prototxt: .*stepsize"):
        rates.read(file, net)


@pytest.mark.parametrize(
    "name", ["voc-fcn32s", "voc-fcn8s", "voc-fcn-alexnet", "siftflow-fcn8s", "nyud-fcn32s-color-hha"]
)
def test_the_published_solvers_are_passed_over(shared: Path, name: str) -> None:
    net = models.build(name, width=0.02, phase="TRAIN")
    assert rates.check(rates.read(shared / "reference" / "zoo" / name / "solver.prototxt", net)) == []
    assert caffe.read_solver(shared / "reference" / "zoo" / name / "solver.prototxt")["base_lr"] > 0
