"""Classifiers made fully convolutional: they score each window as the classifier scores a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcnlite import caffe, models, surgery
from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import FcnliteError, ShapeError, SpecError
from fcnlite.net import Net
from fcnlite.surgery import Weights, fully_convolutional
from tests.parity.reference import assert_close, read_case

SIDE = 14
"""The height and width of the small classifiers' pictures."""


def layer(name: str, kind: str, bottom: str, top: str | None = None, **options: Any) -> LayerSpec:
    return LayerSpec(name, kind, (bottom,), (top or name,), options)


def picture(channels: int = 3, height: int = SIDE, width: int = SIDE) -> LayerSpec:
    return LayerSpec("data", "Input", top=("data",), options={"shape": [{"dim": [1, channels, height, width]}]})


TRUNK = (
    layer("conv1", "Convolution", "data", num_output=6, kernel_size=[3]),
    layer("relu1", "ReLU", "conv1", "conv1"),
    layer("norm1", "LRN", "conv1", local_size=3, alpha=0.1),
    layer("pool1", "Pooling", "norm1", pool="MAX", kernel_size=2, stride=2),
    layer("conv2", "Convolution", "pool1", num_output=4, kernel_size=[3], group=2),
)
"""Stride 2 and no padding; conv2 is 4×4 on pictures of the classifier's size."""

HEADS = {
    "inner products": (
        layer("fc6", "InnerProduct", "conv2", num_output=7),
        layer("relu6", "ReLU", "fc6", "fc6"),
        layer("drop6", "Dropout", "fc6", "fc6"),
        layer("fc7", "InnerProduct", "fc6", num_output=5, bias_term=False),
        layer("prob", "Softmax", "fc7", axis=-1),
    ),
    "flattened first": (
        layer("flat", "Flatten", "conv2"),
        layer("relu", "ReLU", "flat", "flat"),
        layer("fc6", "InnerProduct", "flat", num_output=7),
        layer("flat6", "Reshape", "fc6", shape={"dim": [0, -1]}),
        layer("fc7", "InnerProduct", "flat6", num_output=5),
        layer("prob", "Softmax", "fc7"),
    ),
    "transposed": (
        layer("fc6", "InnerProduct", "conv2", num_output=7, transpose=True),
        layer("prob", "InnerProduct", "fc6", num_output=5, transpose=True),
    ),
    "average pooling": (
        layer("pool", "Pooling", "conv2", pool="AVE", kernel_size=4, stride=1),
        layer("prob", "InnerProduct", "pool", num_output=5),
    ),
    "global pooling": (
        layer("pool", "Pooling", "conv2", pool="AVE", global_pooling=True),
        layer("fc", "InnerProduct", "pool", num_output=5),
        layer("prob", "Softmax", "fc"),
    ),
}


