"""Nets written as ONNX and run by ONNX Runtime compute what they compute here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fcnlite import caffe, models, surgery
from fcnlite.arrays import Array
from fcnlite.description.fillers import Filler
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.formats.interop import save_onnx
from fcnlite.net import Net
from tests.compiler.test_fork_nets import NETS
from tests.formats.interop.test_onnx import REFUSED, UNWRITTEN
from tests.layers.examples import EXAMPLES
from tests.random_nets import assert_close, picture, specs, with_values

pytestmark = pytest.mark.peers
ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed; `make test-peers` installs it")
onnx = pytest.importorskip("onnx", reason="onnx is not installed; `make test-peers` installs it")


class InOnnxRuntime:
    """The net, read from a file that we have written and that onnx finds correct."""

    def __init__(self, net: Net, path: Path, outputs: Sequence[str] | None = None) -> None:
        save_onnx(net, path, outputs=outputs)
        onnx.checker.check_model(str(path), full_check=True)
        options = ort.SessionOptions()
        options.log_severity_level = 3
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def forward(self, **blobs: Array) -> dict[str, Array]:
        names = [each.name for each in self.session.get_outputs()]
        inputs = {each.name for each in self.session.get_inputs()}
        feeds = {name: array.astype(np.float32) for name, array in blobs.items() if name in inputs}
        return dict(zip(names, self.session.run(names, feeds), strict=True))


def assert_equal_outputs(net: Net, peer: InOnnxRuntime, **blobs: Array) -> None:
    theirs = peer.forward(**blobs)
    ours = net.forward(blobs, outputs=list(theirs))
    for name, array in ours.items():
        assert_close(array, theirs[name], name)


def scored(name: str, **how: Any) -> Net:
    """A net whose scores, zero when built, are not."""
    net = models.build(name, **how)
    surgery.fill(net, [each for each in net.params if each.startswith("score")], Filler("gaussian", std=0.1))
    surgery.fill(net, [each for each in net.params if each.startswith("up")], Filler("gaussian", std=0.1))
    return net


@pytest.mark.parametrize("name", ["voc-fcn8s", "voc-fcn-alexnet", "lite-fcn8s", "siftflow-fcn16s"])
def test_fully_convolutional_nets_at_any_size(name: str, tmp_path: Path) -> None:
    net = scored(name, width=1 / 16)
    peer = InOnnxRuntime(net, tmp_path / "net.onnx")
    rng = np.random.default_rng(0)
    for shape in [(1, 3, 97, 64), (2, 3, 75, 92)]:
        assert_equal_outputs(net, peer, data=rng.normal(0, 50, shape))


@pytest.mark.parametrize(
    ("name", "shape"), [("lenet", (1, 28, 28)), ("googlenet", (3, 224, 224)), ("alexnet", (3, 227, 227))]
)
def test_classifiers_at_any_batch_size(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    net = models.build(name, width=1 / 8)
    peer = InOnnxRuntime(net, tmp_path / "net.onnx")
    rng = np.random.default_rng(0)
    for batch in (1, 3):
        assert_equal_outputs(net, peer, data=rng.normal(0, 50, (batch, *shape)))


@given(specs())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_nets(tmp_path: Path, spec: NetSpec) -> None:
    net = with_values(spec)
    blobs = [top for layer in spec for top in layer.top if layer.bottom]
    assert_equal_outputs(net, InOnnxRuntime(net, tmp_path / "net.onnx", list(dict.fromkeys(blobs))), data=picture(spec))


@given(st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_pooling_at_any_size(tmp_path: Path, data: st.DataObject) -> None:
    """One file for several sizes, which differ in rounding and in dropped windows."""
    draw = data.draw
    kernel = [draw(st.integers(1, 5)) for _ in range(2)]
    pad = [draw(st.integers(0, each - 1)) for each in kernel]
    beyond = 2 if any(pad) else 0  # a stride larger than the window is refused without pad
    stride = [draw(st.integers(1, each + beyond)) for each in kernel]
    names = [f"{what}_{side}" for what in ("kernel", "pad", "stride") for side in "hw"]
    options = {
        **dict(zip(names, kernel + pad + stride, strict=True)),
        "pool": draw(st.sampled_from(["MAX", "AVE"])),
        "round_mode": draw(st.sampled_from(["CEIL", "CEIL", "FLOOR"])),
    }
    net = one("Pooling", (1, 2, 9, 9), **options)
    peer = InOnnxRuntime(net, tmp_path / "net.onnx")
    for size in range(6, 14):
        assert_equal_outputs(net, peer, x0=np.random.default_rng(size).normal(size=(2, 2, size, 19 - size)))


def one(type_: str, *shapes: tuple[int, ...], **options: Any) -> Net:
    """A net of one layer with the inputs x0, x1, ... and the top y."""
    names = tuple(f"x{i}" for i in range(len(shapes)))
    inputs = [
        LayerSpec(name, "Input", (), (name,), {"shape": [{"dim": list(shape)}]})
        for name, shape in zip(names, shapes, strict=True)
    ]
    return with_values(NetSpec("one", (*inputs, LayerSpec("layer", type_, names, ("y",), options))))


ONES: list[tuple[str, list[tuple[int, ...]], dict[str, Any]]] = [
    ("ArgMax", [(2, 5, 3, 4)], {"axis": 1}),
    ("ArgMax", [(2, 5, 3, 4)], {"axis": -1, "top_k": 2}),
    ("ArgMax", [(2, 5, 3, 4)], {"axis": 1, "top_k": 3, "out_max_val": True}),
    ("ArgMax", [(2, 5, 3, 4)], {}),
    ("ArgMax", [(2, 5)], {"top_k": 2}),
    ("ArgMax", [(2, 5, 3, 4)], {"top_k": 2, "out_max_val": True}),
    ("BatchNorm", [(3, 4)], {}),
    ("BatchNorm", [(2, 4, 5)], {}),
    ("Bias", [(2, 3, 4, 5)], {}),
    ("Bias", [(2, 3, 4, 5), (3, 4)], {}),
    ("Concat", [(2, 3, 4, 5), (1, 3, 4, 5)], {"concat_dim": 0}),
    ("Crop", [(3, 5, 6, 7), (2, 3, 4, 5)], {"axis": 0, "offset": [1, 2, 0, 1]}),
    ("Crop", [(3, 5, 6, 7), (3, 9, 4, 5)], {"axis": -2, "offset": [2]}),
    ("Deconvolution", [(1, 4, 3, 2)], {"num_output": 6, "group": 2, "kernel_size": [4], "stride": [2], "pad": [1]}),
    ("Exp", [(2, 3)], {"base": 2.0, "scale": 0.5, "shift": 1.0}),
    ("Flatten", [(2, 3, 4, 5)], {"axis": 1, "end_axis": 2}),
    ("Flatten", [(2, 3, 4, 5)], {"axis": 0}),
    ("InnerProduct", [(2, 3, 4, 5)], {"num_output": 3, "axis": 2}),
    ("InnerProduct", [(2, 3, 4)], {"num_output": 3, "axis": -1, "transpose": True}),
    ("InnerProduct", [(2, 3, 4)], {"num_output": 3, "axis": 0}),
    ("Log", [(2, 3)], {"base": 10.0, "scale": 0.1, "shift": 9.0}),
    ("LRN", [(1, 7, 4, 5)], {"local_size": 3, "alpha": 2.0, "k": 0.5}),
    ("LRN", [(1, 2, 6, 5)], {"local_size": 5, "alpha": 2.0, "k": 3.0, "norm_region": "WITHIN_CHANNEL"}),
    ("Power", [(2, 3)], {"power": 3.0, "scale": 0.5, "shift": -1.0}),
    ("Power", [(2, 3)], {"power": 0.0}),
    ("PReLU", [(2, 3)], {}),
    ("PReLU", [(2, 3, 4)], {"channel_shared": True}),
    ("Reshape", [(2, 3, 4, 5)], {"shape": {"dim": [0, -1, 2]}, "axis": 1, "num_axes": 2}),
    ("Reshape", [(2, 3, 4, 5)], {"shape": {"dim": [0, 1]}, "axis": 1, "num_axes": 1}),
    ("Reshape", [(2, 3)], {"shape": {"dim": [1, 1]}, "axis": -1}),
    ("Scale", [(2, 3, 4, 5)], {"axis": 1, "num_axes": 2, "bias_term": True}),
    ("Scale", [(2, 3, 4, 5)], {"num_axes": 0}),
    ("Scale", [(2, 3, 4, 5), (3,)], {"bias_term": True}),
    ("Scale", [(2, 3, 4, 5), (2, 3)], {"axis": 0}),
    ("Softmax", [(2, 3, 4, 5)], {"axis": 2}),
]


@pytest.mark.parametrize(("type_", "shapes", "options"), ONES)
def test_layers_that_random_nets_do_not_have(
    type_: str, shapes: list[tuple[int, ...]], options: dict[str, Any], tmp_path: Path
) -> None:
    net = one(type_, *shapes, **options)
    peer = InOnnxRuntime(net, tmp_path / "net.onnx")
    rng = np.random.default_rng(0)
    assert_equal_outputs(net, peer, **{f"x{i}": rng.normal(size=shape) for i, shape in enumerate(shapes)})


def test_of_equal_values_the_later_place_comes_first(tmp_path: Path) -> None:
    x = np.array([1, 3, 3, 2, 3, 1], np.float32).reshape(1, 6, 1, 1)
    for top_k in (1, 2, 4):
        net = one("ArgMax", x.shape, axis=1, top_k=top_k)
        found = InOnnxRuntime(net, tmp_path / "net.onnx").forward(x0=x)["y"]
        assert found.ravel().tolist() == [4, 2, 1, 3][:top_k]


@pytest.mark.parametrize("type_", sorted(set(EXAMPLES) - UNWRITTEN))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_type(type_: str, data: st.DataObject, tmp_path: Path) -> None:
    example = replace(data.draw(EXAMPLES[type_]), phase="TEST")
    if type_ == "LRN" and len(example.shapes[0]) != 4:
        return  # ONNX Runtime has it for four axes only
    net = Net(example.spec(), path="plain", seed=example.seed)
    for parameter, values in zip(net.params.get("layer", []), example.param_values(), strict=True):
        parameter.data = values
    try:
        peer = InOnnxRuntime(net, tmp_path / "net.onnx", example.top_names)
    except SpecError as error:
        assert any(words in str(error) for words in REFUSED), error
        return
    inputs = {name: array.astype(np.float32) for name, array in example.inputs().items()}
    theirs = peer.forward(**inputs)
    for name, array in net.forward(inputs, outputs=list(theirs)).items():
        np.testing.assert_allclose(array, theirs[name], rtol=2e-5, atol=2e-5 * max(1, np.abs(array).max()))


@pytest.mark.parametrize("name", NETS)
def test_nets_of_forks(name: str, tmp_path: Path) -> None:
    """In the manner of SegNet, DeconvNet, DeepLab, PSPNet, ENet and HED; without the dropout that draws in use.

    The picture has no window whose two largest values are nearly equal: unpooling would follow their last digits.
    """
    net = Net(caffe.parse_net(NETS[name].replace("sample_weights_test: true", "")), seed=3)
    peer = InOnnxRuntime(net, tmp_path / "net.onnx", ["score"])
    assert_equal_outputs(net, peer, data=np.random.default_rng(1).normal(size=(2, 3, 32, 48)))
