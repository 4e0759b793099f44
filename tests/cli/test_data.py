"""`python -m fcnlite.data`: what a folder is, what is wrong with it, and its conversion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from fcnlite import data
from fcnlite.data.recognition import recognise
from fcnlite.errors import DataError
from fcnlite.inspection.command import main
from fcnlite.segmentation import plots
from tests.cli.conftest import Command
from tests.data import drawn, layouts

NAMES = ("a", "b", "c", "d", "e", "f")


def folder(root: Path) -> None:
    for seed, name in enumerate(NAMES):
        layouts.picture(root / "images" / f"{name}.png", seed)
        layouts.png(root / "labels" / f"{name}.png", layouts.bands(0, 1, 255, 1))


def test_it_says_what_a_folder_holds(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "photos")
    (tmp_path / "photos" / "classes.txt").write_text("ground\nplant\n")
    (tmp_path / "photos" / "val.txt").write_text("f\n")
    monkeypatch.chdir(tmp_path)
    ended = command(main, "photos")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == (
        "photos: --data folder --root photos\n\n"
        "train     5 pictures, 12×8, fed as BGR, mean 104.007, 116.669, 122.679, scale 1\n"
        "val       1 picture, 12×8, fed as BGR, mean 104.007, 116.669, 122.679, scale 1\n\n"
        "classes\n"
        "   class                  train  pictures     val  pictures\n"
        "0  ground                33.3 %         5  33.3 %         1\n"
        "1  plant                 66.7 %         5  66.7 %         1\n"
        "   void (of all pixels)  25.0 %         5  25.0 %         1\n\n"
        "contact sheet: photos_sheet.png\n"
    )
    sheet = Image.open(tmp_path / "photos_sheet.png")
    assert sheet.width == 4 * 288 and sheet.height > 2 * 187


def test_problems_are_listed_and_nothing_is_converted(tmp_path: Path, command: Command) -> None:
    folder(tmp_path / "photos")
    (tmp_path / "photos" / "labels" / "b.png").unlink()
    layouts.png(tmp_path / "photos" / "labels" / "c.png", layouts.bands(0, 1, size=(8, 11)))
    ended = command(main, tmp_path / "photos", "--no-sheet", "--to", "folder", tmp_path / "out")
    assert ended.status == 1
    assert "2 problems:\n" in ended.out and "b.png: has no label" in ended.out and "c.png: is 12×8" in ended.out
    assert "is not written, since there are problems" in ended.err
    assert not (tmp_path / "out").exists()
    assert command(main, tmp_path / "photos", "--no-sheet").status == 1
    ended = command(main, tmp_path / "photos", "--no-sheet", "--skip-bad", "--to", "folder", tmp_path / "out")
    assert ended.status == 0
    assert "4 pictures -> " in ended.err
    assert command(main, tmp_path / "photos", "--no-sheet", "--to", "folder", tmp_path / "out").status == 1


def test_json_has_the_same_contents(tmp_path: Path, command: Command) -> None:
    folder(tmp_path)
    found = json.loads(command(main, tmp_path, "--no-sheet", "--json", "-", "--data-option", "val=0.5").out)
    assert found["schema"] == "fcnlite.data/1"
    assert [found["data"], found["data_option"], found["problems"]] == ["folder", ["val=0.5"], []]
    assert sum(split["usable"] for split in found["splits"].values()) == 6
    labels = found["splits"]["train"]["labels"]["label"]
    count = found["splits"]["train"]["pictures"]
    assert labels["pixels"] == [24 * count, 48 * count] and labels["void_pixels"] == 24 * count
    assert labels["pictures"] == [count, count]
    assert command(main, tmp_path, "--no-sheet", "--json", tmp_path / "x.json").out.startswith(f"{tmp_path}: --data")
    assert json.loads((tmp_path / "x.json").read_text())["schema"] == "fcnlite.data/1"


@pytest.mark.parametrize("name", ["labelme", "coco", "cvat"])
def test_conversion_keeps_every_label(name: str, tmp_path: Path, command: Command) -> None:
    pytest.importorskip("pycocotools", reason="needs the extra labels (pycocotools)")
    pytest.importorskip("shapely", reason="needs the extra labels (shapely)")
    root, out = tmp_path / "in", tmp_path / "out"
    if name == "labelme":
        drawn.labelme(root, *NAMES)
    elif name == "coco":
        drawn.coco(root / "result.json", root / "images", *(f"{each}.png" for each in NAMES))
    else:
        drawn.cvat(root, *NAMES)
    ended = command(main, root, "--no-sheet", "--to", "folder", out)
    assert ended.status == 0, ended.err
    assert ended.out.startswith(f"{root}: --data {name} --root {root}\n")
    assert sorted(path.name for path in out.iterdir()) == ["classes.txt", "images", "labels", "train.txt", "val.txt"]
    for split in ("train", "val"):
        before, after = data.open(name, root, split), data.open("folder", out, split)
        after.check()
        assert after.classes == before.classes == drawn.CLASSES
        pairs = {before[i].name: before[i] for i in range(len(before))}
        assert len(pairs) == len(after)
        for i in range(len(after)):
            np.testing.assert_array_equal(after[i].label, pairs[after[i].name].label)
            np.testing.assert_array_equal(after[i].image, pairs[after[i].name].image)


def test_turned_and_deep_pictures_are_converted(tmp_path: Path, command: Command) -> None:
    pixels = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a", "b"):
        (tmp_path / "in" / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "in" / "images" / f"{name}.png", exif=exif)
        layouts.png(tmp_path / "in" / "labels" / f"{name}.png", layouts.bands(0, 1, size=(12, 8)))
    assert command(main, tmp_path / "in", "--no-sheet", "--to", "folder", tmp_path / "out").status == 0
    np.testing.assert_array_equal(data.open("folder", tmp_path / "out")[0].image, pixels.swapaxes(0, 1)[:, ::-1])


def test_formats_are_recognised(tmp_path: Path) -> None:
    layouts.voc(tmp_path / "voc", layouts.bands(0, 1), train=["x"], val=["y"])
    drawn.cvat(tmp_path / "cvat", "a")
    drawn.labelme(tmp_path / "labelme", "a")
    drawn.coco(tmp_path / "coco" / "annotations" / "instances_val2017.json", tmp_path / "coco" / "val2017", "1.png")
    folder(tmp_path / "folder")
    for each in ("voc", "cvat", "labelme", "coco", "folder"):
        assert recognise(tmp_path / each).name == each
    (tmp_path / "folder" / "images").rename(tmp_path / "folder" / "imgs")
    (tmp_path / "folder" / "labels").rename(tmp_path / "folder" / "masks")
    assert recognise(tmp_path / "folder").options == ("images=imgs", "labels=masks")
    layouts.picture(tmp_path / "none" / "a.png")
    for root, words in ((tmp_path / "none", r"It holds 1 \*.png; folders: none"), (tmp_path / "no", "is not a folder")):
        with pytest.raises(DataError, match=words):
            recognise(root)


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    folder(tmp_path)
    words = [sys.executable, "-m", "fcnlite.data", str(tmp_path), "--no-sheet"]
    assert "--data folder" in subprocess.run(words, check=True, capture_output=True, text=True).stdout


def test_pictures_that_only_other_readers_open_are_copied(tmp_path: Path, command: Command) -> None:
    folder(tmp_path / "field")
    bands = np.random.default_rng(0).integers(0, 4096, (8, 12, 5)).astype(np.uint16)
    for name, path in zip(NAMES, sorted((tmp_path / "field" / "images").iterdir()), strict=True):
        path.unlink()
        if name < "d":
            tifffile.imwrite(path.with_suffix(".tif"), bands, photometric="minisblack", planarconfig="contig")
        else:
            with path.with_suffix(".NPY").open("wb") as stream:
                np.save(stream, bands)
    assert command(main, tmp_path / "field", "--no-sheet", "--to", "folder", tmp_path / "out").status == 0
    found = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    assert found == ["a.tif", "b.tif", "c.tif", "d.npy", "e.npy", "f.npy"]
    for each in data.open("folder", tmp_path / "out", "train"):
        np.testing.assert_array_equal(each.image, bands)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("there", [False, True])
def test_a_conversion_that_fails_leaves_nothing(
    error: BaseException, there: bool, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "photos")
    out = tmp_path / "new" / "out"
    if there:
        out.mkdir(parents=True)
    calls: list[Path] = []

    def failing(path: Path, image: Image.Image) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise error
        image.save(path)

    monkeypatch.setattr(plots, "save_png", failing)
    assert command(main, tmp_path / "photos", "--no-sheet", "--to", "folder", out).status in (1, 130)
    assert len(calls) == 3
    assert ([*out.iterdir()] == []) if there else not out.parent.exists()


def test_a_split_that_cannot_be_opened_is_told(tmp_path: Path, command: Command) -> None:
    folder(tmp_path / "photos")
    ended = command(main, tmp_path / "photos", "--no-sheet", "--data-option", "val=0")
    assert ended.status == 0
    assert "warning: the split val is left out: " in ended.out and "the split 'val' is empty" in ended.out
