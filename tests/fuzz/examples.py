"""Small valid files of every kind that is read, from which the fuzzer starts."""

from __future__ import annotations

import functools
import io
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import fcnlite
from fcnlite import caffe
from fcnlite.explore.messages import pack
from fcnlite.formats.caffe.schema import message_class
from fcnlite.net import Net
from fcnlite.train.checkpoint import Progress
from fcnlite.train.options import TrainOptions
from tests.data import drawn
from tests.formats.interop import made_up, test_keras, test_torchvision
from tests.fuzz import texts

_ARRAYS = {"conv": [np.ones((2, 3, 3, 3)), np.zeros(2)], "fc": [np.ones((4, 18))]}
_BLOB = {"num": 1, "channels": 1, "height": 2, "width": 3, "data": range(6)}
_STATE: dict[str, Any] = {"iter": 7, "learned_net": "net.caffemodel", "current_step": 1, "history": [_BLOB, _BLOB]}


def _written(write: Callable[[Path], object], suffix: str = "") -> bytes:
    """The bytes of the file that `write` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        write(path)
        return path.read_bytes()


def _message(name: str, **fields: Any) -> bytes:
    return bytes(message_class(name)(**fields).SerializeToString())


def _hdf5(arrays: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", track_order=False) as file:
        for name, array in arrays.items():
            file[name] = array
    return stream.getvalue()


# Caffe


def nets() -> list[bytes]:
    return [each.encode() for each in (texts.NET, texts.FORKS, texts.V1, texts.V0)]


def solvers() -> list[bytes]:
    return [texts.SOLVER.encode()]


def caffemodels() -> list[bytes]:
    v1 = {"name": "conv", "type": 4, "blobs": [_BLOB, _BLOB]}
    v0 = {"layer": {"name": "fc", "type": "innerproduct", "blobs": [_BLOB]}}
    model = _written(lambda path: caffe.write_weights(path, _ARRAYS))
    return [model, _message("NetParameter", layers=[v1, v0])]


def caffemodels_hdf5() -> list[bytes]:
    named = {
        f"data/{name}/{i}": each.astype("<f4") for name, arrays in _ARRAYS.items() for i, each in enumerate(arrays)
    }
    return [_hdf5(named)]


def solver_states() -> list[bytes]:
    return [_message("SolverState", **_STATE)]


def solver_states_hdf5() -> list[bytes]:
    history = {f"history/{i}": np.ones((2, 3), np.float32) for i in range(2)}
    return [_hdf5({"iter": 7, "current_step": 1, "learned_net": np.bytes_(b"net.caffemodel"), **history})]


def blobs() -> list[bytes]:
    doubled = {"shape": {"dim": [2, 3]}, "double_data": range(6)}
    return [_message("BlobProto", **_BLOB), _message("BlobProto", **doubled)]


def means() -> list[bytes]:
    return [_npy(np.ones((3, 2, 2), np.float32))]


# Ours

_NET = """
name: "small" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 1 dim: 8 dim: 8 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


@functools.cache
def solver() -> fcnlite.SGD:
    return fcnlite.SGD(Net(caffe.parse_net(_NET), phase="TRAIN"), base_lr=0.1, momentum=0.9)


def _packed(content: bytes) -> bytes:
    """A weight file without the room between its data sets, and with structures that have no checksums."""
    stream = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as file, h5py.File(stream, "w") as packed:
        packed.attrs.update(file.attrs)
        for name in file:
            file.copy(name, packed)
    return stream.getvalue()


def weights() -> list[bytes]:
    net = Net(caffe.parse_net(_NET))
    return [_packed(_written(partial(net.save, dtype=dtype), ".h5")) for dtype in (None, "float16")]


_AUGMENT = ("scale=0.5:2", "crop=8:8", "flip", "brightness=0.3", "cutmix=0.5")


