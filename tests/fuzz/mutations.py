"""Many kinds of damage to Caffe's files; reading them must soon give our error or a valid net."""

from __future__ import annotations

import random
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fcnlite import caffe
from fcnlite.errors import FcnliteError
from fcnlite.formats.caffe.schema import message_class
from fcnlite.net import Net

SECONDS = 5
"""Beyond which a file counts as one that hangs."""
MESSAGE = 2500
"""Characters that an error may have."""

NET = """
name: "net" input: "data" input_dim: 1 input_dim: 3 input_dim: 12 input_dim: 10
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 1 dim: 12 dim: 10 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { name: "shared" }
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } engine: CAFFE } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" relu_param { negative_slope: 0.1 } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "norm" type: "LRN" bottom: "pool" top: "norm" lrn_param { local_size: 3 alpha: 0.1 beta: 0.75 } }
layer { name: "drop" type: "Dropout" bottom: "norm" top: "norm" dropout_param { dropout_ratio: 0.4 } }
layer { name: "split" type: "Slice" bottom: "norm" top: "left" top: "right" slice_param { axis: 1 slice_point: 1 } }
layer { name: "join" type: "Concat" bottom: "right" bottom: "left" top: "join" concat_param { axis: 1 } }
layer { name: "up" type: "Deconvolution" bottom: "join" top: "up"
  convolution_param { num_output: 4 kernel_size: 4 stride: 2 group: 4 bias_term: false
                      weight_filler { type: "bilinear" } } }
layer { name: "crop" type: "Crop" bottom: "up" bottom: "label" top: "crop" crop_param { axis: 2 offset: 1 } }
layer { name: "bn" type: "BatchNorm" bottom: "crop" top: "bn" batch_norm_param { eps: 1e-4 } }
layer { name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "flat" type: "Reshape" bottom: "bn" top: "flat" reshape_param { shape { dim: 0 dim: -1 } } }
layer { name: "fc" type: "InnerProduct" bottom: "flat" top: "fc" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "bn" bottom: "label" top: "loss" loss_weight: 0.5
  loss_param { ignore_label: 255 normalization: VALID } include { phase: TRAIN } }
layer { name: "odd" type: "Oddity" bottom: "fc" top: "odd" odd_param { a: 1 b { c: "d" } } exclude { phase: TEST } }
"""
V1 = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2 weight_decay: 1
  convolution_param { num_output: 2 kernel_h: 3 kernel_w: 2 pad: 1 group: 1 } }
layers { name: "tanh" type: TANH bottom: "conv" top: "conv" }
layers { name: "fc" type: INNER_PRODUCT bottom: "conv" top: "fc" inner_product_param { num_output: 3 } }
layers { name: "prob" type: SOFTMAX bottom: "fc" top: "prob" }
"""
V0 = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "pad1" }
layers { layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 3 stride: 2 biasterm: false
         blobs_lr: 3 weight_decay: 0.5 } bottom: "pad1" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 3 stride: 2 } bottom: "conv1" top: "pool1" }
layers { layer { name: "norm1" type: "lrn" local_size: 3 alpha: 0.1 } bottom: "pool1" top: "norm1" }
"""
SOLVER = """
net_param { name: "n" layer { name: "d" type: "Input" top: "d" } } base_lr: 1e-4 lr_policy: "step" gamma: 0.1
stepvalue: [1, 2] solver_mode: CPU solver_type: ADAM test_iter: 3 train_state { level: 1 stage: "a" } random_seed: 7
"""

_NUMBERS = (
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "-2",
    "100",
    "65536",
    "1000000007",
    "2147483647",
    "4294967296",
    "1e38",
    "nan",
)
_TOKEN = re.compile(r'"[^"]*"|[\w.-]+|[{}:]')


class Kind(NamedTuple):
    """A kind of file: good examples, how they are damaged, how they are read."""

    examples: list[bytes]
    damage: Callable[[bytes, random.Random], bytes]
    read: Callable[[Path], Any]


def damaged_bytes(original: bytes, rng: random.Random) -> bytes:
    """Cut short, bits flipped, parts repeated, removed or nested, huge sizes put in."""
    data = bytearray(original)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.choice([1, 2, 8, 100, len(data)]))
        match rng.randrange(7):
            case 0:
                del data[at:]
            case 1 | 2:
                for _ in range(rng.randint(1, 8)):
                    if data:
                        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 3:
                data[at:at] = data[at:to] * rng.randint(1, 20)
            case 4:
                del data[at:to]
            case 5:
                data[at:at] = rng.choice([b"\x0b", b"\x12\x00", b"\xa2\x06\xff", b"\xa2\x06\x00"]) * rng.randint(
                    1, 2000
                )
            case 6:
                data[at:to] = rng.choice([b"\xff" * 9 + b"\x01", b"\xff\xff\xff\xff\x07", b"\x80" * 12])
    return bytes(data)


