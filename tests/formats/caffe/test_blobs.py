"""Single blobs in files: binaryproto."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcnlite.errors import FileError
from fcnlite.formats.caffe import read_blob
from fcnlite.formats.caffe.schema import message_class


def save(folder: Path, **fields: Any) -> Path:
    """`mean.binaryproto` with these fields of a BlobProto, by protobuf alone."""
    path = folder / "mean.binaryproto"
    path.write_bytes(message_class("BlobProto")(**fields).SerializeToString())
    return path


def refused(path: Path, words: str) -> None:
    """Reading fails soon, with a message that begins with the file and has these words."""
    started = time.monotonic()
    with pytest.raises(FileError, match=words) as caught:
        read_blob(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 2000
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"shape": {"dim": [2, 3, 4]}}, (2, 3, 4)),
        ({"shape": {"dim": [24]}}, (24,)),
        ({"shape": {"dim": [1] * 31 + [24]}}, (1,) * 31 + (24,)),
        ({"num": 1, "channels": 2, "height": 3, "width": 4}, (1, 2, 3, 4)),
        # Caffe lets the older fields win where both are written.
        ({"num": 4, "channels": 3, "height": 2, "width": 1, "shape": {"dim": [24]}}, (4, 3, 2, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["data", "double_data"])
def test_numbers_in_the_shape_of_either_form(
    fields: dict[str, Any], shape: tuple[int, ...], kind: str, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).normal(size=24)
    array = read_blob(save(tmp_path, **{kind: values}, **fields))
    np.testing.assert_array_equal(array, values.astype(np.float32).reshape(shape), strict=True)
    assert array.flags.c_contiguous and array.flags.writeable


def test_one_number_without_a_shape(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_blob(save(tmp_path, data=[2.5])), np.float32(2.5))


def test_doubles_win_over_floats(tmp_path: Path) -> None:
    path = save(tmp_path, data=[1.0, 2.0], double_data=[3.0, 4.0], shape={"dim": [2]})
    assert read_blob(path).tolist() == [3, 4]


def test_floats_that_are_not_packed_and_gradients_beside_them(tmp_path: Path) -> None:
    path = save(tmp_path, shape={"dim": [2]}, diff=[7.0, 8.0])
    path.write_bytes(path.read_bytes() + b"\x2d\x00\x00\x80\x3f" + b"\x2d\x00\x00\x00\x40")
    assert read_blob(path).tolist() == [1, 2]


def test_a_path_may_be_text(tmp_path: Path) -> None:
    assert read_blob(str(save(tmp_path, data=[2.5]))) == 2.5


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"data": [1, 2], "shape": {"dim": [3]}}, "holds 2 numbers, its shape 3 needs 3"),
        ({"data": [1, 2, 3], "shape": {"dim": [1, 2]}}, "holds 3 numbers, its shape 1×2 needs 2"),
        ({"data": [1, 2]}, r"holds 2 numbers, its shape \(scalar\) needs 1"),
        ({"double_data": [1], "num": 1, "channels": 3, "height": 1, "width": 1}, "its shape 1×3×1×1 needs 3"),
        ({"data": [1], "shape": {"dim": [2**31, 2**31]}}, "holds 1 numbers, its shape 2147483648×2147483648"),
        ({"data": [1], "shape": {"dim": [2**63 - 1] * 32}}, "holds 1 numbers"),
        ({"data": [1], "shape": {"dim": [0]}}, "the shape 0; expected up to 32 sizes of at least 1"),
        ({"data": [1], "shape": {"dim": [-1, -1]}}, "the shape -1×-1"),
        ({"data": [1], "shape": {"dim": [1] * 33}}, "expected up to 32 sizes"),
        ({"data": [1], "shape": {"dim": [1] * 100_000}}, "expected up to 32 sizes"),
        ({"data": [1], "num": 1}, "the shape 1×0×0×0"),
        ({"data": [1], "num": -1, "channels": -1, "height": 1, "width": 1}, "the shape -1×-1×1×1"),
        ({"data": [float("nan")]}, "holds NaN or infinite numbers"),
        ({"double_data": [float("-inf")]}, "holds NaN or infinite numbers"),
        ({"double_data": [1e300]}, "holds NaN or infinite numbers"),
        ({}, "no numbers"),
        ({"shape": {"dim": [3]}}, "no numbers"),
        ({"diff": [1, 2], "shape": {"dim": [2]}}, "no numbers"),
    ],
)
def test_numbers_that_do_not_fit_their_shape(fields: dict[str, Any], words: str, tmp_path: Path) -> None:
    refused(save(tmp_path, **fields), words)


@pytest.mark.parametrize("missing", [1, 3, 50, 95])
def test_a_file_cut_short(missing: int, tmp_path: Path) -> None:
    path = save(tmp_path, num=1, channels=1, height=4, width=6, data=range(24))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - missing])
    refused(path, "is not a binaryproto, or it is damaged or cut short")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no numbers"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is not a binaryproto"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "is not a binaryproto"),
        (b"\x2a\xff\xff\xff\xff\x07" + bytes(100), "is not a binaryproto"),
        (b"\x2a\x05" + bytes(5), "is not a binaryproto"),
        (b"\x0b" * 100_000, "is not a binaryproto"),
        (b"\xff" * 1000, "is not a binaryproto"),
    ],
)
def test_files_that_are_no_binaryproto(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(content)
    refused(path, words)


def test_missing_files_folders_and_files_beyond_any_mean(tmp_path: Path) -> None:
    refused(tmp_path / "absent.binaryproto", "no such file; check the path")
    refused(tmp_path, "cannot be read")
    large = tmp_path / "large.binaryproto"
    with large.open("wb") as stream:
        stream.truncate((64 << 20) + 1)
    refused(large, "has 67,108,865 bytes; files of this kind may have at most 67,108,864")


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_names_that_no_file_can_have(name: str) -> None:
    with pytest.raises(FileError, match="cannot be the name of a file"):
        read_blob(name)


def test_damaged_files_are_an_array_or_a_named_error(tmp_path: Path) -> None:
    """Bits flipped, parts cut and doubled: no other error comes out."""
    path = save(tmp_path, shape={"dim": [2, 3]}, data=range(6))
    original, rng = path.read_bytes(), random.Random(20150608)
    results = {"array": 0, "error": 0}
    for _ in range(400):
        content = bytearray(original)
        for _ in range(rng.randint(1, 3)):
            at, to = sorted(rng.randrange(len(content) + 1) for _ in range(2))
            match rng.randrange(3):
                case 0:
                    content[at : at + 1] = bytes([rng.randrange(256)])
                case 1:
                    del content[at:to]
                case 2:
                    content[at:at] = content[at:to]
        path.write_bytes(content)
        try:
            assert np.isfinite(read_blob(path)).all()
            results["array"] += 1
        except FileError as error:
            assert str(error).startswith(f"{path}: ") and len(str(error)) < 2000
            results["error"] += 1
    assert min(results.values()) > 10
