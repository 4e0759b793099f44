"""The exponential moving average of the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcnlite.errors import SpecError, TrainingError
from fcnlite.formats import storage
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net
from fcnlite.solver import SGD, averaging
from tests.solver.nets import arrays, assert_equal, batch, train_net

NORMALISED = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 6 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { name: "w" } param { name: "b" }
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" batch_norm_param { moving_average_fraction: 0.9 } }
layer { name: "again" type: "Convolution" bottom: "conv" top: "again" param { name: "w" } param { name: "b" }
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "frozen" type: "Convolution" bottom: "again" top: "score" param { lr_mult: 0 } param { lr_mult: 0 }
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


def start(text: str = NORMALISED, **options: Any) -> SGD:
    return SGD(train_net(text, seed=3), **{"base_lr": 0.1, "momentum": 0.9, "ema": 0.7, **options})


def test_the_average_follows_its_formula() -> None:
    sgd = SGD(train_net(NORMALISED, seed=3, dtype="float64"), base_lr=0.1, ema=0.4)
    expected: dict[str, Any] = {}
    for t in range(8):
        sgd.step(batch(t))
        decay = min(0.4, (1 + t) / (10 + t))
        now = arrays(sgd.net)
        learned = {name: w for name, w in now.items() if not name.startswith(("norm", "frozen"))}
        expected = {name: decay * expected.get(name, w) + (1 - decay) * w for name, w in learned.items()}
        found = arrays(sgd.averaged_net())
        for name, average in expected.items():
            np.testing.assert_allclose(found[name], average, rtol=1e-12, atol=1e-15, err_msg=f"{name} after {t}")
    assert (1 + 7) / (10 + 7) > 0.4  # so both sides of the minimum were computed
    assert not np.array_equal(found["conv[0]"], now["conv[0]"])
    for name in ("norm[0]", "norm[1]", "norm[2]", "frozen[0]"):
        np.testing.assert_array_equal(found[name], now[name])


def test_the_averaged_net_tests_with_averages_and_shares_what_does_not_change() -> None:
    sgd = start()
    for t in range(3):
        sgd.step(batch(t))
    net = sgd.averaged_net()
    assert net.phase == "TEST"
    for name in ("frozen", "norm"):
        assert net.params[name][0] is sgd.net.params[name][0]
    assert net.params["conv"][0] is net.params["again"][0] is not sgd.net.params["conv"][0]
    before = net.forward(batch())["loss"]
    plain = Net(parse_net(NORMALISED), phase="TEST", path="plain")
    for name, parameters in net.params.items():
        for mine, averaged in zip(plain.params[name], parameters, strict=True):
            mine.data = averaged.array
    assert plain.forward(batch())["loss"] == before
    sgd.step(batch(9))
    assert sgd.averaged_net().forward(batch())["loss"] != before


def test_without_ema_the_averaged_net_has_the_weights_of_the_net() -> None:
    sgd = start(ema=0.0)
    assert sgd.averaged_net().params["conv"][0] is sgd.net.params["conv"][0]


def test_large_parameters_are_averaged_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, blocks = start(), start()
    for t in range(3):
        whole.step(batch(t))
    monkeypatch.setattr(averaging, "_BLOCK", 4)
    for t in range(3):
        blocks.step(batch(t))
    assert_equal(arrays(blocks.averaged_net()), arrays(whole.averaged_net()))


@pytest.mark.parametrize("done", [0, 1, 3])
def test_a_restored_average_continues_bit_for_bit(tmp_path: Path, done: int) -> None:
    whole, resumed = start(), start()
    for t in range(done):
        whole.step(batch(t))
    whole.snapshot(tmp_path / "state.h5")
    resumed.step(batch(99))
    resumed.restore(tmp_path / "state.h5")
    if done:
        assert_equal(arrays(resumed.averaged_net()), arrays(whole.averaged_net()))
    for each in (whole, resumed):
        for t in range(3, 6):
            each.step(batch(t))
        each.snapshot(tmp_path / f"{each is whole}.h5")
    assert_equal(arrays(resumed.averaged_net()), arrays(whole.averaged_net()))
    assert (tmp_path / "True.h5").read_bytes() == (tmp_path / "False.h5").read_bytes()


def test_a_snapshot_holds_the_weights_and_the_averages(tmp_path: Path) -> None:
    sgd = start()
    for t in range(3):
        sgd.step(batch(t))
    sgd.snapshot(tmp_path / "state.h5")
    content = storage.load(tmp_path / "state.h5")
    np.testing.assert_array_equal(content.params["conv"][0], sgd.net.params["conv"][0].array)
    np.testing.assert_array_equal(content.state["ema/conv[0]"], sgd.averaged_net().params["conv"][0].array)


def test_averages_are_neither_invented_nor_lost(tmp_path: Path) -> None:
    plain, averaging = start(ema=0.0), start()
    plain.snapshot(tmp_path / "plain.h5")
    averaging.snapshot(tmp_path / "averaging.h5")
    with pytest.raises(TrainingError, match=r"plain\.h5: holds no averages of the weights, and ema is 0\.7"):
        averaging.restore(tmp_path / "plain.h5")
    with pytest.raises(TrainingError, match=r"averaging\.h5: holds averages of the weights, and ema is 0;"):
        plain.restore(tmp_path / "averaging.h5")


@pytest.mark.parametrize("ema", [1.0, -0.1, 2])
def test_a_decay_out_of_range_is_refused(ema: float) -> None:
    with pytest.raises(SpecError, match=r"ema is .*; expected 0 or more, below 1"):
        start(ema=ema)
