"""The examples of related work run in seconds when cut short, and reach their figures in full."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import fcnlite
from fcnlite import data, models, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page, Picture
from fcnlite.analysis.paper.related import (
    boundaries,
    common,
    digits,
    drawing,
    matan,
    overfeat,
    recurrent,
    restoration,
    slices,
    wolf_platt,
)
from fcnlite.analysis.paper.table import EXPERIMENTS, named
from fcnlite.errors import DataError

EXAMPLES = [each for each in EXPERIMENTS if each.module.startswith("related.")]
FOLDER = Path(digits.__file__).parent


@pytest.fixture(autouse=True)
def drawn_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits of Pillow's font in place of scikit-learn's, which need not be installed."""
    images = []
    for kind in range(10):
        image = Image.new("L", (8, 8))
        ImageDraw.Draw(image).text((1, -1), str(kind), 255)
        images.append(np.asarray(image) / 16)
    monkeypatch.setattr(matan, "handwritten", lambda split: (np.array(images), np.arange(10)))


def numbers(page: Page) -> list[float]:
    """The first number of each comparison."""
    return [float(re.findall(r"[-+]?[\d.]+(?:e-?\d+)?", each.ours)[0]) for each in page.comparisons]


@pytest.mark.parametrize("each", EXAMPLES, ids=lambda each: each.name)
def test_they_have_at_most_80_lines(each: object) -> None:
    assert (FOLDER / f"{each.module.split('.')[1]}.py").read_text().count("\n") <= 80  # type: ignore[attr-defined]


@pytest.mark.parametrize("each", EXAMPLES, ids=lambda each: each.name)
def test_a_training_cut_short_gives_figures_and_pictures(each: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrent, "SEEDS", 1)
    for module in (common, boundaries):
        monkeypatch.setattr(module, "RATES", (2e-3,))
    page = each.run(Settings(iterations=1))  # type: ignore[attr-defined]
    assert all(np.isfinite(numbers(page)))
    assert max(part.pixels.std() for part in page.parts if isinstance(part, Picture)) > 5
    assert page.html().count("<h2>The rate</h2>") == 1


def test_without_scikit_learn_the_digits_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"scikit-learn, which is missing; run `pip install 'fcnlite\[digits\]'`"):
        digits.handwritten("train")


def test_rain_brightens_a_picture_in_places() -> None:
    clean = data.open("shapes", None, "test", size=64)[0].image / 255
    rainy = drawing.rain(clean, np.random.default_rng(0))
    assert (rainy >= clean).all()
    assert rainy.max() <= 1
    assert 0.02 < (rainy > clean + 0.1).mean() < 0.5


def test_the_untrained_restoration_returns_the_rainy_picture() -> None:
    x = np.random.default_rng(0).random((1, 3, 20, 30)).astype(np.float32)
    net = restoration.build(0).share("TEST")
    np.testing.assert_array_equal(net.forward(data=x)["restored"], x)


def test_psnr_of_a_hand_count() -> None:
    assert restoration.psnr(np.full(4, 0.6), np.full(4, 0.5)) == pytest.approx(20)


def test_the_detector_scores_a_window_as_the_classifier_does() -> None:
    net = models.build("lenet", classes=4, width=0.1)
    scene = drawing.shapes(40, 48, [(2, 20, 20)], np.random.default_rng(0))[None, None]
    spec, weights = surgery.fully_convolutional(
        net.spec, {name: [each.array for each in group] for name, group in net.params.items()}
    )
    surgery.transplant(detector := fcnlite.Net(spec), weights)
    dense = detector.forward(data=scene)["prob"]
    assert dense.shape == (1, 4, 4, 6)
    for row, column in np.ndindex(4, 6):
        window = scene[:, :, 4 * row : 4 * row + 28, 4 * column : 4 * column + 28]
        np.testing.assert_allclose(
            net.forward(data=window)["prob"].ravel(), dense[0, :, row, column], rtol=1e-4, atol=1e-6
        )


def test_the_most_probable_of_overlapping_windows_is_detected() -> None:
    prob = np.zeros((4, 10, 10))
    prob[3, 2, 2], prob[1, 2, 3], prob[2, 9, 9], prob[1, 9, 0] = 0.95, 0.9, 0.85, 0.5
    assert overfeat.detect(prob) == [(3, 21.5, 21.5), (2, 49.5, 49.5)]


def test_iu_of_boxes() -> None:
    assert overfeat.iu((1, 5, 5), (2, 5, 5)) == 1
    assert overfeat.iu((1, 5, 5), (1, 19, 5)) == pytest.approx(1 / 3)
    assert overfeat.iu((1, 5, 5), (1, 40, 5)) == 0


def scores(*columns: int) -> np.ndarray:
    """11×T scores: 1 for the class of each column, else 0."""
    return np.eye(11)[list(columns)].T


