"""SGD: rates, passes, snapshots, and what it does when things go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fcnlite
from fcnlite import models, solver
from fcnlite.caffe import parse_net
from fcnlite.errors import FcnliteError, FileError, SpecError, TrainingError
from fcnlite.net import Net
from fcnlite.solver import SGD

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 6 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "score" type: "Convolution" bottom: "conv" top: "score"
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "frozen" type: "Convolution" bottom: "score" top: "frozen" param { lr_mult: 0 } param { lr_mult: 0 }
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "frozen" bottom: "label" top: "loss" }
"""


def train_net(text: str = NET, **how: Any) -> Net:
    return Net(parse_net(text), phase="TRAIN", path="plain", **how)


def batch(seed: int = 0, size: int = 2) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"data": rng.normal(size=(size, 3, 6, 6)), "label": rng.integers(0, 3, (size, 6, 6))}


def arrays(net: Net) -> dict[str, Any]:
    return {f"{name}[{i}]": each.array.copy() for name, ps in net.params.items() for i, each in enumerate(ps)}


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


# Rates


def rates(count: int, **options: Any) -> list[float]:
    sgd = SGD(train_net(), **options)
    found = []
    for iteration in range(count):
        sgd.iteration = iteration
        found.append(sgd.rate)
    return found


def test_rates_of_the_policies() -> None:
    assert rates(3, base_lr=0.1) == [0.1] * 3
    step = rates(7, base_lr=0.1, lr_policy="step", gamma=0.5, stepsize=3)
    assert step == pytest.approx([0.1] * 3 + [0.05] * 3 + [0.025])
    poly = rates(5, base_lr=0.1, lr_policy="poly", power=2.0, max_iter=4)
    assert poly == pytest.approx([0.1 * (1 - i / 4) ** 2 for i in range(5)])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr_policy": "stepp", "stepsize": 1}, "'stepp'.*'step'"),
        ({"lr_policy": "step"}, "stepsize"),
        ({"lr_policy": "poly"}, "max_iter"),
        ({"base_lr": -1.0}, "base_lr"),
        ({"base_lr": float("nan")}, "base_lr"),
        ({"momentum": -0.1}, "momentum"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"iter_size": 0}, "iter_size"),
        ({"momentun": 0.9}, "'momentun'.*'momentum'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        SGD(train_net(), **options)


# Steps


def test_steps_follow_the_formula() -> None:
    net = train_net(NET.replace('type: "Dropout"', 'type: "ReLU"'), dtype="float64")
    sgd = SGD(net, base_lr=0.1, momentum=0.9, weight_decay=0.05)
    twin = train_net(NET.replace('type: "Dropout"', 'type: "ReLU"'), dtype="float64")
    velocity = {name: 0 * parameter.array for name, parameter in twin.learnable()}
    for i in range(3):
        twin.forward(batch(i), keep=True)
        assert sgd.step(batch(i)) == pytest.approx(twin.loss, rel=1e-12)  # before the update
        twin.backward()
        for name, parameter in twin.learnable():
            velocity[name] = 0.9 * velocity[name] + 0.1 * parameter.lr_mult * (
                parameter.grad + 0.05 * parameter.decay_mult * parameter.array
            )
            parameter.data[...] -= velocity[name]
        for name, array in arrays(net).items():
            np.testing.assert_allclose(array, arrays(twin)[name], rtol=1e-10, atol=1e-14)
    assert sgd.iteration == 3


def test_frozen_parameters_stay() -> None:
    net = train_net()
    before = arrays(net)
    SGD(net, base_lr=0.1, weight_decay=0.5, momentum=0.9).step(batch())
    after = arrays(net)
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert changed == {"conv[0]", "conv[1]", "score[0]", "score[1]"}


@pytest.mark.parametrize("filler", ["xavier", "bilinear", "gaussian", "constant"])
def test_every_filling_can_be_trained(filler: str) -> None:
    net = train_net(NET.replace('"xavier"', f'"{filler}"').replace("lr_mult: 0", "lr_mult: 1"))
    net.params["frozen"][0].data[0] += 1  # else a constant gives nothing to learn
    before = net.params["frozen"][1].array.copy()
    weights = net.params["score"][0].array.copy()
    sgd = SGD(net, base_lr=0.5)
    for i in range(3):
        sgd.step(batch(i))
    assert (net.params["frozen"][1].array != before).any()
    if filler != "constant":
        assert (net.params["score"][0].array != weights).all()


def test_passes_accumulate_like_one_batch() -> None:
    """VALID normalisation of equal pictures: the mean over passes is the mean over the batch."""
    text = NET.replace('type: "Dropout"', 'type: "ReLU"')
    whole, parts = (train_net(text, dtype="float64") for _ in range(2))
    pictures = batch(0, 4)
    one = SGD(whole, base_lr=0.1, momentum=0.9, weight_decay=0.1)
    four = SGD(parts, base_lr=0.1, momentum=0.9, weight_decay=0.1, iter_size=4)
    for _ in range(2):
        loss = one.step(pictures)
        split = four.step([{name: array[i : i + 1] for name, array in pictures.items()} for i in range(4)])
        assert split == pytest.approx(loss, rel=1e-12)
    for name, array in arrays(whole).items():
        np.testing.assert_allclose(arrays(parts)[name], array, rtol=1e-10, atol=1e-14)


def test_one_batch_serves_every_pass() -> None:
    text = NET.replace('type: "Dropout"', 'type: "ReLU"')
    repeated, given = (SGD(train_net(text), base_lr=0.1, iter_size=2) for _ in range(2))
    repeated.step(**batch())
    given.step([batch(), batch()])
    assert_equal(arrays(repeated.net), arrays(given.net))


def test_every_pass_drops_differently() -> None:
    net = train_net()
    sgd = SGD(net, base_lr=0.0, iter_size=2)
    kept = []
    original = net.forward

    def spy(*arguments: Any, **how: Any) -> Any:
        out = original(*arguments, **how)
        kept.append(net.blobs["conv"] > 0)
        return out

    net.forward = spy  # type: ignore[method-assign]
    for _ in range(2):
        sgd.step(**batch())
    assert len(kept) == 4
    for i in range(4):
        for j in range(i):
            assert (kept[i] != kept[j]).any()


@pytest.mark.parametrize("passes", [[], [{}], [{}] * 3])
def test_a_wrong_number_of_passes_is_named(passes: list[dict[str, Any]]) -> None:
    with pytest.raises(SpecError, match=f"{len(passes)}.*2"):
        SGD(train_net(), iter_size=2).step(passes)


def test_a_step_without_a_loss_is_named() -> None:
    sgd = SGD(train_net())
    with pytest.raises(FcnliteError, match="label"):
        sgd.step(data=batch()["data"])


def test_two_runs_of_one_seed_are_equal() -> None:
    def run(seed: int) -> dict[str, Any]:
        sgd = SGD(train_net(seed=seed), base_lr=0.1, momentum=0.9)
        for i in range(4):
            sgd.step(batch(i))
        return arrays(sgd.net)

    assert_equal(run(1), run(1))
    assert (run(1)["conv[0]"] != run(2)["conv[0]"]).any()


def test_learning_lowers_the_loss() -> None:
    sgd = SGD(train_net(NET.replace('type: "Dropout"', 'type: "ReLU"')), base_lr=0.2, momentum=0.9)
    losses = [sgd.step(batch()) for _ in range(40)]
    assert losses[-1] < 0.8 * losses[0]


# NaN


@pytest.mark.parametrize("where", ["data", "score"])
def test_a_loss_that_is_no_number_changes_nothing(where: str) -> None:
    net = train_net()
    sgd = SGD(net, base_lr=0.1, momentum=0.9, iter_size=2)
    sgd.step(**batch())
    good, bad = batch(1), batch(1)
    if where == "data":
        bad["data"][0, 0, 0, 0] = np.nan
    else:
        net.params["score"][1].data[0] = np.inf
    before = arrays(net)
    with pytest.raises(TrainingError, match=rf"iteration 1\b.*'{where}'"):
        sgd.step([good, bad])
    assert_equal(arrays(net), before)
    assert sgd.iteration == 1


def test_after_a_refused_step_training_goes_on_as_if_it_had_not_been() -> None:
    bad = batch(7)
    bad["data"][...] = np.nan
    sgd, twin = (SGD(train_net(), base_lr=0.1, momentum=0.9) for _ in range(2))
    for each in (sgd, twin):
        each.step(batch(0))
    with pytest.raises(TrainingError):
        sgd.step(bad)
    for each in (sgd, twin):
        each.step(batch(1))
    assert_equal(arrays(sgd.net), arrays(twin.net))


# Snapshots


def test_a_restored_run_continues_bit_for_bit(tmp_path: Path) -> None:
    def start() -> SGD:
        return SGD(train_net(seed=3), base_lr=0.1, momentum=0.9, lr_policy="poly", max_iter=9, power=0.9, iter_size=2)

    whole = start()
    for i in range(3):
        whole.step(batch(i))
    whole.snapshot(tmp_path / "state.h5", {"epoch": 7})
    expected = [whole.step(batch(i)) for i in range(3, 6)]

    resumed = start()
    resumed.step(batch(99))
    progress = resumed.restore(tmp_path / "state.h5")
    assert progress["epoch"] == 7 and resumed.iteration == 3
    assert [resumed.step(batch(i)) for i in range(3, 6)] == expected
    assert_equal(arrays(resumed.net), arrays(whole.net))


def test_a_snapshot_is_a_weight_file_too(tmp_path: Path) -> None:
    sgd = SGD(train_net(), base_lr=0.1)
    sgd.step(batch())
    sgd.snapshot(tmp_path / "state.h5")
    assert_equal(arrays(fcnlite.load(tmp_path / "state.h5")), arrays(sgd.net))


def test_what_cannot_be_restored_is_named(tmp_path: Path) -> None:
    sgd = SGD(train_net())
    sgd.snapshot(tmp_path / "state.h5")
    other = SGD(train_net(NET.replace("num_output: 4", "num_output: 5")))
    before = arrays(other.net)
    with pytest.raises(TrainingError, match=r"state\.h5.*'(conv|score)'"):
        other.restore(tmp_path / "state.h5")
    assert_equal(arrays(other.net), before)
    thawed = SGD(train_net(NET.replace("lr_mult: 0", "lr_mult: 1")))
    with pytest.raises(TrainingError, match=r"state\.h5"):
        thawed.restore(tmp_path / "state.h5")
    sgd.net.save(tmp_path / "weights.h5")
    with pytest.raises(TrainingError, match=r"weights\.h5.*weights"):
        sgd.restore(tmp_path / "weights.h5")
    with pytest.raises(FileError, match=r"missing\.h5"):
        sgd.restore(tmp_path / "missing.h5")


def test_a_snapshot_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="missing"):
        SGD(train_net()).snapshot(tmp_path / "missing" / "state.h5")


