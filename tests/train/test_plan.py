"""Stages: each starts from the one before, and a run is resumed at its current stage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fcnlite import models, storage
from fcnlite._cli.running import run_command
from fcnlite.train import loop
from fcnlite.train.__main__ import main
from fcnlite.train.run import TrainingRun
from fcnlite.train.run_folder import RunFolder
from tests.train.runs import assert_same_run, without_pictures

pytestmark = pytest.mark.usefixtures("no_pictures")

NETS = ("voc-fcn32s", "voc-fcn16s", "voc-fcn8s")
FOLDERS = {net: f"{number}-{net}" for number, net in enumerate(NETS, start=1)}
RUN = (
    "--recipe", "voc-fcn8s-staged", "--width", 0.02,
    "--data", "shapes", "--data-option", "size=32", "--data-option", "count=2",
    "--normalization", "VALID", "--base-lr", 0.001, "--iterations", 2, "--check-every", 1,
)  # fmt: skip


def train(*arguments: object) -> int:
    return run_command(main, [str(each) for each in arguments])


def killed_in_stage(monkeypatch: pytest.MonkeyPatch, number: int, when: str, *arguments: object) -> None:
    """Run until stage `number` (from 1) begins to train ("train"), or is about to write its first file ("begin")."""
    begun: list[object] = []
    owner, name = (loop, "train") if when == "train" else (TrainingRun, "start")
    proper = getattr(owner, name)

    def dying(*call: object) -> None:
        begun.append(call)
        if len(begun) == number:
            raise SystemExit
        proper(*call)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(owner, name, dying)
        train(*arguments)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all stages, not to be changed."""
    out = tmp_path_factory.mktemp("staged") / "run"
    with without_pictures():
        assert train(*RUN, "--out", out) == 0
    return out


def test_each_stage_is_a_run_of_its_own_with_its_net(whole: Path) -> None:
    for net in NETS:
        content = storage.load(whole / FOLDERS[net] / "last.h5")
        assert content.progress["iteration"] == 2
        assert content.progress["options"]["model"] == content.spec.name == net
        assert content.progress["options"]["recipe"] == "voc-fcn8s-staged"


def test_each_stage_begins_from_the_best_weights_of_the_one_before(tmp_path: Path) -> None:
    models.build("voc-fcn32s", classes=6, width=0.02, seed=9).save(tmp_path / "start.h5")
    still = ("--base-lr", 0, "--no-validation", "--iterations", 1)
    assert train(*RUN, *still, "--init", tmp_path / "start.h5", "--out", tmp_path / "run") == 0
    given = storage.load(tmp_path / "start.h5").params
    for net in NETS:
        params = storage.load(tmp_path / "run" / FOLDERS[net] / "best.h5").params
        for layer in ("conv1_1", "fc6", "fc7", "score_fr"):
            np.testing.assert_array_equal(params[layer][0], given[layer][0])
        assert not any(params[layer][0].any() for layer in params if layer.startswith("score_pool"))


@pytest.mark.parametrize(
    ("when", "number"),
    [
        ("begin", 3),
        ("train", 2),
        *(pytest.param("begin", number, marks=pytest.mark.slow) for number in (1, 2)),
        *(pytest.param("train", number, marks=pytest.mark.slow) for number in (1, 3)),
    ],
)
def test_a_killed_run_continues_its_stage_and_equals_an_uninterrupted_one(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, when: str
) -> None:
    out = tmp_path / "run"
    killed_in_stage(monkeypatch, number, when, *RUN, "--out", out)
    finished = [(out / FOLDERS[net] / "last.h5").stat().st_mtime_ns for net in NETS[: number - 1]]
    assert train("--resume", "--out", out) == 0
    assert [(out / FOLDERS[net] / "last.h5").stat().st_mtime_ns for net in NETS[: number - 1]] == finished
    for net in NETS:
        # The stages' `init` is a path inside the run.
        for name in ("log.csv", "log.jsonl"):
            assert (out / FOLDERS[net] / name).read_bytes() == (whole / FOLDERS[net] / name).read_bytes()
        left, right = storage.load(out / FOLDERS[net] / "last.h5"), storage.load(whole / FOLDERS[net] / "last.h5")
        for layer, arrays in left.params.items():
            for a, b in zip(arrays, right.params[layer], strict=True):
                np.testing.assert_array_equal(a, b)


