"""`evaluate runs/x/best.h5`: by default a net is measured on the data set that it was trained on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fcnlite import evaluate, storage
from fcnlite.train import report, results
from fcnlite.train.__main__ import main
from tests.cli.conftest import Command
from tests.train.bands import SMALL, scenes


@pytest.fixture
def best(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The best weights of a run on a folder; the root was given relative to the working directory."""
    monkeypatch.setattr(report, "write", lambda *_: None)
    monkeypatch.setattr(results, "draw", lambda folder, dataset, ranks: None)
    monkeypatch.setattr(results, "figures", lambda dataset, matrix: "")
    scenes(tmp_path / "photos", ("road", "car", "sky"))
    monkeypatch.chdir(tmp_path)
    options = ("--data-option", "val=0.5", "--data-option", "classes=a,b,c", "--validation")
    assert command(main, "--data", "folder", "--root", "photos", *options, *SMALL, "--out", "run").status == 0
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    return tmp_path / "run" / "best.h5"


def measured(command: Command, *arguments: object) -> tuple[dict[str, object], str]:
    ended = command(evaluate.main, *arguments, "--json", "-")
    assert ended.status == 0, ended.err
    return json.loads(ended.out), ended.err


def test_a_runs_weights_alone_repeat_its_data(command: Command, best: Path, tmp_path: Path) -> None:
    figures, err = measured(command, best)
    photos = tmp_path / "photos"
    assert f"--data folder --root {photos} --data-option val=0.5 --data-option classes=a,b,c" in err
    assert figures["classes"] == ["a", "b", "c"]
    assert figures["mean_iu"] == storage.load(best).info.record["validation mean IU"]
    checkpoint, _ = measured(command, best.parent / "last.h5")
    assert checkpoint["pictures"] == figures["pictures"]


def test_given_options_override_the_runs(command: Command, best: Path, tmp_path: Path) -> None:
    figures, err = measured(command, best, "--data-option", "val=0", "--split", "train")
    assert (figures["split"], figures["pictures"]) == ("train", 6)
    assert "--data-option classes=a,b,c --data-option val=0 --split train" in err
    other = shutil.copytree(tmp_path / "photos", tmp_path / "other")
    assert f"--root {other}" in measured(command, best, "--root", other)[1]


def test_weights_elsewhere_ask_for_the_root(command: Command, best: Path, tmp_path: Path) -> None:
    away = shutil.copy(best, tmp_path / "there" / "mine.h5")
    ended = command(evaluate.main, away)
    assert (ended.status, ended.out) == (1, "")
    assert "was trained on data set 'folder' in a folder called photos" in ended.err
    assert "--root DIR" in ended.err
    assert measured(command, away, "--root", tmp_path / "photos")[0]["classes"] == ["a", "b", "c"]


def test_weights_beside_another_runs_checkpoint_are_not_of_that_run(
    command: Command, best: Path, tmp_path: Path
) -> None:
    run = tmp_path / "shapes"
    sized = ("--data-option", "size=32", "--data-option", "count=2")
    assert command(main, *SMALL, *sized, "--out", run).status == 0
    shutil.copy(best, run / "mine.h5")
    assert "--root DIR" in command(evaluate.main, run / "mine.h5").err


def test_generated_data_need_no_root(command: Command, tmp_path: Path, best: Path) -> None:
    run = tmp_path / "shapes"
    sized = ("--data-option", "size=32", "--data-option", "count=2")
    assert command(main, *SMALL, *sized, "--out", run).status == 0
    away = shutil.copy(run / "best.h5", tmp_path / "there" / "mine.h5")
    figures, err = measured(command, away)
    assert (figures["data"], figures["split"], figures["pictures"]) == ("shapes", "val", 2)
    assert "--data shapes --data-option size=32 --data-option count=2" in err


def test_weights_without_a_record_ask_for_the_data(command: Command, weights: Path) -> None:
    ended = command(evaluate.main, weights)
    assert (ended.status, ended.out) == (1, "")
    assert "does not record the data set that it was trained on; give one with --data" in ended.err
