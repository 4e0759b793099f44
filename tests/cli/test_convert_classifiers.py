"""`python -m fcnlite.convert`: classifiers into FCNs, and classifiers made fully convolutional."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import fcnlite
from fcnlite import caffe, convert, storage
from fcnlite.description.model_info import Preprocessing
from tests.cli.conftest import Command
from tests.cli.converting import DATA_LAYER_NET, RNG, TRUNK, assert_bilinear, count_line, random_weights, rows
from tests.parity.reference import assert_close, read_case

# Classifiers into FCNs


@pytest.mark.parametrize("file", ["weights.caffemodel", "weights.caffemodel.h5", "weights_v1.caffemodel"])
def test_caffes_vgg16_becomes_an_fcn32s(command: Command, tmp_path: Path, tiny: Path, file: str) -> None:
    ended = command(convert.main, tiny / file, "-o", tmp_path / "out.h5", "--to", "voc-fcn32s")
    outcomes = rows(ended)
    assert list(outcomes) == [*TRUNK, "fc6", "fc7", "score_fr", "upscore", "fc8"]
    legacy = "v1" in file
    assert {outcomes[name] for name in TRUNK} == {"taken, coerced" if legacy else "taken"}
    assert {outcomes[name] for name in ("fc6", "fc7")} == {"coerced" if legacy else "coerced, taken"}
    assert (outcomes["score_fr"], outcomes["upscore"], outcomes["fc8"]) == ("left: zero", "left: bilinear", "dropped")
    assert re.search(r"\nfc6 +Convolution +\S*40×128, \S*40 → 40×32×2×2, 40 ", ended.out)
    taken = (13, 17) if legacy else (28, 2)
    assert count_line(ended) == (
        f"35 parameters: {taken[0]} taken, {taken[1]} coerced, 0 expanded, 2 dropped, 3 left at their fillers"
    )

    net, given = fcnlite.load(tmp_path / "out.h5"), caffe.read_weights(tiny / "weights.caffemodel")
    for name in [*TRUNK, "fc6", "fc7"]:
        for parameter, array in zip(net.params[name], given[name], strict=True):
            np.testing.assert_array_equal(parameter.array.ravel(), array.ravel())
    assert not any(each.array.any() for each in net.params["score_fr"])
    assert_bilinear(net)
    assert net.forward(data=np.ones((1, 3, 40, 71)))["score"].shape == (1, 21, 40, 71)
    assert storage.load(tmp_path / "out.h5").info.record == {"converted from": [file]}


def test_the_fcn_sees_what_the_classifier_sees(command: Command, tmp_path: Path) -> None:
    """Far from the border, features of a large picture equal those of the classifier without its padding."""
    given = random_weights("vgg16", 7, 1 / 32)
    caffe.write_weights(tmp_path / "vgg.caffemodel", given)
    command(convert.main, tmp_path / "vgg.caffemodel", "-o", tmp_path / "out.h5", "--to", "voc-fcn32s")
    command(convert.main, tmp_path / "vgg.caffemodel", "-o", tmp_path / "heat.h5", "--to", "vgg16", "--keep-classifier")
    # The FCN's pad of 100 shifts the grid by 99 pixels: three steps of 32 and 3 pixels.
    x = RNG.normal(0, 50, (1, 3, 700, 700))
    fcn, heat = (fcnlite.load(tmp_path / name, path="plain") for name in ("out.h5", "heat.h5"))
    ours = fcn.forward(data=x, outputs=["fc7"])["fc7"]
    theirs = heat.forward(data=x[:, :, 29:, 29:], outputs=["fc7"])["fc7"]
    # Position 6 of ours begins at pixel 6·32 − 99, position 2 of theirs at pixel 29 + 2·32.
    assert_close(theirs[:, :, 3:12, 3:12], ours[:, :, 7:16, 7:16], 1e-5, "fc7")


def test_classes_are_chosen(command: Command, tmp_path: Path, tiny: Path) -> None:
    out = tmp_path / "out.h5"
    command(convert.main, tiny / "weights.caffemodel", "-o", out, "--to", "voc-fcn8s", "--classes", 11)
    assert fcnlite.load(out).forward(data=np.ones((1, 3, 9, 9)))["score"].shape == (1, 11, 9, 9)
    ended = command(convert.main, tiny / "weights.caffemodel", "-o", out, "--to", "siftflow-fcn8s", "--classes", "5,4")
    assert rows(ended)["score_pool3_geo"] == "left: zero"
    top = fcnlite.load(out).forward(data=np.ones((1, 3, 9, 9)))
    assert (top["score_sem"].shape[1], top["score_geo"].shape[1]) == (5, 4)


@pytest.mark.parametrize(
    ("classifier", "to", "dropped"),
    [
        ("caffenet", "voc-fcn-alexnet", {"fc8"}),
        ("alexnet", "voc-fcn-alexnet", {"fc8"}),
        (
            "googlenet",
            "voc-fcn-googlenet",
            {*(f"loss{i}/{part}" for i in (1, 2) for part in ("conv", "fc", "classifier")), "loss3/classifier"},
        ),
    ],
)
def test_other_classifiers_become_fcns(
    command: Command, tmp_path: Path, classifier: str, to: str, dropped: set[str]
) -> None:
    given = random_weights(classifier)
    caffe.write_weights(tmp_path / "net.caffemodel", given)
    outcomes = rows(command(convert.main, tmp_path / "net.caffemodel", "-o", tmp_path / "out.h5", "--to", to))
    assert {name for name, outcome in outcomes.items() if outcome == "dropped"} == dropped
    assert {name for name, outcome in outcomes.items() if outcome.startswith("left")} == {"score_fr", "upscore"}
    net = fcnlite.load(tmp_path / "out.h5")
    assert all(net.params[name][0].array.tobytes() == given[name][0].tobytes() for name in given if name not in dropped)
    assert "AVE" not in {layer.options.get("pool") for layer in net.spec}
    assert_bilinear(net)
    assert net.forward(data=np.ones((1, 3, 33, 50)))["score"].shape == (1, 21, 33, 50)


def test_layers_that_are_missing_start_as_in_a_net_that_is_built(command: Command, tmp_path: Path) -> None:
    features = {name: pair for name, pair in random_weights("vgg16").items() if name.startswith("conv")}
    caffe.write_weights(tmp_path / "net.caffemodel", features)
    outcomes = rows(command(convert.main, tmp_path / "net.caffemodel", "-o", tmp_path / "out.h5", "--to", "voc-fcn32s"))
    assert outcomes["fc6"] == outcomes["fc7"] == "left: msra, left: zero"
    net = fcnlite.load(tmp_path / "out.h5")
    assert net.params["fc6"][0].shape == (128, 16, 7, 7)
    assert net.params["fc6"][0].array.std() == pytest.approx((2 / (16 * 49)) ** 0.5, rel=0.05)


# Classifiers that are kept


@pytest.mark.parametrize("to", ["vgg16", "voc-fcn32s", "voc-fcn8s"])
def test_a_kept_classifier_answers_as_caffe_does(command: Command, tmp_path: Path, tiny: Path, to: str) -> None:
    out = tmp_path / "heat.h5"
    ended = command(convert.main, tiny / "weights.caffemodel", "-o", out, "--to", to, "--keep-classifier")
    outcomes = rows(ended)
    assert {outcomes[name] for name in ("fc6", "fc7", "fc8")} == {"coerced, taken"}
    assert count_line(ended).startswith("32 parameters: 29 taken, 3 coerced, 0 expanded, 0 dropped")
    net, case = fcnlite.load(out), read_case(tiny / "case.npz")
    top = net.forward(data=case["in.data"], outputs=["fc8", "prob"])
    assert top["fc8"].shape == (1, 10, 1, 1)
    assert_close(top["fc8"], case["out.fc8"], 1e-5, "fc8")
    assert_close(top["prob"], case["out.prob"], 1e-5, "prob")
    larger = net.forward(data=np.ones((1, 3, 200, 300)))["prob"]
    assert larger.shape == (1, 10, 6, 9)
    np.testing.assert_allclose(larger.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("net", ["net.prototxt", "net_v1.prototxt"])
def test_a_classifier_of_ones_own_is_made_convolutional(command: Command, tmp_path: Path, tiny: Path, net: str) -> None:
    ended = command(convert.main, tiny / "weights.caffemodel", "-o", tmp_path / "heat.h5", "--net", tiny / net)
    assert rows(ended)["fc8"] == "coerced, taken"
    case = read_case(tiny / "case.npz")
    top = fcnlite.load(tmp_path / "heat.h5").forward(data=case["in.data"], outputs=["fc8"])["fc8"]
    assert_close(top, case["out.fc8"], 1e-5, "fc8")


@pytest.mark.parametrize(("to", "kept"), [("voc-fcn-alexnet", "caffenet"), ("voc-fcn-googlenet", "googlenet")])
def test_the_kept_classifier_is_the_one_that_the_fcn_comes_from(
    command: Command, tmp_path: Path, to: str, kept: str
) -> None:
    caffe.write_weights(tmp_path / "net.caffemodel", random_weights(kept))
    out = tmp_path / "heat.h5"
    rows(command(convert.main, tmp_path / "net.caffemodel", "-o", out, "--to", to, "--keep-classifier"))
    net = fcnlite.load(out)
    assert (net.spec.name, list(net.forward(data=np.ones((1, 3, 227, 227))))) == (kept, ["prob"])


def test_a_classifier_that_is_convolutional_already_is_read(command: Command, tmp_path: Path, tiny: Path) -> None:
    heat, again, fcn = (tmp_path / name for name in ("heat.h5", "again.h5", "fcn.h5"))
    command(convert.main, tiny / "weights.caffemodel", "-o", heat, "--to", "vgg16", "--keep-classifier")
    outcomes = rows(command(convert.main, heat, "-o", again, "--to", "vgg16", "--keep-classifier"))
    assert set(outcomes.values()) == {"taken"}
    outcomes = rows(command(convert.main, heat, "-o", fcn, "--to", "voc-fcn32s"))
    assert (outcomes["fc6"], outcomes["fc8"]) == ("taken", "dropped")


def test_a_classifier_can_stay_one(command: Command, tmp_path: Path, tiny: Path) -> None:
    out = tmp_path / "vgg.h5"
    assert rows(command(convert.main, tiny / "weights.caffemodel", "-o", out, "--to", "vgg16"))["fc8"] == "taken"
    case = read_case(tiny / "case.npz")
    assert_close(fcnlite.load(out).forward(data=case["in.data"])["prob"], case["out.prob"], 1e-5, "prob")


def test_a_net_to_train_with_gives_a_heat_map_and_its_data_layer_the_preprocessing(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "train_val.prototxt").write_text(DATA_LAYER_NET)
    weights = {
        "conv": [RNG.normal(size=(4, 3, 3, 3)).astype("f4"), np.ones(4, "f4")],
        "ip": [RNG.normal(size=(5, 400)).astype("f4"), np.ones(5, "f4")],
    }
    caffe.write_weights(tmp_path / "a.caffemodel", weights)
    out = tmp_path / "heat.h5"
    ended = command(convert.main, tmp_path / "a.caffemodel", "-o", out, "--net", tmp_path / "train_val.prototxt")
    assert rows(ended) == {"conv": "taken", "ip": "coerced, taken"}
    net = fcnlite.load(out)
    words = "layer 'data': mean_value; its crop_size 12 is not applied, pictures are taken whole"
    assert net.info.preprocessing == Preprocessing(mean=(1.0, 2.0, 3.0), scale=0.5, source=words)
    picture = RNG.normal(size=(1, 3, 12, 12)).astype("f4")
    classifier = fcnlite.load(tmp_path / "train_val.prototxt", tmp_path / "a.caffemodel")
    wanted = classifier.forward(data=picture, outputs=["ip"])["ip"]
    assert_close(net.forward(data=picture)["ip"].reshape(1, 5), wanted, 1e-5, "scores")
    assert net.forward(data=np.zeros((1, 3, 20, 16), "f4"))["ip"].shape == (1, 5, 9, 5)
