"""VGG-16 from torchvision's safetensors, with its preprocessing folded in."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcnlite import models, surgery
from fcnlite.arrays import Array
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import FileError, SpecError
from fcnlite.formats.interop import safetensors, torchvision
from fcnlite.net import Net
from tests.formats.interop.made_up import CLASSES, SIDE, vgg16

PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
MODULES = [*(f"features.{i}" for i in PLACES), *(f"classifier.{i}" for i in (0, 3, 6))]
MEAN = np.array([0.485, 0.456, 0.406])
DEVIATION = np.array([0.229, 0.224, 0.225])


def packed(header: dict[str, Any], content: bytes) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that numbers are aligned
    return struct.pack("<Q", len(text)) + text + content


def stored(arrays: dict[str, Array], dtypes: dict[str, str] | None = None) -> bytes:
    """Arrays as safetensors; `dtypes` names those whose bytes mean something else than their own type."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    content = b""
    for name, array in arrays.items():
        dtype = (dtypes or {}).get(name) or f"F{8 * array.itemsize}"
        end = len(content) + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(content), end]}
        content += array.tobytes()
    return packed(header, content)


def state_dict(weights: dict[str, list[Array]]) -> dict[str, Array]:
    """Parameters as torchvision names them; its conv1_1 takes RGB as ours here are understood to."""
    return {
        f"{module}.{kind}": array
        for module, pair in zip(MODULES, weights.values(), strict=False)
        for kind, array in zip(("weight", "bias"), pair, strict=True)
    }


def write(path: Path, weights: dict[str, list[Array]]) -> Path:
    path.write_bytes(stored(state_dict(weights)))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "vgg16.safetensors", vgg16())


def net_with(weights: dict[str, list[Array]]) -> Net:
    net = Net(surgery.fit(models.describe("vgg16", classes=CLASSES), weights), path="plain", dtype="float64")
    surgery.transplant(net, weights)
    return net


def picture(side: int = SIDE) -> Array:
    """Bytes, H×W×3 RGB."""
    return np.random.default_rng(3).integers(0, 256, (side, side, 3)).astype(np.float64)


