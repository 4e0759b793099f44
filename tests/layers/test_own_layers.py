"""Types that are not ours: what is said of them, what runs without them, and how they are added."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest

import fcnlite
from fcnlite import caffe, layers
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import SpecError
from fcnlite.formats.caffe import parse_net
from fcnlite.layers import BackwardRun, ForwardRun, registry
from fcnlite.net import Net

EXAMPLE = Path(__file__).parent / "own_segnet.py"

SEGNET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 7 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "OwnBN" bottom: "conv" top: "conv"
        own_bn_param { bn_mode: INFERENCE scale_filler { type: "constant" value: 2 } shift_filler { value: -1 } } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" top: "mask"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "up" type: "OwnUpsample" bottom: "pool" bottom: "mask" top: "up"
        own_upsample_param { scale: 2 upsample_h: 7 upsample_w: 6 } }
"""


@pytest.fixture
def example() -> Iterator[ModuleType]:
    """The example, imported, with its types known for the test alone."""
    before = dict(layers.registered())
    spec = importlib.util.spec_from_file_location("own_segnet", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["own_segnet"] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules["own_segnet"]
        registry._registry.clear()
        registry._registry.update(before)


def picture(size: tuple[int, int] = (7, 6)) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, 2, *size))


def test_the_example_runs_segnet_s_layers(example: ModuleType) -> None:
    net = Net(parse_net(SEGNET), path="plain", dtype="float64")
    out = net.forward(data=picture(), outputs=["up", "pool", "mask"])
    net.forward(data=picture(), keep=True)
    conv = net.blobs["conv"]
    weight, bias = (each.array for each in net.params["conv"])
    conv_only = Net(parse_net(SEGNET[: SEGNET.index('layer { name: "bn"')]), path="plain", dtype="float64")
    conv_only.params["conv"][0].data, conv_only.params["conv"][1].data = weight, bias
    np.testing.assert_allclose(conv, 2 * conv_only.forward(data=picture())["conv"] - 1)
    up = out["up"]
    assert up.shape == conv.shape
    assert np.count_nonzero(up) == out["pool"].size
    np.testing.assert_array_equal(up[up != 0], conv[up != 0])


@pytest.mark.parametrize("mode", ["INFERENCE", "LEARN"])
def test_the_example_s_gradients(example: ModuleType, mode: str) -> None:
    rng = np.random.default_rng(1)
    layers.check_gradients(LayerSpec("bn", "OwnBN", ("x",), ("y",), {"bn_mode": mode}), rng.normal(size=(2, 3, 4, 5)))
    spec = LayerSpec("up", "OwnUpsample", ("x", "mask"), ("y",), {"scale": 2, "upsample_h": 7, "upsample_w": 6})
    mask = np.array([[[[0, 3, 4], [13, 15, 17], [30, 31, 40]]]])
    found = layers.check_gradients(spec, rng.normal(size=mask.shape), mask)
    assert [each.name for each in found] == ["bottom 0"]


