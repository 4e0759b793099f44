"""Weights as caffemodel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcnlite.errors import FileError
from fcnlite.formats.caffe import read_weights, write_weights
from fcnlite.formats.caffe.schema import message_class


def save(path: Path, *layers: dict[str, Any]) -> Path:
    """A caffemodel with these LayerParameters, by protobuf alone."""
    path.write_bytes(message_class("NetParameter")(layer=layers).SerializeToString())
    return path


def blob(data: Any, **shape: Any) -> dict[str, Any]:
    return {"data": data, **shape}


def same(first: dict[str, list[np.ndarray]], second: dict[str, list[np.ndarray]]) -> None:
    assert list(first) == list(second)
    for name, arrays in first.items():
        assert len(arrays) == len(second[name])
        for array, other in zip(arrays, second[name], strict=True):
            np.testing.assert_array_equal(array, other, strict=True)


def test_shapes_of_both_forms(tmp_path: Path) -> None:
    path = save(
        tmp_path / "x.caffemodel",
        {"name": "legacy", "blobs": [blob(range(6), num=1, channels=1, height=2, width=3)]},
        {"name": "split", "type": "Split"},
        {"name": "new", "blobs": [blob(range(6), shape={"dim": [3, 2]}), {"data": [7.5]}]},
    )
    weights = read_weights(path)
    expected = np.arange(6, dtype=np.float32)
    same(
        weights,
        {
            "legacy": [expected.reshape(1, 1, 2, 3)],
            "new": [expected.reshape(3, 2), np.array(7.5, dtype=np.float32)],
        },
    )
    for arrays in weights.values():
        assert all(array.flags.c_contiguous and not array.flags.writeable for array in arrays)


def test_double_data(tmp_path: Path) -> None:
    layer = {"name": "a", "blobs": [{"double_data": [0.1, 2.0], "shape": {"dim": [2]}}]}
    same(read_weights(save(tmp_path / "x", layer)), {"a": [np.array([0.1, 2.0], dtype=np.float32)]})


def test_floats_that_are_not_packed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    floats = b"\x2d\x00\x00\x80\x3f" + b"\x2d\x00\x00\x00\x40"
    inner = floats + b"\x3a\x03\x0a\x01\x02"
    layer = b"\x0a\x01a" + b"\x3a" + bytes([len(inner)]) + inner
    path.write_bytes(b"\xa2\x06" + bytes([len(layer)]) + layer)
    same(read_weights(path), {"a": [np.array([1, 2], dtype=np.float32)]})


def test_write_and_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    params = {
        "conv": [rng.standard_normal((4, 3, 2, 2), dtype=np.float32), np.zeros(4, dtype=np.float32)],
        "scale": [np.array(0.5, dtype=np.float32)],
    }
    path = tmp_path / "x.caffemodel"
    write_weights(path, params)
    same(read_weights(path), params)


def test_any_layout_is_written_in_c_order_and_float32(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    write_weights(tmp_path / "x", {"a": [array.T]})
    same(read_weights(tmp_path / "x"), {"a": [np.ascontiguousarray(array.T, dtype=np.float32)]})


def test_write_refuses_values_that_protobuf_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("before")
    huge = np.broadcast_to(np.float32(0), (2**29,))
    with pytest.raises(FileError, match="2 GiB"):
        write_weights(path, {"a": [huge]})
    assert path.read_text() == "before"
    with pytest.raises(FileError, match="cannot be written"):
        write_weights(tmp_path / "absent" / "x", {"a": [np.zeros(1)]})


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([blob([1, 2], shape={"dim": [3]})], "holds 2 numbers, its shape 3 needs 3"),
        ([blob([], shape={"dim": [3]})], "has a shape but no numbers.*without its weights"),
        ([blob([1, 2])], r"holds 2 numbers, its shape \(scalar\) needs 1"),
        ([blob([1], shape={"dim": [2**62, 2**62]})], "holds 1 numbers"),
        ([blob([], shape={"dim": [0, 2**62]})], "sizes of at least 1"),
        ([blob([1], shape={"dim": [-1, -1]})], "-1×-1"),
        ([blob([1], shape={"dim": [1] * 33})], "up to 32 sizes"),
        ([blob([1], num=1)], "1×0×0×0"),
        ([blob([1]), blob([float("nan")])], "1: holds NaN"),
        ([{"double_data": [1e300]}], "infinite"),
    ],
)
def test_blobs_that_do_not_fit(layers: list[dict[str, Any]], words: str, tmp_path: Path) -> None:
    path = save(tmp_path / "x.caffemodel", {"name": "conv1", "blobs": layers})
    with pytest.raises(FileError, match=f"x.caffemodel: layer 'conv1', blob .*{words}"):
        read_weights(path)


def test_two_layers_of_one_name(tmp_path: Path) -> None:
    layers = [{"name": "a", "blobs": [{"data": [value], "shape": {"dim": [1]}}]} for value in (1.0, 2.0)]
    with pytest.warns(UserWarning, match="two layers with weights are called 'a'; as in Caffe, the last ones count"):
        assert read_weights(save(tmp_path / "x", *layers))["a"][0] == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no layers"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not a caffemodel"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "damaged"),
    ],
)
def test_files_that_are_no_caffemodel(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.caffemodel"
    path.write_bytes(content)
    with pytest.raises(FileError, match=f"x.caffemodel: .*{words}"):
        read_weights(path)


def test_missing_and_too_large_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        read_weights(tmp_path / "absent")
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(2**31)
    with pytest.raises(FileError, match="at most"):
        read_weights(large)


def hdf5_twin(path: Path) -> dict[str, list[np.ndarray]]:
    """The same weights as Caffe's HDF5 snapshot has them: data/LAYER/INDEX."""
    import h5py

    with h5py.File(path) as file:
        layers = {name: [group[str(i)][()] for i in range(len(group))] for name, group in file["data"].items()}
    return {name: arrays for name, arrays in layers.items() if arrays}


