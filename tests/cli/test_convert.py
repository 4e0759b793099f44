"""`python -m fcnlite.convert`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import fcnlite
from fcnlite import caffe, convert, models, storage
from fcnlite.arrays import Array
from fcnlite.description.fillers import bilinear_kernel
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.net import Net
from tests.cli.conftest import Command, Ended
from tests.formats.interop import test_keras as keras_files
from tests.formats.interop import test_torchvision as torchvision_files
from tests.formats.interop.made_up import vgg16
from tests.parity.reference import assert_close, read_case

Weights = dict[str, list[Array]]
RNG = np.random.default_rng(0)
TRUNK = [f"conv{stage}_{i}" for stage, count in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, count + 1)]


@pytest.fixture
def tiny(shared: Path) -> Path:
    """The reference's narrow VGG-16."""
    return shared / "reference" / "nets" / "tiny-vgg16-classifier"


def weights_of(net: Net) -> Weights:
    return {name: [each.array for each in parameters] for name, parameters in net.params.items()}


def random_weights(name: str, classes: int | list[int] = 3, width: float = 1 / 32) -> Weights:
    shapes = weights_of(Net(models.describe(name, classes=classes, width=width), phase="TRAIN"))
    return {
        layer: [RNG.normal(0, (2 / each[0].size * len(each[0])) ** 0.5, array.shape).astype("f4") for array in each]
        for layer, each in shapes.items()
    }


@pytest.fixture
def fcn32s(tmp_path: Path) -> Path:
    """A narrow FCN-32s of three classes with names and colors."""
    net = models.build("voc-fcn32s", classes=3, width=1 / 32)
    for name, arrays in random_weights("voc-fcn32s").items():
        if name != "upscore":
            for parameter, array in zip(net.params[name], arrays, strict=True):
                parameter.data = array
    net.info = ModelInfo(Preprocessing(mean=(1.0, 2.0, 3.0)), ("sky", "road", "car"), ((1, 1, 1),) * 3, {"a": 1})
    net.save(tmp_path / "fcn32s.h5")
    return tmp_path / "fcn32s.h5"


def rows(ended: Ended) -> dict[str, str]:
    """The outcome of each layer, as the table tells it."""
    assert (ended.status, ended.err) == (0, "")
    heading, *lines = ended.out.split("\n\n")[0].splitlines()
    column = heading.index("outcome")
    return {line.split()[0]: line[column:] for line in lines}


def count_line(ended: Ended) -> str:
    return ended.out.split("\n\n")[1].splitlines()[0]


def assert_bilinear(net: Net) -> None:
    for layer in net.layers:
        if layer.type == "Deconvolution":
            weight = net.params[layer.spec.name][0].array
            kernel = bilinear_kernel(weight.shape[2])
            for i, j in np.ndindex(weight.shape[:2]):
                np.testing.assert_allclose(weight[i, j], kernel * (i == j), rtol=1e-6)


# Classifiers into FCNs


