"""VGG-16 from Keras' HDF5 files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fcnlite import caffe, models, surgery
from fcnlite.arrays import Array
from fcnlite.errors import FileError
from fcnlite.formats.interop import keras
from fcnlite.net import Net
from tests.formats.interop.made_up import CLASSES, SIDE, vgg16

GROUPS = {f"conv{stage}_{i}": f"block{stage}_conv{i}" for stage in range(1, 6) for i in range(1, 4)}
GROUPS |= {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}
LAYOUTS: dict[str, Callable[[str, str], str]] = {
    "old": lambda group, kind: f"{group}_{kind[0].upper().replace('K', 'W').replace('B', 'b')}_1:0",
    "new": lambda group, kind: f"{group}/{kind}:0",
    "flat": lambda group, kind: f"{kind}:0",
}


def as_keras(name: str, weight: Array, pool5: int = 16) -> Array:
    """A weight in Keras' order, by its definition: H×W×I×O, or I×O where I runs over H×W×C."""
    if name.startswith("conv"):
        outputs, inputs, height, width = weight.shape
        kernel = np.empty((height, width, inputs, outputs), np.float32)
        for y in range(height):
            for x in range(width):
                kernel[y, x] = weight[:, :, y, x].T
        return kernel
    if name != "fc6":
        return weight.T
    side = int((weight.shape[1] / pool5) ** 0.5)
    kernel = np.empty(weight.shape[::-1], np.float32)
    for c in range(pool5):
        for y in range(side):
            for x in range(side):
                kernel[(y * side + x) * pool5 + c] = weight[:, (c * side + y) * side + x]
    return kernel


def write(path: Path, weights: dict[str, list[Array]], layout: str = "old", within: str = "/") -> Path:
    with h5py.File(path, "w") as file:
        root = file.require_group(within)
        root.attrs["layer_names"] = [b"input_1", *(GROUPS[name].encode() for name in weights)]
        root.create_group("input_1").attrs["weight_names"] = []
        for name, (weight, bias) in weights.items():
            group = root.create_group(GROUPS[name])
            named = [LAYOUTS[layout](GROUPS[name], kind) for kind in ("kernel", "bias")]
            group.attrs["weight_names"] = [each.encode() for each in named]
            for each, array in zip(named, (as_keras(name, weight), bias), strict=True):
                group.create_dataset(each, data=array)
    return path


def assert_same(found: dict[str, list[Array]], expected: dict[str, list[Array]]) -> None:
    assert list(found) == list(expected)
    for name, pair in expected.items():
        for mine, theirs in zip(found[name], pair, strict=True):
            assert mine.dtype == np.float32
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_layouts_give_caffes_parameters(tmp_path: Path, layout: str) -> None:
    path = write(tmp_path / "vgg16.h5", vgg16(), layout)
    assert keras.is_weight_file(path)
    assert_same(keras.read_weights(path), vgg16())


def test_the_old_layouts_names_are_the_published_ones(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "vgg16.h5", vgg16())) as file:
        assert list(file["block1_conv1"]) == ["block1_conv1_W_1:0", "block1_conv1_b_1:0"]
        assert file["fc1/fc1_W_1:0"].shape == (16 * 4, 128)


def test_a_whole_model_and_one_without_top_are_read(tmp_path: Path) -> None:
    weights = vgg16()
    assert_same(keras.read_weights(write(tmp_path / "model.h5", weights, "new", "model_weights")), weights)
    without = {name: pair for name, pair in weights.items() if name.startswith("conv")}
    assert_same(keras.read_weights(write(tmp_path / "notop.h5", without)), without)


def test_the_net_answers_as_keras_defines_it(tmp_path: Path) -> None:
    """fc1 as Keras computes it from pool5, channels last."""
    weights = keras.read_weights(write(tmp_path / "vgg16.h5", vgg16()))
    spec = surgery.fit(models.describe("vgg16", classes=CLASSES), weights)
    net = Net(spec, path="plain", dtype="float64")
    surgery.transplant(net, weights)
    found = net.forward(data=np.random.default_rng(1).normal(size=(1, 3, SIDE, SIDE)), outputs=["pool5", "fc6"])
    weight, bias = vgg16()["fc6"]
    channels_last = found["pool5"].transpose(0, 2, 3, 1).reshape(1, -1)
    expected = np.maximum(channels_last @ as_keras("fc6", weight).astype(np.float64) + bias, 0)
    np.testing.assert_allclose(found["fc6"], expected, rtol=1e-9, atol=1e-12)


