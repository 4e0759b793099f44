"""Errors: invalid descriptions, invalid arguments, and unknown names."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.description.spec import LayerSpec, ParamSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net
from tests.net.nets import SMALL, conv, data, net_of, picture, small


def test_names_of_layers_have_near_matches() -> None:
    net = small()
    assert net.layer("conv1").spec.name == "conv1"
    for look in (net.params.__getitem__, net.layer):
        with pytest.raises(SpecError, match=r"'conv_1'.*did you mean 'conv1'") as error:
            look("conv_1")
        assert isinstance(error.value, KeyError)
    assert "conv_1" not in net.params and net.params.get("conv_1") is None
    assert net.params == dict(net.params) and list(net.params) == list(dict(net.params))
    test_only = Net(parse_net(TWO_PHASES), phase="TRAIN")
    with pytest.raises(SpecError, match=r"layer 'accuracy' does not run in this net's phase, TRAIN"):
        test_only.layer("accuracy")


TWO_PHASES = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }
layer { name: "accuracy" type: "ReLU" bottom: "data" top: "a" include { phase: TEST } }
"""


@pytest.mark.parametrize(
    ("layers", "error", "words"),
    [
        ([conv("a", "data")], SpecError, r"'a'.*'data'"),
        ([data(1, 2, 3, 3), conv("a", "data", padd=[1])], SpecError, r"'a'.*'padd'.*'pad'"),
        ([data(1, 2, 3, 3), conv("a", "data"), conv("b", "data", top="a")], SpecError, r"'b'.*'a'"),
        ([data(1, 2, 3, 3), conv("a", "data", 2, 5)], ShapeError, r"'a'.*data 1×2×3×3"),
        ([data(1, 2, 3, 3), conv("a", "data", weight_filler={"type": "xavies"})], SpecError, r"'a'.*xavies"),
        ([data(1, 2, 3, 3), conv("a", "data", param=(ParamSpec(),) * 3)], SpecError, r"'a'.*3"),
        ([data(1, 2, 3, 3), conv("a", "data", loss_weight=(1.0, 1.0))], SpecError, r"'a'.*loss_weight"),
        (
            [data(1, 2, 3, 3), conv("a", "data", propagate_down=(True, True))],
            SpecError,
            r"'a'.*propagate_down",
        ),
    ],
)
def test_a_wrong_description_is_named(layers: list[LayerSpec], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        net_of(*layers)


@pytest.mark.parametrize("how", [{"phase": "VALIDATE"}, {"path": "quick"}, {"dtype": "float16"}])
def test_a_wrong_choice_is_named(how: dict[str, str]) -> None:
    with pytest.raises(SpecError, match=next(iter(how.values()))):
        Net(SMALL, **how)


def test_the_fast_path_is_for_float32() -> None:
    with pytest.raises(SpecError, match=r"float64.*plain"):
        Net(SMALL, path="fast", dtype="float64")
    assert small().forward(data=picture())["score"].dtype == np.float32


def test_parameters_larger_than_any_nets_are_refused_before_they_are_allocated() -> None:
    spec = parse_net(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
        'layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" '
        "inner_product_param { num_output: 2000000000 } }"
    )
    with pytest.raises(ShapeError, match=r"layer 'fc', parameter 0: shape .* would take .* GiB"):
        Net(spec)


def test_a_blob_larger_than_any_memory_is_refused_before_it_is_allocated() -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } } }
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
            convolution_param { num_output: 2000000 kernel_size: 3 pad: 1048576 } }
    """
    with pytest.raises(ShapeError, match=r"layer 'conv' .* top conv of shape .* would take .* GiB"):
        Net(parse_net(text))


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_a_window_whose_column_alone_exceeds_the_scratch_memory_is_refused(kind: str) -> None:
    text = f"""
    layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 16 dim: 4 dim: 4 }} }} }}
    layer {{ name: "wide" type: "{kind}" bottom: "data" top: "y"
            convolution_param {{ num_output: 16 kernel_size: 2000 pad: 999 }} }}
    """
    with pytest.raises(ShapeError, match=r"layer 'wide' .*covers 64,000,000 values"):
        Net(parse_net(text))
