"""Several nets, each in its own thread, compute the same as one after another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fcnlite
from fcnlite import config, models
from fcnlite.arrays import Array
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net
from tests.net import nets

Draw = Callable[[np.random.Generator], Array]

ALEXNET = """
input: "data" input_shape { dim: 4 dim: 3 dim: 35 dim: 35 } input: "label" input_shape { dim: 4 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 7 stride: 2 FILLED } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "norm1" type: "LRN" bottom: "conv1" top: "norm1" lrn_param { local_size: 5 alpha: 0.01 } }
layer { name: "pool1" type: "Pooling" bottom: "norm1" top: "pool1" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 12 kernel_size: 5 pad: 2 group: 2 FILLED } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "norm2" type: "LRN" bottom: "conv2" top: "norm2"
  lrn_param { local_size: 3 alpha: 0.1 norm_region: WITHIN_CHANNEL } }
layer { name: "pool2" type: "Pooling" bottom: "norm2" top: "pool2"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "fc6" type: "InnerProduct" bottom: "pool2" top: "fc6" inner_product_param { num_output: 32 FILLED } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6" }
layer { name: "score" type: "InnerProduct" bottom: "fc6" top: "score" inner_product_param { num_output: 5 FILLED } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
layer { name: "top2" type: "Accuracy" bottom: "score" bottom: "label" top: "top2" accuracy_param { top_k: 2 } }
"""

SKIPS = """
input: "data" input_shape { dim: 2 dim: 3 dim: 33 dim: 30 }
input: "label" input_shape { dim: 2 dim: 33 dim: 30 } input: "matrix" input_shape { dim: 5 dim: 5 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 3 pad: 10 FILLED } }
layer { name: "elu1" type: "ELU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 8 kernel_size: 3 dilation: 2 pad: 2 FILLED } }
layer { name: "prelu2" type: "PReLU" bottom: "conv2" top: "conv2" }
layer { name: "deep" type: "Convolution" bottom: "conv2" top: "deep"
  convolution_param { num_output: 5 kernel_size: 1 FILLED } }
layer { name: "up" type: "Deconvolution" bottom: "deep" top: "up"
  convolution_param { num_output: 5 kernel_size: 4 stride: 2 FILLED } }
layer { name: "upc" type: "Crop" bottom: "up" bottom: "data" top: "upc" crop_param { offset: 9 } }
layer { name: "shallow" type: "Convolution" bottom: "conv1" top: "shallow"
  convolution_param { num_output: 5 kernel_size: 1 FILLED } }
layer { name: "shallowc" type: "Crop" bottom: "shallow" bottom: "data" top: "shallowc" crop_param { offset: 9 } }
layer { name: "score" type: "Eltwise" bottom: "upc" bottom: "shallowc" top: "score" }
layer { name: "loss" type: "InfogainLoss" bottom: "score" bottom: "label" bottom: "matrix" top: "loss"
  loss_param { ignore_label: 255 } }
"""

SIAMESE = """
input: "data" input_shape { dim: 4 dim: 6 dim: 12 dim: 12 } input: "label" input_shape { dim: 4 dim: 20 }
layer { name: "mvn" type: "MVN" bottom: "data" top: "mvn" }
layer { name: "cut" type: "Slice" bottom: "mvn" top: "left" top: "right" }
layer { name: "conv_left" type: "Convolution" bottom: "left" top: "conv_left" param { name: "w" } param { name: "b" }
  convolution_param { num_output: 6 kernel_size: 3 FILLED } }
layer { name: "conv_right" type: "Convolution" bottom: "right" top: "conv_right" param { name: "w" } param { name: "b" }
  convolution_param { num_output: 6 kernel_size: 3 FILLED } }
layer { name: "max" type: "Eltwise" bottom: "conv_left" bottom: "conv_right" top: "max"
  eltwise_param { operation: MAX } }
layer { name: "both" type: "Concat" bottom: "max" bottom: "conv_left" top: "both" }
layer { name: "bn" type: "BatchNorm" bottom: "both" top: "both" }
layer { name: "scale" type: "Scale" bottom: "both" top: "both" scale_param { bias_term: true } }
layer { name: "tanh" type: "TanH" bottom: "both" top: "both" }
layer { name: "drop" type: "Dropout" bottom: "both" top: "both" dropout_param { dropout_ratio: 0.2 } }
layer { name: "score" type: "InnerProduct" bottom: "both" top: "score" inner_product_param { num_output: 20 FILLED } }
layer { name: "loss" type: "LOSS" bottom: "score" bottom: "label" top: "loss" }
"""


def numbers(*shape: int) -> Draw:
    return lambda rng: rng.random(shape)


def labels(*shape: int, void: bool = True) -> Draw:
    return lambda rng: rng.choice([0, 1, 2, 3, 4, *[255] * void], shape)


def lite(seed: int) -> list[Array]:
    net = models.build("lite-fcn8s", classes=5, width=1 / 32, phase="TRAIN", seed=seed)
    return trained(net, {"data": numbers(2, 3, 40, 37), "label": labels(2, 40, 37)})


def alexnet(seed: int) -> list[Array]:
    return trained(written(ALEXNET, seed), {"data": numbers(4, 3, 35, 35), "label": labels(4, void=False)})


def skips(seed: int) -> list[Array]:
    fields = {"data": numbers(2, 3, 33, 30), "label": labels(2, 33, 30), "matrix": numbers(5, 5)}
    return trained(written(SKIPS, seed), fields)


def siamese(seed: int) -> list[Array]:
    loss = ("EuclideanLoss", "SigmoidCrossEntropyLoss")[seed % 2]
    fields = {"data": numbers(4, 6, 12, 12), "label": numbers(4, 20)}
    return trained(written(SIAMESE.replace("LOSS", loss), seed), fields)


def written(text: str, seed: int) -> Net:
    fillers = 'weight_filler { type: "gaussian" std: 0.2 } bias_filler { value: 0.1 }'
    return Net(parse_net(text.replace("FILLED", fillers)), phase="TRAIN", seed=seed)


def trained(net: Net, fields: dict[str, Draw]) -> list[Array]:
    """The results of four steps of SGD, a backward to the picture after each, and a test at the end."""
    rng = np.random.default_rng(net.seed)
    solver = fcnlite.SGD(net, base_lr=0.01, momentum=0.9, weight_decay=0.001)
    found = []
    for _ in range(4):
        batch = {name: draw(rng) for name, draw in fields.items()}
        found.append(np.array(solver.step(batch)))
        net.forward(batch, keep=True)
        net.backward(wrt=["data"])
        found += [net.blobs["score"].copy(), net.grads["data"].copy()]
    found += [each.array.copy() for parameters in net.params.values() for each in parameters]
    found.append(net.share(phase="TEST").forward(data=batch["data"])["score"])
    return found


NETS = [(lite, 0), (alexnet, 1), (skips, 2), (siamese, 3), (lite, 4), (alexnet, 5), (skips, 6), (siamese, 8)]


@pytest.fixture(params=[1, 3])
def threads_of_a_net(request: pytest.FixtureRequest) -> Iterator[int]:
    before = config.num_threads()
    config.set_num_threads(request.param)
    yield request.param
    config.set_num_threads(before)


def test_eight_nets_in_eight_threads(threads_of_a_net: int) -> None:
    expected = [work(seed) for work, seed in NETS]
    start = threading.Barrier(len(NETS))

    def at_once(net: tuple[Callable[[int], list[Array]], int]) -> list[Array]:
        work, seed = net
        start.wait(10)
        return work(seed)

    with ThreadPoolExecutor(len(NETS)) as pool:
        found = list(pool.map(at_once, NETS))
    for ours, theirs in zip(found, expected, strict=True):
        assert all(np.isfinite(array).all() for array in theirs)
        for array, reference in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(array, reference, strict=True)
    assert len({arrays[-1].tobytes() for arrays in expected}) == len(NETS)  # all were different


def test_several_nets_in_several_threads() -> None:
    def work(seed: int) -> list[Array]:
        net = nets.small(seed=seed)
        found = []
        for i in range(5):
            x = nets.picture(2 * (seed + i + 4), 20, 2, seed)
            net.forward(data=x, label=nets.labels(*x.shape[2:], 2), keep=True)
            net.backward()
            found += [net.blobs["score"], *(each.grad.copy() for each in net.params["conv1"])]
        return found

    expected = [work(seed) for seed in range(6)]
    with ThreadPoolExecutor(4) as pool:
        for found, reference in zip(pool.map(work, range(6)), expected, strict=True):
            for array, other in zip(found, reference, strict=True):
                np.testing.assert_array_equal(array, other)