def checkpoints() -> list[bytes]:
    options = TrainOptions(data="shapes", data_option=("size=32",), iterations=10, augment=_AUGMENT).to_json()
    progress = {**Progress(100, 8, 120, 40).to_json(), "options": options}
    return [_packed(_written(lambda path: solver().snapshot(path, progress), ".h5"))]


def run_texts() -> list[bytes]:
    check = {"iteration": 4, "mean_iu": 0.5, "pixel_accuracy": 0.9, "mean_accuracy": None, "iu": [0.5, None]}
    speed = {"iterations": 4, "seconds": 1.5, "checking": 0.1, "waited": 0.0}
    stages = [TrainOptions(data="shapes", iterations=10, augment=_AUGMENT).to_json()] * 2
    split = {"data": "shapes", "count": 1, "origin": {"seed": 0}, "samples": [["a", 8, 8, "0f", "f0"]]}
    return [
        b"iteration,loss,rate\n1,0.5,0.1\n2,,0.1\n",
        b'data = "shapes"\nbase-lr = 1e-3\nstepvalue = [1, 2]\nvalidation = false\n[made]\nfcnlite = "0.1.0"\n',
        *(json.dumps(each).encode() for each in (check, speed, {"current": 0, "stages": stages}, {"train": split})),
    ]


# Other tools


def keras_files() -> list[bytes]:
    arrays = made_up.vgg16()
    few = {name: [each[:1, :1] if each.ndim > 1 else each[:1] for each in arrays[name]] for name in arrays}
    few["conv1_1"][0] = arrays["conv1_1"][0][:1, :3]
    alone = _written(lambda path: test_keras.write(path, few, "new"))
    return [alone, _written(lambda path: test_keras.write(path, few, "new", "model_weights"))]


def safetensors_files() -> list[bytes]:
    small = {"a": np.ones((2, 3), np.float32), "b": np.ones(4, np.float16)}
    return [test_torchvision.stored(small), test_torchvision.stored({"c": np.ones(3, np.uint16)}, {"c": "BF16"})]


# Pictures


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def arrays() -> list[bytes]:
    rng = np.random.default_rng(0)
    return [_npy(rng.integers(0, 255, (4, 5, 4)).astype(kind)) for kind in ("u1", ">u2", "f4", "f8")]


def _picture(mode: str, kind: str, **options: Any) -> bytes:
    from PIL import Image

    values = np.random.default_rng(0).integers(0, 255, (4, 5, 4)).astype(np.uint8)
    stream = io.BytesIO()
    if mode == "I;16":
        image = Image.fromarray(values[..., 0].astype(np.uint16) * 200)
    else:
        image = Image.fromarray(values[..., :3]).convert(mode)
    image.save(stream, kind, **options)
    return stream.getvalue()


def pictures() -> list[bytes]:
    from PIL import Image

    turned = Image.Exif()
    turned[0x0112] = 6
    kinds = (
        ("RGB", "PNG"), ("P", "PNG"), ("I;16", "PNG"), ("RGBA", "PNG"), ("1", "PNG"), ("RGB", "JPEG"), ("CMYK", "JPEG"),
        ("RGB", "BMP"), ("P", "GIF"), ("RGB", "WEBP"), ("RGB", "PPM"), ("L", "PPM"), ("RGB", "TIFF"),
    )  # fmt: skip
    return [
        *(_picture(*each) for each in kinds),
        _picture("RGB", "JPEG", exif=turned),
        _picture("L", "PNG", exif=turned),
    ]


def labels() -> list[bytes]:
    return [*(_picture(mode, "PNG") for mode in ("L", "P", "RGB", "I;16", "1", "RGBA")), _picture("L", "JPEG")]


