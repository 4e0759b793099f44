"""`python -m fcnlite.evaluate`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import data, evaluate
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.segmentation import evaluation
from fcnlite.segmentation.segmenter import Segmenter
from tests.cli.conftest import Command
from tests.color_net import COLORS, color_net

TABLE = """\
folder, split val: 1 picture, 9 pixels

pixel accuracy           0.6667
mean accuracy            0.7500
mean IU                  0.5000
frequency weighted IU    0.5000
mean Dice                0.6667

class                        IU      Dice  precision    recall    pixels
red                      0.5000    0.6667     0.5000    1.0000    33.3 %
green                    0.5000    0.6667     1.0000    0.5000    66.7 %
blue                          –         –          –         –     0.0 %
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder data set; its one validation picture has red, red, green and blue columns of 3 pixels,
    labelled red, green, green and void."""
    root = tmp_path / "photos"
    for level, name in enumerate(("one", "two")):  # files that differ, since copies are warned of
        for kind, columns in (("images", [COLORS[i] for i in (0, 0, 1, 2)]), ("labels", [0, 1, 1, 255])):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.array([columns] * 3, np.uint8)).save(root / kind / f"{name}.png", compress_level=level)
    (root / "classes.txt").write_text("red\ngreen\nblue\n")
    (root / "val.txt").write_text("two\n")
    return root


def test_prints_the_four_metrics_and_a_line_for_each_class(photos: Path, weights: Path, command: Command) -> None:
    ended = command(evaluate.main, weights, "--data", "folder", "--root", photos)
    assert (ended.status, ended.err, ended.out) == (0, "", TABLE)


def test_json_has_all_figures_and_the_matrix(photos: Path, weights: Path, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    ended = command(evaluate.main, weights, "--data", "folder", "--root", photos, "--json", file)
    assert (ended.status, ended.out) == (0, TABLE)
    figures = json.loads(file.read_text())
    assert figures == {
        "schema": "fcnlite.evaluate/1",
        "weights": str(weights),
        "data": "folder",
        "split": "val",
        "pictures": 1,
        "pixel_accuracy": pytest.approx(2 / 3),
        "mean_accuracy": 0.75,
        "mean_iu": 0.5,
        "frequency_weighted_iu": pytest.approx(0.5),
        "mean_dice": pytest.approx(2 / 3),
        "classes": ["red", "green", "blue"],
        "iu": [0.5, 0.5, None],
        "dice": [pytest.approx(2 / 3), pytest.approx(2 / 3), None],
        "precision": [0.5, 1.0, None],
        "accuracy": [1.0, 0.5, None],
        "confusion": [[3, 0, 0], [3, 3, 0], [0, 0, 0]],
    }
    ended = command(evaluate.main, weights, "--data", "folder", "--root", photos, "--json", "-")
    assert json.loads(ended.out) == figures


def test_draws_the_confusion_matrix(photos: Path, weights: Path, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "matrix.png"
    options = ("--split", "train", "--confusion", file)
    ended = command(evaluate.main, weights, "--data", "folder", "--root", photos, *options)
    assert ended.status == 0
    assert ended.out.startswith("folder, split train: 1 picture")
    with Image.open(file) as image:
        assert image.format == "PNG"


def test_data_options_reach_the_data_set(photos: Path, weights: Path, command: Command) -> None:
    options = ("--data-option", "classes=crimson, leaf,sky", "--data-option", "val=0")
    options = (*options, "--classes-by-number", "--split", "train")
    ended = command(evaluate.main, weights, "--data", "folder", "--root", photos, *options)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("folder, split train: 2 pictures, 18 pixels")
    assert "\nleaf " in ended.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "shapes"], "the net scores 3 classes, but data set 'shapes' has 6"),
        (["--data", "shape"], "no data set is called 'shape'; did you mean 'shapes'"),
        (["--data", "folder"], "data set 'folder' needs its root"),
        (["--data", "shapes", "--split", "vl"], "has no split 'vl'; did you mean 'val'?"),
        (["--data", "shapes", "--data-option", "count"], "--data-option count: expected KEY=VALUE"),
        (["--data", "shapes", "--data-option", "count=1.5"], "count=1.5: expected a whole number."),
        (["--data", "shapes", "--data-option", "coun=1"], "no option 'coun'; did you mean 'count'?"),
        (["--data", "folder", "--data-option", "val=x"], "val=x: expected a number."),
        (["--data", "folder", "--data-option", "binary_masks=1"], "expected true or false."),
        (["--data", "folder", "--data-option", "classes=a,,b"], "expected a whole number or names"),
        (["--data", "shapes", "--json", "no/where.json"], "there is no folder no to write it to"),
        (["--data", "shapes", "--confusion", "."], "is a folder; give the name of a file"),
    ],
)
def test_bad_options_end_in_one_sentence(weights: Path, command: Command, options: list[str], words: str) -> None:
    ended = command(evaluate.main, weights, *options)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("error: ")
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_broken_labels_are_named(photos: Path, weights: Path, command: Command) -> None:
    Image.fromarray(np.full((3, 4), 7, np.uint8)).save(photos / "labels" / "two.png")
    ended = command(evaluate.main, weights, "--data", "folder", "--root", photos)
    assert ended.status == 1
    assert f"{photos}/labels/two.png: holds 7; expected 0 to 2, 255" in ended.err


def test_runs_as_a_module(tmp_path: Path, weights: Path, photos: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "fcnlite.evaluate", weights, "--data", "folder", "--root", photos],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(evaluate.__file__).parents[1]), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", TABLE)


def test_views_are_averaged_and_named(photos: Path, weights: Path, command: Command) -> None:
    plain = (weights, "--data", "folder", "--root", photos)
    ended = command(evaluate.main, *plain, "--flip", "--scales", 0.5, 0.3)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(
        "folder, split val: 1 picture, 9 pixels; averaged over scales 0.5, 0.3, each also mirrored\n"
    )
    figures = json.loads(command(evaluate.main, *plain, "--flip", "--scales", 0.5, 0.3, "--json", "-").out)
    assert (figures["flip"], figures["scales"]) == (True, [0.5, 0.3])
    measured = evaluation.evaluate(Segmenter(weights, flip=True, scales=(0.5, 0.3)), data.open("folder", photos, "val"))
    assert figures["pixel_accuracy"] == measured.pixel_accuracy
    assert figures["confusion"] != [[3, 0, 0], [3, 3, 0], [0, 0, 0]]  # of the picture as it is


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--scales", 0), "scales has 0.0; expected factors above 0"),
        (("--scales", 1, 1), "scales has 1 twice"),
        (("--scales", 0.1), "a picture of 3 rows and 4 columns has 0 rows and 0 columns at scale 0.1"),
    ],
)
def test_scales_without_a_meaning_are_refused(
    photos: Path, weights: Path, command: Command, given: tuple[object, ...], words: str
) -> None:
    ended = command(evaluate.main, weights, "--data", "folder", "--root", photos, *given)
    assert (ended.status, ended.out) == (1, "")
    assert words in ended.err and ended.err.count("error:") == 1 and "Traceback" not in ended.err


def test_cells_are_scored_too(command: Command, tmp_path: Path) -> None:
    """The net takes dark pixels for membrane; in one of the four pictures it misses the membrane of two cells."""
    for number, columns in enumerate(("110011", "110011", "111011", "111111")):
        for kind, values in (("image", columns), ("label", "110011" if number < 2 else "111011")):
            (tmp_path / "train" / kind).mkdir(parents=True, exist_ok=True)
            pixels = np.array([[255 * int(c) for c in values]] * 2, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "train" / kind / f"{number}.png")
    net = color_net(ModelInfo(Preprocessing(mean=(128.0,) * 3), ("membrane", "cell")), outputs=2)
    weight = net.params["classify"][0].data
    weight[...] = 0
    weight[1, 0] = 1
    net.save(tmp_path / "net.h5")
    run = (tmp_path / "net.h5", "--data", "isbi", "--root", tmp_path, "--data-option", "folds=2")
    ended = command(evaluate.main, *run, "--data-option", "fold=0")
    assert (ended.status, ended.err) == (0, "")
    last = "\n\npixel error  0.0000\nV_rand       1.0000  objects, at threshold 0\n"
    assert ended.out.endswith(last + "V_info       1.0000  objects, at threshold 0\n")
    figures = json.loads(command(evaluate.main, *run, "--data-option", "fold=1", "--json", "-").out)
    merged = (9 + 4) / 25 / (0.5 * 1 + 0.5 * (9 + 4) / 25)
    assert figures["v_rand"] == {"score": pytest.approx((1 + merged) / 2), "threshold": 0.0}
    assert figures["v_info"] == {"score": pytest.approx(0.5), "threshold": 0.0}
    assert 1 - figures["pixel_accuracy"] == pytest.approx(2 / 24)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_it_writes_nothing_when_it_is_stopped(
    photos: Path, weights: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(*_: object) -> np.ndarray:
        os.kill(os.getpid(), signal.SIGTERM)
        return np.zeros((3, 3), np.int64)

    monkeypatch.setattr(evaluation, "confusion_of", count)
    words = ("--by-picture", tmp_path / "judged", "--json", tmp_path / "j.json")
    ended = command(evaluate.main, weights, "--data", "folder", "--root", photos, *words)
    assert ended == (143, "", "stopped by SIGTERM; the files written so far are complete.\n")
    assert not (tmp_path / "judged").exists() and not (tmp_path / "j.json").exists()
