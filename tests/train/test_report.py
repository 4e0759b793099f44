"""The report of a run and the logs beside it."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import plots, storage
from fcnlite._cli.running import run_command
from fcnlite.data import VOID, Shapes
from fcnlite.errors import FileError
from fcnlite.loading import load
from fcnlite.segmentation.evaluation import evaluate
from fcnlite.segmentation.metrics import Metrics, confusion
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.train import report, results
from fcnlite.train.__main__ import main
from fcnlite.train.norms import Norms
from fcnlite.train.run_folder import RunFolder
from fcnlite.train.validation import Check, Score
from tests.train.runs import TINY

pytestmark = pytest.mark.drawn

RUN = (*TINY, "--iterations", 4, "--check-every", 2, "--base-lr", 0.01)


class Page(HTMLParser):
    """The parts of a page that the tests examine."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.boxes: list[str] = []
        """The CSS classes of the open elements."""
        self.tables: list[list[str]] = []
        """The CSS classes of the elements around each table."""
        self.headings: list[str] = []
        """The headings of the samples."""
        self.time = ""
        self.refresh = False
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.sources += [value for name in ("src", "href") if (value := given.get(name))]
        self.refresh |= given.get("http-equiv") == "refresh"
        if tag == "table":
            self.tables.append([*self.boxes])
        if tag == "h3":
            self.headings.append("")
        if tag == "time":
            self.time = given["datetime"] or ""
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
            self.boxes.append(given.get("class") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)  # <path .../> inside svg: without sources, closed at once

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.boxes.pop()

    def handle_data(self, data: str) -> None:
        self.text += data
        if "h3" in self.open:
            self.headings[-1] += data


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run, and its report as it was after each check."""
    out = tmp_path_factory.mktemp("watched") / "my <run>"
    pages: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        write = report.write

        def keeping(run: object, check: object) -> None:
            write(run, check)  # type: ignore[arg-type]
            pages.append((out / "report.html").read_text(encoding="utf-8"))

        patch.setattr(report, "write", keeping)
        patch.setattr(results, "draw", lambda folder, dataset, ranks: None)
        patch.setattr(results, "figures", lambda dataset, matrix: "")
        assert run_command(main, [str(each) for each in (*RUN, "--profile", "--out", out)]) == 0
    return out, pages


def test_the_report_is_one_file_that_fetches_nothing(watched: tuple[Path, list[str]]) -> None:
    _, pages = watched
    assert len(pages) == 2
    for text in pages:
        page = Page(text)
        assert page.sources
        assert all(source.startswith("data:image/") for source in page.sources)
        assert not {"script", "link", "iframe"} & set(page.tags)
        assert not re.search(r"url\((?!#)|@import", text)  # within the page alone


def decoded(source: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB"))


def test_it_shows_pictures_truths_predictions_and_errors_the_worst_picture_first(
    watched: tuple[Path, list[str]],
) -> None:
    out, pages = watched
    page = Page(pages[-1])
    kinds = [source.partition(";")[0].removeprefix("data:image/") for source in page.sources]
    assert kinds == ["jpeg", "jpeg", "jpeg", "png"] * 6
    segmenter, dataset = Segmenter(load(out / "last.h5")), Shapes("val", size=32, count=6)
    scored = []
    for sample in dataset:
        predicted = segmenter(sample.image)
        matrix = confusion(sample.label, predicted, 6)
        scored.append((Metrics.from_matrix(matrix).mean_iu, sample, predicted))
    scored.sort(key=lambda each: each[0])
    assert page.headings == [
        f"{sample.name}mean IU {mean_iu:.3f} · {place} of 6"
        for place, (mean_iu, sample, _) in enumerate(scored, start=1)
    ]
    for (_, sample, predicted), *sources in zip(scored, *(page.sources[i::4] for i in range(4)), strict=True):
        picture, truth, prediction, wrong = map(decoded, sources)
        assert picture.shape == truth.shape == prediction.shape == wrong.shape == (32, 32, 3)
        assert np.abs(picture.astype(int) - sample.image).mean() < 20  # it is a JPEG of noise
        void, error = sample.label == VOID, (sample.label != VOID) & (predicted != sample.label)
        np.testing.assert_array_equal((wrong == plots.WRONG_COLOR).all(axis=2), error)
        np.testing.assert_array_equal((wrong == plots.UNSCORED_COLOR).all(axis=2), void)


def test_it_fits_a_phone_and_a_dark_display(watched: tuple[Path, list[str]]) -> None:
    """Tables scroll in boxes of their own; curves have no size and no colours of their own, but those of classes."""
    text = watched[1][-1]
    page = Page(text)
    assert len(page.tables) == 5 and all(any("scroll" in box for box in boxes) for boxes in page.tables)
    assert "@media (prefers-color-scheme: dark)" in text and 'content="light dark"' in text
    svgs = re.findall(r"<svg[^>]*aria-label=.*?</svg>", text, re.DOTALL)
    assert len(svgs) == 5
    for each in svgs:
        assert not re.search(r"<svg[^>]* (width|height)=", each)
        assert "fill: var(--ink)" in each and "stroke: var(--line)" in each
    for each in svgs[:4]:
        assert not re.search(r"#[0-9a-f]{6}\b(?<!\")", re.sub(r'(xlink:href="#|url\(#|id=")\w+', "", each))


def test_it_tells_when_it_was_written(watched: tuple[Path, list[str]]) -> None:
    written = datetime.fromisoformat(Page(watched[1][-1]).time)
    assert timedelta(0) <= datetime.now().astimezone() - written < timedelta(minutes=10)


def test_it_shows_the_progress_of_the_run(watched: tuple[Path, list[str]]) -> None:
    out, (first, last) = watched
    assert "my <run>: iteration 2 of 4" in Page(first).text
    page = Page(last)
    assert "my <run>: iteration 4 of 4" in page.text
    assert Page(first).refresh and not page.refresh  # it ends with the run
    best = max(float(row["mean_iu"]) for row in rows(out) if row["mean_iu"])
    assert f"{best:.3f}best mean IU" in page.text
    for words in ("waiting for data", "triangle", "IU of each class", "void", "conv1_1", "class_balance"):
        assert words in page.text


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_each_check_is_a_line_of_json_with_the_figures_of_evaluate(watched: tuple[Path, list[str]]) -> None:
    from fcnlite import data

    out, _ = watched
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [2, 4]
    best = storage.load(out / "best.h5").info.record["iteration"]
    (line,) = (line for line in lines if line["iteration"] == best)
    found = evaluate(load(out / "best.h5"), data.open("shapes", None, "val", size=32, count=6))
    assert line["mean_iu"] == found.mean_iu
    assert line["pixel_accuracy"] == found.pixel_accuracy
    assert [math.nan if each is None else each for each in line["iu"]] == pytest.approx(list(found.iu), nan_ok=True)
    assert [float(row["mean_iu"]) for row in rows(out) if row["mean_iu"]] == [line["mean_iu"] for line in lines]
    for row, line in zip(rows(out)[1::2], lines, strict=True):
        assert float(row["gradient_norm"]) == pytest.approx(math.hypot(*line["gradient_norms"].values()))
        assert float(row["weight_norm"]) == pytest.approx(math.hypot(*line["weight_norms"].values()))


@pytest.mark.parametrize(
    "content",
    ["{", "3", '{"iteration": "x"}', '{"iteration": 1, "iu": 3}', '{"iteration": 1, "iu": ["x"]}', "[" * 9999, "\xff"],
)
def test_lines_that_no_run_has_written_are_refused(tmp_path: Path, content: str) -> None:
    folder = RunFolder(tmp_path)
    for path, read in ((folder.checks, folder.read_checks), (folder.speed, folder.read_speed)):
        path.write_bytes(content.encode("latin-1") + b"\n")
        with pytest.raises(FileError, match=path.name):
            read()


def test_an_unreadable_log_is_reported_and_the_run_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(results, "draw", lambda folder, dataset, ranks: None)
    monkeypatch.setattr(results, "figures", lambda dataset, matrix: "")
    out = tmp_path / "run"
    run = (*TINY, "--check-every", 1, "--no-validation", "--out", out)
    assert run_command(main, [str(each) for each in (*run, "--iterations", 1)]) == 0
    (out / "speed.jsonl").write_text("nonsense\n")
    assert run_command(main, ["--resume", "--iterations", "2", "--out", str(out)]) == 0
    assert f"warning: {out / 'speed.jsonl'}: is not the log of a training" in capsys.readouterr().err


def test_the_log_on_standard_error_tells_the_share_of_waiting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = (*TINY, "--iterations", 2, "--check-every", 1, "--no-validation", "--out", tmp_path / "run")
    assert run_command(main, [str(each) for each in run]) == 0
    err = capsys.readouterr().err
    assert len(re.findall(r"iteration \d: loss \d.*, no validation, .* iterations/s, .*% of it waiting", err)) == 2
    speed = [json.loads(line) for line in (tmp_path / "run" / "speed.jsonl").read_text().splitlines()]
    assert [(each["iteration"], each["iterations"]) for each in speed] == [(1, 1), (2, 1)]
    page = Page((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    assert "IU of each class" not in page.text  # without validation there is none
    assert sum(source.startswith("data:image/jpeg") for source in page.sources) == 3 * 6
    assert "IU of each picture" not in page.text and "mean IU" in page.headings[0]


def test_class_names_are_no_markup_and_classes_that_do_not_occur_have_no_figure() -> None:
    norms = Norms({"conv": 1.0}, {"conv": 0.0})
    matrix = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    check = Check(5, norms, matrix, [])
    names = ["<script>alert(1)</script>", "$x_1$", "_hidden"]
    html = report._classes(check, [check.to_json()], names, [(255, 255, 0), (0, 0, 0), (9, 9, 9)])
    html += report._confusion(matrix, names) + report._norms(check)
    assert "script" not in Page(html).tags
    assert check.to_json()["iu"] == [0.75, 0.8, None]
    assert Metrics.from_matrix(matrix).mean_iu == check.mean_iu
    assert "–" in Page(html).text


def test_the_list_of_pictures_is_bounded_and_their_names_are_no_markup() -> None:
    ranked = [Score(i, f"<b>{i}.jpg", i / 150, 0.5, (0, 1, 0.25) if i % 2 else None) for i in range(150)]
    page = Page(report._pictures(ranked, ["<i>", "car"]))
    assert f"The {report.MOST_LISTED} worst of 150 pictures, worst first" in page.text
    assert "<b>99.jpg" in page.text and "<b>100.jpg" not in page.text
    assert page.text.count("<i> taken for car, 25.0%") == report.MOST_LISTED // 2
    assert not {"b"} & set(page.tags)


def test_a_confusion_has_its_unit_and_rows_add_up() -> None:
    html = report._confusion(np.array([[30, 10], [0, 0]]), ["a", "b"])
    assert "% of the pixels of each true class" in Page(html).text
    assert re.findall(r'<td[^>]*title="([^"]*)">(\d*)', html) == [
        ("a as a: 75.00 %", "75"), ("a as b: 25.00 %", "25"), ("b as a: 0.00 %", ""), ("b as b: 0.00 %", "")
    ]  # fmt: skip


def test_the_profile_of_a_run_is_printed_and_in_its_report(
    watched: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Time by layer" in Page(watched[1][-1]).text
    run = (*TINY, "--iterations", 1, "--no-validation", "--out", tmp_path / "run")
    assert run_command(main, [str(each) for each in (*run, "--profile")]) == 0
    assert "forward    backward   share" in capsys.readouterr().out