@pytest.mark.parametrize("file", ["weights.caffemodel", "weights.caffemodel.h5", "weights_v1.caffemodel"])
def test_caffes_vgg16_becomes_an_fcn32s(command: Command, tmp_path: Path, tiny: Path, file: str) -> None:
    ended = command(convert.main, tiny / file, "-o", tmp_path / "out.h5", "--to", "voc-fcn32s")
    told = rows(ended)
    assert list(told) == [*TRUNK, "fc6", "fc7", "score_fr", "upscore", "fc8"]
    legacy = "v1" in file
    assert {told[name] for name in TRUNK} == {"taken, coerced" if legacy else "taken"}
    assert {told[name] for name in ("fc6", "fc7")} == {"coerced" if legacy else "coerced, taken"}
    assert (told["score_fr"], told["upscore"], told["fc8"]) == ("left: zero", "left: bilinear", "dropped")
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
    """Features amid a large picture are those of the classifier, slid there without its pads."""
    given = random_weights("vgg16", 7, 1 / 32)
    caffe.write_weights(tmp_path / "vgg.caffemodel", given)
    command(convert.main, tmp_path / "vgg.caffemodel", "-o", tmp_path / "out.h5", "--to", "voc-fcn32s")
    command(convert.main, tmp_path / "vgg.caffemodel", "-o", tmp_path / "heat.h5", "--to", "vgg16", "--keep-classifier")
    # At stride 32 the FCN's pad of 100 shifts the grid by 4 − 1 pixels beyond three whole steps, as the offset of 99.
    x = RNG.normal(0, 50, (1, 3, 700, 700))
    fcn, heat = (fcnlite.load(tmp_path / name, path="plain") for name in ("out.h5", "heat.h5"))
    ours = fcn.forward(data=x, outputs=["fc7"])["fc7"]
    theirs = heat.forward(data=x[:, :, 29:, 29:], outputs=["fc7"])["fc7"]
    # Position 6 of ours looks at pixel 6·32 − 99 and on, position 2 of theirs at 29 + 2·32.
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
    told = rows(command(convert.main, tmp_path / "net.caffemodel", "-o", tmp_path / "out.h5", "--to", to))
    assert {name for name, outcome in told.items() if outcome == "dropped"} == dropped
    assert {name for name, outcome in told.items() if outcome.startswith("left")} == {"score_fr", "upscore"}
    net = fcnlite.load(tmp_path / "out.h5")
    assert all(net.params[name][0].array.tobytes() == given[name][0].tobytes() for name in given if name not in dropped)
    assert "AVE" not in {layer.options.get("pool") for layer in net.spec}
    assert_bilinear(net)
    assert net.forward(data=np.ones((1, 3, 33, 50)))["score"].shape == (1, 21, 33, 50)


def test_layers_that_are_missing_start_as_in_a_net_that_is_built(command: Command, tmp_path: Path) -> None:
    features = {name: pair for name, pair in random_weights("vgg16").items() if name.startswith("conv")}
    caffe.write_weights(tmp_path / "net.caffemodel", features)
    told = rows(command(convert.main, tmp_path / "net.caffemodel", "-o", tmp_path / "out.h5", "--to", "voc-fcn32s"))
    assert told["fc6"] == told["fc7"] == "left: msra, left: zero"
    net = fcnlite.load(tmp_path / "out.h5")
    assert net.params["fc6"][0].shape == (128, 16, 7, 7)
    assert net.params["fc6"][0].array.std() == pytest.approx((2 / (16 * 49)) ** 0.5, rel=0.05)


# Classifiers that are kept


@pytest.mark.parametrize("to", ["vgg16", "voc-fcn32s", "voc-fcn8s"])
def test_a_kept_classifier_answers_as_caffe_does(command: Command, tmp_path: Path, tiny: Path, to: str) -> None:
    out = tmp_path / "heat.h5"
    ended = command(convert.main, tiny / "weights.caffemodel", "-o", out, "--to", to, "--keep-classifier")
    told = rows(ended)
    assert {told[name] for name in ("fc6", "fc7", "fc8")} == {"coerced, taken"}
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
    told = rows(command(convert.main, heat, "-o", again, "--to", "vgg16", "--keep-classifier"))
    assert set(told.values()) == {"taken"}
    told = rows(command(convert.main, heat, "-o", fcn, "--to", "voc-fcn32s"))
    assert (told["fc6"], told["fc8"]) == ("taken", "dropped")


def test_a_classifier_can_stay_one(command: Command, tmp_path: Path, tiny: Path) -> None:
    out = tmp_path / "vgg.h5"
    assert rows(command(convert.main, tiny / "weights.caffemodel", "-o", out, "--to", "vgg16"))["fc8"] == "taken"
    case = read_case(tiny / "case.npz")
    assert_close(fcnlite.load(out).forward(data=case["in.data"])["prob"], case["out.prob"], 1e-5, "prob")


