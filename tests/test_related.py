"""The examples of related work in examples/related/ run in seconds, and reach their figures in full."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image, ImageDraw

import fcnlite
from fcnlite import data, models, surgery

RELATED = Path(__file__).parents[1] / "examples" / "related"
SCRIPTS = tuple(sorted(path.stem for path in RELATED.glob("*.py") if path.stem != "common"))


@pytest.fixture(autouse=True)
def beside_common(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script finds common.py beside itself, as it does when Python runs it."""
    monkeypatch.syspath_prepend(str(RELATED))


def script(name: str) -> ModuleType:
    return importlib.import_module(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_they_have_at_most_80_lines(name: str) -> None:
    assert (RELATED / f"{name}.py").read_text().count("\n") <= 80


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_few_iterations_print_a_figure_and_write_the_same_picture_again(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, pictures, said = [], [], []
    for run in ("a", "b"):
        figures.append(script(name).main(["--iterations", "2", "--out", str(tmp_path / run)]))
        pictures.append(np.array(Image.open(tmp_path / run / f"{name}.png")))
        said.append(capsys.readouterr().out)
    assert figures[0] == figures[1]
    np.testing.assert_array_equal(*pictures)
    assert pictures[0].std() > 5
    assert any(letter.isdigit() for letter in said[0])


def test_rain_brightens_a_picture_in_places() -> None:
    clean = data.open("shapes", None, "test", size=64)[0].image / 255
    rainy = script("restoration").rain(clean, np.random.default_rng(0))
    assert (rainy >= clean).all()
    assert rainy.max() <= 1
    assert 0.02 < (rainy > clean + 0.1).mean() < 0.5


def test_the_untrained_restoration_returns_the_rainy_picture() -> None:
    x = np.random.default_rng(0).random((1, 3, 20, 30)).astype(np.float32)
    net = script("restoration").build().share("TEST")
    np.testing.assert_array_equal(net.forward(data=x)["restored"], x)


def test_the_detector_scores_a_window_as_the_classifier_does() -> None:
    overfeat, net = script("overfeat"), models.build("lenet", classes=4, width=0.1)
    scene = overfeat.draw(40, 48, [(2, 20, 20)], np.random.default_rng(0))[None]
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
    assert script("overfeat").detect(prob) == [(3, 21.5, 21.5), (2, 49.5, 49.5)]


def test_iu_of_boxes() -> None:
    iu = script("overfeat").iu
    assert iu((1, 5, 5), (2, 5, 5)) == 1
    assert iu((1, 5, 5), (1, 19, 5)) == pytest.approx(1 / 3)
    assert iu((1, 5, 5), (1, 40, 5)) == 0


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
    assert script("matan").viterbi(scores(*columns)) == string


def test_a_digit_lasts_two_columns() -> None:
    score = scores(10, 10, 10, 10)
    score[5, 1], score[10, 1] = 0.6, 0.4
    assert score.argmax(0).tolist() == [10, 5, 10, 10]
    assert script("matan").viterbi(score) == ""


def test_labels_of_a_strip_spell_its_string() -> None:
    matan, rng = script("matan"), np.random.default_rng(1)
    for count in (1, 3, 8):
        picture, label, string = matan.strip(count, rng)
        assert matan.build().share("TEST").forward(data=picture[None])["score"].shape[3] == len(label)
        assert matan.viterbi(np.eye(11)[label].T) == string


@pytest.mark.slow
def test_rain_is_removed(tmp_path: Path) -> None:
    before, after = script("restoration").main(["--out", str(tmp_path)])
    assert after > before + 3  # dB


@pytest.mark.slow
def test_shapes_are_detected(tmp_path: Path) -> None:
    assert script("overfeat").main(["--out", str(tmp_path)]) >= 0.95


@pytest.mark.slow
def test_strings_are_read(tmp_path: Path) -> None:
    assert script("matan").main(["--out", str(tmp_path)]) >= 0.95


def test_gradients_of_patches_equal_those_of_the_whole_picture(tmp_path: Path) -> None:
    difference, _ = script("boundaries").main(["--iterations", "1", "--out", str(tmp_path)])
    assert difference < 1e-4


def test_cells_have_thin_membranes() -> None:
    boundaries = script("boundaries")
    picture, label = boundaries.cells(80, np.random.default_rng(0))
    assert picture.shape == (1, 80, 80)
    assert label.shape == (1, 60, 60)
    assert 0.1 < label.mean() < 0.5
    inner = picture[:, 10:-10, 10:-10]
    assert inner[label == 1].mean() < inner[label == 0].mean() - 0.2


@pytest.mark.slow
def test_membranes_are_found_and_whole_pictures_are_faster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script("boundaries").main(["--out", str(tmp_path)])[1] >= 0.8
    ratio = re.search(r"patches take ([\d.]+) times", capsys.readouterr().out)
    assert ratio is not None
    assert float(ratio[1]) > 5


def test_every_round_uses_the_same_parameters_and_reads_the_scores_before() -> None:
    recurrent = script("recurrent")
    net = recurrent.build(2)
    assert len(net.learnable()) == 8  # weights and biases of four convolutions, however many the rounds
    rng = np.random.default_rng(0)
    x = rng.random((1, 3, 32, 48)).astype(np.float32)
    tested = net.share("TEST")
    scores = tested.forward(data=x, score0=np.zeros((1, 6, 8, 12)), outputs=["score1", "score2"])
    again = tested.forward(data=x, score0=scores["score1"], outputs=["score1"])
    np.testing.assert_allclose(again["score1"], scores["score2"], rtol=1e-4, atol=1e-5)
    assert abs(scores["score2"] - scores["score1"]).max() > 1e-3


@pytest.mark.slow
def test_the_second_round_is_better_than_the_first(tmp_path: Path) -> None:
    figures = script("recurrent").main(["--out", str(tmp_path)])
    assert figures[1] > figures[0] + 0.01


@pytest.mark.parametrize("seed", range(4))
def test_the_corners_of_a_block_surround_its_ink(seed: int) -> None:
    wolf_platt = script("wolf_platt")
    ink, corners = wolf_platt.envelope(96, 128, np.random.default_rng(seed))
    inside = Image.new("1", (128, 96))
    ImageDraw.Draw(inside).polygon([tuple(each) for each in corners.tolist()], fill=1)
    held = np.asarray(inside)
    assert ink[0][held].mean() > ink[0][~held].mean() + 0.1
    wanted = wolf_platt.maps(corners, 96, 128)
    assert wanted.shape == (4, 48, 64)
    rows, columns = np.divmod(wanted.reshape(4, -1).argmax(1), 64)
    assert np.hypot(*(2 * np.stack([columns, rows], 1) + 0.5 - corners).T).max() < 2


@pytest.mark.slow
def test_corners_are_found(tmp_path: Path) -> None:
    median, share = script("wolf_platt").main(["--out", str(tmp_path)])
    assert median < 3
    assert share > 0.7
