"""Nets saved by us and read by OpenCV's dnn module compute what they compute here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fcnlite import caffe, models, surgery
from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.net import Net
from tests.layers.examples import EXAMPLES, Example
from tests.random_nets import assert_close, picture, specs, with_values

pytestmark = pytest.mark.peers
cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed; `make test-peers` installs it")


class InOpenCV:
    """The net, saved as Caffe's files and read by OpenCV's importer of them."""

    def __init__(self, net: Net, folder: Path, outputs: list[str] | None = None) -> None:
        files = (folder / "net.prototxt", folder / "weights.caffemodel")
        caffe.save(net, *files, outputs=outputs, dialect="opencv")
        self.net = cv2.dnn.readNetFromCaffe(*map(str, files))
        self.layers = set(self.net.getLayerNames())
        self.outputs = outputs
        self.made_by = {top: layer.name for layer in net.spec for top in layer.top}

    def forward(self, *blobs: str, **inputs: Array) -> dict[str, Array]:
        """Blobs, under the names that OpenCV gives them: that of the layer, or their own where nothing reads them."""
        for name, array in inputs.items():
            self.net.setInput(array.astype(np.float32), name)
        layers = [self.made_by[blob] for blob in blobs]
        names = [layer if layer in self.layers else blob for blob, layer in zip(blobs, layers, strict=True)]
        return dict(zip(blobs, self.net.forward(names), strict=True))


def assert_equal_outputs(net: Net, peer: InOpenCV, **inputs: Array) -> None:
    ours = net.forward(inputs, outputs=peer.outputs)
    theirs = peer.forward(*ours, **inputs)
    for name, array in ours.items():
        assert_close(array, theirs[name], name)


def as_in_opencv(layer: LayerSpec, bottom: Shape) -> bool:
    """Whether OpenCV 4.14 computes the layer as Caffe does."""
    o = layer.options
    if layer.type == "Pooling":
        if "global_pooling" in o:
            return True
        # It knows nothing but rounding up, and refuses a window that is larger than the padded picture.
        sides = zip("hw", bottom[2:], strict=True)
        fits = all(size + 2 * o.get(f"pad_{side}", 0) >= o[f"kernel_{side}"] for side, size in sides)
        return "round_mode" not in o and fits
    if layer.type == "Convolution":
        # Groups of one channel are wrong if the window is larger than the picture.
        return o["group"] == 1 or min(bottom[2:]) > max(o["kernel_size"]) * max(o.get("dilation", [1]))
    if layer.type == "LRN":
        return bool(o["k"] == 1)  # it takes k for 1
    if layer.type == "InnerProduct":
        return "transpose" not in o  # it reads the weights as if they were not transposed
    if layer.type == "Deconvolution":
        # It ignores the dilation, and writes beyond its memory if a window of one pixel is padded.
        return "dilation" not in o and all(pad < kernel for pad, kernel in zip(o["pad"], o["kernel_size"], strict=True))
    return True


def with_all_slices_read(spec: NetSpec) -> NetSpec:
    """OpenCV cuts a blob into as many parts as somebody reads, so somebody reads each."""
    read = {name for layer in spec for name in layer.bottom}
    unread = [top for layer in spec if layer.type == "Slice" for top in layer.top if top not in read]
    readers = [LayerSpec(f"{top}_read", "AbsVal", (top,), (f"{top}_read",)) for top in unread]
    return replace(spec, layers=(*spec.layers, *readers))


@given(specs(as_in_opencv).map(with_all_slices_read))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_nets(tmp_path: Path, spec: NetSpec) -> None:
    net = with_values(spec)
    peer = InOpenCV(net, tmp_path)
    peer.net.enableFusion(False)  # which folds a BatchNorm into a Deconvolution of several groups wrongly
    assert_equal_outputs(net, peer, data=picture(spec))


@pytest.mark.parametrize("name", ["voc-fcn8s", "voc-fcn-alexnet", "lite-fcn8s"])
def test_fully_convolutional_nets_at_two_sizes(name: str, tmp_path: Path) -> None:
    net = models.build(name, width=1 / 16)
    surgery.fill(net, [each for each in net.params if each.startswith(("score", "up"))], Filler("gaussian", std=0.1))
    peer = InOpenCV(net, tmp_path, ["score"])
    for shape in [(1, 3, 97, 64), (1, 3, 75, 92)]:
        assert_equal_outputs(net, peer, data=np.random.default_rng(0).normal(0, 50, shape))


@pytest.mark.parametrize(("name", "shape"), [("lenet", (2, 1, 28, 28)), ("googlenet", (1, 3, 224, 224))])
def test_classifiers(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    net = models.build(name, width=1 / 8)
    peer = InOpenCV(net, tmp_path, ["prob"])
    assert_equal_outputs(net, peer, data=np.random.default_rng(0).normal(0, 50, shape))


FORKS = ("BNLL", "Interp", "Permute", "ReLU6", "ShuffleChannel", "Swish")
"""Types of forks, and Caffe's less usual ones, that OpenCV knows."""


def right_in_opencv(example: Example) -> bool:
    """Whether OpenCV 4.14 computes the layer as its fork does."""
    o, shape = example.options, example.shapes[0]
    if example.type == "Interp":
        return not (o.get("shrink_factor") or o["pad_beg"] or o["pad_end"])
    return len(shape) == 4 and o.get("beta", 1) == 1


@pytest.mark.parametrize("type_", FORKS)
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_types_of_forks(type_: str, data: st.DataObject, tmp_path: Path) -> None:
    example = replace(data.draw(EXAMPLES[type_]), phase="TEST")
    if not right_in_opencv(example):
        return
    net = Net(example.spec(), path="plain", seed=example.seed)
    for parameter, values in zip(net.params.get("layer", []), example.param_values(), strict=True):
        parameter.data = values
    peer = InOpenCV(net, tmp_path, ["y0"])
    assert_equal_outputs(net, peer, **example.inputs())


def test_pooling_that_rounds_down(tmp_path: Path) -> None:
    text = """input: "data" input_dim: 1 input_dim: 3 input_dim: 20 input_dim: 20
    layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 2 kernel_size: 1 } }
    layer { name: "p" type: "Pooling" bottom: "c" top: "p"
            pooling_param { pool: MAX kernel_size: 3 stride: 2 round_mode: FLOOR } }"""
    net = with_values(caffe.parse_net(text))
    assert_equal_outputs(net, InOpenCV(net, tmp_path, ["p"]), data=picture(net.spec))
