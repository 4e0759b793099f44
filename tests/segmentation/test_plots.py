"""Plots, checked by their pixels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from PIL import Image

from fcnlite import plots
from fcnlite.errors import DataError, FileError

CLASSES = ("background", "cat", "dog")
COLORS = ((10, 20, 30), (200, 0, 0), (0, 0, 200))
VOID_COLOR = (224, 224, 192)
PICTURE = (90, 160, 120)
"""A colour that neither classes nor letters have."""


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


def count(picture: Image.Image, color: tuple[int, int, int]) -> int:
    return int((pixels(picture) == color).all(axis=2).sum())


def halves(height: int = 8, width: int = 12) -> np.ndarray:
    """Background on the left, cat on the right."""
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2 :] = 1
    return labels


def grey(labels: np.ndarray, value: int = 100) -> np.ndarray:
    return np.full((*labels.shape, 3), value, np.uint8)


# Label pictures


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)))
def test_label_pictures_keep_the_class_numbers(labels: np.ndarray) -> None:
    picture = plots.label_image(labels, COLORS)
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.asarray(picture), labels)


def test_label_pictures_survive_the_file(tmp_path: Path) -> None:
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    plots.save_png(tmp_path / "x.png", plots.label_image(labels, COLORS))
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), labels)
        shown = pixels(picture)
    assert [tuple(color) for color in shown[0, :3]] == list(COLORS)
    assert tuple(shown[15, 15]) == VOID_COLOR
    assert tuple(shown[0, 15]) == (192, 128, 128)  # no colour given: PASCAL VOC's for 15, person


def test_a_part_of_a_larger_array_is_drawn_as_it_is() -> None:
    labels = np.arange(64, dtype=np.uint8).reshape(8, 8)[::2, 1::3]
    np.testing.assert_array_equal(np.asarray(plots.label_image(labels, ())), labels)


def test_the_palette_is_that_of_a_real_voc_label(shared: Path) -> None:
    with Image.open(shared / "real" / "voc_2007_000129" / "label.png") as real:
        ours = plots.label_image(np.asarray(real), ())
        np.testing.assert_array_equal(pixels(ours), pixels(real))


@pytest.mark.parametrize(
    "labels", [np.zeros((2, 2), np.int64), np.zeros((1, 2, 2), np.uint8), np.zeros((0, 3), np.uint8)]
)
def test_other_arrays_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected H×W uint8"):
        plots.label_image(labels, COLORS)


# Overlays


def test_an_overlay_tints_classes_and_leaves_background_and_void() -> None:
    labels = halves()
    labels[0, :3] = 255
    shown = pixels(plots.overlay(grey(labels), labels, CLASSES, COLORS, alpha=0.25))
    assert tuple(shown[4, 1]) == (100, 100, 100)
    assert tuple(shown[0, 1]) == (100, 100, 100)
    assert tuple(shown[4, 9]) == (125, 75, 75)


def test_a_first_class_of_another_name_is_tinted() -> None:
    labels = halves()
    shown = pixels(plots.overlay(grey(labels), labels, ("sky", "cat"), COLORS, alpha=1))
    assert tuple(shown[4, 1]) == COLORS[0]


def test_regions_have_an_outline() -> None:
    labels = halves()
    labels[:, :2] = 255
    shown = pixels(plots.overlay(grey(labels), labels, CLASSES, COLORS))
    white = (shown == 255).all(axis=2)
    assert white[:, 5].all()  # the line between background and cat, and none between void and background
    assert white.sum() == len(labels)


def test_outlines_grow_with_the_picture() -> None:
    labels = halves(1300, 1300)
    shown = pixels(plots.overlay(grey(labels), labels, CLASSES, COLORS))
    assert (shown[650] == 255).all(axis=1).sum() == 3


@pytest.mark.parametrize("alpha", [0, 1])
def test_alpha_runs_from_picture_to_colour(alpha: int) -> None:
    labels = np.full((2, 2), 1, np.uint8)
    shown = pixels(plots.overlay(grey(labels, 77), labels, CLASSES, COLORS, alpha=alpha))
    assert (shown == (COLORS[1] if alpha else 77)).all()


def test_overlays_that_do_not_fit_are_refused() -> None:
    labels = halves()
    for image in (grey(labels)[:-1], grey(labels)[..., 0], grey(labels).astype(float)):
        with pytest.raises(DataError, match="of one size"):
            plots.overlay(image, labels, CLASSES, COLORS)
    with pytest.raises(DataError, match=r"alpha is 1\.5"):
        plots.overlay(grey(labels), labels, CLASSES, COLORS, alpha=1.5)


# Legends


def test_a_legend_shows_the_classes_present_alone() -> None:
    labels = halves()
    labels[0, 0] = 255
    picture = plots.with_legend(grey(labels), labels, CLASSES, COLORS)
    for color in (COLORS[0], COLORS[1], VOID_COLOR):
        assert count(picture, color) > 100
    assert count(picture, COLORS[2]) == 0


@pytest.mark.parametrize(("size", "factor"), [(1, 384), (96, 4), (384, 1), (700, 1)])
def test_small_pictures_are_enlarged_whole(size: int, factor: int) -> None:
    labels = np.full((size, size), 1, np.uint8)
    image = np.random.default_rng(1).integers(0, 256, (size, size, 3), np.uint8)
    shown = pixels(plots.with_legend(image, labels, CLASSES, COLORS))
    enlarged = image.repeat(factor, axis=0).repeat(factor, axis=1)
    assert shown.shape[1] == size * factor
    np.testing.assert_array_equal(shown[: size * factor], enlarged)
    legend = shown[size * factor :]
    assert len(legend) >= 40
    assert (legend < 100).all(axis=2).any()  # ink


def test_a_narrow_picture_keeps_a_legible_legend() -> None:
    labels = np.full((900, 10), 1, np.uint8)
    picture = plots.with_legend(np.full((900, 10, 3), PICTURE, np.uint8), labels, CLASSES, COLORS)
    assert picture.width == 384
    assert count(picture, PICTURE) == labels.size


def test_a_legend_has_room_for_many_classes() -> None:
    """Every class keeps its square, however many lines that takes."""
    labels = np.repeat(np.arange(60, dtype=np.uint8), 16).reshape(-1, 40)
    colors = [(i * 4, 250, 7) for i in range(60)]
    picture = plots.with_legend(grey(labels), labels, [f"class number {i}" for i in range(60)], colors)
    assert all(count(picture, color) > 100 for color in colors)


def test_shares_change_the_text() -> None:
    few, many = halves(), halves()
    few[:, :-1] = 0
    pictures = [plots.with_legend(grey(labels), labels, CLASSES, COLORS) for labels in (few, many)]
    assert pictures[0].size == pictures[1].size
    assert pixels(pictures[0]).tobytes() != pixels(pictures[1]).tobytes()


def test_labels_without_a_name_are_numbered() -> None:
    labels = np.full((4, 4), 77, np.uint8)
    assert count(plots.with_legend(grey(labels), labels, CLASSES, COLORS), (64, 132, 64)) == 0
    drawn = plots.with_legend(plots.label_image(labels, ()), labels, (), ())
    named = plots.with_legend(plots.label_image(labels, ()), labels, [f"class {i}" for i in range(78)], ())
    assert pixels(drawn).tobytes() == pixels(named).tobytes()


def test_pixels_without_a_class_have_the_given_name() -> None:
    labels, classes = np.full((4, 4), 255, np.uint8), ["?"] * 255
    drawn = [
        plots.with_legend(plots.label_image(labels, ()), labels, *words)
        for words in ((classes, (), "unknown"), ([*classes, "other"], (), "unknown"), (classes, ()))
    ]
    assert pixels(drawn[0]).tobytes() == pixels(drawn[1]).tobytes() != pixels(drawn[2]).tobytes()


# Errors


def test_errors_are_marked_void_is_gray_and_the_rest_a_dim_picture() -> None:
    truth = np.array([[0, 1, 255, 2]], np.uint8)
    predicted = np.array([[0, 2, 1, 2]], np.uint8)
    image = np.array([[(30, 60, 90), (9, 9, 9), (9, 9, 9), (200, 200, 200)]], np.uint8)
    shown = pixels(plots.errors(image, truth, predicted))
    assert shown[0].tolist() == [[21] * 3, list(plots.WRONG_COLOR), list(plots.UNSCORED_COLOR), [70] * 3]


def test_errors_want_arrays_of_one_size() -> None:
    labels = halves()
    with pytest.raises(DataError, match=r"errors: the picture is 8×12×3 uint8, its labels 8×12 uint8 and 8×11 uint8"):
        plots.errors(grey(labels), labels, labels[:, 1:])


# Sheets


def test_a_sample_sheet_holds_every_row(tmp_path: Path) -> None:
    labels = halves(100, 300)
    prediction = np.full_like(labels, 2)
    image = np.full((*labels.shape, 3), PICTURE, np.uint8)
    path = tmp_path / "sheet.png"
    plots.sample_sheet(path, [(image, labels, prediction)] * 2, CLASSES, COLORS)
    with Image.open(path) as sheet:
        assert sheet.width == 4 * 300 + 5 * 8
        assert count(sheet, PICTURE) == 2 * 100 * 300
        # Half of the truth is cat and the whole prediction dog; the legend has a square of each.
        assert 0 < count(sheet, COLORS[1]) - 2 * 100 * 150 < 400
        assert 0 < count(sheet, COLORS[2]) - 2 * 100 * 300 < 400
        assert (pixels(sheet)[:30] < 100).all(axis=2).any()  # headings
        # The prediction is wrong everywhere.
        assert 0 < count(sheet, plots.WRONG_COLOR) - 2 * 100 * 300 < 400
    plots.sample_sheet(tmp_path / "titled.png", [(image, labels, prediction)] * 2, CLASSES, COLORS, ["a", "b"], 150)
    with Image.open(tmp_path / "titled.png") as titled:
        assert titled.width == 4 * 150 + 5 * 8
        assert count(titled, PICTURE) == 2 * 50 * 150


def test_a_sample_sheet_takes_pictures_of_any_size(tmp_path: Path) -> None:
    rows = []
    for height, width in ((1, 1), (7, 900), (900, 7), (96, 96)):
        labels = np.full((height, width), 1, np.uint8)
        rows.append((grey(labels), labels, labels))
    plots.sample_sheet(tmp_path / "sheet.png", rows, CLASSES, COLORS)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height > 300 + 2 + 300 + 300


# Charts


def curve_colors(path: Path) -> dict[str, int]:
    with Image.open(path) as picture:
        return {
            "raw": count(picture, (0xA9, 0xC4, 0xE4)),
            "smoothed": count(picture, (0x1F, 0x5F, 0xA8)),
            "mean IU": count(picture, (0xB3, 0x54, 0x1E)),
        }


def test_curves_draw_loss_and_mean_iu(tmp_path: Path) -> None:
    loss = np.random.default_rng(1).random(200) + 1
    mean_iu = [i / 200 if i % 20 == 0 else None for i in range(200)]
    plots.curves(tmp_path / "x.png", {"iteration": range(200), "loss": loss, "mean_iu": mean_iu})
    assert all(number > 20 for number in curve_colors(tmp_path / "x.png").values())


def test_curves_without_validation_or_with_nan(tmp_path: Path) -> None:
    log = {"iteration": [1, 2, 3], "loss": [2.0, 1.0, float("nan")], "mean_iu": [None] * 3}
    plots.curves(tmp_path / "x.png", log)
    colors = curve_colors(tmp_path / "x.png")
    assert colors["smoothed"] > 20
    assert colors["mean IU"] == 0


@pytest.mark.parametrize("rows", [0, 1])
def test_curves_of_the_first_moments(tmp_path: Path, rows: int) -> None:
    plots.curves(tmp_path / "x.png", {name: [0.5] * rows for name in ("iteration", "loss", "mean_iu")})
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (1200, 480)


def test_smoothing_is_the_mean_of_neighbours() -> None:
    values = np.arange(100.0) ** 2
    expected = [values[max(0, i - 2) : i + 3].mean() for i in range(100)]
    np.testing.assert_allclose(plots.smoothed(values), expected)
    assert plots.smoothed(np.zeros(0)).size == 0


@pytest.mark.parametrize("classes", [1, 2, 60])
def test_a_confusion_matrix_of_any_size(tmp_path: Path, classes: int) -> None:
    matrix = np.eye(classes, dtype=np.int64) * 90 + 1
    plots.confusion_matrix(tmp_path / "x.png", matrix, [f"name {i}" for i in range(classes)])
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.width > 500


def test_a_confusion_matrix_is_normalised_by_row(tmp_path: Path) -> None:
    for name, matrix in {"a": [[9, 1], [2, 2]], "b": [[900, 100], [1, 1]], "c": [[9, 2], [1, 2]]}.items():
        plots.confusion_matrix(tmp_path / name, np.array(matrix), ("x", "y"))
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_classes_without_pixels_are_grey(tmp_path: Path) -> None:
    grey_pixels = {}
    for name, last in {"some": 5, "none": 0}.items():
        plots.confusion_matrix(tmp_path / name, np.array([[5, 0], [0, last]]), ("x", "y"))
        with Image.open(tmp_path / name) as picture:
            grey_pixels[name] = count(picture, (0xDD, 0xDD, 0xDD))
    assert grey_pixels["none"] > 10_000 > grey_pixels["some"]


def test_class_names_are_no_formulas(tmp_path: Path) -> None:
    plots.confusion_matrix(tmp_path / "x", np.eye(2), ("$\\frac$", "a$b$"))
    assert (tmp_path / "x").stat().st_size > 0


@pytest.mark.parametrize("shape", [(0, 0), (2, 3), (4,)])
def test_other_matrices_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="expected classes × classes"):
        plots.confusion_matrix(tmp_path / "x.png", np.zeros(shape), ())
    assert not list(tmp_path.iterdir())


# Files and imports


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "x.png"
    labels = halves()
    with pytest.raises(FileError, match="cannot be written"):
        plots.save_png(missing, plots.label_image(labels, COLORS))
    with pytest.raises(FileError, match="cannot be written"):
        plots.curves(missing, {"iteration": [1], "loss": [1], "mean_iu": [1]})


def test_drawing_needs_no_display_and_no_pyplot(tmp_path: Path) -> None:
    """pyplot keeps every figure it makes and may look for a screen."""
    code = (
        "import sys; from fcnlite import plots; assert not {'matplotlib', 'PIL'} & set(sys.modules);"
        f"plots.curves({str(tmp_path / 'x.png')!r}, {{'iteration': [1], 'loss': [1], 'mean_iu': [1]}});"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"MPLBACKEND": "agg", "HOME": str(tmp_path)})