# Solver files


def write(folder: Path, text: str, net: str = "net.prototxt") -> Path:
    (folder / net).write_text(NET)
    path = folder / "solver.prototxt"
    path.write_text(text)
    return path


def test_a_solver_file(tmp_path: Path) -> None:
    text = (
        'net: "net.prototxt" base_lr: 0.25 lr_policy: "step" gamma: 0.1 stepsize: 2 momentum: 0.9 weight_decay: 0.01\n'
        "iter_size: 2 max_iter: 10 random_seed: 4 display: 1 snapshot: 9 solver_mode: CPU test_iter: 1 test_interval: 9"
    )
    sgd = solver.load(write(tmp_path, text))
    assert sgd.net.phase == "TRAIN" and sgd.net.seed == 4
    assert sgd.rate == pytest.approx(0.25)
    assert (sgd.options.momentum, sgd.options.iter_size, sgd.options.max_iter) == (pytest.approx(0.9), 2, 10)
    assert_equal(arrays(sgd.net), arrays(train_net(seed=4)))
    assert solver.load(write(tmp_path, text), seed=9).net.seed == 9


def test_the_net_is_looked_for_beside_the_solver_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.prototxt").write_text(NET)
    path = tmp_path / "models" / "solver.prototxt"
    path.write_text('net: "models/net.prototxt" base_lr: 0.1 lr_policy: "fixed"')
    with pytest.raises(FileError, match=r"models/net\.prototxt"):
        solver.load(path)
    monkeypatch.chdir(tmp_path)
    assert "conv" in solver.load(path).net.params


