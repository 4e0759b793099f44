"""Winograd convolution against the plain one, and its transforms against their definition."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite import config, models
from fcnlite._kernels import isa, winograd_any
from fcnlite.caffe import parse_net
from fcnlite.compiler import winograd
from fcnlite.errors import FcnliteError
from fcnlite.layers.columns import Kernel, convolve
from fcnlite.layers.convolution import Convolution
from fcnlite.net import Net
from fcnlite.shapes import Window

Array = np.ndarray[Any, np.dtype[Any]]
BAR = 1e-5
"""Of the largest output of one layer."""


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def plain(x: Array, weight: Array, bias: Array, pad: int) -> Array:
    window = Window(3, 1, pad)
    y = convolve(x.astype(np.float64), weight.astype(np.float64), Kernel(window, window))
    return y + bias[:, None, None] if bias.size else y


def assert_near(found: Array, expected: Array, bar: float = BAR) -> None:
    assert found.shape == expected.shape and found.dtype == np.float32
    assert np.abs(found - expected).max() <= bar * max(np.abs(expected).max(), 1e-30)


@pytest.fixture(params=(1, 2, 5))
def workers(request: pytest.FixtureRequest) -> Iterator[int]:
    before = config.num_threads()
    config.set_num_threads(request.param)
    yield request.param
    config.set_num_threads(before)


@settings(max_examples=80)
@given(
    n=st.integers(1, 3),
    channels=st.integers(1, 40),
    outputs=st.integers(1, 40),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    pad=st.sampled_from([0, 1, 2, 7, 100]),
    with_bias=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_it_is_the_plain_convolution(
    n: int, channels: int, outputs: int, height: int, width: int, pad: int, with_bias: bool, seed: int
) -> None:
    if min(height, width) + 2 * pad < 3:
        pad = 1
    x, weight = normal(seed, n, channels, height, width), normal(seed + 1, outputs, channels, 3, 3)
    bias = normal(seed + 2, outputs if with_bias else 0)
    assert_near(winograd.convolve(x, winograd.prepared(weight), bias, pad), plain(x, weight, bias, pad))


def test_on_any_number_of_threads(workers: int) -> None:
    x, weight, bias = normal(0, 2, 20, 45, 38), normal(1, 18, 20, 3, 3), normal(2, 18)
    assert_near(winograd.convolve(x, winograd.prepared(weight), bias, 1), plain(x, weight, bias, 1))


def test_many_bands_of_a_large_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = normal(0, 1, 16, 90, 33), normal(1, 16, 16, 3, 3), normal(2, 16)
    whole = winograd.convolve(x, winograd.prepared(weight), bias, 1)
    monkeypatch.setattr(winograd, "BAND_BYTES", 1)
    assert_near(winograd.convolve(x, winograd.prepared(weight), bias, 1), whole.astype(np.float64), 1e-6)


def test_the_transforms_make_the_products_exact() -> None:
    """In float64, from the matrices alone: the sum over the points is the convolution."""
    points = np.array(winograd.POINTS)
    a = np.concatenate([points ** np.arange(4)[:, None], np.eye(4)[:, 3:]], axis=1)
    vandermonde = np.concatenate([points[:, None] ** np.arange(6), np.eye(6)[5:]])
    # Bᵀ is the transpose of the inverse of evaluation, each row scaled by what G divides it by.
    norms = [np.prod([p - q for q in points if q != p]) for p in points] + [1]
    b = np.diag(norms) @ np.linalg.inv(vandermonde).T
    rng = np.random.default_rng(0)
    d, g = rng.normal(size=(6, 6)), rng.normal(size=(3, 3))
    u = winograd.kernel_transform() @ g @ winograd.kernel_transform().T
    y = a @ (u * (b @ d @ b.T)) @ a.T
    expected = [[(d[i : i + 3, j : j + 3] * g).sum() for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(y, expected, atol=1e-12)

    x = d.astype(np.float32)[None]
    v = np.empty((36, 1, 1), np.float32)
    winograd_any.transform_input(x, v, 0, 0, 1, 1)
    np.testing.assert_allclose(v.reshape(6, 6), b @ d @ b.T, atol=1e-5)
    out = np.empty((1, 4, 4), np.float32)
    m = rng.normal(size=(36, 1, 1)).astype(np.float32)
    winograd_any.transform_output(m, np.ones(1, np.float32), out, 0, 1, 1)
    np.testing.assert_allclose(out[0], a @ m.reshape(6, 6) @ a.T + 1, atol=1e-5)


def test_kernels_refuse_arrays_that_do_not_fit() -> None:
    x, v = np.zeros((2, 8, 8), np.float32), np.zeros((36, 2, 3), np.float32)
    with pytest.raises(ValueError, match="fit"):
        winograd_any.transform_input(x, v, 1, 0, 1, 2)
    with pytest.raises(ValueError, match="fit"):
        winograd_any.transform_output(v, np.zeros(1, np.float32), np.zeros((2, 8, 12), np.float32), 0, 1, 3)


@pytest.mark.parametrize("name", ["any", "v3"])
def test_every_instruction_set_of_this_machine(name: str) -> None:
    """In a process of its own, since the choice is made once."""
    script = (
        "import numpy as np; from fcnlite.compiler import winograd; from fcnlite._kernels import isa;"
        "rng = np.random.default_rng(0); x = rng.normal(size=(1, 17, 21, 30)).astype('f');"
        "u = winograd.prepared(rng.normal(size=(19, 17, 3, 3)).astype('f'));"
        "y = winograd.convolve(x, u, x[0, 0, 0, :0], 1);"
        "print(isa.name(), float(np.abs(y).max()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, "FCNLITE_ISA": name}
    )
    if name not in isa.available():
        assert "FCNLITE_ISA" in ended.stderr
        return
    used, largest = ended.stdout.split()
    x, weight = np.random.default_rng(0), None
    data = x.normal(size=(1, 17, 21, 30)).astype("f")
    weight = x.normal(size=(19, 17, 3, 3)).astype("f")
    assert used == name
    assert float(largest) == pytest.approx(float(np.abs(plain(data, weight, data[0, 0, 0, :0], 1)).max()), rel=1e-5)


def test_an_unknown_instruction_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCNLITE_ISA", "v9")
    isa.name.cache_clear()
    try:
        with pytest.raises(FcnliteError, match=r"FCNLITE_ISA is 'v9'.*any"):
            isa.name()
    finally:
        isa.name.cache_clear()


# In a net


LAYER = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 16 dim: 9 dim: 9 }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
         convolution_param {{ num_output: 16 {} weight_filler {{ type: "xavier" }} }} }}
"""


