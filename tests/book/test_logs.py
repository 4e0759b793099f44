"""The annotated logs of the book have the words that the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from fcnlite import data, plots
from fcnlite.__main__ import main
from fcnlite._cli.running import run_command
from fcnlite.train.timing import RemainingTime
from tests.book.pages import DOCS

PAGE = (DOCS / "start" / "logs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```text\n(.*?)^```$", PAGE, re.M | re.S)
ROOT = DOCS.parent


def shape(line: str) -> str:
    """A line of a log with all numbers and widths of columns alike; a number may be undefined."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d,.]*|(?<= )(?:–|nan)(?= )", "0", line)).strip()


def block(begins: str) -> list[str]:
    """The lines of the block of the page that begins so, without a command."""
    found = next(each for each in BLOCKS if each.startswith(begins))
    return [line for line in found.splitlines() if line and not line.startswith("$")]


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the page Start makes."""
    folder = tmp_path_factory.mktemp("logs")
    shapes = data.open("shapes", count=100)
    for name in ("images", "labels"):
        (folder / "practice" / name).mkdir(parents=True)
    for i, sample in enumerate(shapes):
        Image.fromarray(sample.image).save(folder / f"practice/images/{i:03}.png")
        plots.label_image(sample.label, shapes.colors).save(folder / f"practice/labels/{i:03}.png")
    (folder / "practice" / "classes.txt").write_text("\n".join(shapes.classes))
    return folder


def said(capsys: pytest.CaptureFixture[str], *words: object) -> list[str]:
    """The lines that a command prints."""
    assert run_command(main, [str(word) for word in words]) == 0
    captured = capsys.readouterr()
    return (captured.err + "\n" + captured.out).replace("\r", "\n").splitlines()


def test_train_and_evaluate_print_the_lines_of_the_page(
    practice: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(practice)
    folder = ("--data", "folder", "--root", "practice")
    size = ("--width", 0.02, "--batch-size", 4, "--iterations", 2, "--check-every", 2)
    lines = said(capsys, "train", *folder, *size, "--out", "runs/practice")
    before = block("data ")
    assert before[:9] == [line for line in lines if line.strip()][:9]  # all that depends on the pictures alone
    known = {shape(line) for line in lines}
    shown = [*before, *block("iteration 30"), *block("runs/practice/best.h5")]
    assert [line for line in shown if shape(line) not in known] == []
    bar = shape(block(" 68%")[0]).partition("/s, ")[2]
    assert any(line.endswith(bar) for line in known) and bar == "loss=0 rate=0]"
    files = set(re.findall(r"`(\w+\.\w+)`", PAGE[PAGE.index("The folder `runs/practice`") : PAGE.index("## predict")]))
    assert files == {path.name for path in (practice / "runs" / "practice").iterdir()} - {".lock"}

    table = said(capsys, "evaluate", "runs/practice/best.h5", *folder)
    known = {shape(line) for line in table}
    assert [line for line in block("$ python -m fcnlite.evaluate") if shape(line) not in known] == []


def test_predict_prints_the_lines_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    lines = said(capsys, "predict", "weights/shapes-fcn8s.h5", "examples/shapes.png", "-o", tmp_path)
    shown = "\n".join(block("$ python -m fcnlite.predict")).replace("segmented/", f"{tmp_path}/")
    assert list(map(shape, shown.splitlines())) == [shape(line) for line in lines if line]
    now, before = (dict(re.findall(r"(\w+) ([\d.]+) %", text)) for text in ("\n".join(lines), shown))
    shares = {name: float(share) for name, share in before.items()}
    assert {name: float(share) for name, share in now.items()} == pytest.approx(shares, abs=0.2)


def test_the_remaining_time_has_the_words_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(i) for i in range(1000))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    remaining, words = RemainingTime(), None
    while words is None:
        remaining.step()
        words = remaining.estimate(1, 100)
    shown = shape(block("about ")[0])
    assert shape(words) in (shown, shown.replace("minute ", "minutes "))