def test_a_net_written_in_the_solver(tmp_path: Path) -> None:
    path = write(tmp_path, f'net_param {{ {NET} }} base_lr: 0.1 lr_policy: "fixed"')
    assert "conv" in solver.load(path).net.params


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('base_lr: 0.1 lr_policy: "fixed"', "net"),
        ('net: "net.prototxt" lr_policy: "steps"', "'steps'"),
        ('net: "net.prototxt" lr_policy: "fixed" type: "AdamW"', "'AdamW'"),
        ('net: "net.prototxt" lr_policy: "fixed" base_lrr: 1', "base_lrr"),
        ('net: "net.prototxt" lr_policy: "poly"', "max_iter"),
        ('net: "other.prototxt" lr_policy: "fixed"', "other.prototxt"),
    ],
)
def test_wrong_solver_files_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FcnliteError, match=rf"(?s)solver\.prototxt.*{words}|{words}.*solver\.prototxt"):
        solver.load(write(tmp_path, text))


def test_a_missing_solver_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.prototxt"):
        solver.load(tmp_path / "none.prototxt")


def test_a_layer_unfrozen_after_the_solver_was_made_learns() -> None:
    net = models.build("lite-fcn8s", classes=3, width=0.02, phase="TRAIN")
    weight = net.params["score_pool3"][0]
    weight.lr_mult = 0.0
    sgd = SGD(net, base_lr=0.1, momentum=0.9)
    weight.lr_mult = 1.0
    before = weight.array.copy()
    sgd.step(data=np.random.default_rng(0).normal(size=(1, 3, 32, 32)), label=np.zeros((1, 1, 32, 32)))
    assert not np.array_equal(weight.array, before)


