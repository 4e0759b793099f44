"""`python -m fcnlite.predict`."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import caffe, predict
from fcnlite.segmentation.segmenter import Segmenter
from tests.cli.conftest import Command
from tests.color_net import COLORS, color_net

FED = "data: fed as BGR, mean 100, 100, 100, scale 1\n"
RED, GREEN = (200, 10, 10), (10, 200, 10)


def picture(path: Path, *columns: tuple[int, int, int]) -> Path:
    """A picture of 3 rows, each column of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array([columns] * 3, np.uint8)).save(path)
    return path


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_it_writes_and_reports_label_map_and_overlay(tmp_path: Path, weights: Path, command: Command) -> None:
    image, out = picture(tmp_path / "in.png", RED, RED, RED, GREEN), tmp_path / "out"
    ended = command(predict.main, weights, image, "-o", out)
    assert (ended.status, ended.err) == (0, FED)
    assert ended.out == f"{image} -> {out}/in.png, {out}/in_overlay.png\n  red 75.0 %, green 25.0 %\n"
    assert files(out) == ["in.png", "in_overlay.png"]
    labels = Image.open(out / "in.png")
    assert labels.mode == "P"
    np.testing.assert_array_equal(np.asarray(labels), [[0, 0, 0, 1]] * 3)
    assert tuple(labels.getpalette()[:9]) == sum(COLORS, ())
    overlay = Image.open(out / "in_overlay.png")
    assert overlay.mode == "RGB"
    assert overlay.height > 3 * overlay.width // 4  # the picture enlarged, the legend below


