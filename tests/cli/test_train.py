"""`python -m fcnlite.train`, from a first run to what goes wrong."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite import models, storage
from fcnlite._cli.running import run_command
from fcnlite.data import VOID, Loader
from fcnlite.errors import FileError
from fcnlite.train.__main__ import main
from tests.cli.conftest import Command, Ended
from tests.train.runs import TINY, arrays, assert_same_run

REPOSITORY = Path(__file__).parents[2]
RESULTS = {
    "best.h5", "last.h5", "data.json", "log.csv", "log.jsonl", "speed.jsonl", "report.html", "curves.png",
    "samples.png", "overlay.png", "confusion.png", "run.toml",
}  # fmt: skip


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as stream:
        return list(csv.DictReader(stream))


def assert_refused(ended: Ended, *words: str) -> None:
    """One error, no traceback, status 1."""
    assert ended.status == 1
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert ended.err.count("error:") == 1
    for word in words:
        assert word in ended.err


def start(*arguments: object) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "fcnlite.train", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, process: subprocess.Popen[str], lines: int = 0) -> None:
    """Until `path` is there, with so many lines."""
    deadline = time.monotonic() + 60
    while not path.exists() or (lines and len(path.read_text().splitlines()) < lines):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.drawn
def test_a_run_leaves_its_results_and_prints_figures(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    ended = command(main, *TINY, "--iterations", 4, "--check-every", 2, "--out", out)
    assert ended.status == 0
    assert {each.name for each in out.iterdir()} >= RESULTS
    *_, accuracy, last = ended.out.splitlines()
    assert accuracy.startswith("pixel accuracy: 0.")
    best = max(float(row["mean_iu"]) for row in rows(out) if row["mean_iu"])
    assert last == f"mean IU: {best:.3f}"
    assert "loss=" in ended.err and "rate=" in ended.err
    assert [row["iteration"] for row in rows(out)] == ["1", "2", "3", "4"]
    assert [bool(row["mean_iu"]) for row in rows(out)] == [False, True, False, True]
    segmenter = fcnlite.Segmenter(out / "best.h5")
    assert segmenter.classes == ("background", "disc", "square", "triangle", "star", "cross")
    assert segmenter(np.zeros((20, 30, 3), np.uint8)).shape == (20, 30)
    assert segmenter.net.info.record["options"]["iterations"] == 4


@pytest.mark.usefixtures("no_pictures")
def test_one_seed_gives_one_run_and_another_seed_another(command: Command, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        ended = command(main, *TINY, "--iterations", 3, "--seed", seed, "--no-validation", "--out", tmp_path / name)
        assert ended.status == 0
    assert_same_run(tmp_path / "a", tmp_path / "b")
    assert rows(tmp_path / "a") != rows(tmp_path / "c")


STOPPED = (
    "--model", "voc-fcn8s", "--width", 0.02, "--data-option", "size=32", "--data-option", "count=6",
    "--batch-size", 1, "--iter-size", 2, "--base-lr", 0.01, "--iterations", 40, "--check-every", 8,
    "--no-validation",
)  # fmt: skip
"""A run with dropout and two passes an iteration."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that such a run leaves if it is not stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert run_command(main, [str(each) for each in (*STOPPED, "--out", out)]) == 0
    return out


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    "stop", [signal.SIGTERM, *(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGINT, signal.SIGKILL))]
)
def test_a_stopped_run_resumes_to_the_same_end(
    command: Command, tmp_path: Path, whole: Path, stop: signal.Signals
) -> None:
    """SIGKILL loses what came after the last checkpoint, which is redone."""
    process = start(*STOPPED, "--out", tmp_path / "stopped")
    wait_for(tmp_path / "stopped" / "last.h5", process)
    wait_for(tmp_path / "stopped" / "log.csv", process, lines=12)
    process.send_signal(stop)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-stop if stop == signal.SIGKILL else 128 + stop)
    assert "Traceback" not in err
    if stop != signal.SIGKILL:
        assert "stopped after iteration" in err and "; continue with: python -m fcnlite.train --resume" in err
    assert command(main, "--resume", "--out", tmp_path / "stopped").status == 0
    assert_same_run(tmp_path / "stopped", whole)


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        (("--solver", "Adam", "--lr-policy", "fixed"), [0.001] * 4),
        (("--solver", "AdaDelta", "--lr-policy", "exp", "--gamma", 0.5), [1, 0.5, 0.25, 0.125]),
        (("--lr-policy", "multistep", "--stepvalue", 1, 3, "--clip-gradients", 5), [0.1, 0.01, 0.01, 0.001]),
        (("--solver", "Nesterov", "--base-lr", 0.4, "--lr-policy", "inv", "--power", 1, "--gamma", 1), None),
    ],
)
def test_every_solver_and_policy_by_option(
    command: Command, tmp_path: Path, options: tuple[object, ...], rates: list[float] | None
) -> None:
    run = (*TINY, "--no-validation", "--check-every", 2, *options)
    assert command(main, *run, "--iterations", 4, "--out", tmp_path / "whole").status == 0
    found = [float(row["rate"]) for row in rows(tmp_path / "whole")]
    assert found == pytest.approx(rates or [0.4, 0.2, 0.4 / 3, 0.1])


