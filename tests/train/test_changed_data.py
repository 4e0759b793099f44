"""`--resume` where the data of the run have changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import storage
from fcnlite._cli.running import run_command
from fcnlite.train.__main__ import main
from tests.train.bands import SMALL, scenes
from tests.train.test_resume import alter

pytestmark = pytest.mark.usefixtures("no_pictures")


def train(*arguments: object) -> int:
    return run_command(main, [str(each) for each in arguments])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return scenes(tmp_path / "photos", ("road", "car", "sky"))


@pytest.fixture
def out(photos: Path, tmp_path: Path) -> Path:
    """A finished run of one iteration."""
    assert train("--data", "folder", "--root", photos, *SMALL, "--out", tmp_path / "run") == 0
    return tmp_path / "run"


def resumed(out: Path, *options: object) -> int:
    return train("--resume", *options, "--out", out)


def save(path: Path, size: tuple[int, int] = (16, 16), label: int = 2) -> None:
    Image.fromarray(np.full(size, label, np.uint8)).save(path)


def relabel(photos: Path) -> None:
    save(photos / "labels" / "3.png")


def repaint(photos: Path) -> None:
    Image.new("RGB", (16, 16)).save(photos / "images" / "4.png")


def add(photos: Path) -> None:
    shutil.copy(photos / "images" / "0.png", photos / "images" / "new.png")
    shutil.copy(photos / "labels" / "0.png", photos / "labels" / "new.png")


def remove(photos: Path) -> None:
    for kind in ("images", "labels"):
        (photos / kind / "5.png").unlink()


def resize(photos: Path) -> None:
    Image.new("RGB", (20, 16)).save(photos / "images" / "2.png")
    save(photos / "labels" / "2.png", (16, 20))


def relabel_validation(photos: Path) -> None:
    save(photos / "labels" / "1.png")


def replace_one(photos: Path) -> None:
    remove(photos)
    add(photos)


CHANGES = [
    (relabel, ["train: 1 with another label map (3)"]),
    (repaint, ["train: 1 with another picture (4)"]),
    (add, ["train: 5 samples instead of 4", "1 added (new)"]),
    (remove, ["train: 3 samples instead of 4", "1 removed (5)"]),
    pytest.param(replace_one, ["train: 1 added (new)", "1 removed (5)"], marks=pytest.mark.slow),
    pytest.param(resize, ["train: 1 of another size (2)"], marks=pytest.mark.slow),
    pytest.param(relabel_validation, ["val: 1 with another label map (1)"], marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("change", "words"), CHANGES, ids=lambda each: getattr(each, "__name__", ""))
def test_changed_data_are_reported_and_need_an_option_to_continue(
    out: Path, photos: Path, capsys: pytest.CaptureFixture[str], change: object, words: list[str]
) -> None:
    assert callable(change)
    before = (out / "last.h5").read_bytes()
    change(photos)
    assert resumed(out) == 1
    err = capsys.readouterr().err
    for each in (*words, "--accept-changed-data"):
        assert each in err
    assert (out / "last.h5").read_bytes() == before
    assert resumed(out, "--accept-changed-data", "--iterations", 2) == 0
    assert words[0] in capsys.readouterr().err
    assert resumed(out, "--iterations", 3) == 0
    assert "changed" not in capsys.readouterr().err
    assert storage.load(out / "last.h5").progress["train_size"] == len(
        json.loads((out / "data.json").read_text())["train"]["samples"]
    )


def test_files_that_are_written_again_and_moved_are_the_same_data(out: Path, photos: Path, tmp_path: Path) -> None:
    for path in (photos / "labels").iterdir():
        with Image.open(path) as label:
            label.load()
        label.save(path, compress_level=1)
    photos.rename(tmp_path / "elsewhere")
    assert resumed(out, "--root", tmp_path / "elsewhere", "--iterations", 2) == 0


def test_validation_may_be_left_out_and_taken_up_again(out: Path) -> None:
    assert resumed(out, "--no-validation", "--iterations", 2) == 0
    assert resumed(out, "--validation", "--iterations", 3) == 0


def test_a_checkpoint_without_a_fingerprint_continues_with_one_warning(
    out: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alter(out / "last.h5", data="")
    (out / "data.json").unlink()
    relabel(photos)
    assert resumed(out) == 0
    assert "no fingerprint" in capsys.readouterr().err
    assert resumed(out) == 0
    assert "no fingerprint" not in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "[]", '{"train": 3}', '{"train": {"data": "folder"}}'])
def test_without_the_details_a_change_is_found_all_the_same(
    out: Path, photos: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    (out / "data.json").unlink()
    if content is not None:
        (out / "data.json").write_text(content)
    assert resumed(out) == 0
    assert (out / "data.json").read_text().startswith('{"train": {"data": "folder", "count": 4')
    (out / "data.json").unlink()
    relabel(photos)
    assert resumed(out) == 1
    assert "data.json is missing" in capsys.readouterr().err


def test_generated_data_are_identified_by_their_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ("--data-option", "size=32", "--data-option", "count=4")
    assert train(*SMALL, *run, "--no-validation", "--out", tmp_path / "run") == 0
    other = ("--data-option", "seed=1")
    assert train("--resume", *run, *other, "--out", tmp_path / "run") == 1
    assert "train: generated with size 32, seed 1 instead of size 32, seed 0" in capsys.readouterr().err
