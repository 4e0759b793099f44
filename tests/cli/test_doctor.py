"""`python -m fcnlite.doctor`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fcnlite import caffe
from fcnlite.doctor import __main__ as doctor
from fcnlite.solver import SGD
from fcnlite.train import __main__ as train
from tests.cli.conftest import Command
from tests.doctor.nets import changed, healthy, net_of, small_fcn

DATA = ("--data", "shapes", "--data-option", "size=64", "--data-option", "count=6")


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    healthy().save(tmp_path / "sound.h5")
    return tmp_path / "sound.h5"


@pytest.fixture
def solver(tmp_path: Path) -> Path:
    file = tmp_path / "solver.prototxt"
    file.write_text('base_lr: 1e-3 momentum: 0.9 lr_policy: "fixed" net: "elsewhere.prototxt"')
    return file


def test_a_sound_net_has_no_findings(sound: Path, solver: Path, command: Command) -> None:
    ended = command(doctor.main, sound, *DATA, "--solver", solver)
    assert (ended.status, ended.out) == (0, "nothing found\n")
    assert ended.err == "loading ...\nreading labels ...\nrunning the net ...\n"


def test_an_error_ends_with_status_1(tmp_path: Path, command: Command) -> None:
    net = net_of(changed(small_fcn(), "score", offset=[3]))
    net.save(tmp_path / "ill.h5")
    ended = command(doctor.main, tmp_path / "ill.h5")
    assert ended.status == 1
    assert ended.out.startswith("error: crop-misaligned\n  Crop 'score' aligns 'upscore' with 'data' at offset 3")
    assert ended.out.endswith("\n1 error\n")


def test_warnings_end_with_status_0(sound: Path, solver: Path, command: Command) -> None:
    solver.write_text('base_lr: 1e-12 momentum: 0.9 lr_policy: "fixed"')
    ended = command(doctor.main, sound, "--solver", solver)
    assert ended.status == 0
    assert ended.out.startswith("warning: rate-too-low\n") and ended.out.endswith("\n1 warning\n")


def test_caffes_files_are_examined(tmp_path: Path, command: Command) -> None:
    net = healthy()
    (tmp_path / "net.prototxt").write_text(caffe.write_net(net.spec))
    arrays = {name: [each.array for each in group] for name, group in net.params.items()}
    caffe.write_weights(tmp_path / "net.caffemodel", arrays)
    ended = command(doctor.main, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    assert (ended.status, ended.out) == (0, "nothing found\n")
    ended = command(doctor.main, tmp_path / "net.prototxt")
    assert ended.status == 1
    assert "upsampling-zero" in ended.out and "trunk-constant" in ended.out
    assert "warning" not in ended.err  # reported once


def test_a_description_that_makes_no_net_for_its_size_is_explained(tmp_path: Path, command: Command) -> None:
    (tmp_path / "net.prototxt").write_text(caffe.write_net(changed(small_fcn(), "conv1", pad=[1])))
    ended = command(doctor.main, tmp_path / "net.prototxt")
    assert ended.status == 1
    assert ended.out.startswith("error: input-too-small\n  Pictures of 64×64 pixels")
    assert "'conv1', a pad of 100" in ended.out


def test_a_runs_folder_is_examined_with_its_log(tmp_path: Path, command: Command) -> None:
    net = healthy()
    SGD(net, base_lr=1e-3).snapshot(tmp_path / "last.h5")
    rows = "".join(f"{i},1.79,0.001,\n" for i in range(1, 201))
    (tmp_path / "log.csv").write_text("iteration,loss,rate,mean_iu\n" + rows)
    ended = command(doctor.main, tmp_path)
    assert ended.status == 1
    assert ended.out.startswith("error: loss-at-ln-classes\n  After 200 iterations the loss is 1.79 ")


def test_it_trains_a_while_and_looks_at_the_loss(tmp_path: Path, solver: Path, command: Command) -> None:
    net = healthy()
    for name in ("score_fr", "score_pool1"):
        net.params[name][0].data[...] = 0
    net.save(tmp_path / "fresh.h5")
    solver.write_text('base_lr: 1e-9 momentum: 0.9 lr_policy: "fixed"')
    ended = command(doctor.main, tmp_path / "fresh.h5", *DATA, "--solver", solver, "--iterations", 20)
    assert "warning: loss-at-ln-classes\n  After 20 iterations" in ended.out
    assert "training for 20 iterations ...\n" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.h5"], "missing.h5: no such file"),
        (["weights.caffemodel"], "holds weights only; give the net's prototxt first"),
        (["missing.h5", "--iterations", "5"], "needs --solver and --data"),
    ],
)
def test_bad_input_ends_in_one_sentence(command: Command, arguments: list[str], words: str) -> None:
    ended = command(doctor.main, *arguments)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].startswith("error: ")
    assert words in ended.err


def test_trainings_warn_of_cheap_findings(tmp_path: Path, command: Command) -> None:
    (tmp_path / "net.prototxt").write_text(caffe.write_net(small_fcn()))
    options = ("--out", tmp_path / "run", "--iterations", 1, "--batch-size", 2, "--base-lr", 1e-9)
    ended = command(train.main, "--model", tmp_path / "net.prototxt", *DATA, *options)
    assert ended.status == 0
    assert "warning: The weights of conv1, conv2, fc6 are all zero" in ended.err
    assert "warning: base_lr 1e-09 with momentum 0.9" in ended.err


def test_help_tells_the_exit_status(command: Command) -> None:
    ended = command(doctor.main, "--help")
    assert ended.status == 0
    assert "The exit status is 1 if an error" in ended.out
    assert "examples:\n  python -m fcnlite.doctor " in ended.out


def test_runs_as_a_module(tmp_path: Path, sound: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "fcnlite.doctor", sound],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(doctor.__file__).parents[2]), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "nothing found\n")


def test_a_description_without_layers_is_refused(tmp_path: Path, command: Command) -> None:
    (tmp_path / "empty.prototxt").write_text('name: "nothing"')
    ended = command(doctor.main, tmp_path / "empty.prototxt")
    assert ended.status == 1
    said = "describes no layers that compute in phase TRAIN; expected a net (give a solver with --solver).\n"
    assert ended.err.endswith(f"error: {tmp_path / 'empty.prototxt'}: {said}")
