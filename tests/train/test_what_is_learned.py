"""--freeze, --no-decay-norms, --ema and --warmup: what a run learns, averages and refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcnlite import models, storage
from fcnlite.data.shapes import Shapes
from fcnlite.net import Net
from fcnlite.segmentation.evaluation import evaluate
from fcnlite.train import freezing, loop
from fcnlite.train.__main__ import main
from fcnlite.train.options import TrainOptions
from tests.cli.conftest import Command, Ended
from tests.train.runs import NET, TINY, assert_same_run

pytestmark = pytest.mark.usefixtures("no_pictures")

RUN = (*TINY, "--iterations", 4, "--check-every", 2, "--base-lr", 0.05)


@pytest.fixture
def init(tmp_path: Path) -> Path:
    """Weights of the net of these runs, with statistics of BatchNorm."""
    net = models.build("lite-fcn8s", classes=6, width=0.02, seed=9)
    for name, parameters in net.params.items():
        if name.startswith("bn"):
            for each in parameters:
                each.data[...] = 2
    net.save(tmp_path / "start.h5")
    return tmp_path / "start.h5"


def assert_refused(ended: Ended, out: Path, *words: str) -> None:
    """One error before anything is written."""
    assert ended.status == 1
    assert ended.err.count("error:") == 1 and "Traceback" not in ended.err
    for word in words:
        assert word in ended.err
    assert not out.exists()


# --freeze


def test_frozen_layers_keep_their_bytes_and_the_others_learn(command: Command, tmp_path: Path, init: Path) -> None:
    patterns = ("conv[12]_*", "bn1_?", "bn2_*", "scale1_*", "scale2_*")
    ended = command(main, *RUN, "--init", init, "--freeze", *patterns, "--out", tmp_path / "run")
    assert ended.status == 0
    assert "parameters are learned" in ended.err
    before, after = storage.load(init).params, storage.load(tmp_path / "run" / "last.h5").params
    for name, arrays in before.items():
        same = [np.array_equal(*pair) for pair in zip(arrays, after[name], strict=True)]
        frozen = name.startswith(("conv1_", "conv2_", "bn1_", "bn2_", "scale1_", "scale2_"))
        if frozen or name.startswith("up"):
            assert all(same), name
        elif not name.startswith("score"):  # where scores do not matter, their gradients may be zero
            assert not any(same), name


def test_nothing_is_computed_below_the_lowest_layer_that_learns() -> None:
    for path in ("plain", "fast"):
        net = models.build("lite-fcn8s", classes=6, width=0.02, phase="TRAIN", path=path)
        frozen = freezing.freeze(net, ["conv[1-3]_[1-3]", "scale[1-3]_[1-3]"])
        assert len(frozen) == 14
        seen: set[str] = set()
        net.timer = lambda layers, way, seconds: seen.update(layers if way == "backward" else ())  # noqa: B023
        sample = Shapes("train", count=1, size=32)[0]
        net.forward(data=sample.image.transpose(2, 0, 1)[None], label=sample.label[None], keep=True)
        net.backward()
        assert "conv4_1" in seen
        assert not {each for each in seen if each.startswith(("conv1", "conv2", "conv3_3", "pool1", "pool2"))}


def test_a_frozen_run_resumes_to_the_same_bytes(
    command: Command, tmp_path: Path, init: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--init", init, "--freeze", "*1_*", "--ema", 0.9, "--warmup", 2, "--no-decay-norms", "--solver", "AdamW")
    assert command(main, *RUN, *options, "--out", tmp_path / "whole").status == 0
    checkpoint, written = loop._Loop._checkpoint, []

    def dying(*call: object) -> None:
        checkpoint(*call)  # type: ignore[arg-type]
        written.append(call)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(loop._Loop, "_checkpoint", dying)
        command(main, *RUN, *options, "--out", tmp_path / "killed")
    assert len(written) == 1
    assert storage.load(tmp_path / "killed" / "last.h5").progress["iteration"] == 2
    assert command(main, "--resume", "--out", tmp_path / "killed").status == 0
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        (("conv9_*",), ("--freeze conv9_*: no layer with parameters has such a name", "conv")),
        (("relu1_1",), ("--freeze relu1_1: no layer with parameters",)),
        (("*",), ("--freeze *: leaves no parameter to learn",)),
    ],
)
def test_patterns_that_freeze_nothing_or_everything(
    command: Command, tmp_path: Path, init: Path, patterns: tuple[str, ...], words: tuple[str, ...]
) -> None:
    out = tmp_path / "run"
    assert_refused(command(main, *RUN, "--init", init, "--freeze", *patterns, "--out", out), out, *words)


def test_weights_to_keep_must_be_given(command: Command, tmp_path: Path, init: Path) -> None:
    out = tmp_path / "run"
    ended = command(main, *RUN, "--freeze", "conv1_*", "--out", out)
    assert_refused(ended, out, "--freeze conv1_*: would keep random values", "--init")
    ended = command(main, *RUN, "--init", init, "--model", "lite-fcn4s", "--freeze", "conv2_skip", "--out", out)
    assert_refused(ended, out, "start.h5: lacks parameters of layer 'conv2_skip', which --freeze keeps")


# --no-decay-norms


def test_only_weights_decay(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    net = models.build("lite-fcn8s", classes=6, width=0.02)
    freezing.decay_weights_only(net)
    for name, parameters in net.params.items():
        assert [each.decay_mult for each in parameters][1:] in ([0.0] * (len(parameters) - 1), [])
        assert parameters[0].decay_mult == (0.0 if name.startswith(("bn", "scale")) else 1.0)


def test_a_bias_that_the_prototxt_lets_decay_does_not(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET.replace("num_output: 6", "num_output: 6 bias_filler { value: 1 }"))
    run = (*RUN, "--model", tmp_path / "net.prototxt", "--solver", "AdamW", "--weight-decay", 0.5, "--iterations", 1)
    biases = {}
    for name, more in (("decays", ()), ("stays", ("--no-decay-norms",))):
        assert command(main, *run, *more, "--no-validation", "--out", tmp_path / name).status == 0
        biases[name] = storage.load(tmp_path / name / "last.h5").params["score"][1]
    np.testing.assert_allclose(biases["stays"] - biases["decays"], 0.05 * 0.5, rtol=1e-5)


# --ema


def test_the_averaged_weights_are_validated_and_kept_as_the_best(command: Command, tmp_path: Path) -> None:
    ended = command(main, *RUN, "--ema", 0.9, "--out", tmp_path / "run")
    assert ended.status == 0
    assert "average   of the weights, with decay 0.9: validated, and saved as best.h5; last.h5 has both" in ended.err
    assert " of the averaged weights, " in ended.err
    best, last = (storage.load(tmp_path / "run" / name) for name in ("best.h5", "last.h5"))
    assert best.info.record["options"]["ema"] == 0.9
    if best.info.record["iteration"] == 4:
        np.testing.assert_array_equal(best.params["conv1_1"][0], last.state["ema/conv1_1[0]"])
    assert not np.array_equal(best.params["conv1_1"][0], last.params["conv1_1"][0])
    net = Net(best.spec, info=best.info)
    for name, arrays in best.params.items():
        for parameter, array in zip(net.params[name], arrays, strict=True):
            parameter.data = array
    measured = evaluate(net, Shapes("val", size=32, count=6)).mean_iu
    assert measured == best.info.record["validation mean IU"]


def test_an_average_is_not_begun_or_dropped_on_resuming(command: Command, tmp_path: Path) -> None:
    run = (*RUN, "--no-validation", "--iterations", 1)
    for name, more, changed in (("with", ("--ema", 0.9), 0), ("without", (), 0.9)):
        out = tmp_path / name
        assert command(main, *run, *more, "--out", out).status == 0
        ended = command(main, "--resume", "--ema", changed, "--iterations", 2, "--out", out)
        assert ended.status == 1
        assert f"ema is {changed:g}; resume with the ema of that training" in ended.err


# --warmup and other numbers


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--warmup", 4), "--warmup is 4, and the training has 4 iterations; expected fewer"),
        (("--warmup", -1), "--warmup is -1; expected 0 or more."),
        (("--ema", 1.5), "ema is 1.5; expected 0 or more, below 1."),
        (("--no-decay-norms", "--weight-decay", 0), "--no-decay-norms goes with a weight decay"),
        (("--solver-option", "ema=0.9"), "use --ema."),
    ],
)
def test_options_that_contradict_each_other_are_said_before_training(
    command: Command, tmp_path: Path, given: tuple[object, ...], words: str
) -> None:
    assert_refused(command(main, *RUN, *given, "--out", tmp_path / "run"), tmp_path / "run", words)


def test_the_warm_up_is_shorter_than_the_epochs(command: Command, tmp_path: Path) -> None:
    """Six pictures in batches of two: three iterations an epoch."""
    run = (*TINY, "--epochs", 2, "--check-every", 6, "--no-validation", "--base-lr", 0.1, "--lr-policy", "fixed")
    assert command(main, *run, "--warmup", 5, "--out", tmp_path / "run").status == 0
    rates = [float(row.split(",")[2]) for row in (tmp_path / "run" / "log.csv").read_text().splitlines()[1:]]
    assert rates == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.1])
    assert_refused(command(main, *run, "--warmup", 6, "--out", tmp_path / "other"), tmp_path / "other", "--warmup is 6")


def test_old_checkpoints_have_none_of_these() -> None:
    options = TrainOptions().to_json()
    for name in ("ema", "warmup", "freeze", "decay_norms"):
        del options[name]
    assert TrainOptions.from_json(options) == TrainOptions()
