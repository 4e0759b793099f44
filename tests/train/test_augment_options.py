"""Augmentation on the command line: the list, its short options, and what is refused before training starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite import storage
from fcnlite.data.augmentation import TRANSFORMS
from fcnlite.train.__main__ import main
from tests.cli.conftest import Command
from tests.train.runs import TINY, assert_same_run

pytestmark = pytest.mark.usefixtures("no_pictures")

QUICK = (*TINY, "--no-validation", "--iterations", 1)


def shown(command: Command, *arguments: object) -> dict[str, str]:
    """The entries of the list that --print-recipe shows, and where each comes from."""
    ended = command(main, *arguments, "--print-recipe")
    assert ended.status == 0, ended.err
    lines = [line.split(maxsplit=2) for line in ended.out.splitlines() if line.startswith("  augment")]
    return {line[1]: " ".join(line[2:]) for line in lines}


def test_help_explains_every_transform(command: Command) -> None:
    words = command(main, "--help").out
    for kind in TRANSFORMS.values():
        assert f"{kind.form} " in words and kind.about in words


def test_entries_edit_the_list_of_the_recipe(command: Command) -> None:
    assert shown(command) == {"flip": ""}
    assert shown(command, "--augment", "none") == {"–": "command line"}
    assert shown(command, "--recipe", "voc-fcn8s") == {"–": "recipe"}
    lite = {"scale=0.75:1.5": "recipe", "crop=288:384": "recipe", "flip": "recipe", "brightness=0.3": "recipe"}
    assert shown(command, "--recipe", "lite") == lite
    edited = shown(command, "--recipe", "lite", "--augment", "classmix=0.5", "crop=64:64", "--augment", "flip=off")
    assert edited == {
        "scale=0.75:1.5": "recipe",
        "crop=64:64": "command line",
        "brightness=0.3": "recipe",
        "classmix=0.5": "command line",
    }


def test_the_short_options_are_entries(command: Command) -> None:
    short = ("--crop", 64, 80, "--scale", 0.5, 2, "--no-flip", "--turn", "--brightness", 0.2)
    assert [*shown(command, *short)] == ["scale=0.5:2", "turn", "crop=64:80", "brightness=0.2"]
    assert [*shown(command, "--recipe", "lite", "--crop", 0, 0, "--brightness", 0)] == ["scale=0.75:1.5", "flip"]
    ended = command(main, "--crop", 8, 8, "--augment", "crop=8:9", "--print-recipe")
    assert (ended.status, ended.err) == (1, "error: --crop and --augment both give crop; give one of them.\n")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["brighness=0.5"], "augmentation 'brighness' is unknown; did you mean 'brightness'"),
        (["crop=32"], "augmentation crop=32: expected crop=HEIGHT:WIDTH, such as crop=288:384."),
        (["cutmix=1", "classmix=1", "crop=32:32"], "augmentation cutmix=1 classmix=1: a picture is mixed in one way"),
        (["cutout=4:0.5"], "augmentation cutout=4:0.5: expected COUNT · SHARE² below 1"),
        (["scale=0.001:1", "crop=32:32"], "leaves less than a pixel of"),
        (["classmix=0.5"], "add crop=HEIGHT:WIDTH."),
        (
            ["scale=0.5:2"],
            "augmentation scale=0.5:2: changes the sizes of pictures, and those of a batch must",
        ),
    ],
)
def test_what_cannot_work_is_one_sentence_before_training(
    command: Command, tmp_path: Path, entries: list[str], message: str
) -> None:
    ended = command(main, *QUICK, "--augment", *entries, "--out", tmp_path / "run")
    assert ended.status == 1
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert message in line and "Traceback" not in ended.err
    assert not (tmp_path / "run" / "last.h5").exists()


def test_a_list_is_stored_and_continued(command: Command, tmp_path: Path) -> None:
    entries = ("--augment", "scale=0.5:2:log", "crop=24:24", "cutmix=0.5", "cutout=1", "gamma=0.5")
    run = (*TINY, "--no-validation", *entries, "--check-every", 1)
    assert command(main, *run, "--iterations", 3, "--out", tmp_path / "whole").status == 0
    assert command(main, *run, "--iterations", 3, "--out", tmp_path / "cut").status == 0
    stored = storage.load(tmp_path / "whole" / "last.h5").progress["options"]["augment"]
    assert stored == ["scale=0.5:2:log", "crop=24:24", "flip", "gamma=0.5", "cutout=1", "cutmix=0.5"]
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    longer = ("--resume", "--iterations", 4, "--augment", "cutmix=off", "--brightness", 0.3)
    assert command(main, *longer, "--out", tmp_path / "whole").status == 0
    stored = storage.load(tmp_path / "whole" / "last.h5").progress["options"]["augment"]
    assert stored == ["scale=0.5:2:log", "crop=24:24", "flip", "brightness=0.3", "gamma=0.5", "cutout=1"]