def test_the_published_solver_text_loads_and_warns_of_upsampling_that_starts_at_zero(tmp_path: Path) -> None:
    net = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
    layer { name: "up" type: "Deconvolution" bottom: "data" top: "up"
            convolution_param { num_output: 2 kernel_size: 4 stride: 2 bias_term: false } }
    """
    (tmp_path / "train.prototxt").write_text(net)
    (tmp_path / "solver.prototxt").write_text(
        'train_net: "train.prototxt" test_net: "val.prototxt" test_iter: 736 test_interval: 999999999 display: 20 '
        'average_loss: 20 lr_policy: "fixed" base_lr: 1e-14 momentum: 0.99 iter_size: 1 max_iter: 100000 '
        'weight_decay: 0.0005 regularization_type: "L2" snapshot: 4000 snapshot_prefix: "s" test_initialization: false'
    )
    with pytest.warns(UserWarning, match="'up' starts at zero"):
        loaded = solver.load(tmp_path / "solver.prototxt")
    assert loaded.options.base_lr == 1e-14


@pytest.mark.parametrize("option", [{"iter_size": "2"}, {"iter_size": 1.5}, {"gamma": "x"}, {"power": float("nan")}])
def test_options_of_the_wrong_kind_are_refused_by_name(option: dict[str, Any]) -> None:
    net = models.build("lite-fcn8s", classes=3, width=0.02, phase="TRAIN")
    with pytest.raises(SpecError, match=next(iter(option))):
        SGD(net, **option)