def test_binary_equals_its_hdf5_twin(shared: Path) -> None:
    path = shared / "reference/nets/tiny-vgg16-classifier/weights.caffemodel"
    weights = read_weights(path)
    same(dict(sorted(weights.items())), dict(sorted(hdf5_twin(path.with_suffix(".caffemodel.h5")).items())))


def test_shapes_equal_those_of_a_later_hdf5_snapshot(shared: Path) -> None:
    folder = shared / "real/cifar10_v2_hdf5"
    weights = read_weights(folder / "cifar10_quick_iter_4000.caffemodel")
    later = hdf5_twin(folder / "cifar10_quick_iter_5000.caffemodel.h5")
    assert {name: [array.shape for array in arrays] for name, arrays in weights.items()} == {
        name: [array.shape for array in arrays] for name, arrays in later.items()
    }


def test_every_real_and_reference_file(shared: Path, tmp_path: Path) -> None:
    paths = [*(shared / "reference").rglob("*.caffemodel"), *(shared / "real").rglob("*.caffemodel")]
    paths += [*(shared / "real").rglob("*.caffemodel.h5"), shared / "real/lenet_v1/lenet_iter_10000"]
    assert len(paths) > 25
    for path in paths:
        weights = read_weights(path)
        assert weights and all(arrays for arrays in weights.values())
        write_weights(tmp_path / "again", weights)
        same(read_weights(tmp_path / "again"), weights)


def test_the_three_forms_of_one_net(shared: Path) -> None:
    folder = shared / "reference/nets/tiny-vgg16-classifier"
    new, old = read_weights(folder / "weights.caffemodel"), read_weights(folder / "weights_v1.caffemodel")
    assert list(new) == list(old)
    for name, arrays in new.items():
        for array, before in zip(arrays, old[name], strict=True):
            assert before.ndim == 4
            np.testing.assert_array_equal(before.reshape(array.shape), array)
    found = read_weights(folder / "weights.caffemodel.h5")
    same(dict(sorted(found.items())), dict(sorted(new.items())))


def message(name: str, **fields: Any) -> Any:
    return message_class(name)(**fields)


