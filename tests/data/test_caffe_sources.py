"""What Caffe's data layers read: lists, LMDB and HDF5, also damaged; and training from a prototxt as it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fcnlite import data
from fcnlite._cli.running import run_command
from fcnlite.data.datum import read_datum
from fcnlite.errors import DataError, FcnliteError, FileError, SpecError
from fcnlite.formats import caffe
from fcnlite.formats.caffe.schema import message_class
from fcnlite.train.__main__ import main

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (3, 24, 32, 3), np.uint8)
LABELS = np.where(PICTURES[..., 0] > 127, 1, 0).astype(np.uint8)
LABELS[:, 0] = 255


def datum(**fields: Any) -> bytes:
    return bytes(message_class("Datum")(**fields).SerializeToString())


def pairs(folder: Path) -> None:
    """A list, with the files that it names."""
    lines = []
    for i, (picture, label) in enumerate(zip(PICTURES, LABELS, strict=True)):
        Image.fromarray(picture).save(folder / f"{i}.png")
        Image.fromarray(label).save(folder / f"{i}_label.png")
        lines.append(f"/{i}.png /{i}_label.png")
    (folder / "pairs.txt").write_text("\n".join(lines))


def two_lists(folder: Path) -> None:
    pairs(folder)
    (folder / "pictures.txt").write_text("".join(f"{i}.png 0\n" for i in range(3)))
    (folder / "labels.txt").write_text("".join(f"{i}_label.png 0\n" for i in range(3)))


def databases(folder: Path) -> None:
    lmdb = pytest.importorskip("lmdb", reason="lmdb is not installed: pip install fcnlite[lmdb]")
    for name, arrays in (("pictures", PICTURES[..., ::-1].transpose(0, 3, 1, 2)), ("labels", LABELS[:, None])):
        with lmdb.open(str(folder / name), map_size=1 << 24) as environment, environment.begin(write=True) as writing:
            for i, array in enumerate(arrays):
                c, h, w = array.shape
                record = datum(channels=c, height=h, width=w, data=np.ascontiguousarray(array).tobytes())
                writing.put(f"{i:08}".encode(), record)


def arrays(folder: Path) -> None:
    with h5py.File(folder / "a.h5", "w") as file:
        file["data"] = PICTURES.transpose(0, 3, 1, 2).astype(np.float32)
        file["label"] = LABELS[:, None].astype(np.float32)
    (folder / "files.txt").write_text("a.h5\n")


NET = """
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {{ num_output: 4 kernel_size: 3
         pad: 1 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "score" type: "Convolution" bottom: "conv" top: "score" convolution_param {{ num_output: 2
         kernel_size: 1 }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
         loss_param {{ ignore_label: 255 }} }}
"""
BOTH = 'name: "data" top: "data" top: "label"'
SOURCES: dict[str, tuple[Callable[[Path], None], str]] = {
    "ImageSegData": (
        pairs,
        f'layer {{ {BOTH} type: "ImageSegData" image_data_param {{ source: "pairs.txt" batch_size: 2 }} '
        "transform_param { mean_value: 104 crop_size: 16 mirror: true } }",
    ),
    "V1's": (pairs, f'layers {{ {BOTH} type: IMAGE_SEG_DATA image_data_param {{ source: "pairs.txt" }} }}'),
    "DenseImageData": (
        pairs,
        f'layer {{ {BOTH} type: "DenseImageData" dense_image_data_param {{ source: "pairs.txt" batch_size: 3 }} }}',
    ),
    "two ImageData": (
        two_lists,
        'layer { name: "data" type: "ImageData" top: "data" image_data_param { source: "pictures.txt" } }'
        'layer { name: "l" type: "ImageData" top: "label" image_data_param { source: "labels.txt" is_color: false } }',
    ),
    "two Data": (
        databases,
        'layer { name: "data" type: "Data" top: "data" data_param { source: "pictures" backend: LMDB batch_size: 2 } }'
        'layer { name: "label" type: "Data" top: "label" data_param { source: "labels" backend: LMDB batch_size: 2 } }',
    ),
    "HDF5Data": (
        arrays,
        f'layer {{ {BOTH} type: "HDF5Data" hdf5_data_param {{ source: "files.txt" batch_size: 3 }} }}',
    ),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_prototxt_trains_as_it_is(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, layers = SOURCES[kind]
    make(tmp_path)
    path = tmp_path / "train_val.prototxt"
    net = NET.format() if "layers" not in layers else _in_v1(NET.format())
    path.write_text(layers + net)
    found = caffe.training_data(caffe.read_net(path), path)
    assert found is not None
    dataset = data.open(found.data, found.root, "train", **_typed(found.options))
    assert len(dataset) == 3 and len(dataset.classes) == 2
    for sample, picture, label in zip((dataset[i] for i in range(3)), PICTURES, LABELS, strict=True):
        np.testing.assert_array_equal(sample.image, picture)
        np.testing.assert_array_equal(sample.label, label)
    run = tmp_path / "run"
    options = ("--model", path, "--iterations", 2, "--base-lr", 1e-6, "--no-validation", "--out", run)
    assert run_command(main, [str(each) for each in options]) == 0
    said = capsys.readouterr().err
    assert f"--data {found.data} --root" in said and "by its data layers" in said
    assert (run / "last.h5").exists()


def _typed(options: Any) -> dict[str, Any]:
    return {name: int(value) if name == "classes" else value for name, value in options.items()}


def _in_v1(text: str) -> str:
    for new, old in (("layer {", "layers {"), ('"Convolution"', "CONVOLUTION"), ('"ReLU"', "RELU")):
        text = text.replace(new, old)
    return text.replace('"SoftmaxWithLoss"', "SOFTMAX_LOSS")


def test_batch_crop_and_mirror_are_those_of_the_data_layer(tmp_path: Path) -> None:
    make, layers = SOURCES["ImageSegData"]
    make(tmp_path)
    spec = caffe.parse_net(layers + NET.format())
    found = caffe.training_data(spec, tmp_path / "net.prototxt")
    assert found is not None
    assert (found.batch_size, found.crop_size, found.mirror, found.validates) == (2, 16, True, True)
    test = layers.replace('ImageSegData"', 'ImageSegData" include { phase: TEST }')
    train = layers.replace('ImageSegData"', 'ImageSegData" include { phase: TRAIN }')
    both = caffe.training_data(caffe.parse_net(train + test + NET.format()), tmp_path / "net.prototxt")
    assert both is not None and both.validates and both.options["val"] == both.options["train"]


def test_the_reference_s_layers_are_their_data_sets(tmp_path: Path) -> None:
    (tmp_path / "voc").mkdir()
    layer = """layer {{ name: "data" type: "Python" top: "data" top: "label" include {{ phase: {} }}
               python_param {{ module: "voc_layers" layer: "VOCSegDataLayer"
                               param_str: "{{'voc_dir': 'voc', 'split': '{}'}}" }} }}"""
    text = layer.format("TRAIN", "train") + layer.format("TEST", "val") + NET.format()
    found = caffe.training_data(caffe.parse_net(text), tmp_path / "net.prototxt")
    assert found is not None
    assert (found.data, found.root, found.train_split, found.val_split) == (
        "voc",
        str(tmp_path / "voc"),
        "train",
        "val",
    )
    with pytest.raises(FileError, match=r"layer 'data' reads 'nowhere'.*--data"):
        caffe.training_data(caffe.parse_net(text.replace("'voc'", "'nowhere'")), tmp_path / "net.prototxt")


def test_sources_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    make, layers = SOURCES["ImageSegData"]
    make(tmp_path)
    path = tmp_path / "net.prototxt"
    with pytest.raises(FileError, match=r"layer 'data' \(ImageSegData\) reads 'no.txt'.*--data"):
        caffe.training_data(caffe.parse_net(layers.replace("pairs.txt", "no.txt") + NET.format()), path)
    with pytest.raises(SpecError, match="new_height resizes the pictures"):
        sized = layers.replace("batch_size: 2", "batch_size: 2 new_height: 9 new_width: 9")
        caffe.training_data(caffe.parse_net(sized + NET.format()), path)
    two = SOURCES["two Data"][1].replace("backend: LMDB", "")
    with pytest.raises(SpecError, match="reads a LevelDB"):
        caffe.training_data(caffe.parse_net(two + NET.format()), path)
    assert caffe.training_data(caffe.parse_net('input: "data"' + NET.format()), path) is None
    for text, words in (("0.png", "line 1: holds '0.png'"), ("", "is empty"), ("0.png 1_label.png x", "line 1")):
        (tmp_path / "bad.txt").write_text(text)
        with pytest.raises(FcnliteError, match=words):
            data.open("list", tmp_path, "train", train="bad.txt", classes=2)
    with pytest.raises(DataError, match="classes is 0; expected 2 to 255"):
        data.open("list", tmp_path, "train", train="pairs.txt")


def test_a_datum_of_each_kind() -> None:
    picture = np.ascontiguousarray(PICTURES[0].transpose(2, 0, 1))
    np.testing.assert_array_equal(
        read_datum(datum(channels=3, height=24, width=32, data=picture.tobytes()), "x"), picture
    )
    floats = RNG.normal(size=(1, 2, 2)).astype(np.float32)
    found = read_datum(datum(channels=1, height=2, width=2, float_data=floats.ravel().tolist(), label=7), "x")
    np.testing.assert_array_equal(found, floats)
    stream = io.BytesIO()
    Image.fromarray(PICTURES[0]).save(stream, "PNG")
    decoded = read_datum(datum(encoded=True, data=stream.getvalue()), "x")
    np.testing.assert_array_equal(decoded, PICTURES[0][..., ::-1].transpose(2, 0, 1))


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\xff" * 20,
        datum(channels=3, height=24, width=32, data=b"too short"),
        datum(channels=1 << 30, height=1 << 30, width=1 << 30),
        datum(channels=-1, height=2, width=2, data=b"1234"),
        datum(encoded=True, data=b"no picture"),
        datum(channels=1, height=2, width=2, data=b"1234")[:-2],
    ],
)
def test_a_damaged_datum_is_an_error(record: bytes) -> None:
    with pytest.raises(DataError, match=r"^there: "):
        read_datum(record, "there")


@given(
    st.binary(max_size=60) | st.binary(max_size=30).map(lambda tail: datum(channels=1, height=2, width=2)[:5] + tail)
)
def test_any_bytes_are_a_datum_or_an_error(record: bytes) -> None:
    try:
        assert read_datum(record, "there").ndim == 3
    except DataError as error:
        assert str(error).startswith("there: ")


def test_damaged_hdf5_sources_are_errors(tmp_path: Path) -> None:
    arrays(tmp_path)

    def opened(**replaced: Any) -> data.Dataset:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            parts = {"data": np.zeros((2, 3, 4, 5)), "label": np.zeros((2, 4, 5)), **replaced}
            for name, values in parts.items():
                if values is not None:
                    file[name] = values
        return data.open("hdf5", tmp_path, "train", train="files.txt", classes=2)

    assert len(opened()) == 2
    for replaced, words in (
        ({"label": None}, "has no data set 'label'"),
        ({"label": h5py.SoftLink("/data")}, "has no data set 'label'"),
        ({"label": h5py.ExternalLink("b.h5", "/data")}, "has no data set 'label'"),
        ({"label": np.zeros((2, 4, 4))}, "expected N×C×H×W"),
        ({"data": np.zeros((2, 4, 5))}, "expected N×C×H×W"),
        ({"data": np.zeros((2, 3, 4, 5), "S3")}, "expected numbers"),
    ):
        with pytest.raises(DataError, match=words):
            opened(**replaced)
    with pytest.raises(DataError, match="the label holds fractions"):
        opened(label=np.full((2, 4, 5), 0.5))[0]
    (tmp_path / "a.h5").write_bytes(b"no HDF5")
    with pytest.raises(FileError, match=r"a\.h5: is missing, or no HDF5 file"):
        data.open("hdf5", tmp_path, "train", train="files.txt", classes=2)


def test_damaged_databases_are_errors(tmp_path: Path) -> None:
    databases(tmp_path)
    options = {"train": "pictures", "train_labels": "labels", "classes": 2}
    assert len(data.open("lmdb", tmp_path, "train", **options)) == 3
    with pytest.raises(FileError, match="nowhere: is no LMDB"):
        data.open("lmdb", tmp_path, "train", **{**options, "train": "nowhere"})
    with pytest.raises(DataError, match="lacks a database"):
        data.open("lmdb", tmp_path, "val", **options)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(FileError, match="damaged: is no LMDB, or it is damaged"):
        data.open("lmdb", tmp_path, "train", **{**options, "train": "damaged"})