def test_their_weights_are_loaded_by_name(example: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(SEGNET)
    first = fcnlite.load(tmp_path / "net.prototxt", seed=3)
    first.params["bn"][0].data[...] = 5
    weights = {name: [each.array for each in parameters] for name, parameters in first.params.items()}
    caffe.write_weights(tmp_path / "net.caffemodel", weights)
    again = fcnlite.load(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    np.testing.assert_array_equal(again.forward(data=picture())["up"], first.forward(data=picture())["up"])
    first.save(tmp_path / "net.h5")
    assert fcnlite.load(tmp_path / "net.h5").spec == first.spec


def test_wrong_options_of_ones_own_layers_are_named(example: ModuleType) -> None:
    with pytest.raises(SpecError, match=r"'bn' \(OwnBN\).*bn_modes.*'bn_mode'"):
        Net(parse_net(SEGNET.replace("bn_mode", "bn_modes")))
    with pytest.raises(SpecError, match=r"'bn' \(OwnBN\).*bn_mode.*LEARN, INFERENCE"):
        Net(parse_net(SEGNET.replace("INFERENCE", "FAST")))


# Without the example

WITH_SCORES = (
    SEGNET
    + """
layer { name: "score" type: "Convolution" bottom: "up" top: "score" convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: "side" type: "Convolution" bottom: "data" top: "side" convolution_param { num_output: 2 kernel_size: 1 } }
"""
)


@pytest.fixture
def saved(tmp_path: Path, example: ModuleType) -> Path:
    """A weight file of a net with custom layers, written while these were registered, and its caffemodel."""
    net = Net(parse_net(WITH_SCORES), seed=1)
    net.save(tmp_path / "own.h5")
    weights = {name: [each.array for each in parameters] for name, parameters in net.params.items()}
    caffe.write_weights(tmp_path / "own.caffemodel", weights)
    (tmp_path / "own.prototxt").write_text(WITH_SCORES)
    for kind in ("OwnBN", "OwnUpsample"):
        del registry._registry[kind]  # as if never imported
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*unknown type")
@pytest.mark.parametrize("files", [("own.h5",), ("own.prototxt", "own.caffemodel")])
def test_a_net_that_lost_weights_at_loading_is_not_saved(saved: Path, files: tuple[str, ...]) -> None:
    net = fcnlite.load(*(saved / each for each in files))
    words = rf"x.*: not written, .*{files[-1]} has for bn, score would be lost: .*OwnBN, OwnUpsample.*--import MODULE"
    saves = (
        lambda: net.save(saved / "x.h5"),
        lambda: net.share("TRAIN").save(saved / "x.h5"),
        lambda: fcnlite.SGD(net.share("TRAIN")).snapshot(saved / "x.h5"),
    )
    before = sorted(saved.iterdir())
    for save in saves:
        with pytest.raises(SpecError, match=words):
            save()
    with pytest.raises(SpecError, match="no layer of this type"):
        caffe.save(net, saved / "x.prototxt", saved / "x.caffemodel")
    assert sorted(saved.iterdir()) == before


@pytest.mark.filterwarnings("ignore:.*unknown type")
def test_a_part_that_lost_nothing_can_be_saved(saved: Path, tmp_path: Path) -> None:
    net = fcnlite.load(saved / "own.h5")
    caffe.save(net, tmp_path / "side.prototxt", tmp_path / "side.caffemodel", outputs=["side"])
    again = fcnlite.load(tmp_path / "side.prototxt", tmp_path / "side.caffemodel")
    expected = net.forward(data=picture(), outputs=["side"])["side"]
    np.testing.assert_array_equal(again.forward(data=picture())["side"], expected)


@pytest.mark.filterwarnings("ignore:.*unknown type")
def test_a_net_without_weights_is_saved_with_its_unknown_layers(saved: Path) -> None:
    """Nothing was loaded, so nothing is lost."""
    fcnlite.load(saved / "own.prototxt").save(saved / "fresh.h5")
    assert fcnlite.load(saved / "fresh.h5").spec.layer("bn").type == "OwnBN"


def test_layers_that_have_not_run_are_not_lost_in_saving(tmp_path: Path) -> None:
    """Two pictures, of no described size, of which one has been fed."""
    text = 'layer { name: "a" type: "Input" top: "a" } layer { name: "b" type: "Input" top: "b" }'
    for name in "ab":
        text += (
            f'layer {{ name: "conv_{name}" type: "Convolution" bottom: "{name}" top: "conv_{name}" '
            "convolution_param { num_output: 2 kernel_size: 1 } }"
        )
    x = np.ones((1, 3, 2, 2), np.float32)
    first = Net(parse_net(text))
    first.forward(a=x, b=x)
    first.params["conv_b"][1].data[...] = 7
    first.save(tmp_path / "both.h5")
    net = fcnlite.load(tmp_path / "both.h5")
    net.forward(a=x)
    with pytest.raises(SpecError, match=r"has for conv_b would be lost: .*call forward with all inputs"):
        net.save(tmp_path / "again.h5")
    net.forward(a=x, b=x)
    net.save(tmp_path / "again.h5")
    assert fcnlite.load(tmp_path / "again.h5").forward(a=x, b=x)["conv_b"].max() == 7


def test_an_unknown_type_is_named_with_its_line_when_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(SEGNET)
    with pytest.warns(UserWarning, match=r"net\.prototxt, line 5: layer 'bn': unknown type 'OwnBN'.*register"):
        net = fcnlite.load(path)
    for how in ({}, {"outputs": ["up"]}, {"outputs": ["conv"]}, {"keep": True}):
        with pytest.raises(SpecError, match=r"line 5: layer 'bn': unknown type 'OwnBN'"):
            net.forward(data=picture(), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("type_", "hint"),
    [
        ("Convoluton", "did you mean 'Convolution' or 'Deconvolution'?"),
        ("relu", "did you mean 'ReLU' or 'ReLU6' or 'PReLU'?"),
        ("SyncBN", "did you mean 'BatchNorm' or 'Scale'?"),
        ("Resize", "did you mean 'Interp' or 'Deconvolution'?"),
        ("MulticlassCrfRnn", "has a name like it"),
    ],
)
def test_an_unknown_type_names_a_few_that_are_likely(type_: str, hint: str) -> None:
    text = SEGNET[: SEGNET.index('layer { name: "bn"')]
    net = Net(parse_net(text + f'layer {{ name: "odd" type: "{type_}" bottom: "conv" top: "odd" }}'))
    with pytest.raises(SpecError, match="unknown type") as error:
        net.forward(data=picture())
    assert hint in str(error.value) and len(str(error.value)) < 250


def test_an_unknown_type_that_is_not_needed_does_not_matter() -> None:
    text = SEGNET[: SEGNET.index('layer { name: "bn"')]
    text += 'layer { name: "odd" type: "Oddity" bottom: "conv" top: "odd" odd_param { x: 1 y { z: "a" } } }'
    net = Net(parse_net(text))
    assert net.forward(data=picture(), outputs=["conv"])["conv"].shape == (1, 3, 7, 6)
    with pytest.raises(SpecError, match="'odd'"):
        net.forward(data=picture())
    assert net.spec.layer("odd").options == {"x": 1, "y": {"z": "a"}}
    excluded = text.replace('top: "odd"', 'top: "odd" include { phase: TRAIN }')
    assert "conv" in Net(parse_net(excluded)).forward(data=picture())


def test_an_unknown_layer_without_bottoms_is_an_input() -> None:
    text = SEGNET[: SEGNET.index('layer { name: "bn"')]
    text = text[text.index('layer { name: "conv"') :]
    net = Net(parse_net('layer { name: "video" type: "VideoData" top: "data" top: "label" }' + text))
    assert not net.sized
    assert net.forward(data=picture())["conv"].shape == (1, 3, 7, 6)


PYTHON = (
    SEGNET[: SEGNET.index('layer { name: "bn"')] + 'layer { name: "p" type: "Python" bottom: "conv" top: "p" '
    'python_param { module: "m" layer: "L" param_str: "2" } }'
)


def test_a_python_layer_without_a_class_names_its_module_and_layer() -> None:
    net = Net(parse_net(PYTHON))
    with pytest.raises(SpecError, match="'p': no class is registered for the Python layer 'L' of module 'm'"):
        net.forward(data=picture())


class Times(layers.Layer):
    """y = k · x, where k is the layer's param_str."""

    type = "Python"
    python: ClassVar[tuple[str, str] | None] = ("m", "L")

    def forward(self, bottom: list[np.ndarray], run: ForwardRun) -> list[np.ndarray]:
        return [float(self.options.param_str) * bottom[0]]

    def backward(self, dtop: list[np.ndarray], run: BackwardRun) -> list[np.ndarray | None]:
        return [float(self.options.param_str) * dtop[0]]


@pytest.mark.parametrize("named", [("m", "L"), ("", "L"), None])
def test_a_class_is_registered_for_a_python_layer(named: tuple[str, str] | None, tmp_path: Path) -> None:
    cls = type("L", (Times,), {"python": named})
    layers.register(cls)
    try:
        with pytest.raises(SpecError, match=r"Python layer '(m\.)?L' is registered already"):
            layers.register(cls)
        for path in ("fast", "plain"):
            net = Net(parse_net(PYTHON + "force_backward: true"), path=path)
            out = net.forward(data=picture(), outputs=["p", "conv"], keep=["conv"])
            np.testing.assert_allclose(out["p"], 2 * out["conv"], rtol=1e-6)
            net.backward(p=np.ones_like(out["p"]), wrt=["conv"])
            np.testing.assert_array_equal(net.grads["conv"], 2 * np.ones_like(out["p"]))
        caffe.save(net, tmp_path / "n.prototxt", tmp_path / "n.caffemodel")
        assert caffe.read_net(tmp_path / "n.prototxt").layer("p") == net.spec.layer("p")
        layers.check_gradients(net.spec.layer("p"), picture())
    finally:
        registry._python.clear()


def test_a_type_of_a_fork_can_be_registered_again() -> None:
    """Another fork may compute something else under its name."""
    before = registry._registry["ReLU6"]
    text = SEGNET[: SEGNET.index('layer { name: "bn"')] + 'layer { name: "r" type: "ReLU6" bottom: "conv" top: "r" }'

    class Other(Times):
        type = "ReLU6"

        def forward(self, bottom: list[np.ndarray], run: ForwardRun) -> list[np.ndarray]:
            return [bottom[0] + 100]

    try:
        layers.register(Other)
        out = Net(parse_net(text)).forward(data=picture(), outputs=["conv", "r"])
        np.testing.assert_allclose(out["r"], out["conv"] + 100, rtol=1e-6)
        with pytest.raises(SpecError, match="'ReLU6' is registered already"):
            layers.register(type("Third", (Other,), {}))
    finally:
        registry._registry["ReLU6"] = before


@pytest.mark.parametrize(
    ("type_", "words"), [("PriorBox", "object detection"), ("LSTM", "sequences"), ("Filter", "shapes depend on shapes")]
)
def test_types_that_stay_outside_are_refused_with_what_runs(type_: str, words: str) -> None:
    text = SEGNET[: SEGNET.index('layer { name: "bn"')]
    net = Net(parse_net(text + f'layer {{ name: "box" type: "{type_}" bottom: "conv" bottom: "data" top: "box" }}'))
    with pytest.raises(SpecError, match=rf"'box': type '{type_}' .*{words}.*outputs=\['conv', 'data'\]"):
        net.forward(data=picture())
    assert net.forward(data=picture(), outputs=["conv"])["conv"].shape == (1, 3, 7, 6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('layer { name: "x" type: "Odd" botom: "conv" top: "x" }', r"line 4.*'botom'.*'bottom'"),
        ('layr { name: "x" type: "ReLU" bottom: "conv" top: "x" }', r"line 4.*'layr'.*'layer'"),
        ('layer { name: "x" type: "ReLU" bottom: "conv" top: "x" relu_parm {} }', r"line 4.*'relu_parm'.*'relu_param'"),
        ('layer { name: "x" type: "LRN" bottom: "conv" top: "x" lrn_param { alfa: 1 } }', r"line 4.*'alfa'.*'alpha'"),
        ('layer { name: "x" type: "Odd" odd_param { a: } }', r"line 4.*'}'.*a value"),
    ],
)
def test_unknown_fields_that_matter_are_named(text: str, words: str) -> None:
    base_text = SEGNET[1 : SEGNET.index('layer { name: "bn"')]
    with pytest.raises(SpecError, match=words):
        parse_net(base_text + text)


def test_an_unknown_number_of_the_net_is_passed_over_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"line 1: NetParameter has no field 'version'.*ignored"):
        parse_net("version: 3 " + SEGNET[1:])
    with pytest.warns(UserWarning, match=r"line 1: .*'version'.*This and 1 more are ignored") as caught:
        parse_net("version: 3 author: 'x' " + SEGNET[1:])
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = parse_net(
            'layer { name: "d" type: "Data" top: "d" data_param { batch_size: 2 shiny: 1 } '
            "transform_param { crop_size: 9 } }"
        )
    assert Net(net).layers[0].top_shapes() == [(2, 3, 9, 9)]