def damaged_text(original: bytes, rng: random.Random) -> bytes:
    """The words of a text changed: numbers made huge or negative, names made equal or circular, parts moved or nested.

    Sometimes the bytes are damaged as well.
    """
    text = original.decode().replace("\n  ", " ")  # one layer a line
    for _ in range(rng.randint(1, 3)):
        tokens = list(_TOKEN.finditer(text))
        if not tokens:
            break
        numbers = [each for each in tokens if re.fullmatch(r"-?[\d.]+(e-?\d+)?", each.group())]
        words = [each for each in tokens if each.group()[0] == '"']
        lines = text.split("\n")
        match rng.choice(["number"] * 6 + ["name"] * 4 + ["drop", "drop", "repeat", "shuffle", "swap", "nest"]):
            case "number" if numbers:
                text = _replaced(text, rng.choice(numbers), rng.choice(_NUMBERS))
            case "name" if words:
                text = _replaced(text, rng.choice(words), rng.choice(words).group())
            case "drop":
                del lines[rng.randrange(len(lines))]
                text = "\n".join(lines)
            case "repeat":
                text = "\n".join([*lines, *rng.choices(lines, k=rng.randint(1, 30))])
            case "shuffle":
                rng.shuffle(lines)
                text = "\n".join(lines)
            case "swap":
                text = _replaced(text, rng.choice(tokens), rng.choice(tokens).group())
            case "nest":
                depth = rng.choice([1, 3, 20, 200, 5000])
                text = _replaced(text, rng.choice(tokens), "layer { " * depth)
    return damaged_bytes(text.encode(), rng) if rng.random() < 0.1 else text.encode()


def _replaced(text: str, token: re.Match[str], by: str) -> str:
    return text[: token.start()] + by + text[token.end() :]


def _net(path: Path) -> Net:
    net = Net(caffe.read_net(path))
    if net.sized and sum(parameter.array.nbytes for each in net.params.values() for parameter in each) < 1 << 20:
        feeds = {
            layer.spec.top[0]: shape for layer in net.layers if not layer.spec.bottom for shape in layer.top_shapes()
        }
        if all(np.prod([float(size) for size in shape]) < 1 << 16 for shape in feeds.values()):
            net.forward({name: np.zeros(shape) for name, shape in feeds.items()})
    return net


def file_kinds(folder: Path) -> dict[str, Kind]:
    """All kinds of files; their examples are made in `folder`."""
    arrays = {"conv": [np.ones((2, 3, 3, 3)), np.zeros(2)], "fc": [np.ones((4, 18))]}
    caffe.write_weights(folder / "weights", arrays)
    blob = {"num": 1, "channels": 1, "height": 2, "width": 3, "data": range(6)}
    v1 = {"name": "conv", "type": 4, "blobs": [blob, blob]}
    v0 = {"layer": {"name": "fc", "type": "innerproduct", "blobs": [blob]}}
    state: dict[str, Any] = {"iter": 7, "learned_net": "net.caffemodel", "current_step": 1, "history": [blob, blob]}
    models = [(folder / "weights").read_bytes(), _message("NetParameter", layers=[v1, v0])]
    return {
        "net": Kind([NET.encode(), V1.encode(), V0.encode()], damaged_text, _net),
        "solver": Kind([SOLVER.encode()], damaged_text, caffe.read_solver),
        "caffemodel": Kind(models, damaged_bytes, caffe.read_weights),
        "hdf5": Kind([_hdf5(folder, "data/", arrays)], damaged_bytes, caffe.read_weights),
        "state": Kind([_message("SolverState", **state)], damaged_bytes, caffe.read_solver_state),
        "blob": Kind([_message("BlobProto", **blob)], damaged_bytes, caffe.read_blob),
    }


def _message(name: str, **fields: Any) -> bytes:
    return bytes(message_class(name)(**fields).SerializeToString())


def _hdf5(folder: Path, group: str, arrays: dict[str, list[np.ndarray]]) -> bytes:
    import h5py

    with h5py.File(folder / "x.h5", "w", track_order=False) as file:
        for name, each in arrays.items():
            for i, array in enumerate(each):
                file[f"{group}{name}/{i}"] = array.astype("<f4")
    return (folder / "x.h5").read_bytes()


def survives(kind: Kind, path: Path, content: bytes) -> bool:
    """Whether the file is read; an error of ours is none, any other one is raised, and so is slowness."""
    path.write_bytes(content)
    began = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind.read(path)
        return True
    except FcnliteError as error:
        assert len(str(error)) <= MESSAGE, str(error)
        return False
    finally:
        assert time.monotonic() - began < SECONDS, "took too long"
