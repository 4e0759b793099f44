"""`python -m fcnlite.convert`: FCNs into finer ones, with more classes, with depth or a second trunk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fcnlite
from fcnlite import caffe, convert, storage
from fcnlite.description.model_info import ModelInfo, Preprocessing
from tests.cli.conftest import Command
from tests.cli.converting import RNG, TRUNK, assert_bilinear, count_line, random_weights, rows


def test_an_fcn32s_becomes_an_fcn16s_and_an_fcn8s(command: Command, tmp_path: Path, fcn32s: Path) -> None:
    outcomes = rows(command(convert.main, fcn32s, "-o", tmp_path / "fcn16s.h5", "--to", "voc-fcn16s"))
    assert (outcomes["score_fr"], outcomes["score_pool4"], outcomes["upscore"]) == ("taken", "left: zero", "dropped")
    assert outcomes["upscore2"] == outcomes["upscore16"] == "left: bilinear"
    outcomes = rows(command(convert.main, tmp_path / "fcn16s.h5", "-o", tmp_path / "fcn8s.h5", "--to", "voc-fcn8s"))
    assert (outcomes["score_pool4"], outcomes["upscore2"], outcomes["score_pool3"]) == ("taken", "taken", "left: zero")
    coarse, fine = (fcnlite.load(path) for path in (fcn32s, tmp_path / "fcn8s.h5"))
    for name in [*TRUNK, "fc6", "fc7", "score_fr"]:
        for before, after in zip(coarse.params[name], fine.params[name], strict=True):
            np.testing.assert_array_equal(before.array, after.array)
    assert_bilinear(fine)
    # With skips of zero only the coarse scores remain, upsampled in three steps instead of one.
    x = RNG.normal(0, 50, (1, 3, 60, 60))
    scores = [net.forward(data=x)["score"] for net in (coarse, fine)]
    assert np.abs(scores[0]).max() > 0
    assert np.abs(scores[0] - scores[1]).max() < 0.2 * np.ptp(scores[0])
    info = storage.load(tmp_path / "fcn8s.h5").info
    assert (info.classes, info.colors, info.preprocessing.mean) == (
        ("sky", "road", "car"), ((1, 1, 1),) * 3, (1.0, 2.0, 3.0)
    )  # fmt: skip
    assert info.record == {"a": 1, "converted from": ["fcn16s.h5"]}


def test_more_classes_expand_the_scores(command: Command, tmp_path: Path, fcn32s: Path) -> None:
    ended = command(convert.main, fcn32s, "-o", tmp_path / "out.h5", "--to", "voc-fcn32s", "--classes", 5)
    outcomes = rows(ended)
    assert (outcomes["score_fr"], outcomes["upscore"]) == ("expanded", "left: bilinear")
    assert " 2 expanded, 0 dropped, 1 left at their fillers" in count_line(ended)
    old, new = fcnlite.load(fcn32s), fcnlite.load(tmp_path / "out.h5")
    assert_bilinear(new)
    x = RNG.normal(0, 50, (1, 3, 40, 50))
    before, after = (net.forward(data=x)["score"] for net in (old, new))
    np.testing.assert_allclose(after[:, :3], before, rtol=1e-5, atol=1e-5 * np.abs(before).max())
    assert not after[:, 3:].any()
    info = storage.load(tmp_path / "out.h5").info
    assert info.classes == ("sky", "road", "car", "class 3", "class 4")
    assert info.colors == ((1, 1, 1), (1, 1, 1), (1, 1, 1), (128, 128, 0), (0, 0, 128))
    assert fcnlite.Segmenter(tmp_path / "out.h5").classes == info.classes


def test_depth_starts_as_a_gray_picture(command: Command, tmp_path: Path, tiny: Path) -> None:
    out = tmp_path / "bgrd.h5"
    ended = command(convert.main, tiny / "weights.caffemodel", "-o", out, "--to", "nyud-fcn32s-color-d")
    assert rows(ended)["conv1_1_bgrd"] == "expanded, taken"
    assert "4×3×3×3, 4 → 4×4×3×3, 4" in ended.out
    color = caffe.read_weights(tiny / "weights.caffemodel")["conv1_1"]
    weight, bias = (each.array for each in fcnlite.load(out).params["conv1_1_bgrd"])
    np.testing.assert_array_equal(weight[:, :3], color[0])
    np.testing.assert_allclose(weight[:, 3], color[0].mean(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(bias, color[1])


def test_color_and_hha_become_two_trunks(command: Command, tmp_path: Path) -> None:
    files = [tmp_path / "color.caffemodel", tmp_path / "hha.caffemodel"]
    given = [random_weights(f"nyud-fcn32s-{each}") for each in ("color", "hha")]
    for file, weights in zip(files, given, strict=True):
        caffe.write_weights(file, weights)
    outcomes = rows(command(convert.main, *files, "-o", tmp_path / "both.h5", "--to", "nyud-fcn32s-color-hha"))
    assert set(outcomes.values()) == {"taken"}
    net = fcnlite.load(tmp_path / "both.h5")
    for suffix, weights in zip(("color", "hha"), given, strict=True):
        for name in ("conv1_1", "fc7", "score_fr"):
            np.testing.assert_array_equal(net.params[name + suffix][0].array, weights[name][0])


def test_one_file_starts_both_trunks(command: Command, tmp_path: Path, tiny: Path) -> None:
    out = tmp_path / "both.h5"
    outcomes = rows(command(convert.main, tiny / "weights.caffemodel", "-o", out, "--to", "nyud-fcn32s-color-hha"))
    assert (outcomes["fc6color"], outcomes["fc6hha"], outcomes["fc8"]) == (
        "coerced, taken",
        "coerced, taken",
        "dropped",
    )
    net = fcnlite.load(out)
    np.testing.assert_array_equal(net.params["conv3_1color"][0].array, net.params["conv3_1hha"][0].array)


PUBLISHED = [
    # The means of siftflow_layers.py and nyud_layers.py in the FCN reference.
    ("siftflow-fcn16s", [33, 3], "BGR, mean 114.578, 115.294, 108.353"),
    ("nyud-fcn32s-color", 40, "BGR, mean 116.19, 97.203, 92.318"),
    ("nyud-fcn32s-hha", 40, "RGB, mean 132.431, 94.076, 118.477"),
]


@pytest.mark.parametrize(("name", "classes", "fed"), PUBLISHED)
def test_weights_like_the_published_ones_are_fed_as_these(
    command: Command, tmp_path: Path, name: str, classes: int | list[int], fed: str
) -> None:
    caffe.write_weights(tmp_path / "x.caffemodel", random_weights(name, classes))
    ended = command(convert.main, tmp_path / "x.caffemodel", "-o", tmp_path / "x.h5", "--to", name)
    words = f"pictures are fed as {fed}, scale 1 (assumed: as the published {name}; give --mean if that is wrong)\n"
    assert words in ended.out
    assert str(storage.load(tmp_path / "x.h5").info.preprocessing).startswith(fed)
    given = command(convert.main, tmp_path / "x.caffemodel", "-o", tmp_path / "x.h5", "--to", name, "--mean", "1,2,3")
    assert f"{fed[:3]}, mean 1, 2, 3, scale 1 (mean as given)" in given.out


@pytest.mark.parametrize("weights", ["other classes", "a classifier"])
def test_other_weights_are_fed_as_their_classifier(command: Command, tmp_path: Path, tiny: Path, weights: str) -> None:
    file = tiny / "weights.caffemodel"
    if weights == "other classes":
        file = tmp_path / "x.caffemodel"
        caffe.write_weights(file, random_weights("nyud-fcn32s-color", 21))
    ended = command(convert.main, file, "-o", tmp_path / "x.h5", "--to", "nyud-fcn32s-color")
    assert "pictures are fed as BGR, mean 104.007, 116.669, 122.679, scale 1\n" in ended.out


def test_each_trunk_is_fed_as_its_file_says(command: Command, tmp_path: Path) -> None:
    fed = {"color": Preprocessing(mean=(1.0, 2.0, 3.0)), "hha": Preprocessing(color="RGB", mean=(4.0, 5.0, 6.0))}
    files = [tmp_path / f"{each}.h5" for each in fed]
    for file, (kind, preprocessing) in zip(files, fed.items(), strict=True):
        net = fcnlite.models.build(f"nyud-fcn32s-{kind}", classes=3, width=1 / 32)
        net.info = ModelInfo(preprocessing)
        net.save(file)
    both = tmp_path / "both.h5"
    assert command(convert.main, *files, "-o", both, "--to", "nyud-fcn32s-color-hha").status == 0
    found = storage.load(both).info.preprocessing
    assert {each: (found.of(each).color, found.of(each).mean) for each in fed} == {
        each: (preprocessing.color, preprocessing.mean) for each, preprocessing in fed.items()
    }


def test_the_published_net_with_two_trunks(command: Command, tmp_path: Path) -> None:
    name = "nyud-fcn32s-color-hha"
    caffe.write_weights(tmp_path / "x.caffemodel", random_weights(name, 40))
    assert command(convert.main, tmp_path / "x.caffemodel", "-o", tmp_path / "x.h5", "--to", name).status == 0
    found = storage.load(tmp_path / "x.h5").info.preprocessing
    assert found.of("color").mean == (116.190, 97.203, 92.318)
    assert (found.of("hha").color, found.of("hha").mean) == ("RGB", (132.431, 94.076, 118.477))
