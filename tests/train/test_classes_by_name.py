"""Weights and data that have the same classes in another order, or others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fcnlite
from fcnlite import evaluate, storage
from fcnlite.data import Folder
from fcnlite.description.model_info import ModelInfo
from fcnlite.errors import DataError
from fcnlite.net import Net
from fcnlite.segmentation.evaluation import confusion
from fcnlite.train.__main__ import main
from tests.cli.conftest import Command
from tests.color_net import color_net
from tests.train.bands import COLORS, SMALL, scenes

NAMES = ("road", "car")


def knowing(names: tuple[str, ...], order: tuple[str, ...] = NAMES) -> Net:
    """A net that takes dark pixels for road and red ones for car, called `names` in this order."""
    net = color_net(ModelInfo(classes=names), outputs=len(names))
    weight = net.params["classify"][0].data
    weight[...] = 0
    for number, name in enumerate(order):
        weight[number, 2] = {"road": -1, "car": 1}[name]
    return net


@pytest.fixture
def swapped(tmp_path: Path) -> Path:
    return scenes(tmp_path / "swapped", ("car", "road"))


def figures(command: Command, weights: Path, root: Path, *options: object) -> tuple[float, str]:
    ended = command(evaluate.main, weights, "--data", "folder", "--root", root, "--json", "-", *options)
    assert ended.status == 0, ended.err
    return json.loads(ended.out)["mean_iu"], ended.err


def test_the_same_names_in_another_order_are_matched_and_reported(
    command: Command, tmp_path: Path, swapped: Path
) -> None:
    knowing(NAMES).save(tmp_path / "net.h5")
    mean_iu, err = figures(command, tmp_path / "net.h5", swapped)
    assert mean_iu == 1
    assert "'road' is 0 and 1, 'car' is 1 and 0" in err
    assert figures(command, tmp_path / "net.h5", swapped, "--classes-by-number")[0] < 0.01
    same = scenes(tmp_path / "same", NAMES)
    assert figures(command, tmp_path / "net.h5", same) == (1, "")


def test_the_matrix_has_the_numbers_of_the_data(swapped: Path) -> None:
    dataset = Folder("val", swapped)
    with pytest.warns(UserWarning, match="matched by name"):
        matrix = confusion(knowing(NAMES), dataset)
    expected = np.bincount(np.concatenate([dataset[i].label.ravel() for i in range(2)]))
    np.testing.assert_array_equal(matrix, np.diag(expected))


def test_spelling_does_not_part_classes(command: Command, tmp_path: Path) -> None:
    knowing(NAMES).save(tmp_path / "net.h5")
    mean_iu, err = figures(command, tmp_path / "net.h5", scenes(tmp_path / "photos", ("Road", "car")))
    assert mean_iu == 1
    assert "'road' is 'Road'" in err
    mean_iu, err = figures(command, tmp_path / "net.h5", scenes(tmp_path / "both", ("Car", "ROAD")))
    assert mean_iu == 1
    assert "matched by name" in err


def test_other_names_are_an_error_that_lists_both(command: Command, tmp_path: Path, swapped: Path) -> None:
    knowing(("road", "tree")).save(tmp_path / "net.h5")
    ended = command(evaluate.main, tmp_path / "net.h5", "--data", "folder", "--root", swapped)
    assert (ended.status, ended.out) == (1, "")
    for words in ("(road, tree)", "(car, road)", "only the former have tree", "--classes-by-number"):
        assert words in ended.err
    with pytest.raises(DataError, match="classes_by_number=True"):
        confusion(knowing(("road", "tree")), Folder("val", swapped))


@pytest.mark.parametrize("names", [(), ("class 0", "class 1"), ("0", "1")])
def test_classes_without_names_go_by_number(
    command: Command, tmp_path: Path, swapped: Path, names: tuple[str, ...]
) -> None:
    net = knowing(NAMES, ("car", "road"))
    net.info = ModelInfo(classes=names)
    net.save(tmp_path / "net.h5")
    assert figures(command, tmp_path / "net.h5", swapped) == (1, "")


def scores(net: Net) -> np.ndarray:
    x = np.random.default_rng(0).normal(0, 50, (1, 3, 16, 16))
    return net.forward(data=x, outputs=["score"])["score"]


def learned(root: Path, command: Command, out: Path, *options: object) -> str:
    """Train nothing from `--init` (the rate is 0); what the command says."""
    ended = command(main, "--data", "folder", "--root", root, *SMALL, "--out", out, "--no-validation", *options)
    assert ended.status == 0, ended.err
    return ended.out


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    """A net of three classes with scores that differ."""
    net = fcnlite.models.build("lite-fcn8s", classes=3, width=0.02)
    rng = np.random.default_rng(0)
    for name in ("score_fr", "score_pool4", "score_pool3"):
        for each in net.params[name]:
            each.data = rng.normal(size=each.shape)
    net.info = ModelInfo(classes=tuple(COLORS))
    net.save(tmp_path / "taught.h5")
    return tmp_path / "taught.h5"


def test_init_puts_the_scores_into_the_order_of_the_data(command: Command, tmp_path: Path, taught: Path) -> None:
    root = scenes(tmp_path / "photos", ("sky", "road", "car"))
    out = learned(root, command, tmp_path / "run", "--init", taught)
    assert "matched by name: 'road' is 0 and 1, 'car' is 1 and 2, 'sky' is 2 and 0" in out
    before, after = storage.load(taught).params, storage.load(tmp_path / "run" / "best.h5").params
    for name in ("score_fr", "score_pool4", "score_pool3"):
        for old, new in zip(before[name], after[name], strict=True):
            np.testing.assert_array_equal(new[[1, 2, 0]], old)
    np.testing.assert_array_equal(after["conv1_1"][0], before["conv1_1"][0])
    by_number = learned(root, command, tmp_path / "number", "--init", taught, "--classes-by-number")
    assert "matched" not in by_number
    after = storage.load(tmp_path / "number" / "best.h5").params
    np.testing.assert_array_equal(after["score_fr"][0], before["score_fr"][0])


def test_init_with_other_classes_needs_a_choice_for_the_scores(command: Command, tmp_path: Path, taught: Path) -> None:
    root = scenes(tmp_path / "photos", ("road", "car", "sky"))
    (root / "classes.txt").write_text("road\ncar\ntree\n")
    run = ("--data", "folder", "--root", root, *SMALL, "--init", taught)
    ended = command(main, *run, "--out", tmp_path / "run")
    assert ended.status == 1
    for words in ("(road, car, sky)", "(road, car, tree)", "--classes-by-number", "--new-scores"):
        assert words in ended.err
    assert not (tmp_path / "run").exists()
    assert "score layers start new" in learned(root, command, tmp_path / "run", "--init", taught, "--new-scores")
    before, after = storage.load(taught).params, storage.load(tmp_path / "run" / "best.h5").params
    assert not after["score_fr"][0].any()
    np.testing.assert_array_equal(after["conv3_1"][0], before["conv3_1"][0])


def test_a_run_does_not_go_on_with_other_numbers_for_its_classes(command: Command, tmp_path: Path) -> None:
    root = scenes(tmp_path / "photos", ("road", "car", "sky"))
    learned(root, command, tmp_path / "run")
    before = (tmp_path / "run" / "last.h5").read_bytes()
    (root / "classes.txt").write_text("car\nroad\nsky\n")
    ended = command(main, "--resume", "--out", tmp_path / "run")
    assert ended.status == 1
    for words in ("'road' is 0 and 1", "--init", "--classes-by-number"):
        assert words in ended.err
    assert (tmp_path / "run" / "last.h5").read_bytes() == before
    (root / "classes.txt").write_text("road\ncar\nheaven\n")
    ended = command(main, "--resume", "--out", tmp_path / "run")
    assert ended.status == 1
    assert "only the former have sky, only the latter heaven" in ended.err
    ended = command(main, "--resume", "--classes-by-number", "--iterations", 2, "--out", tmp_path / "run")
    assert ended.status == 0
    assert storage.load(tmp_path / "run" / "best.h5").info.classes == ("road", "car", "heaven")
