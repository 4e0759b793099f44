"""run.toml: written into each run, read by --config, and what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fcnlite import storage
from fcnlite.train import config_file
from fcnlite.train.__main__ import main
from fcnlite.train.options import TrainOptions
from tests.cli.conftest import Command
from tests.train.runs import TINY, assert_same_run

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads TOML with tomli")


def test_the_file_of_a_run_repeats_it(command: Command, tmp_path: Path) -> None:
    words = ("--iterations", 2, "--seed", 3, "--lr-policy", "multistep", "--stepvalue", 1, "--base-lr", "1e-05")
    augment = ("--augment", "none", "crop=16:24", "brightness=0.2")
    first = command(main, "--out", tmp_path / "a", *TINY, *words, *augment, "--json", tmp_path / "a.json")
    assert first.status == 0, first.err
    found = tomllib.loads((tmp_path / "a" / "run.toml").read_text())
    assert found["seed"] == 3 and found["base_lr"] == 1e-05 and found["augment"] == ["crop=16:24", "brightness=0.2"]
    made = found["made"]
    assert made["fcnlite"] and made["numpy"] and made["instruction_set"] and made["processes"] == 1
    record = storage.load(tmp_path / "a" / "best.h5").info.record
    assert record["data fingerprint"] == made["data_fingerprint"]
    assert record["made with"]["fcnlite"] == made["fcnlite"]
    again = command(main, "--config", tmp_path / "a" / "run.toml", "--out", tmp_path / "b", "--json", "-")
    assert again.status == 0, again.err
    assert json.loads(again.out)["stages"][0]["weights"] == str(tmp_path / "b" / "best.h5")
    assert_same_run(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "run.toml").read_bytes() == (tmp_path / "b" / "run.toml").read_bytes()
    held = json.loads((tmp_path / "a.json").read_text())
    assert held["schema"] == "fcnlite.train/1" and held["out"] == str(tmp_path / "a")
    assert held["stages"][0]["weights"] == str(tmp_path / "a" / "best.h5") and len(held["stages"][0]["iu"]) == 6


def test_the_command_line_overrides_the_file(tmp_path: Path) -> None:
    config_file.write(tmp_path / "run.toml", TrainOptions(epochs=2.0, augment=("flip", "turn"), root="x"), "f", 1)
    read = config_file.read(tmp_path / "run.toml", ())
    assert read["root"] == str(Path("x").absolute())
    merged = config_file.merged(read, {"iterations": 5, "augment": ("turn=off",), "seed": 4})
    assert merged["augment"] == ("none", "flip")
    assert "epochs" not in merged and merged["iterations"] == 5 and merged["seed"] == 4
    options = TrainOptions(**{**read, "augment": read["augment"]})
    assert options.to_json() == {**TrainOptions(epochs=2.0, augment=("flip", "turn")).to_json(), "root": read["root"]}


def test_every_option_survives(tmp_path: Path) -> None:
    options = TrainOptions(
        data="folder",
        root=str(tmp_path / 'a "quoted" \\ folder\n'),
        data_option=("classes=a,b", "val=0.3"),
        weight_decay=1e-300,
        clip_gradients=1e22,
        stepvalue=(1, 20),
        validation=False,
        ema=0.999,
        freeze=("conv1_*",),
        check_every=7,
    )
    config_file.write(tmp_path / "run.toml", options, "f", 1)
    assert TrainOptions(**config_file.read(tmp_path / "run.toml", ())) == options


@pytest.mark.parametrize(
    "text, words",
    [
        ("sed = 3", "sed is not an option of train, or is given twice; did you mean 'seed'?"),
        ("seed = '3'", 'seed is "3"; expected a whole number'),
        ("validation = 1", "validation is 1; expected true or false"),
        ("stepvalue = [1.5]", "stepvalue is [1.5]; expected a list of whole numbers"),
        ("base_lr = 1\nbase-lr = 2", "base-lr is not an option of train, or is given twice"),
        ("base_lr = nan", "base_lr is NaN; expected a number"),
        ("imports = ['mine']", "the run needs --import mine; give that on the command line"),
        ("seed =", "is not a TOML file"),
        ("a" * (1 << 20) + " = 1", "has 1048580 characters"),
    ],
)
def test_bad_files_are_named(text: str, words: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(text)
    ended = command(main, "--config", tmp_path / "run.toml", "--out", tmp_path / "run")
    assert ended.status == 1
    assert f"{tmp_path / 'run.toml'}: " in ended.err and words in ended.err
    assert not (tmp_path / "run").exists()


def test_a_run_that_continues_has_its_own_options(command: Command, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("seed = 1")
    ended = command(main, "--resume", "--config", tmp_path / "run.toml", "--out", tmp_path / "run")
    assert "--resume continues the run" in ended.err and "--config begins a new one" in ended.err
