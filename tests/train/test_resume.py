"""`--resume`: what it goes on from, what it checks, what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fcnlite import config, models, storage
from fcnlite._cli.running import run_command
from fcnlite.data import VOID
from fcnlite.solver import SGD
from fcnlite.train import loop
from fcnlite.train.__main__ import main
from tests.train.runs import TINY, assert_same_run, leftovers, without_pictures

pytestmark = pytest.mark.usefixtures("no_pictures")

RUN = (*TINY, "--iterations", 2, "--check-every", 1, "--no-validation")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two iterations, not to be changed."""
    out = tmp_path_factory.mktemp("finished") / "run"
    with without_pictures():
        assert train(*RUN, "--out", out) == 0
    return out


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def train(*arguments: object) -> int:
    return run_command(main, [str(each) for each in arguments])


def killed_before_its_first_step(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    def die(*call: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(loop, "train", die)
        train(*arguments)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence that the command ends with."""
    capsys.readouterr()
    assert train(*arguments) == 1
    err = capsys.readouterr().err
    assert err.count("error:") == 1
    assert "Traceback" not in err
    return err


def test_a_run_killed_before_its_first_step_resumes_with_the_weights_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = tmp_path / "start.h5"
    models.build("lite-fcn8s", classes=6, width=0.02, seed=9).save(start)
    run = (*RUN, "--init", start)
    assert train(*run, "--out", tmp_path / "whole") == 0
    killed_before_its_first_step(monkeypatch, *run, "--out", tmp_path / "killed")
    start.unlink()
    assert train("--resume", "--out", tmp_path / "killed") == 0
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


def test_options_changed_on_resuming_last_even_if_that_is_killed_at_once(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed_before_its_first_step(monkeypatch, "--resume", "--iterations", 3, "--out", out)
    assert train("--resume", "--out", out) == 0
    assert "resumed at iteration 2 of 3" in capsys.readouterr().err
    assert (out / "log.csv").read_text().count("\n") == 4


def test_a_finished_run_stays_the_same(out: Path, finished: Path) -> None:
    assert train("--resume", "--out", out) == 0
    assert_same_run(out, finished)


def test_another_batch_size_continues_with_the_next_sample(out: Path) -> None:
    assert storage.load(out / "last.h5").progress["position"] == 4
    assert train("--resume", "--iterations", 4, "--batch-size", 3, "--iter-size", 2, "--out", out) == 0
    assert storage.load(out / "last.h5").progress["position"] == 4 + 2 * 3 * 2


def test_rows_beyond_the_checkpoint_are_cut_off_to_the_byte(out: Path, finished: Path) -> None:
    with (out / "log.csv").open("a") as stream:
        stream.write("3,0.5,0.1,1,1,\n4,0.")
    with (out / "log.jsonl").open("a") as stream:
        stream.write('{"iteration": 3}\n{"iter')
    assert train("--resume", "--out", out) == 0
    assert_same_run(out, finished)


HEADER = b"iteration,loss,rate,gradient_norm,weight_norm,mean_iu\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ("is missing",)),
        (b"", ("has 0 bytes",)),
        (HEADER + b"1,0.5", ("bytes",)),
        (HEADER + b"1,0.5,0.1,1,1,\n" * 20, ("is not the log", "iteration 2")),
        (b"\0" * 500, ("is not the log",)),
    ],
)
def test_a_log_that_is_not_the_runs_own_is_refused(
    out: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, words: tuple[str, ...]
) -> None:
    (out / "log.csv").unlink()
    if content is not None:
        (out / "log.csv").write_bytes(content)
    err = refusal(capsys, "--resume", "--out", out)
    for word in ("log.csv", "last.h5 relies on", "--overwrite", *words):
        assert word in err
    assert not (out / "log.csv").exists() if content is None else (out / "log.csv").read_bytes() == content


@pytest.mark.parametrize("content", [None, b"", b'{"iteration": 1}\n', b"x" * 10000])
def test_a_log_of_checks_that_is_not_the_runs_own_is_refused(
    out: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    (out / "log.jsonl").unlink()
    if content is not None:
        (out / "log.jsonl").write_bytes(content)
    err = refusal(capsys, "--resume", "--out", out)
    for word in ("log.jsonl", "last.h5 relies on", "--overwrite"):
        assert word in err


def test_best_weights_that_are_missing_are_missed(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out / "best.h5").unlink()
    err = refusal(capsys, "--resume", "--out", out)
    assert "best.h5: is missing" in err
    assert "iteration 2" in err


def test_another_number_of_samples_is_refused(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    err = refusal(capsys, "--resume", "--data-option", "count=8", "--data-option", "size=32", "--out", out)
    for word in ("last.h5", "'shapes'", "8 samples instead of 6", "same data", "--accept-changed-data"):
        assert word in err


HOSTILE: list[dict[str, Any]] = [
    {"position": -1},
    {"position": 2.5},
    {"position": 10**30},
    {"train_size": 0},
    {"train_size": None},
    {"log_size": -5},
    {"log_size": 10**30},
    {"log_size": "all"},
    {"checks_size": -1},
    {"checks_size": None},
    {"best": []},
    {"best": {"iteration": 3, "mean_iu": 0.5}},
    {"best": {"iteration": -1, "mean_iu": None}},
    {"best": {"iteration": 1, "mean_iu": float("nan")}},
    {"best": {"iteration": 1, "mean_iu": float("inf")}},
    {"best": {"iteration": 1}},
]
HOSTILE_OPTIONS: list[Any] = [
    {"iterations": "many"},
    {"iterations": 2.5},
    {"iterations": 0},
    {"batch_size": True},
    {"base_lr": float("nan")},
    {"base_lr": 10**400},
    {"scale": [1.0]},
    {"scale": 1.0},
    {"recipe": 3},
    {"class_balance": 0.5},
    {"loss_sampling": 0},
    {"crop": ["a", "b"]},
    {"data_option": [1]},
    {"data": {}},
    {"seed": 1 << 40},
    {"threads": 0},
    {"threads": 10**9},
    {"no_such_option": 1},
]


def alter(path: Path, **progress: Any) -> None:
    content = storage.load(path)
    content.params = {name: [each.copy() for each in group] for name, group in content.params.items()}
    content.state = {name: each.copy() for name, each in content.state.items()}
    content.progress |= progress
    storage.save(path, content)


@pytest.mark.parametrize("record", HOSTILE, ids=str)
def test_a_damaged_record_is_one_sentence_that_names_the_checkpoint(
    out: Path, capsys: pytest.CaptureFixture[str], record: dict[str, Any]
) -> None:
    alter(out / "last.h5", **record)
    before = (out / "log.csv").read_bytes()
    err = refusal(capsys, "--resume", "--out", out)
    assert f"error: {out / 'last.h5'}: its record of the run's progress" in err
    assert (out / "log.csv").read_bytes() == before


@pytest.mark.parametrize("options", HOSTILE_OPTIONS, ids=lambda options: str(options)[:40])
def test_damaged_options_are_one_sentence_that_names_the_checkpoint(
    out: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any]
) -> None:
    good = storage.load(out / "last.h5").progress["options"]
    alter(out / "last.h5", options={**good, **options})
    assert f"error: {out / 'last.h5'}: " in refusal(capsys, "--resume", "--out", out)


@pytest.mark.parametrize("options", [None, [], "options", 3])
def test_a_checkpoint_without_options_is_not_of_a_run(
    out: Path, capsys: pytest.CaptureFixture[str], options: Any
) -> None:
    alter(out / "last.h5", options=options)
    assert "last.h5: is not a checkpoint of a training run" in refusal(capsys, "--resume", "--out", out)


def test_a_solvers_own_snapshot_is_not_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    SGD(models.build("lite-fcn8s", classes=6, width=0.02, phase="TRAIN")).snapshot(tmp_path / "run" / "last.h5")
    assert "is not a checkpoint of a training run" in refusal(capsys, "--resume", "--out", tmp_path / "run")


@pytest.mark.parametrize("option", [("--init", "weights.h5"), ("--overwrite",), ("--recipe", "lite")])
def test_options_that_begin_a_run_are_refused_with_resume(
    out: Path, finished: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, ...]
) -> None:
    err = refusal(capsys, "--resume", *option, "--out", out)
    for word in ("--resume", option[0], "give one of them"):
        assert word in err
    assert_same_run(out, finished)


def test_a_run_without_its_checkpoint_is_not_resumed_but_replaced(
    out: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "last.h5").unlink()
    err = refusal(capsys, "--resume", "--out", out)
    assert "no checkpoint (last.h5)" in err
    assert "--overwrite" in err
    err = refusal(capsys, *RUN, "--out", out)
    assert "--overwrite" in err
    assert "--resume" not in err
    assert train(*RUN, "--overwrite", "--out", out) == 0
    assert_same_run(out, finished)


def test_temporary_files_of_a_killed_run_are_removed_and_others_stay(out: Path) -> None:
    (out / ".last.h5.0a1b2c_d.h5").write_bytes(b"half")
    (out / ".overlay.png.abcdefgh.png").write_bytes(b"half")
    (out / ".notes.txt.abcdefgh.txt").write_text("mine")
    assert train("--resume", "--out", out) == 0
    assert leftovers(out) == {".notes.txt.abcdefgh.txt"}


def test_weights_that_are_not_finite_start_no_run(
    out: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = models.build("lite-fcn8s", classes=6, width=0.02)
    net.params["score_fr"][0].data[0] = np.nan
    net.save(tmp_path / "bad.h5")
    err = refusal(capsys, *RUN, "--overwrite", "--init", tmp_path / "bad.h5", "--out", out)
    assert "'score_fr' are not finite at the start" in err
    assert_same_run(out, finished)


def test_a_validation_split_without_a_labelled_pixel_still_gives_best_weights(tmp_path: Path) -> None:
    """Its mean IU is not a number; the first weights checked are then the best."""
    root = tmp_path / "photos"
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
    for split, names, value in (("train", "ab", 1), ("val", "cd", VOID)):
        (root / f"{split}.txt").write_text("\n".join(names))
        for name in names:
            Image.new("RGB", (16, 16), (90, 120, 30)).save(root / "images" / f"{name}.png")
            Image.fromarray(np.full((16, 16), value, np.uint8)).save(root / "labels" / f"{name}.png")
    run = ("--data", "folder", "--root", root, "--data-option", "classes=3", "--width", 0.02, "--batch-size", 2)
    for name, iterations in (("whole", 3), ("resumed", 1)):
        options = ("--iterations", iterations, "--check-every", 1, "--lr-policy", "fixed", "--base-lr", 0.01)
        assert train(*run, *options, "--out", tmp_path / name) == 0
    assert train("--resume", "--iterations", 3, "--out", tmp_path / "resumed") == 0
    record = storage.load(tmp_path / "whole" / "best.h5").info.record
    assert record["iteration"] == 1
    assert "validation mean IU" not in record
    whole, resumed = (storage.load(tmp_path / name / "last.h5").progress for name in ("whole", "resumed"))
    assert whole == resumed


@pytest.mark.parametrize("given", [("--scale", 2, 1), ("--crop", 0, 5), ("--seed", 1 << 32)])
def test_impossible_options_leave_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: tuple[object, ...]
) -> None:
    assert str(given[0]).removeprefix("--") in refusal(capsys, *RUN, "--out", tmp_path / "run", *given)
    assert train(*RUN, "--out", tmp_path / "run") == 0


def test_a_run_resumes_with_its_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number decides how sums are rounded."""
    asked: list[int] = []
    monkeypatch.setattr(config, "set_num_threads", asked.append)
    monkeypatch.setattr(config, "num_threads", lambda: asked[-1] if asked else 1)
    run = tmp_path / "run"
    killed_before_its_first_step(monkeypatch, *RUN, "--threads", 3, "--out", run)
    killed_before_its_first_step(monkeypatch, "--resume", "--out", run)
    killed_before_its_first_step(monkeypatch, "--resume", "--threads", 5, "--out", run)
    killed_before_its_first_step(monkeypatch, "--resume", "--out", run)
    assert asked == [3, 3, 5, 5]
