"""Solvers from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcnlite import solver
from fcnlite.errors import FcnliteError, FileError
from tests.solver.nets import NET, arrays, assert_equal, batch, train_net


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


def test_the_net_is_searched_beside_the_solver_then_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
        ('net: "net.prototxt" base_lr: 1 lr_policy: "steps"', "'steps'.*'step'"),
        ('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" type: "Adan"', "'Adan'.*'Adam'"),
        ('net: "net.prototxt" lr_policy: "fixed" base_lrr: 1', "base_lrr"),
        ('net: "net.prototxt" lr_policy: "fixed"', "base_lr"),
        ('net: "net.prototxt" base_lr: 1', "lr_policy"),
        ('net: "net.prototxt" base_lr: 1 lr_policy: "poly" power: 1', "max_iter"),
        ('net: "net.prototxt" base_lr: 1 lr_policy: "step" stepsize: 4', "gamma"),
        ('net: "net.prototxt" base_lr: 1 lr_policy: "inv" gamma: 1', "power"),
        ('net: "net.prototxt" base_lr: 1 lr_policy: "multistep" gamma: 1 stepvalue: 4 stepvalue: 2', "stepvalue.*4, 2"),
        ('net: "net.prototxt" train_net: "net.prototxt" base_lr: 1 lr_policy: "fixed"', "2 nets"),
        ('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" type: "SGD" solver_type: ADAM', "SGD.*ADAM"),
        ('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" type: "AdaGrad" momentum: 0.9', "momentum.*0.9.*AdaGrad"),
        ('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" regularization_type: "L3"', "'L3'"),
        ('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" test_iter: 1 test_state {} test_state {}', "2 test_state"),
        ('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" weights: "none.caffemodel"', r"none\.caffemodel"),
        ('net: "other.prototxt" lr_policy: "fixed"', "other.prototxt"),
    ],
)
def test_wrong_solver_files_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FcnliteError, match=rf"(?s)solver\.prototxt.*{words}|{words}.*solver\.prototxt"):
        solver.load(write(tmp_path, text))


def test_a_missing_solver_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.prototxt"):
        solver.load(tmp_path / "none.prototxt")


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


SIMPLE = 'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" '


@pytest.mark.parametrize(
    ("older", "type_"),
    [
        ("SGD", "SGD"),
        ("NESTEROV", "Nesterov"),
        ("ADAGRAD", "AdaGrad"),
        ("RMSPROP", "RMSProp"),
        ("ADADELTA", "AdaDelta"),
        ("ADAM", "Adam"),
    ],
)
def test_the_older_solver_type(tmp_path: Path, older: str, type_: str) -> None:
    loaded = solver.load(write(tmp_path, SIMPLE + f"solver_type: {older}"))
    assert type(loaded) is solver.TYPES[type_]
    assert type(solver.load(write(tmp_path, SIMPLE + f'solver_type: {older} type: "{type_}"'))) is type(loaded)


def test_absent_fields_have_caffes_defaults(tmp_path: Path) -> None:
    adam = solver.load(write(tmp_path, SIMPLE + 'type: "Adam"')).options
    assert (adam.momentum, adam.momentum2, adam.delta) == (0, 0.999, 1e-8)
    rmsprop = solver.load(write(tmp_path, SIMPLE + 'type: "RMSProp"')).options
    assert (rmsprop.rms_decay, rmsprop.weight_decay, rmsprop.clip_gradients) == (0.99, 0, -1)
    assert solver.load(write(tmp_path, SIMPLE + 'type: "AdaDelta"')).options.delta == 1e-8


def test_fields_of_every_solver(tmp_path: Path) -> None:
    text = (
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "multistep" gamma: 0.5 stepvalue: 2 stepvalue: 5 '
        'clip_gradients: 35 average_loss: 20 regularization_type: "L1" weight_decay: 0.01'
    )
    options = solver.load(write(tmp_path, text)).options
    assert options.stepvalue == (2, 5)
    assert (options.clip_gradients, options.average_loss, options.regularization_type) == (35, 20, "L1")


def test_dtype_and_path_are_the_net_s(tmp_path: Path) -> None:
    net = solver.load(write(tmp_path, SIMPLE), path="plain", dtype="float64").net
    assert (net.path, net.dtype) == ("plain", np.float64)


def test_weights_to_start_from(tmp_path: Path) -> None:
    first, second = train_net(seed=5), train_net(seed=6)
    first.save(tmp_path / "first.h5")
    second.save(tmp_path / "second.h5")
    later = solver.load(write(tmp_path, SIMPLE + 'weights: "first.h5, second.h5"'))
    assert_equal(arrays(later.net), arrays(second))
    alone = solver.load(write(tmp_path, SIMPLE + 'weights: "second.h5" weights: "first.h5"'))
    assert_equal(arrays(alone.net), arrays(first))


STAGED = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "score" type: "Convolution" bottom: "conv" top: "score" include { stage: "deploy" }
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "extra" type: "Convolution" bottom: "conv" top: "extra" include { min_level: 2 }
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
"""