def test_a_stopped_run_prints_how_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*call: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train", stop)
        assert train(*RUN, "--out", tmp_path / "run") == 130
    assert f"--resume --out {tmp_path / 'run'}\n" in capsys.readouterr().err


def test_options_changed_on_resuming_hold_for_the_stages_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    killed_in_stage(monkeypatch, 2, "train", *RUN, "--out", out)
    assert train("--resume", "--iterations", 3, "--out", out) == 0
    assert [storage.load(out / FOLDERS[net] / "last.h5").progress["iteration"] for net in NETS] == [2, 3, 3]


def test_an_earlier_run_is_replaced_only_if_asked_and_leaves_nothing_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], whole: Path
) -> None:
    out = tmp_path / "run"
    killed_in_stage(monkeypatch, 3, "train", *RUN, "--seed", 5, "--out", out)
    assert train(*RUN, "--out", out) == 1
    assert "--resume" in (err := capsys.readouterr().err) and "--overwrite" in err
    assert train(*RUN, "--overwrite", "--init", out / FOLDERS["voc-fcn32s"] / "best.h5", "--out", out) == 1
    assert "copy it elsewhere" in capsys.readouterr().err
    assert train(*RUN, "--overwrite", "--init", tmp_path / "none.h5", "--out", out) == 1
    assert "no such file" in capsys.readouterr().err
    assert (out / FOLDERS["voc-fcn16s"] / "last.h5").exists()
    assert train(*RUN, "--overwrite", "--out", out) == 0
    assert_same_run(out / FOLDERS["voc-fcn32s"], whole / FOLDERS["voc-fcn32s"])


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"current": 3, "stages": [{}]}', '{"current": 0, "stages": []}', '{"current": 0, "stages": [1]}',
     '{"current": -1, "stages": [{}]}', '{"current": 0, "stages": [{"iterations": "x"}]}'],
)  # fmt: skip
def test_a_damaged_plan_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    (tmp_path / "stages.json").write_text(content)
    assert train("--resume", "--out", tmp_path) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: {tmp_path / 'stages.json'}: ")
    assert "damaged" in err
    assert err.count("\n") == 1


def test_the_plan_is_readable_json(whole: Path) -> None:
    plan = json.loads((whole / "stages.json").read_text())
    assert plan["current"] == 2
    assert [each["model"] for each in plan["stages"]] == list(NETS)
    assert RunFolder(whole).holds_run()


def test_a_run_that_never_began_does_not_prevent_a_new_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert train("--recipe", "voc-fcn8s-staged", "--data", "camvid", "--out", out) == 1
    assert "--root" in capsys.readouterr().err
    assert train(*RUN, "--out", out) == 0


def test_stages_of_one_model_have_folders_of_their_own(tmp_path: Path) -> None:
    run = (*RUN, "--model", "voc-fcn32s", "--iterations", 1)
    assert train(*run, "--out", tmp_path / "run") == 0
    assert all((tmp_path / "run" / f"{number}-voc-fcn32s" / "best.h5").exists() for number in (1, 2, 3))


def test_errors_are_found_before_anything_is_removed(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.*5")}
    assert train("--recipe", "voc-fcn8s-staged", "--overwrite", "--root", tmp_path / "nowhere", "--out", out) == 1
    (out / "stages.json").rename(tmp_path / "stages.json")
    assert train(*RUN, "--out", out) == 1  # the stages' folders hold runs
    (tmp_path / "stages.json").rename(out / "stages.json")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.*5")} == before