def for_torchvision(pixels: Array) -> Array:
    return ((pixels / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)[None]


def for_ours(pixels: Array, preprocessing: Preprocessing) -> Array:
    ordered = pixels[..., ::-1] if preprocessing.color == "BGR" else pixels
    return ((ordered - preprocessing.mean) * preprocessing.scale).transpose(2, 0, 1)[None]


def wide(weights: dict[str, list[Array]]) -> dict[str, list[Array]]:
    """In float64, so that the folding shows no rounding."""
    return {name: [each.astype(np.float64) for each in pair] for name, pair in weights.items()}


def test_all_layers_but_the_first_are_taken_unchanged(file: Path) -> None:
    found, expected = torchvision.read_weights(file), vgg16()
    assert list(found) == list(expected)
    for name in [*expected][1:]:
        for mine, theirs in zip(found[name], expected[name], strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    "preprocessing",
    [Preprocessing(), Preprocessing(color="RGB", mean=(120.0, 110.0, 100.0)), Preprocessing(scale=1 / 128)],
    ids=["Caffe", "RGB", "scaled"],
)
def test_folding_is_exact_where_no_padding_is_seen(tmp_path: Path, preprocessing: Preprocessing) -> None:
    weights, pixels = wide(vgg16()), picture()
    net = net_with(torchvision.read_weights(write(tmp_path / "vgg16.safetensors", weights), preprocessing))
    blobs = {"conv1_1": 1, "conv1_2": 2, "conv2_1": 2, "pool3": 3}
    found = net.forward(data=for_ours(pixels, preprocessing), outputs=list(blobs))
    theirs = net_with(weights).forward(data=for_torchvision(pixels), outputs=list(blobs))
    for blob, border in blobs.items():
        inner = np.s_[:, :, border:-border, border:-border]
        np.testing.assert_allclose(found[blob][inner], theirs[blob][inner], rtol=1e-9, atol=1e-12)
        assert np.abs(found[blob] - theirs[blob]).max() > 1e-6, "padding means another color, which must show"


def test_with_caffes_mean_padding_is_hardly_another_color(tmp_path: Path) -> None:
    """A level of 255, about a hundredth of what a picture's pixels differ by."""
    weights, pixels = wide(vgg16()), picture()
    net = net_with(torchvision.read_weights(write(tmp_path / "vgg16.safetensors", weights)))
    found = net.forward(data=for_ours(pixels, Preprocessing()), outputs=["fc8"])["fc8"]
    theirs = net_with(weights).forward(data=for_torchvision(pixels), outputs=["fc8"])["fc8"]
    assert 0 < np.abs(found - theirs).max() < 0.01 * np.abs(theirs).max()


def test_with_torchvisions_own_mean_folding_is_exact_everywhere(tmp_path: Path) -> None:
    weights, pixels = wide(vgg16()), picture()
    preprocessing = Preprocessing(mean=torchvision.MEAN)
    net = net_with(torchvision.read_weights(write(tmp_path / "vgg16.safetensors", weights), preprocessing))
    found = net.forward(data=for_ours(pixels, preprocessing))["prob"]
    theirs = net_with(weights).forward(data=for_torchvision(pixels))["prob"]
    assert np.ptp(theirs) > 1e-3
    np.testing.assert_allclose(found, theirs, rtol=1e-9)


def test_a_net_of_three_channels_is_not_folded_to_gray(file: Path) -> None:
    with pytest.raises(SpecError, match="GRAY"):
        torchvision.read_weights(file, Preprocessing(color="GRAY", mean=(100.0,)))


def test_features_alone_are_read(tmp_path: Path) -> None:
    features = {name: pair for name, pair in vgg16().items() if name.startswith("conv")}
    assert list(torchvision.read_weights(write(tmp_path / "features.safetensors", features))) == list(features)


def test_all_kinds_of_floating_point_are_read(tmp_path: Path) -> None:
    values = np.array([[1.0, -2.5], [0.15625, 3e4]])  # no rounding in half precision, nor the first three in bfloat16
    upper = (values.astype("<f4").view(np.uint32) >> 16).astype("<u2")
    given = {"d": values, "f": values.astype("<f4"), "h": values.astype("<f2"), "b": upper, "empty": values[:0]}
    path = tmp_path / "x.safetensors"
    path.write_bytes(stored(given, {"b": "BF16"}))
    found = safetensors.read(path)
    assert {name: array.dtype.name for name, array in found.items()} == {
        "d": "float64", "f": "float32", "h": "float32", "b": "float32", "empty": "float64"
    }  # fmt: skip
    for name in "dfh":
        np.testing.assert_array_equal(found[name], values)
    np.testing.assert_array_equal(found["b"].ravel()[:3], values.ravel()[:3])
    np.testing.assert_allclose(found["b"], values, rtol=2**-7)
    assert found["empty"].shape == (0, 2)


def test_arrays_stay_in_the_file(file: Path) -> None:
    found = torchvision.read_weights(file)
    assert not found["fc6"][0].flags.writeable and found["fc6"][0].flags.aligned


def one(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8), content: bytes = bytes(8)) -> bytes:
    return packed({"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}, content)


DAMAGED = {
    "empty": b"",
    "short": b"1234567",
    "header beyond the end": struct.pack("<Q", 100) + b"{}",
    "huge header": struct.pack("<Q", 1 << 62) + b"{}",
    "no JSON": struct.pack("<Q", 2) + b"{]",
    "not UTF-8": struct.pack("<Q", 2) + b"\xff\xff",
    "deep JSON": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "long number": packed({"x": 1}, b"").replace(b" 1}", b" " + b"9" * 5000 + b"}"),
    "no mapping": struct.pack("<Q", 2) + b"[]",
    "no entry": packed({"x": 3}, b""),
    "huge shape": one(shape=[1 << 40, 1 << 40]),
    "shape beyond numbers": one(shape=[1 << 70]),
    "many axes": one(shape=[1] * 1000),
    "negative shape": one(shape=[-2]),
    "true in shape": one(shape=[True, 2]),
    "fraction in shape": one(shape=[2.0]),
    "offsets beyond the end": one(offsets=[0, 16], shape=[4]),
    "offsets swapped": one(offsets=[8, 0]),
    "one offset": one(offsets=[0]),
    "a hole": one(offsets=[4, 12], content=bytes(12)),
    "trailing bytes": one(content=bytes(9)),
    "shape contradicts": one(shape=[3]),
    "dtype no text": one(dtype=4),
    "overlap": packed(
        {name: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for name in "xy"}, bytes(8)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_and_hostile_files_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(FileError, match=r"x\.safetensors: is not a safetensors file, or it is cut short or damaged"):
        safetensors.read(path)


def test_numbers_that_are_no_weights_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(one(dtype="I64", shape=[1]))
    with pytest.raises(FileError, match="'x' is I64; expected one of F64, F32"):
        safetensors.read(path)
    with pytest.raises(FileError, match="no such file"):
        safetensors.read(tmp_path / "missing.safetensors")


def renamed(arrays: dict[str, Array]) -> None:
    arrays["features.1.running_mean"] = arrays.pop("features.0.bias")


def without(name: str) -> Callable[[dict[str, Array]], None]:
    def change(arrays: dict[str, Array]) -> None:
        del arrays[name]

    return change


def put(name: str, values: Array) -> Callable[[dict[str, Array]], None]:
    return lambda arrays: arrays.update({name: values.astype("<f4")})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (renamed, "holds 'features.1.running_mean', which torchvision's vgg16 does not have"),
        (without("features.12.weight"), "no parameters for VGG-16's conv3_2"),
        (without("classifier.3.bias"), "no parameters for VGG-16's fc7"),
        (put("features.0.weight", np.zeros((2, 4, 3, 3))), "conv1_1 has shapes 2×4×3×3 and 2; expected 2×3×3×3"),
        (put("features.2.weight", np.zeros((2, 3, 3, 3))), "conv1_2 has shapes"),
        (put("features.0.weight", np.zeros(())), "conv1_1 has shapes scalar"),
        (put("features.0.bias", np.array([1, np.inf])), "conv1_1 holds NaN or infinite"),
        (put("classifier.0.weight", np.zeros((128, 96))), "fc6 has 96 inputs"),
        (put("classifier.0.weight", np.zeros(128)), "fc6 has shapes 128 and 128"),
        (put("classifier.6.weight", np.zeros((7, 9))), "fc8 has shapes 7×9 and 7; expected 7×128"),
    ],
)
def test_files_without_vgg16_are_named(tmp_path: Path, change: Callable[[dict[str, Array]], None], words: str) -> None:
    arrays = state_dict(vgg16())
    change(arrays)
    path = tmp_path / "x.safetensors"
    path.write_bytes(stored(arrays))
    with pytest.raises(FileError, match=words):
        torchvision.read_weights(path)