# From stage to stage


def test_an_fcn32s_becomes_an_fcn16s_and_an_fcn8s(command: Command, tmp_path: Path, fcn32s: Path) -> None:
    told = rows(command(convert.main, fcn32s, "-o", tmp_path / "fcn16s.h5", "--to", "voc-fcn16s"))
    assert (told["score_fr"], told["score_pool4"], told["upscore"]) == ("taken", "left: zero", "dropped")
    assert told["upscore2"] == told["upscore16"] == "left: bilinear"
    told = rows(command(convert.main, tmp_path / "fcn16s.h5", "-o", tmp_path / "fcn8s.h5", "--to", "voc-fcn8s"))
    assert (told["score_pool4"], told["upscore2"], told["score_pool3"]) == ("taken", "taken", "left: zero")
    coarse, fine = (fcnlite.load(path) for path in (fcn32s, tmp_path / "fcn8s.h5"))
    for name in [*TRUNK, "fc6", "fc7", "score_fr"]:
        for before, after in zip(coarse.params[name], fine.params[name], strict=True):
            np.testing.assert_array_equal(before.array, after.array)
    assert_bilinear(fine)
    # Zero skips leave the coarse scores, upsampled in three steps instead of one.
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
    told = rows(ended)
    assert (told["score_fr"], told["upscore"]) == ("expanded", "left: bilinear")
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
    told = rows(command(convert.main, *files, "-o", tmp_path / "both.h5", "--to", "nyud-fcn32s-color-hha"))
    assert set(told.values()) == {"taken"}
    net = fcnlite.load(tmp_path / "both.h5")
    for suffix, weights in zip(("color", "hha"), given, strict=True):
        for name in ("conv1_1", "fc7", "score_fr"):
            np.testing.assert_array_equal(net.params[name + suffix][0].array, weights[name][0])


def test_one_file_starts_both_trunks(command: Command, tmp_path: Path, tiny: Path) -> None:
    out = tmp_path / "both.h5"
    told = rows(command(convert.main, tiny / "weights.caffemodel", "-o", out, "--to", "nyud-fcn32s-color-hha"))
    assert (told["fc6color"], told["fc6hha"], told["fc8"]) == ("coerced, taken", "coerced, taken", "dropped")
    net = fcnlite.load(out)
    np.testing.assert_array_equal(net.params["conv3_1color"][0].array, net.params["conv3_1hha"][0].array)


# From other tools


def test_vgg16_comes_from_keras(command: Command, tmp_path: Path) -> None:
    keras_files.write(tmp_path / "vgg16.h5", vgg16())
    caffe.write_weights(tmp_path / "vgg16.caffemodel", vgg16())
    ended = command(convert.main, tmp_path / "vgg16.h5", "-o", tmp_path / "a.h5", "--to", "voc-fcn32s")
    assert rows(ended)["fc6"] == "coerced, taken"
    assert ended.out.splitlines()[-1].startswith("Keras' VGG-16 takes BGR minus a mean")
    command(convert.main, tmp_path / "vgg16.caffemodel", "-o", tmp_path / "b.h5", "--to", "voc-fcn32s")
    mine, caffes = (storage.load(tmp_path / name).params for name in ("a.h5", "b.h5"))
    for name, arrays in caffes.items():
        for a, b in zip(mine[name], arrays, strict=True):
            np.testing.assert_array_equal(a, b)


