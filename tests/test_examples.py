"""The scripts in examples/ do what they say, and are short."""

from __future__ import annotations

import csv
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite import data, models, plots
from fcnlite.data.augmentation import TRANSFORMS
from fcnlite.segmentation.metrics import Metrics, confusion

EXAMPLES = Path(__file__).parents[1] / "examples"
PICTURE = EXAMPLES.parent / "docs" / "augmentation.png"
SCRIPTS = (
    "finetune_folder",
    "segment_folder",
    "layer_by_layer",
    "make_shapes",
    "make_street",
    "beside_truth",
    "augmentation_sheet",
)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of ten labelled pictures with two classes."""
    shapes = data.open("shapes", None, "train", size=32, count=10)
    for kind in ("images", "labels"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
    for i in range(10):
        sample = shapes[i]
        label = np.where(sample.label == 255, 255, np.minimum(sample.label, 1)).astype(np.uint8)
        Image.fromarray(sample.image).save(tmp_path / "photos" / "images" / f"{i}.png")
        Image.fromarray(label).save(tmp_path / "photos" / "labels" / f"{i}.png")
    (tmp_path / "photos" / "classes.txt").write_text("ground\nthing\n")
    return tmp_path / "photos"


@pytest.mark.parametrize("name", SCRIPTS)
def test_they_have_under_60_lines(name: str) -> None:
    assert (EXAMPLES / f"{name}.py").read_text().count("\n") < 60


@pytest.mark.parametrize("model", ["lite-fcn8s", "voc-fcn32s"])
def test_a_net_is_fine_tuned_to_other_classes(
    photos: Path, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start = models.build(model, classes=6, width=1 / 32, seed=3)
    start.save(tmp_path / "start.h5")
    out = tmp_path / "mine.h5"
    script("finetune_folder").main(
        [str(tmp_path / "start.h5"), str(photos), str(out), "--iterations", "3", "--crop", "32", "32"]
    )
    said = capsys.readouterr().out
    assert "score_fr[0]: shape differs (found 6×" in said
    assert "iteration 0: loss 0.69" in said  # ln 2: scores start at zero
    assert "mean IU on the 2 validation pictures: 0." in said
    segmenter = fcnlite.Segmenter(out)
    assert segmenter.classes == ("ground", "thing")
    moved = segmenter.net.params["conv3_1"][0].array - start.params["conv3_1"][0].array
    assert 0 < np.abs(moved).max() < 0.01  # begun from the weights that were given


def test_a_folder_is_segmented(photos: Path, tmp_path: Path) -> None:
    models.build("lite-fcn8s", classes=3, width=1 / 32).save(tmp_path / "net.h5")
    (photos / "images" / "notes.txt").write_text("not a picture")
    script("segment_folder").main(str(tmp_path / "net.h5"), str(photos / "images"), str(tmp_path / "out"))
    with (tmp_path / "out" / "shares.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["picture"] for row in rows] == [f"{i}.png" for i in range(10)]
    for row in rows:
        assert sum(float(row[f"class {label}"]) for label in range(3)) == pytest.approx(1, abs=2e-4)
    labels = np.array(Image.open(tmp_path / "out" / "0.png_labels.png"))
    expected = fcnlite.Segmenter(tmp_path / "net.h5")(Image.open(photos / "images" / "0.png"))
    np.testing.assert_array_equal(labels, expected)
    assert Image.open(tmp_path / "out" / "0.png_overlay.png").width >= 32


def test_the_engine_runs_layer_by_layer() -> None:
    ended = subprocess.run(
        [sys.executable, str(EXAMPLES / "layer_by_layer.py")], capture_output=True, text=True, check=True
    )
    last = ended.stdout.splitlines()[-1]
    computed, measured = (float(part.rpartition(": ")[2]) for part in last.split(";"))
    assert computed == pytest.approx(measured, rel=1e-5)
    assert computed != 0


@pytest.mark.parametrize(("name", "size"), [("shapes", (320, 480, 3)), ("street", (360, 480, 3))])
def test_the_first_pictures_are_generated_again(name: str, size: tuple[int, ...], tmp_path: Path) -> None:
    script(f"make_{name}").main(tmp_path)
    made, shipped = (
        [np.array(Image.open(folder / file)).astype(int) for file in (f"{name}.png", f"{name}_truth.png")]
        for folder in (tmp_path, EXAMPLES)
    )
    assert shipped[0].shape == size
    assert np.abs(made[0] - shipped[0]).max() <= 2  # sines differ in the last digit from machine to machine
    assert np.mean(made[1] != shipped[1]) < 1e-4


def test_the_shipped_net_does_well_on_it_and_the_sheet_shows_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = EXAMPLES.parent / "weights" / "shapes-fcn8s.h5"
    sheet = tmp_path / "sheet.png"
    script("beside_truth").main(
        str(weights), str(EXAMPLES / "shapes.png"), str(EXAMPLES / "shapes_truth.png"), str(sheet)
    )
    said = capsys.readouterr().out
    segmenter = fcnlite.Segmenter(weights)
    truth = np.array(Image.open(EXAMPLES / "shapes_truth.png"))
    predicted = segmenter(Image.open(EXAMPLES / "shapes.png"))
    figures = Metrics.from_matrix(confusion(truth, predicted, 6))
    assert figures.mean_iu >= 0.9
    assert f"mean IU {figures.mean_iu:.3f}" in said
    shown = np.array(Image.open(sheet))
    wrong = int((shown == plots.WRONG_COLOR).all(axis=2).sum())
    assert 0 < wrong - ((predicted != truth) & (truth != 255)).sum() < 1000  # one square of the legend more


def test_the_net_of_roads_finds_the_drawn_street_in_another_light_too() -> None:
    weights = EXAMPLES.parent / "weights" / "camvid-fcn8s.h5"
    truth = np.array(Image.open(EXAMPLES / "street_truth.png"))
    street = np.array(Image.open(EXAMPLES / "street.png").convert("RGB"))
    warm = (street * [1.25, 1, 0.75]).clip(0, 255).astype(np.uint8)
    segmenter = fcnlite.Segmenter(weights)
    for picture in (street, warm):
        predicted = segmenter(picture)
        iu = Metrics.from_matrix(confusion(truth, predicted, 11)).iu
        road, car = 3, 8
        assert np.mean(predicted == truth) > 0.75
        assert iu[road] > 0.7 and iu[car] > 0.3


def test_the_sheet_of_augmentation_shows_every_transform(tmp_path: Path) -> None:
    drawn, sheet = script("augmentation_sheet"), tmp_path / "sheet.png"
    assert {entry.partition("=")[0] for entry, _ in drawn.CELLS[1:]} == set(TRANSFORMS)
    drawn.main(sheet)
    found, kept = (np.array(Image.open(each).convert("RGB")) for each in (sheet, PICTURE))
    assert found.shape == kept.shape
    # Other versions of Pillow may round differently.
    assert np.mean(np.abs(found.astype(int) - kept) > 24) < 0.02
