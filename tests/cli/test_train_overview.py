"""The overview that `train` prints first: duration, output files, and the content of --init and of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import models, predict, storage
from fcnlite.train import report, results
from fcnlite.train.__main__ import main
from tests.cli.conftest import Command
from tests.data.test_camvid import drives
from tests.train.bands import SMALL, scenes
from tests.train.runs import TINY


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "write", lambda *_: None)
    monkeypatch.setattr(results, "draw", lambda folder, dataset, ranks: None)
    monkeypatch.setattr(results, "figures", lambda dataset, matrix: "")


QUICK = (*TINY, "--no-validation", "--iterations", 1)


def test_it_begins_with_an_overview(command: Command, tmp_path: Path) -> None:
    root = scenes(tmp_path / "photos", ("road", "car", "sky"), count=4)
    for name, rows in (("2", 12 * [0] + 4 * [255]), ("3", 2 * [0] + 6 * [1] + 8 * [255])):
        label = np.array(rows, np.uint8)[:, None].repeat(16, axis=1)
        Image.fromarray(label).save(root / "labels" / f"{name}.png")
    ended = command(main, "--data", "folder", "--root", root, *SMALL, "--out", tmp_path / "run")
    assert ended.status == 0
    lines = [" ".join(line.split()) for line in ended.err.splitlines()]
    assert lines[:2] == [
        "data folder: 2 pictures to train on, 2 pictures to validate on",
        "size 16×16, cropped to 16×16",
    ]
    classes = lines.index("classes 3: share of the labelled pixels, and the picture with most of them")
    assert lines[classes + 1 : classes + 4] == ["road 70.0 % 2", "car 30.0 % 3", "sky missing"]
    assert "void, ignored: 37.5 % of all pixels" in lines
    assert "warning: no pixel of sky in the pictures to train on: it cannot be learned" in lines
    net = models.build("lite-fcn8s", classes=3, width=0.02)
    count = sum(each.array.size for group in net.params.values() for each in group if not each.statistic)
    assert f"model lite-fcn8s at width 0.02: {count:,} parameters, receptive field 396×396" in lines
    assert "training 1 iteration of 2 pictures by SGD; each picture is seen 1 times on average" in lines
    assert "augment crop=16:16" in lines
    assert "data folder" in command(main, "--resume", "--out", tmp_path / "run").err.replace("      ", " ")


def test_generated_pictures_are_looked_at_in_part(command: Command, tmp_path: Path) -> None:
    run = ("--width", 0.02, "--data-option", "size=32", "--data-option", "count=60", "--no-validation")
    err = command(main, *run, "--batch-size", 2, "--iterations", 1, "--out", tmp_path / "run").err
    assert "60 pictures to train on, no validation" in err
    assert "share of the labelled pixels of 50 pictures" in err


def test_pictures_that_are_trained_on_and_validated_on_are_counted(command: Command, tmp_path: Path) -> None:
    drives(tmp_path / "camvid")
    run = ("--data", "camvid", "--root", tmp_path / "camvid", "--width", 0.02, "--batch-size", 1, "--iterations", 1)
    words = "of the 1 pictures to validate on are trained on too"
    for name, more, count in (
        ("apart", (), 0),
        ("both", ("--train-split", "trainval"), 1),
        ("none", ("--train-split", "trainval", "--no-validation"), 0),
        ("held", ("--train-split", "trainval", "--data-option", "hold_out=0001TP"), 0),
    ):
        ended = command(main, *run, *more, "--out", tmp_path / name)
        assert ended.status == 0
        assert (f"warning: {count} {words}" in ended.err) == (words in ended.err) == bool(count)


def test_epochs_are_converted_to_iterations_over_all_pictures(command: Command, tmp_path: Path) -> None:
    run = ("--data-option", "size=32", "--data-option", "count=7", "--width", 0.02, "--no-validation", "--base-lr", 0)
    ended = command(main, *run, "--batch-size", 2, "--iter-size", 2, "--epochs", 3, "--out", tmp_path / "run")
    assert ended.status == 0
    progress = storage.load(tmp_path / "run" / "last.h5").progress
    assert progress["iteration"] == 6  # ⌈3 · 7 / 4⌉
    assert progress["options"]["iterations"] == 6
    assert command(main, "--resume", "--epochs", 4, "--out", tmp_path / "run").status == 0
    assert storage.load(tmp_path / "run" / "last.h5").progress["iteration"] == 7
    assert command(main, "--resume", "--iterations", 8, "--out", tmp_path / "run").status == 0
    assert storage.load(tmp_path / "run" / "last.h5").progress["options"]["epochs"] is None
    both = command(main, *run, "--epochs", 1, "--iterations", 3, "--out", tmp_path / "both")
    assert both.status == 2
    assert "give one of them" in both.err
    assert "--epochs is 0" in command(main, *run, "--epochs", 0, "--out", tmp_path / "none").err


def test_epochs_replace_the_length_of_a_recipe(command: Command) -> None:
    shown = command(main, "--recipe", "lite", "--epochs", 2, "--print-recipe").out
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.startswith("  ")}
    assert lines["epochs"] == ["2", "command", "line"]
    assert lines["iterations"] == ["set", "by", "--epochs"]
    assert lines["check_every"] == ["–"]


def test_a_folder_that_holds_something_else_is_refused(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.tex").write_text("mine")
    for options in ((), ("--overwrite",)):
        ended = command(main, *QUICK, *options, "--out", out)
        assert ended.status == 1
        assert f"{out}: holds chapter.tex, but no run; choose a new folder" in ended.err
    assert [each.name for each in out.iterdir()] == ["chapter.tex"]


def test_hidden_files_and_empty_folders_do_not_count(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    (out / "1-voc-fcn32s").mkdir(parents=True)
    (out / "1-voc-fcn32s" / ".lock").touch()
    (out / ".gitkeep").touch()
    assert command(main, *QUICK, "--out", out).status == 0


def test_predict_writes_into_folders_that_hold_something(command: Command, tmp_path: Path, weights: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    assert command(predict.main, weights, tmp_path / "photo.png", "-o", tmp_path / "out").status == 0
    assert {each.name for each in (tmp_path / "out").iterdir()} >= {"notes.txt", "photo.png"}


def test_init_alone_brings_model_and_width(command: Command, tmp_path: Path) -> None:
    data = ("--data-option", "size=32", "--data-option", "count=4", "--batch-size", 2)
    run = (*data, "--no-validation", "--iterations", 1, "--base-lr", 0)
    assert command(main, *run, "--model", "lite-fcn4s", "--width", 0.03, "--out", tmp_path / "a").status == 0
    init = tmp_path / "a" / "best.h5"
    ended = command(main, *run, "--init", init, "--out", tmp_path / "b")
    assert ended.status == 0
    assert f"{init}: model lite-fcn4s, width 0.03, as it was trained" in ended.err
    before, after = (storage.load(tmp_path / each / "best.h5") for each in "ab")
    assert after.spec == before.spec
    np.testing.assert_array_equal(after.params["conv1_1"][0], before.params["conv1_1"][0])
    ended = command(main, *run, "--init", init, "--model", "lite-fcn8s", "--out", tmp_path / "c")
    assert f"{init}: width 0.03, as it was trained" in ended.err
    assert storage.load(tmp_path / "c" / "best.h5").spec.name == "lite-fcn8s"
    shown = command(main, "--init", init, "--print-recipe").out
    assert [line.split()[1:] for line in shown.splitlines() if line.startswith("  model")] == [["lite-fcn4s", "--init"]]


def test_options_that_mean_nothing_are_refused(command: Command, tmp_path: Path) -> None:
    for options, words in (
        (("--accept-changed-data",), "goes with --resume"),
        (("--new-scores",), "goes with --init"),
        (("--new-scores", "--classes-by-number", "--init", "x.h5"), "give one of them"),
    ):
        ended = command(main, *QUICK, *options, "--out", tmp_path / "run")
        assert ended.status == 1
        assert words in ended.err
        assert not (tmp_path / "run").exists()


def test_a_weight_file_tells_no_paths(command: Command, tmp_path: Path) -> None:
    root = scenes(tmp_path / "private" / "photos", ("road", "car", "sky"))
    run = ("--data", "folder", "--root", root, *SMALL, "--data-option", f"labels={root / 'labels'}")
    assert command(main, *run, "--out", tmp_path / "run").status == 0
    init = ("--init", tmp_path / "run" / "best.h5")
    assert command(main, *run, *init, "--out", tmp_path / "more").status == 0
    for name in ("run", "more"):
        assert str(tmp_path).encode() not in (tmp_path / name / "best.h5").read_bytes()
    record = storage.load(tmp_path / "more" / "best.h5").info.record["options"]
    assert (record["root"], record["init"], record["data_option"]) == ("photos", "best.h5", ["labels=labels"])
    assert storage.load(tmp_path / "run" / "last.h5").progress["options"]["root"] == str(root)