def test_vgg16_comes_from_torchvision(command: Command, tmp_path: Path) -> None:
    torchvision_files.write(tmp_path / "vgg16.safetensors", vgg16())
    out = tmp_path / "out.h5"
    ended = command(convert.main, tmp_path / "vgg16.safetensors", "-o", out, "--to", "vgg16", "--keep-classifier")
    assert rows(ended)["fc8"] == "coerced, taken"
    assert "folded into conv1_1" in ended.out and "Exact for all values that see\nno zero padding" in ended.out
    net = fcnlite.load(out)
    assert net.info.preprocessing == Preprocessing()
    pixels = torchvision_files.picture()
    theirs = torchvision_files.net_with(vgg16())
    expected = theirs.forward(data=torchvision_files.for_torchvision(pixels), outputs=["conv1_1"])["conv1_1"]
    found = net.forward(data=torchvision_files.for_ours(pixels, Preprocessing()), outputs=["conv1_1"])["conv1_1"]
    assert_close(found[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], 1e-5, "conv1_1")


# Bad input


def bad_file(folder: Path, kind: str) -> Path:
    """A file that cannot be converted."""
    path = folder / {"torn": "torn.caffemodel", "pickle": "vgg.pth", "keras": "resnet.h5"}.get(kind, f"{kind}.h5")
    if kind == "keras":
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = [b"conv1_conv"]
    elif kind in ("torn", "pickle"):
        path.write_bytes(b"\x0a\xff\xff")
    elif kind == "lenet":
        models.build("lenet").save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("missing", ["--to", "voc-fcn32s"], "missing.h5: no such file"),
        ("torn", ["--to", "voc-fcn32s"], "torn.caffemodel: is not a caffemodel"),
        ("pickle", ["--to", "voc-fcn32s"], "looks like a pickle"),
        ("keras", ["--to", "voc-fcn32s"], "resnet.h5: has no parameters for VGG-16's conv1_1"),
        ("lenet", ["--to", "voc-fcn32s"], "none of its 4 layers (conv1, conv2, ip1, ...) fits a layer of 'voc-fcn32s'"),
        ("lenet", ["--to", "voc-fcn-alexnet"], "'conv1' (Convolution): the weight has shape 20×1×5×5"),
        ("lenet", ["--to", "fcn32s"], "no model is called 'fcn32s'; did you mean"),
        ("lenet", ["--to", "lite-fcn8s", "--keep-classifier"], "does not come from a classifier"),
        ("lenet", ["--to", "vgg16", "--classes", "3"], "--classes is for the scores of an FCN"),
        ("lenet", ["--to", "voc-fcn32s", "--classes", "3,4"], "takes one number for each head"),
        ("lenet", ["--net", "missing.prototxt"], "missing.prototxt: no such file"),
        ("lenet", ["other.h5", "--to", "voc-fcn32s"], "there are 2 files of weights; expected one, or two"),
    ],
)
def test_bad_input_ends_in_one_sentence(
    command: Command, tmp_path: Path, kind: str, arguments: list[str], words: str
) -> None:
    out = tmp_path / "out.h5"
    out.write_bytes(b"what stood there")
    ended = command(convert.main, bad_file(tmp_path, kind), *arguments, "-o", out)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("error: ") and ended.err.count("\n") == 1 and words in ended.err
    assert out.read_bytes() == b"what stood there"
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_contradictory_shapes_are_named(command: Command, tmp_path: Path, fcn32s: Path) -> None:
    given = random_weights("voc-fcn8s")
    file, out = tmp_path / "net.caffemodel", tmp_path / "out.h5"

    def error(changed: Weights, *arguments: object) -> str:
        caffe.write_weights(file, {**given, **changed})
        ended = command(convert.main, file, "-o", out, "--to", "voc-fcn8s", *arguments)
        assert (ended.status, ended.out, out.exists()) == (1, "", False)
        return ended.err

    narrow = np.zeros((4, 1, 3, 3)), np.zeros(4)
    assert "'conv2_2' (Convolution): the weight has shape 4×1×3×3" in error({"conv2_2": [*narrow]})
    assert "does not fit 'voc-fcn8s': fc7[1]: shape differs" in error({"fc7": [given["fc7"][0], np.zeros(5)]})
    seven = [np.zeros((7, 8, 1, 1)), np.zeros(7)]
    assert "the score layers have [3, 7] classes" in error({"score_pool3": seven})
    assert "'score_pool3': scores of shape 3×9×1×1" in error({"score_pool3": [np.zeros((3, 9, 1, 1)), np.zeros(3)]})
    assert "scores 3 classes, and --classes 2 would lose some of them; expected at least 3" in error({}, "--classes", 2)