def tiffs() -> list[bytes]:
    import tifffile

    def written(values: np.ndarray, **options: Any) -> bytes:
        stream = io.BytesIO()
        tifffile.imwrite(stream, values, metadata=None, **options)
        return stream.getvalue()

    rng = np.random.default_rng(0)
    four = rng.integers(0, 255, (16, 16, 4)).astype(np.uint8)
    return [
        written(four, photometric="minisblack", planarconfig="contig"),
        written(four, photometric="minisblack", planarconfig="contig", tile=(16, 16)),
        written(four[..., :2].astype("f4"), photometric="minisblack", compression="zlib", planarconfig="contig"),
        written(four.transpose(2, 0, 1).astype("u2"), photometric="minisblack", planarconfig="separate"),
        written(four[..., :3].astype("u2"), photometric="rgb", byteorder=">"),
        written(four[..., 0], photometric="miniswhite"),
        written(four[..., 0].astype("f8"), photometric="minisblack", bigtiff=True),
    ]


def matlab_files() -> list[bytes]:
    import scipy.io

    labels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    contents = (labels, labels.astype(float), {"Segmentation": labels, "Boundaries": [1, 2]}, np.array(["a"], object))
    found = []
    for value in contents:
        for compressed in (False, True):
            stream = io.BytesIO()
            scipy.io.savemat(stream, {"S": value, "names": "sky"}, do_compression=compressed)
            found.append(stream.getvalue())
    return found


def data() -> list[bytes]:
    plain = {"channels": 3, "height": 2, "width": 2, "label": 1}
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (3, 2)).save(stream, "PNG")
    return [
        _message("Datum", **plain, data=bytes(12)),
        _message("Datum", **plain, float_data=range(12)),
        _message("Datum", encoded=True, data=stream.getvalue()),
    ]


def hdf5_arrays() -> list[bytes]:
    return [_hdf5({"data": np.ones((2, 3, 4, 5), np.float32), "label": np.ones((2, 1, 4, 5), np.float32)})]


# Tables and lists


def pair_lists() -> list[bytes]:
    return [b"a.png a.png\n/a.png /a.png\n"]


def color_tables() -> list[bytes]:
    return [
        b"# colours\n128 128 128 sky\n128 64 128 road # grey\n0 0 0 void\n",
        b"sky,128,128,128\nroad,128,64,128\n",
        b"# label:color_rgb:parts:actions\nsky:128,128,128::\nroad:128,64,128::\n",
        b"name r g b\n(0, 0, 0) sky\n(1;2;3) road\n",
    ]


def class_lists() -> list[bytes]:
    return [b"sky\nroad\nvoid\n", b"0 sky\n1: road\n2 = car # red\n255 void\n", b"sky: 0\nroad: 1\n"]


def remap_tables() -> list[bytes]:
    return [b"128 roof\n1-127 person\n255 void\n", b"0 -> 0\n7: 1\n8 = 255\n"]


def labelme_files() -> list[bytes]:
    def written(folder: Path) -> bytes:
        more = [drawn.shape("cell", [[1, 1], [4, 4]], "rectangle"), drawn.shape("cell", [[9, 9], [9, 12]], "circle")]
        drawn.labelme(folder, "a", content=[*drawn.shapes(), *more])
        return (folder / "a.json").read_bytes()

    with tempfile.TemporaryDirectory() as folder:
        return [written(Path(folder))]


def coco_files() -> list[bytes]:
    masks = [
        {"id": 5, "image_id": 1, "category_id": 7, "segmentation": {"size": [20, 30], "counts": [40, 30, 530]}},
        {"id": 6, "image_id": 1, "category_id": 7, "segmentation": {"size": [20, 30], "counts": "X1n0b`0"}},
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn.coco(folder / "a.json", folder, "a.png", content=[*drawn.annotations(1), *masks])
        return [(folder / "a.json").read_bytes()]


def name_lists() -> list[bytes]:
    return [b"a\nb\n# comment\n", b"2007_000032 1\nfolder/a -1\n"]


def picture_lists() -> list[bytes]:
    return [b"/SegNet/CamVid/train/a.png /SegNet/CamVid/trainannot/a.png\n", b"a.png b.png\n\nb.png a.png\n"]


# The page of the explorer


def messages() -> list[bytes]:
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    return [pack({"call": "open", "name": "a.png", "picture": picture}), pack([None, 1.5, {"at": np.zeros(3)}])]