def randomized(spec: NetSpec, seed: int = 0) -> Net:
    """The net in float64 with random parameters."""
    net, rng = Net(spec, path="plain", dtype="float64"), np.random.default_rng(seed)
    for parameters in net.params.values():
        for parameter in parameters:
            inputs = max(1, parameter.array.size // len(parameter.array))
            parameter.data = rng.normal(0, (2 / inputs) ** 0.5, parameter.shape)
    return net


def arrays(net: Net) -> Weights:
    return {name: [each.array for each in parameters] for name, parameters in net.params.items()}


def dense_twin(classifier: Net) -> Net:
    spec, weights = fully_convolutional(classifier.spec, arrays(classifier))
    net = Net(spec, path="plain", dtype="float64")
    assert {each.outcome for each in surgery.transplant(net, weights)} == {"taken"}
    return net


def pictures(*shape: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("head", HEADS)
def test_without_pads_the_map_is_the_classifier_slid_over_every_window(head: str) -> None:
    classifier = randomized(NetSpec("small", (picture(), *TRUNK, *HEADS[head])))
    net = dense_twin(classifier)
    x = pictures(2, 3, SIDE + 6, SIDE + 10)
    maps = net.forward(data=x, outputs=["prob"])["prob"]
    assert maps.shape == (2, 5, 4, 6)
    for i in range(4):
        for j in range(6):
            window = x[:, :, 2 * i : 2 * i + SIDE, 2 * j : 2 * j + SIDE]
            answer = classifier.forward(data=window, outputs=["prob"])["prob"]
            np.testing.assert_allclose(maps[:, :, i, j], answer, rtol=1e-10, atol=1e-12)


def test_kernels_need_not_be_square() -> None:
    classifier = randomized(NetSpec("small", (picture(3, SIDE, SIDE + 4), *TRUNK, *HEADS["inner products"])))
    net = dense_twin(classifier)
    assert net.params["fc6"][0].shape == (7, 4, 4, 6)
    x = pictures(1, 3, SIDE, SIDE + 4)
    np.testing.assert_allclose(net.forward(data=x)["prob"].ravel(), classifier.forward(data=x)["prob"].ravel())


@pytest.mark.parametrize("name", ["lenet", "alexnet", "caffenet", "vgg16", "googlenet"])
def test_the_zoos_classifiers_answer_as_before_on_pictures_of_their_own_size(name: str) -> None:
    classifier = randomized(models.describe(name, classes=7, width=1 / 32))
    net = dense_twin(classifier)
    assert not any(each.type in ("InnerProduct", "SoftmaxWithLoss") for each in net.spec)
    shape = classifier.layers[0].top_shapes()[0]
    x = pictures(*shape)
    answer = classifier.forward(data=x, outputs=["prob"])["prob"]
    assert np.ptp(answer) > 1e-6
    maps = net.forward(data=x)
    assert list(maps) == ["prob"] and maps["prob"].shape == (shape[0], 7, 1, 1)
    np.testing.assert_allclose(maps["prob"][:, :, 0, 0], answer, rtol=1e-9)
    larger = net.forward(data=pictures(1, shape[1], shape[2] + 64, shape[3] + 96))["prob"]
    assert larger.shape[2] > 1 and larger.shape[3] > larger.shape[2]


def slide(x: Array, weight: Array, bias: Array, side: int) -> Array:
    """An inner product applied to each window of C×H×W."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))
    flat = np.moveaxis(windows, 0, 2).reshape(*windows.shape[1:3], -1)
    return np.moveaxis(flat @ weight.T + bias, 2, 0)


def test_caffes_tiny_vgg_keeps_its_answers_and_slides_over_larger_pictures(shared: Path) -> None:
    folder = shared / "reference" / "nets" / "tiny-vgg16-classifier"
    spec, weights = fully_convolutional(
        caffe.read_net(folder / "net.prototxt"), caffe.read_weights(folder / "weights.caffemodel")
    )
    assert [each.name for each in spec][-3:] == ["drop7", "fc8", "prob"]
    net = Net(spec, path="plain", dtype="float64")
    surgery.transplant(net, weights)
    case = read_case(folder / "case.npz")
    for blob in ("fc8", "prob"):
        top = net.forward(data=case["in.data"], outputs=[blob])[blob]
        assert top.shape == (1, 10, 1, 1)
        assert_close(top, case[f"out.{blob}"], 1e-5, blob)

    given = caffe.read_weights(folder / "weights.caffemodel")
    x = pictures(1, 3, 150, 97) * 50
    found = net.forward(data=x, outputs=["pool5", "fc8"])
    hidden = found["pool5"][0]
    for name, side in (("fc6", 2), ("fc7", 1), ("fc8", 1)):
        hidden = slide(hidden, *(each.astype(np.float64) for each in given[name]), side)
        hidden = hidden if name == "fc8" else np.maximum(hidden, 0)
    assert hidden.shape == (10, 4, 3)
    np.testing.assert_allclose(found["fc8"][0], hidden, rtol=1e-9, atol=1e-9 * np.abs(hidden).max())


def test_losses_labels_and_auxiliary_heads_go() -> None:
    spec, _ = fully_convolutional(models.describe("googlenet", width=1 / 32))
    assert [each.top for each in spec if each.type == "Input"] == [("data",)]
    assert not any(each.name.startswith(("loss1", "loss2")) for each in spec)
    assert spec.layer("loss3/classifier").type == "Convolution"
    both = LayerSpec(
        "data", "Input", top=("data", "label"), options={"shape": [{"dim": [1, 3, SIDE, SIDE]}, {"dim": [1]}]}
    )
    loss = LayerSpec("loss", "SoftmaxWithLoss", ("fc6", "label"), ("loss",))
    spec, _ = fully_convolutional(NetSpec("small", (both, *TRUNK, HEADS["inner products"][0], loss)))
    assert spec.layers[0].top == ("data",) and spec.layers[0].options["shape"] == [{"dim": [1, 3, SIDE, SIDE]}]
    assert spec.layers[-1].name == "fc6"


def test_multipliers_and_fillers_stay() -> None:
    spec, _ = fully_convolutional(models.describe("caffenet"))
    fc6 = spec.layer("fc6")
    assert [each.lr_mult for each in fc6.param] == [1, 2]
    assert fc6.options["weight_filler"] == {"type": "gaussian", "std": 0.005}
    assert (fc6.options["num_output"], fc6.options["kernel_size"]) == (4096, [6])


@pytest.mark.parametrize(
    ("layers", "kind", "words"),
    [
        (TRUNK, SpecError, "'small' has no InnerProduct"),
        ((*TRUNK, layer("fc", "InnerProduct", "conv2", num_output=2, axis=2)), SpecError, r"'fc'.*axis 2"),
        (
            (*TRUNK, layer("flat", "Flatten", "conv2"), layer("p", "Softmax", "flat")),
            SpecError,
            r"'p' \(Softmax\): reads a flattened blob.*cannot slide",
        ),
        (
            (*TRUNK, layer("r", "Reshape", "conv2", shape={"dim": [0, 2, -1, 4]})),
            SpecError,
            r"'r' \(Reshape\): computes with the whole picture at once",
        ),
    ],
)
def test_layers_that_cannot_slide_are_named(layers: Sequence[LayerSpec], kind: type[FcnliteError], words: str) -> None:
    with pytest.raises(kind, match=words):
        fully_convolutional(NetSpec("small", (picture(), *layers)))


def test_a_net_whose_blobs_would_no_longer_fit_is_refused() -> None:
    side = LayerSpec("side", "Input", top=("side",), options={"shape": [{"dim": [1, 7]}]})
    both = LayerSpec("sum", "Eltwise", ("fc6", "side"), ("sum",))
    with pytest.raises(ShapeError, match=r"'sum' \(Eltwise\)"):
        fully_convolutional(NetSpec("small", (picture(), side, *TRUNK, HEADS["inner products"][0], both)))


def test_an_input_without_a_shape_is_named() -> None:
    data = LayerSpec("data", "Input", top=("data",))
    with pytest.raises(ShapeError, match=r"no shape for input 'data'.*input_param"):
        fully_convolutional(NetSpec("small", (data, *TRUNK, *HEADS["inner products"])))


def test_weights_of_other_pictures_are_named() -> None:
    spec = NetSpec("small", (picture(), *TRUNK, *HEADS["inner products"]))
    with pytest.raises(ShapeError, match=r"'fc6'.*7×100.*7×64"):
        fully_convolutional(spec, {"fc6": [np.zeros((7, 100)), np.zeros(7)]})
