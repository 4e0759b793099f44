"""`python -m fcnlite.convert`: weights of other tools, bad input, the command line."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import fcnlite
from fcnlite import caffe, convert, models, storage
from fcnlite.description.model_info import Preprocessing
from tests.cli.conftest import Command
from tests.cli.converting import DATA_LAYER_NET, Weights, random_weights, rows
from tests.formats.interop import test_keras as keras_files
from tests.formats.interop import test_torchvision as torchvision_files
from tests.formats.interop.made_up import vgg16
from tests.parity.reference import assert_close

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


def test_a_caffemodel_without_parameters_is_an_error(command: Command, tmp_path: Path) -> None:
    caffe.write_weights(tmp_path / "empty.caffemodel", {"conv1_1": []})
    ended = command(convert.main, tmp_path / "empty.caffemodel", "-o", tmp_path / "out.h5", "--to", "voc-fcn32s")
    assert ended.status == 1
    assert ended.err.startswith(f"error: {tmp_path / 'empty.caffemodel'}: its layers hold no parameters")


def test_errors_name_the_files_that_do_not_fit(command: Command, tmp_path: Path) -> None:
    weights = tmp_path / "caffenet.caffemodel"
    caffe.write_weights(weights, random_weights("caffenet"))
    ended = command(convert.main, weights, "-o", tmp_path / "out.h5", "--to", "voc-fcn32s")
    assert ended.err.startswith(f"error: {weights}: layer 'fc6' (Convolution): the weight has shape")
    net = tmp_path / "net.prototxt"
    net.write_text(DATA_LAYER_NET.replace('"Convolution"', '"Unpool"'))
    ended = command(convert.main, weights, "-o", tmp_path / "out.h5", "--net", net)
    assert ended.err.startswith(f"error: {net}, line 5: layer 'conv': unknown type 'Unpool'")
    assert len(ended.err.splitlines()) == 1


# Storage in float16


def test_a_net_is_stored_in_float16(command: Command, tmp_path: Path) -> None:
    net = models.build("lite-fcn8s", classes=6, width=0.05, seed=3)
    net.info = replace(net.info, record={"options": {"data": "shapes"}})
    net.save(tmp_path / "net.h5")
    ended = command(convert.main, tmp_path / "net.h5", "-o", tmp_path / "small.h5", "--store", "float16")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("pictures are fed as BGR")
    content = storage.load(tmp_path / "small.h5")
    assert content.info.record == {"options": {"data": "shapes"}, "converted from": ["net.h5"], "stored as": "float16"}
    assert content.spec == net.spec
    expected = net.params["conv2_1"][0].array.astype(np.float16)
    np.testing.assert_array_equal(content.params["conv2_1"][0], expected)


def test_a_converted_net_is_stored_in_float16(command: Command, tmp_path: Path) -> None:
    models.build("lite-fcn8s", classes=6, width=0.05, seed=3).save(tmp_path / "net.h5")
    whole, small = tmp_path / "whole.h5", tmp_path / "small.h5"
    for out, more in ((whole, ()), (small, ("--store", "float16"))):
        assert command(convert.main, tmp_path / "net.h5", "-o", out, "--to", "lite-fcn4s", *more).status == 0
    weights, rounded = (storage.load(each).params["conv2_1"][0] for each in (whole, small))
    np.testing.assert_array_equal(rounded, weights.astype(np.float16))


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ((), 2, "one of the arguments --to, --net and --store is required"),
        (("--store", "float8"), 2, "invalid choice: 'float8'"),
        (("--store", "float16", "--classes", 3), 1, "--classes goes with --to"),
        (("--store", "float16", "--keep-classifier"), 1, "--keep-classifier goes with --to"),
    ],
)
def test_storing_needs_a_net(
    command: Command, tmp_path: Path, given: tuple[object, ...], status: int, words: str
) -> None:
    models.build("lite-fcn8s", classes=6, width=0.02).save(tmp_path / "net.h5")
    ended = command(convert.main, tmp_path / "net.h5", "-o", tmp_path / "small.h5", *given)
    assert ended.status == status
    assert words in ended.err and "Traceback" not in ended.err
    assert not (tmp_path / "small.h5").exists()


def test_weights_that_cannot_be_stored_in_float16(command: Command, tmp_path: Path) -> None:
    net = models.build("lite-fcn8s", classes=6, width=0.02)
    net.params["conv1_1"][0].data.flat[0] = 1e6
    net.save(tmp_path / "net.h5")
    caffe.write_weights(tmp_path / "net.caffemodel", {"conv1_1": [np.zeros(3, np.float32)]})
    for name, words in (
        ("net.h5", f"error: {tmp_path / 'small.h5'}: layer 'conv1_1': has a value of 1e+06, and float16 holds"),
        ("net.caffemodel", "net.caffemodel: holds weights without their net"),
    ):
        ended = command(convert.main, tmp_path / name, "-o", tmp_path / "small.h5", "--store", "float16")
        assert (ended.status, ended.out) == (1, "")
        assert words in ended.err
        assert not (tmp_path / "small.h5").exists()
