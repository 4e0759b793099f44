"""The playground's functions, without a browser: settings, nets, trainings, the script, the cases."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite.data import Loader
from fcnlite.data.shapes import Shapes
from fcnlite.errors import DataError, FcnliteError
from fcnlite.explore import playground
from fcnlite.explore.messages import pack, unpack
from fcnlite.explore.playground import run
from fcnlite.explore.playground.cases import CASES, CAUSES
from fcnlite.explore.playground.curve import POINTS, Curve
from fcnlite.explore.playground.network import describe
from fcnlite.explore.playground.settings import CHOICES, RANGES, Settings
from tests.explore.browsing import ROOT
from tests.explore.chinese import in_chinese

Functions = dict[str, Callable[..., Any]]
SMALL = {"size": "32", "batch": "2"}


@pytest.fixture
def play() -> Iterator[Functions]:
    made = playground.functions()
    yield made
    if (found := made["start"].args[0].run) is not None:
        found.close()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rate": "fast"}, "rate is 'fast'; expected a number from 0 to 1000."),
        ({"rate": "nan"}, "rate is 'nan'; expected a number from 0 to 1000."),
        ({"rate": "-1"}, "rate is '-1'; expected a number from 0 to 1000."),
        ({"rate": 10**400}, "expected a number from 0 to 1000."),
        ({"momentum": 1}, "momentum is 1; expected a number from 0 to 0.999."),
        ({"batch": "2.5"}, "batch is '2.5'; expected a whole number from 1 to 16."),
        ({"batch": True}, "batch is True; expected a number from 1 to 16."),
        ({"pad": "1e9"}, "pad is '1e9'; expected a number from 1 to 48."),
        ({"net": "vgg16"}, "net is 'vgg16'; expected lite-32s or lite-16s or lite-8s or shallow-8s or shallow-4s."),
        ({"net": 3}, "net is '3'; expected text of up to 200 characters."),
        ({"augment": "flop"}, "augmentation 'flop' is unknown"),
        ({"augment": "crop=8:8"}, "leave the crop out"),
        ({"moment": "0.9"}, "unknown setting 'moment'"),
        ({"fault": "scores_frozen"}, "unknown setting 'fault'"),
        ({"trunk": "classifier", "batch_norm": "no"}, "choose batch_norm=yes, or trunk=random."),
        ({"case": "9"}, "case is '9'; expected a number from 1 to 7."),
    ],
)
def test_settings_that_cannot_be_get_one_sentence(values: dict[str, Any], words: str) -> None:
    with pytest.raises(FcnliteError) as refused:
        playground.check(values)
    sentence = str(refused.value)
    assert words in sentence and "\n" not in sentence
    assert in_chinese(sentence)


def test_every_setting_is_a_choice_a_range_or_text() -> None:
    assert {*CHOICES, *RANGES, "augment"} == set(Settings().shown)
    _, found = playground.check({"rate": "0.25", "augment": "scale=0.7:1.4,flip", "net": "lite-16s"})
    assert (found.rate, found.augment, found.net) == (0.25, "scale=0.7:1.4 flip", "lite-16s")
    assert found.transforms.crop == (64, 64)
    _, again = playground.check({name: str(value) for name, value in found.shown.items()})
    assert again == found


@pytest.mark.parametrize("net", CHOICES["net"])
def test_the_net_is_as_the_settings_say(net: str) -> None:
    for pad in (1, 8, 25):
        spec = describe(Settings(net=net, pad=pad, upsampling="learned", normalization="NONE"), 6)
        layers = {layer.name: layer for layer in spec}
        assert layers["conv1_1"].options["pad"] == [pad]
        assert layers["score"].options["offset"] == [pad - 1]  # pad 1 keeps the size, more shifts the scores
        assert layers["loss"].options["normalization"] == "NONE"
        up = [layer for layer in spec if layer.type == "Deconvolution"]
        assert up[-1].options["stride"] == [int(net.partition("-")[2][:-1])]
        assert all(layer.param[0].lr_mult == 1 for layer in up)
    assert any(layer.type == "BatchNorm" for layer in spec)
    assert all(layer.type != "BatchNorm" for layer in describe(Settings(net=net, batch_norm="no"), 6))


def test_losses_are_those_of_the_public_interface(play: Functions) -> None:
    values = SMALL | {"augment": "flip", "scores": "random", "upsampling": "random", "seed": "3"}
    view = play["open"](values)
    assert view["frame"]["iteration"] == 0 and view["frame"]["loss"] is None
    steps = [play["step"]() for _ in range(3)]
    _, settings = playground.check(values)
    net = fcnlite.Net(describe(settings, 6), phase="TRAIN", seed=3)
    solver = fcnlite.SGD(net, base_lr=0.1, momentum=0.9)
    pictures = Shapes("train", size=32)
    loader = Loader(
        pictures, batch_size=2, preprocessing=net.info.preprocessing, augment=settings.transforms, seed=3
    ).batches()
    expected = [solver.step(next(loader)) for _ in range(3)]
    loader.close()
    assert [each["loss"] for each in steps] == expected
    norms = [np.linalg.norm(net.params[name][0].grad) for name in view["layers"]]
    np.testing.assert_allclose(steps[-1]["gradients"], norms, rtol=1e-5)
    test = Shapes("val", size=32)
    segmenter = fcnlite.Segmenter(net)
    for i in range(4):
        assert np.array_equal(view["truths"][i], test[i].label)
        assert np.array_equal(steps[-1]["predictions"][i], segmenter(test[i].images["data"]))


def test_the_script_does_the_same_training(play: Functions, tmp_path: Path) -> None:
    augmented = {"net": "lite-16s", "trunk": "classifier", "pad": "9", "augment": "flip scale=0.8:1.2", "rate": "0.03"}
    same_losses(play, SMALL | augmented, tmp_path)


@pytest.mark.slow
def test_the_script_has_the_fault_of_the_labels(play: Functions, tmp_path: Path) -> None:
    number = [each.cause for each in CASES].index("labels_off_by_one") + 1
    same_losses(play, SMALL | {"case": str(number)}, tmp_path)


def same_losses(play: Functions, values: dict[str, str], tmp_path: Path) -> None:
    play["open"](values)
    text = play["script"]()
    frames = [play["step"]() for _ in range(2)]
    (tmp_path / "train.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "train.py", "2"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        check=True,
    )
    *losses, mean_iu = done.stdout.splitlines()
    assert losses == [f"{i} {each['loss']!r}" for i, each in enumerate(frames, start=1)]
    assert float(mean_iu.removeprefix("mean IU ")) == pytest.approx(frames[-1]["mean_iu"])


def test_the_trunk_of_the_classifier(play: Functions) -> None:
    play["open"](SMALL | {"trunk": "classifier", "net": "lite-8s"})
    net = play["open"].args[0].run.training.net
    trained = fcnlite.load(ROOT / "weights" / "shapes-classifier.h5")
    for name in ("conv1_1", "scale3_2", "conv5_3"):
        for mine, theirs in zip(net.params[name], trained.params[name], strict=True):
            np.testing.assert_array_equal(mine.data, theirs.data)
    assert net.info.preprocessing == trained.info.preprocessing
    assert not net.params["score_fr"][0].data.any()


def test_a_training_goes_on_by_itself_until_it_pauses(play: Functions) -> None:
    play["open"](SMALL)
    play["start"]()
    end = time.monotonic() + 60
    while (frame := play["watch"]())["iteration"] < 5:
        assert frame["status"] == "running" and time.monotonic() < end
    paused = play["pause"]()
    assert paused["status"] == "paused" and paused["evaluated"] == paused["iteration"]
    assert play["watch"]()["iteration"] == paused["iteration"]
    assert play["step"]()["iteration"] == paused["iteration"] + 1
    assert unpack(pack(paused))["loss"] == paused["loss"]


def test_the_same_settings_keep_their_training(play: Functions) -> None:
    play["open"](SMALL)
    play["step"]()
    assert play["open"](SMALL)["frame"]["iteration"] == 1
    with pytest.raises(DataError):
        play["open"](SMALL | {"rate": "x"})
    assert play["watch"]()["iteration"] == 1
    assert play["open"](SMALL, fresh=True)["frame"]["iteration"] == 0


def test_a_training_that_no_page_looks_at_pauses(play: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "UNWATCHED_SECONDS", 0.0)
    play["open"](SMALL)
    play["start"]()
    end = time.monotonic() + 60
    while (frame := play["watch"]())["status"] == "running":
        assert time.monotonic() < end
    assert (frame["status"], frame["message"]) == ("paused", "unwatched")


def test_a_training_has_a_longest_time(play: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LONGEST_SECONDS", 0.0)
    play["open"](SMALL)
    play["start"]()
    end = time.monotonic() + 60
    while (frame := play["watch"]())["status"] == "running":
        assert time.monotonic() < end
    assert (frame["status"], frame["message"]) == ("stopped", "longest")
    iteration = frame["iteration"]
    play["start"]()
    assert play["watch"]()["iteration"] == iteration


def test_a_loss_that_is_not_finite_stops_with_a_sentence(play: Functions) -> None:
    play["open"](SMALL | {"batch_norm": "no", "rate": "1000"})
    frames = [play["step"]() for _ in range(8)]
    assert frames[-1]["status"] == "stopped" and "Lower base_lr" in frames[-1]["message"]
    pack(frames[-1])


def test_nothing_is_open_at_first(play: Functions) -> None:
    for name in ("start", "pause", "step", "watch", "hints", "script"):
        with pytest.raises(DataError, match="start again"):
            play[name]()
    with pytest.raises(DataError, match="no case is open"):
        play["answer"](cause=CAUSES[0])


# The cases

FINDINGS = {
    "rate_for_a_sum": "rate-too-low",
    "scores_frozen": "no-gradient",
    "void_not_ignored": "void-not-ignored",
    "crop_misaligned": "crop-misaligned",
    "labels_off_by_one": "class-missing",
    "upsampling_random_fixed": "upsampling-not-bilinear",
    "relu_dead": "layer-dead",
}


@pytest.mark.parametrize("number", range(1, len(CASES) + 1))
def test_the_doctor_finds_the_cause_of_each_case(play: Functions, number: int) -> None:
    opened = play["open"]({"case": str(number), "size": "32"})
    cause = CASES[number - 1].cause
    assert "fault" not in opened["settings"] and opened["case"] == number
    for _ in range(40 if cause == "relu_dead" else 1):
        play["step"]()
    hints = play["hints"]()
    assert FINDINGS[cause] in [each["id"] for each in hints]
    for each in hints:
        assert in_chinese(each["what"]) and in_chinese(each["mend"]), each
    for each in CAUSES:
        answer = play["answer"](cause=each)
        assert answer["right"] == (each == cause)
        if each == cause:
            mended = answer["mended"]
    assert play["open"](mended)["case"] == 0
    found = {each["id"] for each in play["hints"]() if each["severity"] == "error"}
    assert found == set(), cause


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, len(CASES) + 1))
def test_each_case_learns_once_it_is_mended(play: Functions, number: int) -> None:
    def trained(values: dict[str, Any]) -> dict[str, Any]:
        play["open"](values)
        best = max((play["step"]() for _ in range(400)), key=lambda each: each["mean_iu"])
        return best

    broken = trained({"case": str(number)})
    mended = trained(play["answer"](cause=CASES[number - 1].cause)["mended"])
    assert mended["mean_iu"] > broken["mean_iu"] + 0.05


# Parts


def test_a_curve_has_a_bounded_length_and_keeps_the_mean() -> None:
    curve, values = Curve(), np.random.default_rng(0).random(5000)
    for i, value in enumerate(values.tolist()):
        curve.add(i, value)
    points = curve.points
    assert len(points) <= POINTS and curve.span == 16
    whole = len(values) // curve.span * curve.span
    np.testing.assert_allclose(
        points[: whole // curve.span, 1], values[:whole].reshape(-1, curve.span).mean(1), rtol=1e-5
    )
    assert np.all(np.diff(points[:, 0]) > 0)


def test_a_folder(tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    for i in range(6):
        sides = (20, 90) if i % 2 else (70, 40)
        Image.fromarray(rng.integers(0, 256, (*sides, 3), dtype=np.uint8)).save(tmp_path / "images" / f"{i}.png")
        Image.fromarray(rng.integers(0, 3, sides, dtype=np.uint8)).save(tmp_path / "labels" / f"{i}.png")
    (tmp_path / "val.txt").write_text("0\n1\n")
    play = playground.functions(folder=str(tmp_path))
    assert play["choices"]()["folder"] is True
    view = play["open"](SMALL)
    assert view["truths"].shape == (2, 32, 32) and len(view["classes"]) == 3
    assert (view["truths"][1][:6] == 255).all() and (view["truths"][1][6:26] < 3).all()  # 20 rows in the middle
    assert np.isfinite(play["step"]()["loss"])
    assert str(tmp_path) not in play["script"]() and "your/folder" in play["script"]()
    play["start"].args[0].run.close()


def test_no_message_tells_where_the_folder_is(tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for i in range(3):
        Image.new("RGB", (40, 40), (i, 0, 0)).save(tmp_path / "images" / f"{i}.png")
        Image.new("L", (40, 40), i % 2).save(tmp_path / "labels" / f"{i}.png")
    (tmp_path / "val.txt").write_text("0\n")
    play = playground.functions(folder=str(tmp_path))
    play["open"](SMALL)
    for i in (1, 2):
        (tmp_path / "images" / f"{i}.png").write_bytes(b"no picture")
    frames = [play["step"]() for _ in range(4)]
    play["start"].args[0].run.close()
    assert frames[-1]["status"] == "stopped"
    assert "images/" in frames[-1]["message"] and str(tmp_path) not in frames[-1]["message"]
    with pytest.raises(DataError, match="root folder is not a folder") as refused:
        playground.functions(folder=str(tmp_path / "none"))["choices"]()
    assert str(tmp_path) not in str(refused.value)
