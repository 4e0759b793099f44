"""`python -m fcnlite.evaluate`: several nets, intervals, calibration, single pictures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import evaluate
from tests.cli.conftest import Command
from tests.color_net import COLORS, color_net


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three validation pictures of four columns; the net is right about 4, 2 and 3 of them."""
    root = tmp_path / "photos"
    wrong = {"good": [0, 1, 2, 2], "bad": [1, 1, 0, 2], "fair": [0, 0, 2, 2], "train": [0, 1, 2, 2]}
    for level, (name, labels) in enumerate(wrong.items()):
        for kind, columns in (("images", [COLORS[i] for i in (0, 1, 2, 2)]), ("labels", labels)):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.array([columns] * 3, np.uint8)).save(root / kind / f"{name}.png", compress_level=level)
    (root / "classes.txt").write_text("red\ngreen\nblue\n")
    (root / "val.txt").write_text("good\nbad\nfair\n")
    return root


@pytest.fixture
def blind(tmp_path: Path) -> Path:
    """A net that takes every pixel for red."""
    net = color_net()
    net.params["classify"][0].data[...] = 0
    net.params["classify"][1].data[0] = 5
    (tmp_path / "other").mkdir()
    net.save(tmp_path / "other" / "color.h5")
    return tmp_path / "other" / "color.h5"


def test_pictures_worst_first(photos: Path, weights: Path, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "judged"
    ended = command(evaluate.main, weights, "--data", "folder", "--root", photos, "--by-picture", out)
    assert ended.status == 0, ended.err
    with (out / "pictures.csv").open() as stream:
        rows = [*csv.reader(stream)]
    assert rows[0] == ["picture", "pixels", "mean_iu", "pixel_accuracy", "iu red", "iu green", "iu blue"]
    assert [row[0] for row in rows[1:]] == ["bad", "fair", "good"]
    assert rows[1][1:] == ["12", "0.333333", "0.500000", "0.000000", "0.500000", "0.500000"]
    assert rows[3][2:] == ["1.000000"] * 5
    assert Image.open(out / "worst.png").height > 300


def test_intervals_and_calibration(photos: Path, weights: Path, command: Command) -> None:
    words = (weights, "--data", "folder", "--root", photos, "--intervals", "--calibration")
    ended = command(evaluate.main, *words)
    assert ended.status == 0, ended.err
    assert "pixel accuracy           0.7500  0.5000 to 1.0000  (95 % interval over pictures)" in ended.out
    assert "calibration error" in ended.out
    found = json.loads(command(evaluate.main, *words, "--json", "-").out)
    assert found["intervals"]["pixel_accuracy"] == [0.5, 1.0]
    assert len(found["intervals"]["iu"]) == 3
    # The net is all but sure of each pixel, and right about three of four.
    assert found["calibration_error"] == pytest.approx(0.25, abs=1e-3)


def test_boundaries(photos: Path, weights: Path, blind: Path, command: Command) -> None:
    """Red is right in one of three pictures, green and blue in two: in these pictures θ is below a pixel."""
    words = ("--data", "folder", "--root", photos, "--boundaries")
    found = json.loads(command(evaluate.main, weights, *words, "--json", "-").out)
    assert found["boundary_f1_by_class"] == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert found["boundary_f1"] == pytest.approx(5 / 9)
    ended = command(evaluate.main, weights, *words)
    lines = ended.out.splitlines()
    assert "boundary F1              0.5556" in lines, ended.out
    assert [line.split()[-1] for line in lines[-3:]] == ["0.3333", "0.6667", "0.6667"]
    both = command(evaluate.main, weights, blind, *words).out
    line = next(line for line in both.splitlines() if line.startswith("boundary F1"))
    assert line.split()[2:] == ["0.5556", "0.0000"]


def test_nets_side_by_side(photos: Path, weights: Path, blind: Path, command: Command, tmp_path: Path) -> None:
    words = (weights, blind, "--data", "folder", "--root", photos)
    ended = command(evaluate.main, *words, "--by-picture", tmp_path / "judged", "--calibration")
    assert ended.status == 0, ended.err
    lines = {" ".join(line.split()[:-2]): line.split()[-2:] for line in ended.out.splitlines()[2:] if line.strip()}
    assert lines[""] == [f"{tmp_path.name}/color.h5", "other/color.h5"]
    assert lines["pixel accuracy"] == ["0.7500", "0.3333"]
    assert lines["IU green"] == ["0.5000", "0.0000"]
    alone = command(evaluate.main, weights, *words[2:]).out
    assert "pixel accuracy           0.7500" in alone
    heading = (tmp_path / "judged" / "pictures.csv").read_text().splitlines()[0]
    assert "mean_iu of other/color.h5" in heading
    with_spans = command(evaluate.main, *words, "--intervals").out
    assert "other/color.h5 − first, 95 % interval" in with_spans
    found = json.loads(command(evaluate.main, *words, "--json", "-").out)
    assert [each["pixel_accuracy"] for each in found["nets"]] == [0.75, pytest.approx(1 / 3)]


@pytest.mark.parametrize(
    "words, message",
    [
        (("{weights}", "missing.h5"), "missing.h5: no such file"),
        (("{weights}", "{weights}", "--confusion", "x.png"), "--confusion goes with one weight file, and 2 are given"),
        (("{weights}", "--data-option", "val=0.01", "--intervals"), "intervals need at least two pictures"),
    ],
)
def test_what_cannot_be_measured(
    words: tuple[str, ...], message: str, photos: Path, weights: Path, command: Command
) -> None:
    given = [word.format(weights=weights) for word in words]
    ended = command(evaluate.main, *given, "--data", "folder", "--root", photos)
    assert ended.status == 1
    assert message in ended.err
