"""`--cross-validate`: the runs, their table, and what interrupts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcnlite._cli.running import run_command
from fcnlite.description.model_info import Labels
from fcnlite.errors import TrainingError
from fcnlite.segmentation.metrics import Metrics
from fcnlite.train import cross_validation, loop, report, results
from fcnlite.train.__main__ import main
from fcnlite.train.cross_validation import HeldOut
from fcnlite.train.training import TrainingResult
from tests.train.runs import TINY, arrays, assert_same_run

RUN = (*TINY, "--iterations", 2, "--check-every", 1)
HELD = ("--cross-validate", "size=32,40")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of a short run's time."""
    monkeypatch.setattr(report, "write", lambda run, check: None)
    monkeypatch.setattr(results, "_draw", lambda *arguments: None)


def train(*arguments: object) -> int:
    return run_command(main, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A cross-validation, not to be changed, and its JSON."""
    out = tmp_path_factory.mktemp("finished") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write", lambda run, check: None)
        patch.setattr(results, "_draw", lambda *arguments: None)
        assert train(*RUN, *HELD, "--out", out, "--json", out.with_name("found.json")) == 0
    found: dict[str, Any] = json.loads(out.with_name("found.json").read_text())
    return out, found


def test_a_run_is_that_of_its_option_alone(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    out, found = finished
    assert {each.name for each in out.iterdir()} == {"size=32", "size=40"}
    assert train(*RUN, "--data-option", "size=40", "--out", tmp_path / "alone", "--json", tmp_path / "alone.json") == 0
    found_here, trained_alone = arrays(out / "size=40" / "last.h5"), arrays(tmp_path / "alone" / "last.h5")
    assert found_here.keys() == trained_alone.keys()
    for name, value in trained_alone.items():
        np.testing.assert_array_equal(found_here[name], value, err_msg=name)
    assert (out / "size=40" / "log.csv").read_bytes() == (tmp_path / "alone" / "log.csv").read_bytes()
    (alone,) = json.loads((tmp_path / "alone.json").read_text())["stages"]
    second = found["runs"][1]
    assert second["value"] == "40"
    assert second["confusion"] == alone["confusion"]


def test_the_figures_are_mean_deviation_and_those_of_all_pixels(finished: tuple[Path, dict[str, Any]]) -> None:
    _, found = finished
    matrices = [np.array(each["confusion"]) for each in found["runs"]]
    first, second = (Metrics.from_matrix(each).pixel_accuracy for each in matrices)
    assert first != second
    assert found["mean"]["pixel_accuracy"] == pytest.approx((first + second) / 2)
    assert found["standard_deviation"]["pixel_accuracy"] == pytest.approx(abs(first - second) / np.sqrt(2))
    assert found["all_pixels"]["confusion"] == sum(matrices).tolist()


def test_the_same_command_continues(
    finished: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, found = finished
    of_loop, calls = loop.train, []

    def interrupted(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        of_loop(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train", interrupted)
        assert train(*RUN, *HELD, "--out", tmp_path / "runs") == 130
    assert "runs/size=40; the same command continues" in capsys.readouterr().err
    written = (tmp_path / "runs" / "size=32" / "last.h5").stat().st_mtime_ns
    assert train(*RUN, *HELD, "--out", tmp_path / "runs", "--json", tmp_path / "found.json") == 0
    assert (tmp_path / "runs" / "size=32" / "last.h5").stat().st_mtime_ns == written, "a finished run is only judged"
    for name in ("size=32", "size=40"):
        assert_same_run(tmp_path / "runs" / name, out / name)
    assert json.loads((tmp_path / "found.json").read_text())["mean"] == found["mean"]


def test_runs_of_other_options_are_not_continued(
    finished: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = finished
    assert train(*RUN, *HELD, "--seed", 1, "--out", out) == 1
    assert (
        "size=32: holds a run with other options (seed); replace all runs with --overwrite" in capsys.readouterr().err
    )
    assert train(*TINY, "--iterations", 3, "--check-every", 1, *HELD, "--out", out) == 1
    assert "holds a run with other options (length)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("fold", "at least two different values"),
        ("fold=1", "at least two different values"),
        ("fold=1,1", "at least two different values"),
        ("fold=1,", "at least two different values"),
        ("=1,2", "at least two different values"),
        ("fold=../a,b", "none may contain a /"),
    ],
)
def test_what_is_held_out_must_be_several_values(entry: str, words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        HeldOut.parse(entry)


@pytest.mark.parametrize("other", ["--resume", "--no-validation"])
def test_options_that_contradict_it(other: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--cross-validate", "size=32,40", other, "--out", str(tmp_path / "runs")])
    assert ended.value.code == 2
    assert "--cross-validate" in capsys.readouterr().err


def test_an_unknown_option_leaves_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(*RUN, "--cross-validate", "sise=32,40", "--out", tmp_path / "all" / "runs") == 1
    assert "did you mean 'size'" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_runs_without_a_score_have_none_in_the_mean() -> None:
    """Where all pixels that are held out are void."""
    held = HeldOut.parse("fold=0,1")
    found = [result(np.zeros((2, 2), np.int64)), result(np.array([[3, 1], [0, 4]]))]
    lines = cross_validation.table(held, found).splitlines()
    assert lines[1].split() == ["0", "–", "–", "5"]
    assert lines[3].split() == ["mean", "–", "–"]
    assert cross_validation.values(held, found)["standard_deviation"]["mean_iu"] is None


def result(matrix: np.ndarray) -> TrainingResult:
    """The result of a run that is judged by a confusion matrix."""
    return TrainingResult("best.h5", 5, "shapes", "val", Labels(("a", "b")), matrix)