def test_a_solver_that_is_not_known_is_named(command: Command, tmp_path: Path) -> None:
    assert_refused(command(main, *TINY, "--solver", "adam", "--out", tmp_path / "run"), "'adam'", "'Adam'")
    ended = command(main, *TINY, "--solver", "AdaGrad", "--momentum", 0.9, "--out", tmp_path / "run")
    assert_refused(ended, "momentum", "AdaGrad")


def test_a_run_does_not_go_on_with_another_solver(command: Command, tmp_path: Path) -> None:
    run = (*TINY, "--no-validation", "--out", tmp_path / "run")
    assert command(main, *run, "--iterations", 1).status == 0
    ended = command(main, "--resume", "--solver", "Adam", "--iterations", 2, "--out", tmp_path / "run")
    assert_refused(ended, "last.h5", "SGD", "Adam")


def test_resume_refuses_another_architecture_and_keeps_the_run(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert command(main, *TINY, "--iterations", 2, "--no-validation", "--out", out).status == 0
    before = (out / "last.h5").read_bytes()
    assert_refused(command(main, "--resume", "--width", 0.04, "--out", out), "last.h5", "another net", "Resume with")
    assert_refused(command(main, "--resume", "--model", "voc-fcn8s", "--out", out), "another net")
    assert (out / "last.h5").read_bytes() == before


def test_resume_can_go_further(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert command(main, *TINY, "--iterations", 2, "--out", out).status == 0
    ended = command(main, "--resume", "--iterations", 3, "--out", out)
    assert ended.status == 0
    assert "resumed at iteration 2 of 3" in ended.err
    assert len(rows(out)) == 3


def test_resume_needs_a_checkpoint(command: Command, tmp_path: Path) -> None:
    assert_refused(command(main, "--resume", "--out", tmp_path / "none"), "no checkpoint", "without --resume")
    (tmp_path / "weights").mkdir()
    models.build("lite-fcn8s", classes=6, width=0.02).save(tmp_path / "weights" / "last.h5")
    assert_refused(command(main, "--resume", "--out", tmp_path / "weights"), "not a checkpoint of a training run")


def test_an_earlier_run_is_not_overwritten_unasked(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = (*TINY, "--iterations", 1, "--no-validation", "--out", out)
    assert command(main, *run).status == 0
    before = (out / "last.h5").read_bytes()
    assert_refused(command(main, *run), "--resume", "--overwrite")
    assert (out / "last.h5").read_bytes() == before
    (out / "notes.txt").write_text("mine")
    assert command(main, *run, "--overwrite").status == 0
    assert (out / "notes.txt").read_text() == "mine"


def test_two_runs_do_not_share_a_folder(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(*TINY, "--iterations", 100000, "--no-validation", "--out", out)
    try:
        wait_for(out / "log.csv", process)
        ended = command(main, *TINY, "--iterations", 1, "--overwrite", "--out", out)
        assert_refused(ended, "another training is running")
    finally:
        process.kill()
        process.communicate()


def test_init_takes_what_fits_and_lists_the_rest(command: Command, tmp_path: Path) -> None:
    net = models.build("lite-fcn8s", classes=3, width=0.02, seed=9)
    net.save(tmp_path / "start.h5")
    run = (*TINY, "--iterations", 1, "--base-lr", 0, "--no-validation")
    ended = command(main, *run, "--init", tmp_path / "start.h5", "--out", tmp_path / "run")
    assert ended.status == 0
    assert "taken" in ended.out
    assert "score_fr[0]: shape differs (found 3×20×1×1, wanted 6×20×1×1)" in ended.out
    assert "conv1_1" not in ended.out
    trained = storage.load(tmp_path / "run" / "best.h5").params
    np.testing.assert_array_equal(trained["conv3_2"][0], net.params["conv3_2"][0].array)
    other = (*run, "--model", "voc-fcn8s", "--width", 0.03, "--init", tmp_path / "start.h5")
    assert_refused(command(main, *other, "--out", tmp_path / "other"), "start.h5", "none of its parameters")


@pytest.mark.parametrize("init", ["run/best.h5", "nowhere.h5"])
def test_overwriting_a_run_loses_nothing_that_init_still_needs(command: Command, tmp_path: Path, init: str) -> None:
    run = (*TINY, "--iterations", 1, "--no-validation", "--out", tmp_path / "run")
    assert command(main, *run).status == 0
    before = (tmp_path / "run" / "last.h5").read_bytes()
    ended = command(main, *run, "--overwrite", "--init", tmp_path / init)
    if init == "nowhere.h5":
        assert_refused(ended, "nowhere.h5")
        assert (tmp_path / "run" / "last.h5").read_bytes() == before
    else:
        assert ended.status == 0
        assert "taken" in ended.out


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(
    command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = ("--model", "voc-fcn8s", *TINY, "--no-validation", "--check-every", 1)
    assert command(main, *options, "--iterations", 1, "--base-lr", 0.001, "--out", out).status == 0
    diverging = ("--resume", "--iterations", 60, "--base-lr", 1e15, "--lr-policy", "fixed")
    ended = command(main, *diverging, "--check-every", 60, "--out", out)
    assert_refused(ended, "iteration", "layer", "good checkpoint")
    assert_refused(command(main, *diverging, "--check-every", 1, "--out", out), "check", "'score'", "good checkpoint")
    assert all(np.isfinite(value).all() for value in arrays(out / "last.h5").values())


def test_a_full_disk_ends_in_a_sentence_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    """A limit on file sizes simulates a full disk."""
    out = tmp_path / "run"
    run = [*map(str, TINY), "--no-validation", "--check-every", "1", "--out", str(out)]
    code = (
        "import resource, signal, sys; from fcnlite._cli.running import run_command\n"
        "from fcnlite.train.__main__ import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "limit = int(sys.argv.pop(1)); resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "sys.exit(run_command(main))"
    )

    def limited(size: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, str(size), *arguments],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert limited(1 << 30, *run, "--iterations", "1").returncode == 0
    before = (out / "last.h5").read_bytes()
    ended = limited(20000, "--resume", "--iterations", "2", "--out", str(out))
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "cannot be written" in ended.stderr
    assert (out / "last.h5").read_bytes() == before
    assert {each.name for each in out.iterdir()} <= RESULTS | {".lock"}


def photos(root: Path, label: np.ndarray, **files: np.ndarray) -> Path:
    """A folder data set of four pictures, one label for all but those given by name."""
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
    for name in ("a", "b", "c", "d"):
        Image.new("RGB", (12, 8), (90, 120, 30)).save(root / "images" / f"{name}.png")
        Image.fromarray(files.get(name, label)).save(root / "labels" / f"{name}.png")
    return root


GOOD = np.tile(np.array([0, 1, 2, VOID], np.uint8), (8, 3))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"c": np.full((8, 12), 9, np.uint8)}, ("c.png", "9")),
        ({"c": np.zeros((5, 12), np.uint8)}, ("c.png", "12×5")),
        ({"c": np.zeros((8, 12, 3), np.uint8)}, ("c.png", "colour")),
        (dict.fromkeys("abcd", np.full((8, 12), 255 * np.eye(8, 12, dtype=np.uint8))), ("255", "binary_masks")),
    ],
)
def test_bad_labels_are_found_before_training_starts(
    command: Command, tmp_path: Path, bad: dict[str, np.ndarray], words: tuple[str, ...]
) -> None:
    root = photos(tmp_path / "photos", GOOD, **bad)
    run = ("--data", "folder", "--root", root, "--data-option", "classes=3", "--width", 0.02)
    assert_refused(command(main, *run, "--out", tmp_path / "run"), *words)
    assert not (tmp_path / "run").exists()


def test_training_on_a_folder_of_pictures(command: Command, tmp_path: Path) -> None:
    root = photos(tmp_path / "photos", GOOD)
    run = ("--data", "folder", "--root", root, "--width", 0.02, "--batch-size", 2, "--crop", 16, 16, "--scale", 0.5, 2)
    ended = command(main, *run, "--iterations", 2, "--out", tmp_path / "run")
    assert ended.status == 0
    assert "mean IU: " in ended.out


def test_an_empty_folder_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "photos" / "images").mkdir(parents=True)
    (tmp_path / "photos" / "labels").mkdir()
    ended = command(main, "--data", "folder", "--root", tmp_path / "photos", "--out", tmp_path / "run")
    assert_refused(ended, "photos", "images")