@pytest.mark.parametrize(
    ("columns", "string"),
    [
        ((10, 3, 3, 10, 3, 3, 3, 10), "33"),
        ((3, 3, 10, 10, 7, 7), "37"),
        ((10, 10, 10), ""),
        ((10, 5, 8, 5, 10), "5"),  # no digit begins beside another
    ],
)
def test_viterbi_finds_the_string(columns: tuple[int, ...], string: str) -> None:
    assert matan.viterbi(scores(*columns)) == string


def test_a_digit_lasts_two_columns() -> None:
    score = scores(10, 10, 10, 10)
    score[5, 1], score[10, 1] = 0.6, 0.4
    assert score.argmax(0).tolist() == [10, 5, 10, 10]
    assert matan.viterbi(score) == ""


def test_labels_of_a_strip_spell_its_string() -> None:
    rng = np.random.default_rng(1)
    for count in (1, 3, 8):
        picture, label, string = matan.string(count, *matan.handwritten("test"), rng)
        assert matan.build(0).share("TEST").forward(data=picture[None])["score"].shape[3] == len(label)
        assert matan.viterbi(np.eye(11)[label].T) == string


def test_gradients_of_windows_equal_those_of_the_picture() -> None:
    rng = np.random.default_rng(0)
    values, label = drawing.cells(30, rng)
    blobs = {"data": values[None, None], "label": slices.inner(label)[None, None]}
    whole, _ = boundaries.gradients(boundaries.build(0), blobs)
    windows = slices.windows(blobs)
    assert windows["data"].shape == (100, 1, 21, 21)
    patches, _ = boundaries.gradients(boundaries.build(0), windows)
    np.testing.assert_allclose(patches, whole, atol=1e-5 * abs(whole).max())


def test_cells_have_thin_membranes() -> None:
    picture, label = drawing.cells(80, np.random.default_rng(0))
    assert picture.shape == label.shape == (80, 80)
    assert 0.1 < label.mean() < 0.5
    assert picture[label == 1].mean() < picture[label == 0].mean() - 0.2


def test_membranes_of_a_data_set(shared: Path) -> None:
    train, val = (data.open("isbi", shared / "data" / "isbi_em_membrane", split) for split in ("train", "val"))
    found = slices.Slices.of(Settings(train_set=train, val_set=val))
    assert [len(each) for each in (found.train, found.validation, found.test)] == [20, 4, 6]
    batch = found.batch(np.random.default_rng(0))
    assert batch["data"].shape == (2, 1, 84, 84) and batch["label"].shape == (2, 1, 64, 64)
    values, label = found.test[0]
    assert values[label == 1].mean() < values[label == 0].mean() - 0.1


def test_data_without_membranes_are_an_error() -> None:
    dataset = data.open("shapes", count=2)
    with pytest.raises(DataError, match="data set 'shapes' has no class 'membrane'"):
        named("boundaries").run(Settings(train_set=dataset, val_set=dataset))


def test_every_round_uses_the_same_parameters_and_reads_the_scores_before() -> None:
    net = recurrent.build(2, 0)
    assert len(net.learnable()) == 8  # weights and biases of four convolutions, however many the rounds
    rng = np.random.default_rng(0)
    x = rng.random((1, 3, 32, 48)).astype(np.float32)
    tested = net.share("TEST")
    found = tested.forward(data=x, score0=np.zeros((1, 6, 8, 12)), outputs=["score1", "score2"])
    again = tested.forward(data=x, score0=found["score1"], outputs=["score1"])
    np.testing.assert_allclose(again["score1"], found["score2"], rtol=1e-4, atol=1e-5)
    assert abs(found["score2"] - found["score1"]).max() > 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_the_corners_of_a_block_surround_its_ink(seed: int) -> None:
    ink, corners = drawing.envelope(96, 128, np.random.default_rng(seed))
    inside = Image.new("1", (128, 96))
    ImageDraw.Draw(inside).polygon([tuple(each) for each in corners.tolist()], fill=1)
    held = np.asarray(inside)
    assert ink[0][held].mean() > ink[0][~held].mean() + 0.1
    wanted = wolf_platt.maps(corners, 96, 128)
    assert wanted.shape == (4, 48, 64)
    rows, columns = np.divmod(wanted.reshape(4, -1).argmax(1), 64)
    assert np.hypot(*(2 * np.stack([columns, rows], 1) + 0.5 - corners).T).max() < 2


@pytest.mark.slow
def test_rain_is_removed() -> None:
    before, _, after = numbers(named("restoration").run(Settings()))
    assert after > before + 3  # dB


@pytest.mark.slow
def test_shapes_are_detected() -> None:
    assert numbers(named("overfeat").run(Settings()))[0] >= 0.95


@pytest.mark.slow
def test_strings_are_read() -> None:
    assert numbers(named("matan").run(Settings()))[0] >= 95  # %


@pytest.mark.slow
def test_membranes_are_found_and_whole_pictures_are_faster() -> None:
    difference, factor, whole, _ = numbers(named("boundaries").run(Settings()))
    assert difference < 1e-4 and factor > 5 and whole > 80


@pytest.mark.slow
def test_corners_are_found() -> None:
    median, share = numbers(named("wolf-platt").run(Settings()))
    assert median < 3
    assert share > 70
