"""`--json` of the commands, and the model card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fcnlite import convert, evaluate, paper, summary
from fcnlite.doctor.__main__ import main as doctor
from tests.cli.conftest import Command
from tests.data import layouts


def test_summary(weights: Path, command: Command, tmp_path: Path) -> None:
    found = json.loads(command(summary.main, weights, "--json", "-").out)
    assert found["schema"] == "fcnlite.summary/1"
    assert found["inputs"]["data"]["shape"] == [1, 3, 8, 8] and found["classes"] == ["red", "green", "blue"]
    assert found["parameters"] == 12 == sum(each["parameters"] for each in found["layers"])
    assert found["macs"] == 9 * 64
    both = command(summary.main, weights, "--json", tmp_path / "x.json")
    assert both.out == command(summary.main, weights).out
    assert json.loads((tmp_path / "x.json").read_text()) == found


@pytest.mark.slow
def test_doctor_convert_and_paper(weights: Path, command: Command, tmp_path: Path) -> None:
    ended = command(doctor, weights, "--json", "-")
    found = json.loads(ended.out)
    assert found["schema"] == "fcnlite.doctor/1" and found["net"] == str(weights)
    assert all(set(each) == {"id", "severity", "what", "mend"} for each in found["findings"])
    assert ended.status == any(each["severity"] == "error" for each in found["findings"])
    out = tmp_path / "half.h5"
    found = json.loads(command(convert.main, weights, "-o", out, "--store", "float16", "--json", "-").out)
    assert (found["schema"], found["out"], found["parameters"]) == ("fcnlite.convert/1", str(out), [])
    ended = command(paper.main, "receptive-fields", "--out", tmp_path / "paper", "--json", tmp_path / "p.json")
    if ended.status == 0:
        found = json.loads((tmp_path / "p.json").read_text())
        assert found["schema"] == "fcnlite.paper/1" and Path(found["page"]).exists() and found["comparisons"]


@pytest.mark.parametrize("main", [summary.main, doctor, convert.main])
def test_a_file_that_cannot_be_written_is_refused_first(main, weights: Path, command: Command, tmp_path: Path) -> None:
    more = ("-o", tmp_path / "x.h5", "--store", "float16") if main is convert.main else ()
    ended = command(main, weights, *more, "--json", tmp_path / "no" / "x.json")
    assert ended.status == 1 and ended.out == ""
    assert f"there is no folder {tmp_path / 'no'} to write it to" in ended.err
    assert not (tmp_path / "x.h5").exists()


def test_the_model_card(weights: Path, command: Command, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for seed, name in enumerate("abc"):
        layouts.picture(root / "images" / f"{name}.png", seed)
        layouts.png(root / "labels" / f"{name}.png", layouts.bands(0, 1, 2))
    (root / "classes.txt").write_text("red\ngreen\nblue\n")
    (root / "val.txt").write_text("b\nc\n")
    words = ("--data", "folder", "--root", root, "--intervals", "--json", tmp_path / "x.json")
    assert command(evaluate.main, weights, *words).status == 0
    ended = command(summary.main, weights, "--card", "--results", tmp_path / "x.json")
    assert ended.status == 0, ended.err
    for line in (
        "# color.h5",
        "- 3 classes: red, green, blue",
        "- data: fed as BGR, mean 100, 100, 100, scale 1",
        "The file records no training.",
        "## Results: folder, split val, 2 pictures (color.h5)",
        "| class | IU | Dice | precision | recall |",
    ):
        assert line in ended.out, line
    assert ended.out.count("|---|") == 2 and "| mean IU | 0." in ended.out
    shipped = Path(__file__).parents[2] / "weights" / "camvid-fcn8s.h5"
    card = command(summary.main, shipped, "--card").out
    assert "| recipe | camvid |" in card and "- validation mean IU: 0.7263" in card and "sky, building" in card


@pytest.mark.parametrize(
    "content, words",
    [
        ('{"schema": "fcnlite.predict/1"}', "x.json: is not a result of evaluate --json"),
        ('{"schema": "fcnlite.evaluate/1"}', "x.json: is a damaged result of evaluate --json"),
        ("[]", "x.json: holds a JSON list"),
    ],
)
def test_other_results_are_refused(content: str, words: str, weights: Path, command: Command, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    ended = command(summary.main, weights, "--card", "--results", tmp_path / "x.json")
    assert (ended.status, ended.out) == (1, "")
    assert words in ended.err