def test_old_forms(tmp_path: Path) -> None:
    numbers = blob([1, 2], num=1, channels=1, height=1, width=2)
    path = tmp_path / "x"
    v1 = {"name": "a", "type": 4, "blobs": [numbers]}
    v0 = {"bottom": ["x"], "layer": {"name": "b", "type": "conv", "blobs": [numbers, numbers]}}
    path.write_bytes(message("NetParameter", layers=[v1, v0]).SerializeToString())
    expected = np.array([1, 2], np.float32).reshape(1, 1, 1, 2)
    same(read_weights(path), {"a": [expected], "b": [expected, expected]})


@pytest.mark.parametrize(("kind", "bar"), [("<f2", 1e-3), ("<f4", 1e-7), ("<f8", 1e-7)])
def test_raw_data_of_half_single_and_double_precision(tmp_path: Path, kind: str, bar: float) -> None:
    """As NVIDIA's Caffe and OpenCV's shrinkCaffeModel write parameters: BlobProto's fields 10 (type) and 12 (bytes)."""
    values = np.linspace(-1, 1, 6)
    raw = values.astype(kind).tobytes()
    content = b"\x3a\x04\x0a\x02\x02\x03" + b"\x50\x02" + b"\x62" + bytes([len(raw)]) + raw
    layer = b"\x0a\x01a" + b"\x3a" + bytes([len(content)]) + content
    (tmp_path / "x").write_bytes(b"\xa2\x06" + bytes([len(layer)]) + layer)
    np.testing.assert_allclose(read_weights(tmp_path / "x")["a"][0], values.reshape(2, 3), rtol=bar, atol=bar)


def test_numbers_in_several_pieces_and_gradients_beside_them(tmp_path: Path) -> None:
    """Protobuf joins packed pieces; what training left in `diff` is passed over."""
    first, second = (message("BlobProto", data=values).SerializeToString() for values in ([1.0, 2.0], [3.0]))
    rest = message("BlobProto", shape={"dim": [3]}, diff=[9.0] * 3).SerializeToString()
    content = first + rest + second
    layer = b"\x0a\x01a" + b"\x3a" + bytes([len(content)]) + content
    (tmp_path / "x").write_bytes(b"\xa2\x06" + bytes([len(layer)]) + layer)
    same(read_weights(tmp_path / "x"), {"a": [np.array([1, 2, 3], np.float32)]})


def save_hdf5(path: Path, arrays: dict[str, Any], **how: Any) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_group("data")
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **how)
    return path


def test_hdf5_of_doubles_and_of_names_with_slashes(tmp_path: Path) -> None:
    arrays = {"data/conv/1x1/0": np.arange(6.0).reshape(2, 3), "data/fc/0": np.ones(1, "<f4")}
    path = save_hdf5(tmp_path / "x.h5", arrays)
    expected = {"conv/1x1": [np.arange(6, dtype=np.float32).reshape(2, 3)], "fc": [np.ones(1, np.float32)]}
    same(read_weights(path), expected)


@pytest.mark.parametrize(
    ("arrays", "how", "words"),
    [
        ({}, {}, "no weights"),
        ({"data/conv/1": np.ones(3, "<f4")}, {}, "'0' is missing"),
        ({"data/conv/0": np.array([np.nan], "<f4")}, {}, "'conv', blob 0.*NaN"),
        ({"data/conv/0": np.ones(3, "<i4")}, {}, "int32.*float32"),
        ({"data/conv/0": np.ones((3, 0), "<f4")}, {}, "3×0"),
        ({"data/conv/0": np.ones(1000, "<f4")}, {"compression": "gzip"}, "in one piece"),
    ],
)
def test_hdf5_that_is_not_a_caffemodel(tmp_path: Path, arrays: dict[str, Any], how: dict[str, Any], words: str) -> None:
    path = save_hdf5(tmp_path / "x.caffemodel.h5", arrays, **how)
    with pytest.raises(FileError, match=rf"x\.caffemodel\.h5.*{words}"):
        read_weights(path)


def test_links_in_hdf5_are_refused(tmp_path: Path) -> None:
    import h5py

    save_hdf5(tmp_path / "other.h5", {"data/conv/0": np.ones(3, "<f4")})
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/data")
    with pytest.raises(FileError, match="a link to another place"):
        read_weights(tmp_path / "x.h5")