def test_test_nets_share_parameters_by_name(tmp_path: Path) -> None:
    (tmp_path / "test.prototxt").write_text(STAGED)
    text = SIMPLE + 'test_net: "test.prototxt" test_iter: 1 test_iter: 1 test_interval: 5 '
    text += 'test_state { stage: "deploy" } test_state { phase: TRAIN }'
    loaded = solver.load(write(tmp_path, text))
    tested, again = loaded.test_nets  # `net`, which gets the last test_iter, comes last
    assert tested.phase == "TEST" and again.phase == "TRAIN"
    assert tested.params.keys() == {"conv", "score"}
    assert again.params.keys() == loaded.net.params.keys()
    loaded.step(batch())
    assert all(tested.params[name][0] is loaded.net.params[name][0] for name in ("conv", "score"))
    scores = loaded.net.share("TEST").forward(data=batch()["data"], outputs=["score"])["score"]
    np.testing.assert_array_equal(again.share("TEST").forward(data=batch()["data"], outputs=["score"])["score"], scores)


def test_test_nets_that_are_not_used_are_not_read(tmp_path: Path) -> None:
    loaded = solver.load(write(tmp_path, SIMPLE + 'test_net: "missing.prototxt" test_iter: 1 test_interval: 9'))
    with pytest.raises(FileError, match=r"missing\.prototxt"):
        _ = loaded.test_nets
    assert solver.load(write(tmp_path, SIMPLE)).test_nets == []


def test_train_state_chooses_layers(tmp_path: Path) -> None:
    (tmp_path / "staged.prototxt").write_text(STAGED)
    (tmp_path / "solver.prototxt").write_text(
        'train_net: "staged.prototxt" base_lr: 1 lr_policy: "fixed" train_state { level: 3 stage: "deploy" }'
    )
    net = solver.load(tmp_path / "solver.prototxt").net
    assert net.phase == "TRAIN" and net.params.keys() == {"conv", "score", "extra"}


def test_the_solvers_of_the_reference_load(shared: Path) -> None:
    """With their nets at full width, since parameters take memory only when they are read."""
    paths = sorted((shared / "reference" / "zoo").glob("*/solver.prototxt"))
    assert len(paths) == 15
    for path in paths:
        with pytest.warns(UserWarning, match="starts at zero"):
            loaded = solver.load(path)
        o = loaded.options
        assert loaded.net.sized and (o.lr_policy, o.average_loss, o.weight_decay) == ("fixed", 20, 0.0005)
        normalized = path.parent.name == "voc-fcn-alexnet"
        assert (o.momentum, o.iter_size) == ((0.9, 20) if normalized else (0.99, 1))
        assert o.base_lr == 1e-4 if normalized else 1e-14 <= o.base_lr <= 1e-10
        (test,) = loaded.test_nets
        assert test.phase == "TEST" and test.params["fc6" if "fc6" in test.params else "fc6color"] is not None
