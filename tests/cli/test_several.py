"""Nets that take several pictures or score several label maps, from training to prediction."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite import evaluate, predict, storage
from fcnlite.train.__main__ import main as train
from tests.cli.conftest import Command
from tests.data import layouts
from tests.data.layouts import bands

SIZE = (20, 24)
TINY = ("--width", 0.016, "--batch-size", 1, "--iterations", 2, "--base-lr", 1e-3, "--check-every", 2)


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """SIFT Flow's layout: the first half of the semantic classes left out, geometry of three classes."""
    semantic = bands(0, 28, 28, 6, size=SIZE)
    geometric = bands(-1, 1, 2, 3, size=SIZE, dtype=np.int16)
    return layouts.siftflow(tmp_path / "sift", semantic, geometric, trainval=["a", "b", "c"], test=["d", "e"])


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    depth = np.linspace(700, 9000, SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint16)
    label = bands(0, 1, 2, 40, size=SIZE)
    return layouts.nyud(tmp_path / "nyud", label, depth, train=["1", "2"], val=["3"], test=["4"])


def test_two_labels_are_trained_measured_and_predicted(command: Command, tmp_path: Path, scenes: Path) -> None:
    data = ("--data", "siftflow", "--root", scenes)
    ended = command(train, *data, "--model", "siftflow-fcn32s", *TINY, "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    assert "on siftflow test:" in ended.out
    segmenter = fcnlite.Segmenter(tmp_path / "run" / "best.h5")
    assert {name: len(head.labels.classes) for name, head in segmenter.heads.items()} == {"sem": 33, "geo": 3}
    assert segmenter.heads["geo"].labels.classes == ("sky", "horizontal", "vertical")
    assert segmenter.net.info.preprocessing.mean == (114.578, 115.294, 108.353)

    file = tmp_path / "figures.json"
    ended = command(evaluate.main, tmp_path / "run" / "best.h5", *data, "--json", file)
    assert ended.status == 0
    semantic, geometric = ended.out.split("\n\nsiftflow, ")
    assert semantic.startswith("siftflow, split test: 2 pictures, 720 pixels, label sem\n")
    assert geometric.startswith("split test: 2 pictures, 720 pixels, label geo\n")
    assert "\nstreetlight " in semantic and "\nvertical " in geometric
    figures = json.loads(file.read_text())
    assert figures["label"] == "sem"
    assert np.array(figures["confusion"]).sum(axis=1)[[5, 27]].tolist() == [240, 480]
    assert np.array(figures["labels"]["geo"]["confusion"]).sum(axis=1).tolist() == [240, 240, 240]
    assert set(figures["labels"]["geo"]) >= {"mean_iu", "pixel_accuracy", "classes", "iu"}

    image = scenes / "Images" / layouts.SCENES / "d.jpg"
    ended = command(predict.main, tmp_path / "run" / "best.h5", image, "-o", tmp_path / "out")
    assert ended.status == 0
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"d.png", "d_overlay.png", "d_geo.png", "d_geo_overlay.png"}
    assert np.array(Image.open(tmp_path / "out" / "d_geo.png")).max() <= 2
    assert "geometr" not in ended.err


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        pytest.param("nyud-fcn32s-hha", "hha", marks=pytest.mark.slow),
        pytest.param("nyud-fcn32s-color-d", "color,depth", marks=pytest.mark.slow),
        ("nyud-fcn32s-color-hha", "color,hha"),
    ],
)
def test_colour_hha_and_depth(command: Command, tmp_path: Path, rooms: Path, model: str, inputs: str) -> None:
    data = ("--data", "nyud", "--root", rooms, "--data-option", f"inputs={inputs}")
    augmented = ("--scale", 0.8, 1.3, "--crop", 16, 20)
    ended = command(train, *data, "--model", model, *augmented, *TINY, "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    assert "on nyud test:" in ended.out
    best = tmp_path / "run" / "best.h5"
    ended = command(evaluate.main, best, *data, "--split", "val")
    assert ended.out.startswith("nyud, split val: 1 picture, 360 pixels\n")

    first, *others = inputs.split(",")
    folders = {"color": "images", "hha": "hha", "depth": "depth"}
    also = [word for name in others for word in ("--also", f"{name}={rooms / 'data' / folders[name]}")]
    image = rooms / "data" / folders[first] / "img_4.png"
    ended = command(predict.main, best, image, *also, "-o", tmp_path / "out")
    assert ended.status == 0, ended.err
    assert np.array(Image.open(tmp_path / "out" / "img_4.png")).shape == SIZE


def test_pictures_that_the_net_does_not_take_are_refused(command: Command, tmp_path: Path, rooms: Path) -> None:
    data = ("--data", "nyud", "--root", rooms)
    ended = command(train, *data, "--model", "nyud-fcn32s-color-d", *TINY, "--out", tmp_path / "run")
    assert ended.status == 1
    assert "takes 2 (color, depth), but data set 'nyud' gives one picture" in ended.err
    assert "inputs=color,depth" in ended.err

    both = ("--data-option", "inputs=color,depth")
    assert command(train, *data, *both, "--model", "nyud-fcn32s-color-d", *TINY, "--out", tmp_path / "run").status == 0
    best, image = tmp_path / "run" / "best.h5", rooms / "data" / "images" / "img_4.png"
    for also, words in (
        ((), "takes 2 pictures of a scene (color, depth); give the folders of all but one with --also NAME=DIR"),
        (("--also", f"hha={rooms}"), "--also hha=...: the net has no such input; known: color, depth"),
        (("--also", "depth"), "--also depth: expected NAME=DIR"),
        (("--also", f"depth={tmp_path}/none"), "none is not a folder"),
        (
            ("--also", f"depth={rooms / 'data' / 'hha'}"),
            "img_4.png: has 3 bands of type uint8; expected a 16-bit gray picture",
        ),
        (("--also", f"depth={tmp_path}"), f"{tmp_path}/img_4.png: no such file"),
    ):
        ended = command(predict.main, best, image, *also, "-o", tmp_path / "out")
        assert ended.status == 1
        assert words in ended.err


def test_labels_that_the_net_does_not_score_are_refused(command: Command, tmp_path: Path, scenes: Path) -> None:
    ended = command(train, "--data", "siftflow", "--root", scenes, *TINY, "--out", tmp_path / "run")
    assert ended.status == 1
    assert "lite-fcn8s" in ended.err and "takes one number for each head" in ended.err


def test_splits_are_chosen_and_kept(command: Command, tmp_path: Path, rooms: Path) -> None:
    data = ("--data", "nyud", "--root", rooms, "--train-split", "train", "--val-split", "val")
    run = (*data, *TINY, "--out", tmp_path / "run")
    ended = command(train, *run)
    assert ended.status == 0
    assert "on nyud val:" in ended.out
    ended = command(train, "--resume", "--iterations", 3, "--out", tmp_path / "run")
    assert "on nyud val:" in ended.out
    ended = command(train, *data[:4], "--val-split", "vall", "--out", tmp_path / "other")
    assert "has no split 'vall'; did you mean 'val'" in ended.err


def test_bad_samples_are_named_and_skipped_only_when_asked(command: Command, tmp_path: Path, rooms: Path) -> None:
    (rooms / "data" / "images" / "img_2.png").write_bytes(b"\x89PNG")
    data = ("--data", "nyud", "--root", rooms)
    run = (*data, *TINY, "--no-validation", "--out", tmp_path / "run")
    ended = command(train, *run)
    assert ended.status == 1
    assert "1 problem:" in ended.err and "img_2.png: is not a picture" in ended.err
    ended = command(train, *run, "--skip-bad")
    assert ended.status == 0
    assert "data set 'nyud' (trainval): 1 problem skipped, 2 pictures used:\n" in ended.err
    assert "img_2.png: is not a picture" in ended.err
    report = (tmp_path / "run" / "report.html").read_text()
    assert "2 pictures (1 problem skipped) to train on" in report
    assert "img_2.png: is not a picture" in report
    assert storage.load(tmp_path / "run" / "best.h5").info.record["problems skipped"] == 1
    ended = command(train, "--resume", "--iterations", 3, "--out", tmp_path / "run")
    assert ended.status == 0

    measured = (tmp_path / "run" / "best.h5", *data, "--split", "train", "--json", tmp_path / "figures.json")
    assert "img_2.png: is not a picture" in command(evaluate.main, *measured).err
    ended = command(evaluate.main, *measured, "--skip-bad")
    assert ended.out.startswith("nyud, split train: 1 picture (1 problem skipped), ")
    assert json.loads((tmp_path / "figures.json").read_text())["skipped"] == 1
    (rooms / "segmentation" / "img_1.mat").unlink()
    ended = command(evaluate.main, *measured, "--skip-bad")
    assert ended.status == 1
    assert "no sample can be used; the first: " in ended.err