@pytest.mark.parametrize(
    ("options", "fast"),
    [
        ("kernel_size: 3", True),
        ("kernel_size: 3 pad: 100 bias_term: false", True),
        ("kernel_size: 3 stride: 2", False),
        ("kernel_size: 3 dilation: 2", False),
        ("kernel_size: 3 group: 2", False),
        ("kernel_h: 3 kernel_w: 1", False),
        ("kernel_size: 3 pad_h: 1 pad_w: 0", False),
        ("kernel_size: 5", False),
    ],
)
def test_which_layers_it_takes(options: str, fast: bool) -> None:
    spec = parse_net(LAYER.format(options))
    net = Net(spec)
    assert isinstance(net.layers[1], winograd.WinogradConvolution) == fast
    assert type(Net(spec, path="plain").layers[1]) is Convolution
    x = normal(0, 2, 16, 9, 9)
    expected = Net(spec, path="plain", shared=net.params).forward(data=x)["conv"]
    assert_near(net.forward(data=x)["conv"], expected.astype(np.float64))


def test_a_weight_that_changes_is_prepared_anew() -> None:
    net = Net(parse_net(LAYER.format("kernel_size: 3")))
    x = normal(0, 1, 16, 9, 9)
    before = net.forward(data=x)["conv"]
    net.params["conv"][0].data[...] *= 2
    assert_near(net.forward(data=x)["conv"], 2 * before.astype(np.float64))
    held = net.params["conv"][0].data
    net.forward(data=x)
    held[...] *= 2
    net.changed()
    assert_near(net.forward(data=x)["conv"], 4 * before.astype(np.float64))


@settings(max_examples=40)
@given(
    n=st.integers(1, 3),
    channels=st.integers(16, 24),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    pad=st.sampled_from([0, 1, 2, 3]),
    seed=st.integers(0, 1000),
)
def test_gradients_are_the_plain_ones(n: int, channels: int, height: int, width: int, pad: int, seed: int) -> None:
    if min(height, width) + 2 * pad < 3:
        pad = 1
    spec = parse_net(LAYER.format(f"kernel_size: 3 pad: {pad}").replace("dim: 16", f"dim: {channels}"))
    fast = Net(spec, phase="TRAIN", seed=seed)
    slow = Net(spec, phase="TRAIN", path="plain", shared=fast.params)
    x = normal(seed, n, channels, height, width)
    found = []
    for net in (fast, slow):
        dy = normal(seed + 1, *net.forward(data=x, keep=True)["conv"].shape)
        net.backward(conv=dy, wrt=["data"])
        found.append([net.grads["data"], *(each.grad.copy() for each in net.params["conv"])])
    for ours, plain_ones in zip(*found, strict=True):
        assert_near(ours, plain_ones.astype(np.float64))


@pytest.mark.parametrize("name", ["voc-fcn8s", "lite-fcn8s", "siftflow-fcn16s"])
@pytest.mark.parametrize("size", [(1, 1), (37, 50)])
def test_whole_nets_forward_and_backward(name: str, size: tuple[int, int]) -> None:
    fast = models.build(name, width=0.26, phase="TRAIN", normalization="VALID")
    rng = np.random.default_rng(0)
    for layer, parameters in fast.params.items():
        if layer.startswith("score"):
            parameters[0].data = rng.normal(0, 0.01, parameters[0].shape)
        if not layer.startswith("bn"):
            for bias in parameters[1:]:
                bias.data = rng.normal(0, 0.1, bias.shape)  # else sums that are exactly 0 meet ReLU's kink
    slow = Net(fast.spec, phase="TRAIN", path="plain", shared=fast.params)
    labels = {layer.spec.top[0] for layer in fast.layers if not layer.spec.bottom} - {"data"}
    feeds = {"data": normal(1, 1, 3, *size), **{top: rng.integers(0, 3, (1, 1, *size)) for top in labels}}
    gradients = []
    for net in (fast, slow):
        net.iteration = 0
        net.forward(feeds, keep=True)
        net.backward()
        gradients.append([each.grad.copy() for _, each in net.learnable()])
    assert fast.loss == pytest.approx(slow.loss, rel=1e-4)
    scores = [net.blobs["score" if "score" in net.blobs else "score_sem"] for net in (fast, slow)]
    assert_near(scores[0], scores[1].astype(np.float64), 1e-4)
    for found, expected in zip(*gradients, strict=True):
        assert_near(found, expected.astype(np.float64), 1e-3)