def test_pictures_of_several_sizes_want_a_crop_or_single_pictures(command: Command, tmp_path: Path) -> None:
    root = photos(tmp_path / "photos", GOOD)
    Image.new("RGB", (20, 8)).save(root / "images" / "b.png")
    Image.fromarray(np.zeros((8, 20), np.uint8)).save(root / "labels" / "b.png")
    run = ("--data", "folder", "--root", root, "--data-option", "val=0", "--no-validation", "--width", 0.02)
    run = (*run, "--data-option", "classes=3", "--iterations", 2)
    ended = command(main, *run, "--batch-size", 4, "--out", tmp_path / "many")
    assert_refused(ended, "crop", "batch")
    assert command(main, *run, "--batch-size", 1, "--out", tmp_path / "single").status == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "voc-fcn9s"), ("voc-fcn9s", "voc-fcn8s")),
        (("--data", "camvit"), ("camvit", "camvid")),
        (("--model", "missing.prototxt"), ("missing.prototxt", "no such file")),
        (("--init", "missing.h5"), ("missing.h5", "no such file")),
        (("--lr-policy", "cosin"), ("cosin", "cosine")),
        (("--iterations", "0"), ("--iterations", "at least 1")),
        (("--normalization", "MEAN"), ("MEAN", "VALID")),
        (("--scale", "2", "1"), ("scale",)),
    ],
)
def test_invalid_options_are_refused_in_one_sentence(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_refused(command(main, *TINY, *arguments, "--out", tmp_path / "run"), *words)


def test_the_error_for_a_missing_data_set_names_its_publisher(command: Command, tmp_path: Path) -> None:
    assert_refused(command(main, "--data", "camvid", "--out", tmp_path / "run"), "camvid", "root", "http")


NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 1 dim: 16 dim: 16 } } }
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
        convolution_param { num_output: 6 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
        loss_param { ignore_label: 255 } }