def test_a_bar_on_a_terminal_tells_the_time_that_is_left(
    tmp_path: Path, weights: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in "ab":
        picture(tmp_path / "in" / f"{name}.png", RED)
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    words = (weights, tmp_path / "in", "--no-overlay", "-o", tmp_path / "out")
    assert command(predict.main, *words).status == 0
    assert "| 0 of 2 pictures, 00:00, ? left" in shown.getvalue()
    # The bar goes away before each line of text, and at the end.
    assert shown.getvalue().endswith("\r") and not shown.getvalue().split("\r")[-2].strip()


def test_no_overlay_writes_label_maps_only(tmp_path: Path, weights: Path, command: Command) -> None:
    out = tmp_path / "out"
    ended = command(predict.main, weights, picture(tmp_path / "in.png", RED), "--out", out, "--no-overlay")
    assert ended.status == 0
    assert files(out) == ["in.png"]


def test_options_may_stand_between_the_inputs(tmp_path: Path, weights: Path, command: Command) -> None:
    first, second = picture(tmp_path / "a.png", RED), picture(tmp_path / "b.png", RED)
    assert command(predict.main, weights, first, "-o", tmp_path / "out", second, "--no-overlay").status == 0
    assert files(tmp_path / "out") == ["a.png", "b.png"]


def test_folders_are_mirrored_without_hidden_files_and_earlier_results(
    tmp_path: Path, weights: Path, command: Command
) -> None:
    photos = tmp_path / "photos"
    for name in ("a.png", "sub/a.JPG", ".hidden/a.png", "sub/.b.png"):
        picture(photos / name, RED)
    (photos / "notes.txt").write_text("no picture")
    for _ in range(2):
        ended = command(predict.main, weights, photos, "-o", photos / "out")
        assert (ended.status, ended.err) == (0, FED)
        assert files(photos / "out") == ["a.png", "a_overlay.png", "sub/a.png", "sub/a_overlay.png"]


def test_globs_are_expanded_and_files_named_twice_are_done_once(
    tmp_path: Path, weights: Path, command: Command
) -> None:
    first = picture(tmp_path / "deep/er/a1.png", RED)
    picture(tmp_path / "deep/a2.png", GREEN)
    ended = command(predict.main, weights, first, tmp_path / "deep/**/a?.png", "-o", tmp_path / "out")
    assert ended.status == 0
    assert ended.out.count("->") == 2
    assert len(files(tmp_path / "out")) == 4


def test_a_name_with_brackets_is_a_name_if_it_exists(tmp_path: Path, weights: Path, command: Command) -> None:
    image = picture(tmp_path / "in[1].png", RED)
    assert command(predict.main, weights, image, "-o", tmp_path / "out").status == 0
    assert files(tmp_path / "out") == ["in[1].png", "in[1]_overlay.png"]


@pytest.mark.parametrize("names", [("a/x.png", "b/x.png"), ("x.png", "x.jpg"), ("x.png", "x_overlay.png")], ids=str)
def test_two_pictures_for_one_target_are_refused(
    tmp_path: Path, weights: Path, command: Command, names: tuple[str, str]
) -> None:
    first, second = (picture(tmp_path / name, RED) for name in names)
    ended = command(predict.main, weights, first, second, "-o", tmp_path / "out")
    assert ended.status == 1
    assert ended.err.startswith(f"error: {second}: would be written to {tmp_path}/out/x")
    assert str(first) in ended.err
    assert not (tmp_path / "out").exists()


def test_inputs_are_never_overwritten(tmp_path: Path, weights: Path, command: Command) -> None:
    image = picture(tmp_path / "in.png", RED)
    before = image.read_bytes()
    for source in (image, tmp_path):
        ended = command(predict.main, weights, source, "-o", tmp_path)
        assert ended.status == 1
        assert "is an input and would be overwritten; choose another --out folder" in ended.err
    assert image.read_bytes() == before


def test_pictures_that_fail_are_named_and_the_others_stay(tmp_path: Path, weights: Path, command: Command) -> None:
    photos = tmp_path / "photos"
    picture(photos / "good.png", RED)
    (photos / "bad.png").write_bytes((photos / "good.png").read_bytes()[:45])
    ended = command(predict.main, weights, photos, "-o", tmp_path / "out")
    assert ended.status == 1
    assert ended.err.startswith(f"{FED}error: {photos}/bad.png: is damaged")
    assert ended.err.count("\n") == 2
    (photos / "text.jpg").write_text("no picture")
    ended = command(predict.main, weights, photos, "-o", tmp_path / "out")
    assert ended.err.startswith(f"{FED}error: 1 of 3 pictures segmented: 2 problems:\n")
    assert f"{photos}/bad.png: is damaged" in ended.err
    assert f"{photos}/text.jpg: is not a picture" in ended.err
    assert files(tmp_path / "out") == ["good.png", "good_overlay.png"]


def test_a_net_that_fails_names_the_picture(tmp_path: Path, command: Command) -> None:
    color_net(stride=2).save(tmp_path / "half.h5")
    image = picture(tmp_path / "in.png", RED, RED)
    ended = command(predict.main, tmp_path / "half.h5", image, "-o", tmp_path / "out")
    assert ended.status == 1
    assert ended.err.startswith(f"{FED}error: {image}: a picture of 3 rows and 2 columns got scores of")


def test_caffes_files_need_both(tmp_path: Path, command: Command) -> None:
    net = color_net()
    (tmp_path / "net.prototxt").write_text(caffe.write_net(net.spec))
    arrays = {name: [each.array for each in parameters] for name, parameters in net.params.items()}
    caffe.write_weights(tmp_path / "net.caffemodel", arrays)
    image, out = picture(tmp_path / "in.png", RED, GREEN), tmp_path / "out"
    options = ("-o", out, "--no-overlay")
    ended = command(predict.main, tmp_path / "net.caffemodel", "--net", tmp_path / "net.prototxt", image, *options)
    assert ended.status == 0
    assert "fed as BGR, mean 104.007, 116.669, 122.679, scale 1 (assumed: ImageNet's mean" in ended.err
    assert "class 0 50.0 %, class 1 50.0 %" in ended.out
    ended = command(predict.main, tmp_path / "net.caffemodel", image, *options)
    assert ended.status == 1
    assert "give the .caffemodel and --net net.prototxt" in ended.err


def test_views_are_averaged_and_named(tmp_path: Path, weights: Path, command: Command) -> None:
    image, out = picture(tmp_path / "in.png", RED, GREEN, GREEN), tmp_path / "out"
    ended = command(predict.main, weights, image, "-o", out, "--no-overlay", "--flip", "--scales", 0.2, 1)
    assert ended.status == 0
    assert ended.err.startswith("averaged over scales 0.2, 1, each also mirrored\n")
    with Image.open(out / "in.png") as written, Image.open(image) as given:
        expected = Segmenter(weights, flip=True, scales=(0.2, 1))(given)
        np.testing.assert_array_equal(np.array(written), expected)
    ended = command(predict.main, weights, image, "-o", out, "--scales", 0.01)
    assert (ended.status, ended.out) == (1, "")
    assert f"{image}: a picture of " in ended.err and "0 rows and 0 columns at scale 0.01" in ended.err


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing.png", "missing.png: no such file or folder"),
        ("*.nothing", "as a pattern it matches nothing"),
        ("empty", "empty: holds no pictures"),
    ],
)
def test_inputs_that_name_nothing_are_refused(
    tmp_path: Path, weights: Path, command: Command, source: str, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    ended = command(predict.main, weights, tmp_path / source, "-o", tmp_path / "out")
    assert ended.status == 1
    assert ended.err.startswith("error: ")
    assert words in ended.err


def test_an_output_folder_that_cannot_be_is_refused(tmp_path: Path, weights: Path, command: Command) -> None:
    image = picture(tmp_path / "in.png", RED)
    for out in (weights, weights / "below"):
        ended = command(predict.main, weights, image, "-o", out)
        assert ended.status == 1
        assert ended.err.startswith(f"error: {out}: cannot be made a folder")


def test_missing_weights_are_refused(tmp_path: Path, command: Command) -> None:
    ended = command(predict.main, tmp_path / "no.h5", picture(tmp_path / "in.png", RED))
    assert (ended.status, ended.err) == (1, f"error: {tmp_path}/no.h5: no such file; check the path.\n")


def test_runs_as_a_module(tmp_path: Path, weights: Path) -> None:
    picture(tmp_path / "in.png", GREEN)
    ended = subprocess.run(
        [sys.executable, "-m", "fcnlite.predict", weights, "in.png"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(predict.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, FED)
    assert ended.stdout.endswith("  green 100.0 %\n")
    assert files(tmp_path / "predictions") == ["in.png", "in_overlay.png"]
