"""A run that ends at any write it makes can be resumed to the end of an uninterrupted one.

What a killed process leaves is what the file system held at that moment. So one run is watched: before and after
every write, rename and removal its folder is kept as an image, and each image is resumed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fcnlite import storage
from fcnlite._cli.running import run_command
from fcnlite.train.__main__ import main
from fcnlite.train.run_folder import RunFolder, TrainingLog
from tests.train.runs import NET, TINY, assert_readable, assert_same_run, leftovers

pytestmark = pytest.mark.usefixtures("no_pictures")

Image = dict[str, bytes]
RUN = (
    *TINY, "--solver", "AdamW", "--base-lr", 0.01, "--iterations", 5, "--check-every", 2, "--iter-size", 2,
    "--loss-sampling", 0.5, "--class-balance", 1.1, "--brightness", 0.3, "--scale", 0.8, 1.2, "--crop", 32, 32,
    "--augment", "elastic=3:16", "rotation=5", "noise=5", "classcrop=0.5", "classmix=0.5",
)  # fmt: skip
"""With all that is random."""


@pytest.fixture
def run(tmp_path: Path) -> tuple[object, ...]:
    """The options of a run."""
    (tmp_path / "net.prototxt").write_text(NET)
    return (*RUN, "--model", tmp_path / "net.prototxt")


def train(*arguments: object) -> int:
    return run_command(main, [str(each) for each in arguments])


def image_of(folder: Path) -> Image:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name != ".lock"}


def restore(image: Image, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in image.items():
        (folder / name).write_bytes(content)
    return folder


@contextmanager
def watched(folder: Path) -> Iterator[list[Image]]:
    """The states that the folder goes through within the block."""
    images: list[Image] = []

    def look() -> None:
        image = image_of(folder)
        if not images or image != images[-1]:
            images.append(image)

    def watch(method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            look()
            result = method(*arguments, **options)
            look()
            return result

        return wrapped

    places = [(Path, "replace"), (Path, "unlink"), (os, "fsync"), (RunFolder, "cut_logs")]
    places += [(TrainingLog, "write"), (TrainingLog, "write_check")]
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in places:
            patch.setattr(owner, name, watch(getattr(owner, name)))
        yield images


def newer_best(image: Image, folder: Path) -> bool:
    """Whether best.h5 is of a later iteration than the checkpoint."""
    restore(image, folder)
    if "best.h5" not in image:
        return False
    iteration = storage.load(folder / "last.h5").progress["iteration"]
    return storage.load(folder / "best.h5").info.record["iteration"] > iteration


def finish(image: Image, folder: Path, whole: Path) -> None:
    """Resume the image; it must end as the whole run."""
    restore(image, folder)
    assert_readable(folder)
    assert train("--resume", "--out", folder) == 0
    assert_same_run(folder, whole)
    assert leftovers(folder) == set()


@pytest.mark.slow
def test_every_moment_of_a_run_may_be_its_last(
    run: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with watched(whole) as images:
        assert train(*run, "--out", whole) == 0
    unborn = [image for image in images if "last.h5" not in image]
    for image in unborn:
        restore(image, killed)
        assert train("--resume", "--out", killed) == 1
        assert "holds no checkpoint (last.h5) to resume" in capsys.readouterr().err
    resumable = images[len(unborn) :]
    assert len(resumable) > 12
    assert any(newer_best(image, killed) for image in resumable)
    assert any(leftovers(restore(image, killed)) for image in resumable)
    for image in resumable:
        finish(image, killed, whole)


@pytest.mark.slow
def test_a_run_that_overwrites_another_leaves_one_of_them_at_any_moment(
    run: tuple[object, ...], tmp_path: Path
) -> None:
    """Even if its weights come from the run that it overwrites."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(*run, "--seed", 7, "--iterations", 1, "--out", whole) == 0
    earlier = image_of(whole)
    with watched(whole) as images:
        assert train(*run, "--no-validation", "--overwrite", "--init", whole / "best.h5", "--out", whole) == 0
    before = [image for image in images if image["last.h5"] == earlier["last.h5"]]
    assert before
    for image in before:
        assert image.items() >= earlier.items()
    for image in images[len(before) :]:
        finish(image, killed, whole)


@pytest.mark.slow
def test_a_resumed_run_may_be_killed_as_well(run: tuple[object, ...], tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with watched(whole) as images:
        assert train(*run, "--no-validation", "--out", whole) == 0
    last_write = max(i for i, image in enumerate(images) if image.get("log.csv", b"").count(b"\n") == 4)
    with watched(restore(images[last_write], killed)) as again:
        assert train("--resume", "--out", killed) == 0
    assert again[0]["log.csv"] != again[1]["log.csv"]
    for image in again:
        finish(image, killed, whole)