def test_other_files_are_no_files_of_keras(tmp_path: Path) -> None:
    models.build("lenet").save(tmp_path / "ours.h5")
    caffe.write_weights(tmp_path / "net.caffemodel", vgg16())
    for name in ("ours.h5", "net.caffemodel", "missing.h5"):
        assert not keras.is_weight_file(tmp_path / name)
        with pytest.raises(FileError, match=name):
            keras.read_weights(tmp_path / name)


def altered(alter: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def write_altered(path: Path) -> None:
        write(path, vgg16(), "flat")
        with h5py.File(path, "r+") as file:
            alter(file)

    return write_altered


def replaced(name: str, **how: Any) -> Callable[[Path], None]:
    def alter(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **how)

    return altered(alter)


def linked(link: Any) -> Callable[[Path], None]:
    def alter(file: h5py.File) -> None:
        del file["fc1"]
        file["fc1"] = link

    return altered(alter)


def in_itself(file: h5py.File) -> None:
    file["block2_conv1/again"] = file["block2_conv1"]


def without_fc2(file: h5py.File) -> None:
    del file["fc2"]


def cut(path: Path) -> None:
    write(path, vgg16())
    path.write_bytes(path.read_bytes()[:40_000])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (replaced("block1_conv1/kernel:0", data=np.zeros((2, 3, 3, 3), "f4")), "VGG-16's conv1_1"),  # channels first
        (
            replaced("block1_conv1/kernel:0", data=np.zeros((3, 3, 3), "f4")),
            "expected one weight and one bias in layer 'block1_conv1'",
        ),
        (replaced("block1_conv1/bias:0", data=np.zeros(3, "f4")), "conv1_1 has shapes 2×3×3×3 and 3"),
        (replaced("block1_conv1/kernel:0", data=np.full((3, 3, 3, 2), np.nan, "f4")), "conv1_1 holds NaN"),
        (replaced("block2_conv1/bias:0", data=np.zeros(4, "i4")), "int32; expected float32"),
        (replaced("block2_conv1/bias:0", data=np.zeros(4, "f4"), chunks=(2,)), "not stored in one piece"),
        (replaced("fc1/kernel:0", shape=(1 << 22, 1 << 22), dtype="f4", chunks=(1, 64)), "not stored in one piece"),
        (replaced("fc1/kernel:0", shape=(1 << 20, 1 << 16), dtype="f4"), "beyond the end of the file"),
        (replaced("fc1/kernel:0", data=np.zeros((63, 128), "f4")), "63 inputs"),
        (replaced("fc2/kernel:0", dtype=h5py.Empty("f4").dtype, data=h5py.Empty("f4")), "not a data set"),
        (linked(h5py.SoftLink("/fc2")), "a link to another place"),
        (linked(h5py.ExternalLink("/etc/passwd", "/")), "vgg16.h5"),
        (altered(in_itself), "several paths lead to the group"),
        (altered(without_fc2), "no parameters for VGG-16's fc7"),
        (cut, "cut short"),
    ],
)
def test_damaged_and_hostile_files_are_refused(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    make(tmp_path / "vgg16.h5")
    with pytest.raises(FileError, match=words) as raised:
        keras.read_weights(tmp_path / "vgg16.h5")
    assert str(raised.value).startswith(str(tmp_path / "vgg16.h5"))


def test_another_net_of_keras_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "resnet.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv1_conv"]
        file.create_dataset("conv1_conv/kernel:0", data=np.zeros((7, 7, 3, 4), "f4"))
    assert keras.is_weight_file(tmp_path / "resnet.h5")
    with pytest.raises(FileError, match="no parameters for VGG-16's conv1_1"):
        keras.read_weights(tmp_path / "resnet.h5")