"""


def test_a_prototxt_is_a_model_too(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    run = (*TINY, "--model", tmp_path / "net.prototxt", "--base-lr", 1e-4, "--iterations", 2)
    assert command(main, *run, "--out", tmp_path / "run").status == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("num_output: 6", "num_output: 5"), ("5 classes", "6")),
        (('name: "label" type: "Input" top: "label"', 'name: "truth" type: "Input" top: "truth"'), ("label",)),
        (('"SoftmaxWithLoss"', '"Accuracy"'), ("loss",)),
    ],
)
def test_a_prototxt_that_cannot_be_trained_on_the_data_is_refused(
    command: Command, tmp_path: Path, change: tuple[str, str], words: tuple[str, ...]
) -> None:
    text = NET.replace(*change)
    if "Accuracy" in text:
        text = text.replace("loss_param", "accuracy_param")
    (tmp_path / "net.prototxt").write_text(text)
    ended = command(main, *TINY, "--model", tmp_path / "net.prototxt", "--out", tmp_path / "run")
    assert_refused(ended, *words)


def test_help_shows_examples(command: Command) -> None:
    ended = command(main, "--help")
    assert ended.status == 0
    assert "python -m fcnlite.train --resume --out" in ended.out


def test_pictures_of_several_sizes_are_found_before_training_starts(command: Command, tmp_path: Path) -> None:
    root = photos(tmp_path / "photos", GOOD, c=np.zeros((9, 16), np.uint8))
    Image.new("RGB", (16, 9)).save(root / "images" / "c.png")
    run = ("--data", "folder", "--root", root, "--data-option", "val=0", "--width", 0.02, "--no-validation")
    ended = command(main, *run, "--batch-size", 2, "--out", tmp_path / "run")
    assert_refused(ended, "is 12×8", "c is 16×9", "set crop")
    assert not (tmp_path / "run").exists()
    ended = command(main, *run, "--batch-size", 2, "--crop", 8, 8, "--iterations", 1, "--out", tmp_path / "run")
    assert ended.status == 0


def test_weights_of_another_width_are_refused(command: Command, tmp_path: Path) -> None:
    models.build("lite-fcn8s", classes=6, width=0.04).save(tmp_path / "net.h5")
    ended = command(main, *TINY, "--init", tmp_path / "net.h5", "--iterations", 1, "--out", tmp_path / "run")
    assert_refused(ended, "none of its parameters fits", "--width")


def test_a_picture_that_vanishes_leaves_the_way_on(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(main, *TINY, "--iterations", 1, "--out", tmp_path / "run").status == 0

    def vanished(self: Loader, start: int = 0) -> Iterator[dict[str, np.ndarray]]:
        raise FileError("p13.jpg: no such file.")
        yield

    monkeypatch.setattr(Loader, "batches", vanished)
    ended = command(main, "--resume", "--iterations", 9, "--out", tmp_path / "run")
    assert_refused(ended, "p13.jpg: no such file.", "last.h5 holds the last good checkpoint", "--resume")


def test_nothing_to_resume_leaves_no_folder(command: Command, tmp_path: Path) -> None:
    assert_refused(command(main, "--resume", "--out", tmp_path / "typo"), "holds no checkpoint")
    assert not (tmp_path / "typo").exists()
    (tmp_path / "mine").mkdir()
    assert_refused(command(main, "--resume", "--out", tmp_path / "mine"), "holds no checkpoint")
    assert (tmp_path / "mine").exists()


def test_print_recipe_shows_where_stages_begin(command: Command) -> None:
    shown = command(main, "--recipe", "voc-fcn8s-staged", "--init", "vgg.h5", "--print-recipe").out
    found = [line.split(maxsplit=1)[1] for line in shown.splitlines() if line.startswith("  init ")]
    assert [each.strip() for each in found] == [
        f"{'vgg.h5':24} command line", "best.h5 of stage 1", "best.h5 of stage 2"
    ]  # fmt: skip
    assert command(main, "--resume", "--print-recipe").status == 2