def test_a_classifier_without_its_last_layer_cannot_be_kept(command: Command, tmp_path: Path) -> None:
    given = random_weights("vgg16")
    del given["fc8"]
    caffe.write_weights(tmp_path / "net.caffemodel", given)
    ended = command(
        convert.main, tmp_path / "net.caffemodel", "-o", tmp_path / "x.h5", "--to", "vgg16", "--keep-classifier"
    )
    assert (ended.status, ended.out) == (1, "")
    assert "has no weight for 'fc8', which the classifier needs" in ended.err


@pytest.mark.parametrize("out", ["x.caffemodel", "x.prototxt", "missing/x.h5"])
def test_an_output_that_cannot_be_is_refused(command: Command, tmp_path: Path, fcn32s: Path, out: str) -> None:
    ended = command(convert.main, fcn32s, "-o", tmp_path / out, "--to", "voc-fcn32s")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"error: {tmp_path / out}: ")


@pytest.mark.parametrize(
    "arguments",
    [[], ["a.h5"], ["a.h5", "-o", "b.h5"], ["a.h5", "-o", "b.h5", "--to", "vgg16", "--net", "c.prototxt"]]
    + [["a.h5", "-o", "b.h5", "--to", "voc-fcn32s", "--classes", each] for each in ("0", "1,2,3", "x", "")],
)
def test_command_lines_that_do_not_say_enough_are_refused(command: Command, arguments: list[str]) -> None:
    ended = command(convert.main, *arguments)
    assert (ended.status, ended.out) == (2, "")


def test_help_shows_examples(command: Command) -> None:
    ended = command(convert.main, "--help")
    assert ended.status == 0 and "examples:\n  python -m fcnlite.convert " in ended.out


def test_runs_as_a_module_and_replaces_its_own_input(fcn32s: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "fcnlite", "convert", fcn32s, "-o", fcn32s, "--to", "voc-fcn16s"],
        env={"PYTHONPATH": str(Path(convert.__file__).parents[1]), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert fcnlite.load(fcn32s).spec.name == "voc-fcn16s"


DATA_LAYER_NET = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "lmdb" batch_size: 50 }
  transform_param { crop_size: 12 mean_value: 1 mean_value: 2 mean_value: 3 scale: 0.5 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


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


def test_a_caffemodel_without_parameters_is_said_to_have_none(command: Command, tmp_path: Path) -> None:
    caffe.write_weights(tmp_path / "empty.caffemodel", {"conv1_1": []})
    ended = command(convert.main, tmp_path / "empty.caffemodel", "-o", tmp_path / "out.h5", "--to", "voc-fcn32s")
    assert ended.status == 1
    assert ended.err.startswith(f"error: {tmp_path / 'empty.caffemodel'}: its layers hold no parameters")


def test_what_does_not_fit_is_told_with_the_names_of_the_files(command: Command, tmp_path: Path) -> None:
    weights = tmp_path / "caffenet.caffemodel"
    caffe.write_weights(weights, random_weights("caffenet"))
    ended = command(convert.main, weights, "-o", tmp_path / "out.h5", "--to", "voc-fcn32s")
    assert ended.err.startswith(f"error: {weights}: layer 'fc6' (Convolution): the weight has shape")
    net = tmp_path / "net.prototxt"
    net.write_text(DATA_LAYER_NET.replace('"Convolution"', '"Unpool"'))
    ended = command(convert.main, weights, "-o", tmp_path / "out.h5", "--net", net)
    assert ended.err.startswith(f"error: {net}, line 5: layer 'conv': unknown type 'Unpool'")
    assert len(ended.err.splitlines()) == 1
