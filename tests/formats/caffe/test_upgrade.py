"""Nets of Caffe's older forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fcnlite
from fcnlite.description.spec import LayerSpec, ParamSpec, StateRule
from fcnlite.errors import SpecError
from fcnlite.formats.caffe import fork_schema, parse_net, read_net
from fcnlite.formats.caffe.schema import enum_values, fields
from fcnlite.formats.caffe.upgrade import v2_type


def test_v1_is_renamed_field_by_field() -> None:
    (found,) = parse_net(
        """layers { name: "a" type: SOFTMAX_LOSS bottom: "x" bottom: "y" top: "l" loss_weight: 0.5
        blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0 param: "shared" blob_share_mode: PERMISSIVE
        include { phase: TRAIN } softmax_param { axis: 1 } loss_param { ignore_label: 255 } }"""
    )
    assert found == LayerSpec(
        "a",
        "SoftmaxWithLoss",
        ("x", "y"),
        ("l",),
        {"axis": 1, "ignore_label": 255},
        (ParamSpec("shared", 1, 1, "PERMISSIVE"), ParamSpec("", 2, 0)),
        (0.5,),
        include=(StateRule("TRAIN"),),
    )


def test_every_v1_type_has_a_name_of_today() -> None:
    names = {v2_type(name) for name in enum_values("V1LayerParameter.LayerType")}
    of_caffe = [each for each in fields("LayerParameter").values() if each.number < fork_schema.FIRST]
    options = {name.removesuffix("Parameter") for name in map(_type_of, of_caffe) if name}
    assert options - names <= {
        # younger than V1, or no layer's
        "Param", "Transformation", "Loss", "Python", "PReLU", "SPP", "Reshape", "Log", "Flatten", "Reduction", "Embed",
        "Tile", "BatchNorm", "ELU", "Bias", "Scale", "Input", "Crop", "Parameter", "Recurrent", "Swish", "Clip",
        "NetStateRule", "ParamSpec", "BlobProto",
    }  # fmt: skip


def _type_of(field: object) -> str:
    kind = getattr(field, "type", "")
    return kind if kind.endswith("Parameter") else ""


V0 = """
name: "old" input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "pad1" }
layers { layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 3 group: 1 stride: 2 biasterm: false
         weight_filler { type: "xavier" } blobs_lr: 3 weight_decay: 0.5 } bottom: "pad1" top: "conv1" }
layers { layer { name: "relu1" type: "relu" } bottom: "conv1" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 3 stride: 2 } bottom: "conv1" top: "pool1" }
layers { layer { name: "norm1" type: "lrn" local_size: 3 alpha: 0.1 beta: 0.5 k: 2 } bottom: "pool1" top: "norm1" }
layers { layer { name: "drop" type: "dropout" dropout_ratio: 0.3 } bottom: "norm1" top: "norm1" }
layers { layer { name: "join" type: "concat" concat_dim: 1 } bottom: "norm1" bottom: "pool1" top: "join" }
layers { layer { name: "fc" type: "innerproduct" num_output: 2 weight_filler { type: "xavier" } }
         bottom: "join" top: "fc" }
layers { layer { name: "prob" type: "softmax" } bottom: "fc" top: "prob" }
"""
V2 = """
name: "old" input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 3 decay_mult: 0.5 }
        convolution_param { num_output: 4 kernel_size: 3 group: 1 stride: 2 bias_term: false
                            weight_filler { type: "xavier" } pad: 2 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1"
        lrn_param { local_size: 3 alpha: 0.1 beta: 0.5 k: 2 } }
layer { name: "drop" type: "Dropout" bottom: "norm1" top: "norm1" dropout_param { dropout_ratio: 0.3 } }
layer { name: "join" type: "Concat" bottom: "norm1" bottom: "pool1" top: "join" concat_param { concat_dim: 1 } }
layer { name: "fc" type: "InnerProduct" bottom: "join" top: "fc"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


def test_v0_with_a_padding_layer() -> None:
    assert parse_net(V0) == parse_net(V2)
    x = np.random.default_rng(0).normal(size=(1, 3, 9, 9))
    first, second = (fcnlite.Net(parse_net(text), seed=1).forward(data=x)["prob"] for text in (V0, V2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (V0.replace("kernelsize: 3 group", "pad: 1 kernelsize: 3 group"), r"'conv1'.*'pad1'"),
        (V0.replace('bottom: "conv1" top: "conv1"', 'bottom: "pad1" top: "conv1"'), r"'relu1'.*'pad1'"),
        (V0.replace('top: "pad1" }', 'bottom: "x" top: "pad1" }'), r"'conv1'.*'pad1'"),
    ],
)
def test_paddings_that_mean_nothing_are_named(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        parse_net(text)


def test_v1_and_v2_of_one_net(shared: Path) -> None:
    folder = shared / "reference/nets/tiny-vgg16-classifier"
    old, new = read_net(folder / "net_v1.prototxt"), read_net(folder / "net.prototxt")
    for before, after in zip(old, new, strict=True):
        multipliers = (ParamSpec(), ParamSpec(lr_mult=2, decay_mult=0)) if after.options.get("num_output") else ()
        assert before.param == multipliers
        assert before.options == after.options and before.type == after.type


def test_every_real_prototxt_is_read(shared: Path) -> None:
    paths = [*(shared / "real").rglob("*.prototxt"), *(shared / "reference/zoo").rglob("*.prototxt")]
    nets = [path for path in paths if "solver" not in path.name]
    assert len(nets) > 50
    for path in nets:
        assert read_net(path).layers
