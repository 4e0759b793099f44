"""Nets and solvers as prototxt."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fcnlite
from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec, StateRule
from fcnlite.errors import FileError, SpecError
from fcnlite.formats.caffe import nvidia_batch_norm, parse_net, parse_solver, read_net, read_solver, write_net
from fcnlite.formats.caffe.schema import Field, enum_values, fields
from fcnlite.formats.caffe.text import MAX_TEXT_BYTES
from fcnlite.layers import registered

CONVOLUTION = """
name: "one"
force_backward: true
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv" loss_weight: 0.1 phase: TEST
  param { name: "w" lr_mult: 0 share_mode: PERMISSIVE }
  param { lr_mult: 2 decay_mult: 0.1 }
  propagate_down: false
  include { phase: TRAIN min_level: 1 max_level: 3 stage: "a" stage: "b" not_stage: "c" }
  convolution_param {
    num_output: 4 kernel_size: 3 kernel_size: 5 bias_term: false
    weight_filler { type: "gaussian" std: 0.01 variance_norm: AVERAGE }
  }
  pooling_param { pool: AVE }
}
"""


def test_every_field_of_a_layer() -> None:
    assert parse_net(CONVOLUTION) == NetSpec(
        name="one",
        force_backward=True,
        layers=(
            LayerSpec(
                name="conv",
                type="Convolution",
                bottom=("data",),
                top=("conv",),
                options={
                    "num_output": 4,
                    "kernel_size": [3, 5],
                    "bias_term": False,
                    "weight_filler": {"type": "gaussian", "std": 0.01, "variance_norm": "AVERAGE"},
                },
                param=(
                    ParamSpec(name="w", lr_mult=0.0, share_mode="PERMISSIVE"),
                    ParamSpec(lr_mult=2.0, decay_mult=0.1),
                ),
                loss_weight=(0.1,),
                propagate_down=(False,),
                phase="TEST",
                include=(StateRule("TRAIN", 1, 3, ("a", "b"), ("c",)),),
            ),
        ),
    )


def test_options_are_json_values() -> None:
    options = parse_net(CONVOLUTION).layers[0].options
    assert json.loads(json.dumps(options)) == options


def test_options_of_two_messages_are_merged() -> None:
    text = """layer { name: "loss" type: "SoftmaxWithLoss"
                      loss_param { ignore_label: 255 normalize: false } softmax_param { axis: 1 } }"""
    assert parse_net(text).layers[0].options == {"ignore_label": 255, "normalize": False, "axis": 1}


def test_unregistered_type_takes_all_its_messages() -> None:
    text = """layer { name: "data" type: "Data" data_param { source: "x" backend: LMDB }
                      transform_param { crop_size: 8 mean_value: 104 } }"""
    options = parse_net(text).layers[0].options
    assert options == {"source": "x", "backend": "LMDB", "crop_size": 8, "mean_value": [104.0]}


@pytest.mark.parametrize(
    "dims",
    [
        " ".join(f"input_dim: {size}" for size in (1, 3, 8, 9, 1, 1, 2, 2)),
        "input_shape { dim: [1, 3, 8, 9] } input_shape { dim: [1, 1, 2, 2] }",
    ],
)
def test_legacy_inputs_become_input_layers(dims: str) -> None:
    net = parse_net(f'input: "data" input: "label" {dims} layer {{ name: "r" type: "ReLU" bottom: "data" }}')
    assert [layer.type for layer in net] == ["Input", "Input", "ReLU"]
    assert net.layer("data").options == {"shape": [{"dim": [1, 3, 8, 9]}]}
    assert net.layer("label").top == ("label",)
    assert net.layer("label").options == {"shape": [{"dim": [1, 1, 2, 2]}]}


def test_inputs_without_shape() -> None:
    assert parse_net('input: "data"').layers == (LayerSpec("data", "Input", top=("data",)),)
    text = 'layer { name: "data" type: "Input" top: "data" }'
    assert parse_net(text).layers == (LayerSpec("data", "Input", top=("data",)),)


def test_the_state_of_a_net() -> None:
    text = """state { level: 2 stage: "deploy" }
    layer { name: "a" type: "Input" top: "a" include { stage: "deploy" min_level: 2 } }
    layer { name: "b" type: "Input" top: "b" exclude { stage: "deploy" } }"""
    net = parse_net(text)
    assert (net.level, net.stage) == (2, ("deploy",))
    assert [each.name for each in net.for_phase("TEST")] == ["a"]
    assert parse_net(write_net(net)) == net


def test_solver_fields_that_were_set() -> None:
    text = """net: "net.prototxt" base_lr: 0.1 stepvalue: 5 stepvalue: 9 solver_type: ADAM solver_mode: CPU
              train_state { stage: "x" level: 2 } test_state { phase: TEST } random_seed: 7"""
    assert parse_solver(text) == {
        "net": "net.prototxt",
        "base_lr": 0.1,
        "stepvalue": [5, 9],
        "solver_type": "ADAM",
        "solver_mode": "CPU",
        "train_state": {"stage": ["x"], "level": 2},
        "test_state": [{"phase": "TEST"}],
        "random_seed": 7,
    }


def test_nets_inside_a_solver_are_specs() -> None:
    inner = 'name: "n" layer { name: "r" type: "ReLU" relu_param { negative_slope: 0.1 } }'
    found = parse_solver(f"net_param {{ {inner} }} train_net_param {{ {inner} }} test_net_param {{ {inner} }}")
    spec = parse_net(inner)
    assert found == {"net_param": spec, "train_net_param": spec, "test_net_param": [spec]}


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ('\nlayer {\n  nme: "a"\n}', SpecError, ["here, line 3", "'nme'", "did you mean 'name'?"]),
        ("layer { pooling_param { pool: MEAN } }", SpecError, ["line 1", "'MEAN'", "did you mean 'MAX'?"]),
        ("layer { pooling_param { pool: 9 } }", SpecError, ["line 1", "'9'", "known: AVE, "]),
        ('name: "a', SpecError, ["line 1", "missing ending quote"]),
        ("layer {", SpecError, ["line 1", '"}"']),
        ("layer { name: 'a' name: 'b' }", SpecError, ["line 1", "multiple", "name"]),
        ("layer { convolution_param { num_output: -1 } }", SpecError, ["line 1", "-1"]),
        (r'name: "\xff"', SpecError, ["line 1", "utf-8"]),
        ("layer { name: 'l' loss_weight: nan }", SpecError, ["here", "'l'", "loss_weight", "finite"]),
        ("layer { name: 'l' dropout_param { dropout_ratio: 1e99 } }", SpecError, ["'l'", "dropout_ratio"]),
        ("input: 'a' input_dim: 3", SpecError, ["here", "1 input with 1 input_dim"]),
        ("input_shape { dim: 3 }", SpecError, ["0 input with 1 input_shape"]),
        ("layers { type: CONVOLUTION convolution_param { pads: 1 } }", SpecError, ["line 1", "'pads'", "'pad'"]),
        ("layers { type: RESHAPE }", SpecError, ["line 1", "'RESHAPE'", "only in V2's form"]),
        ("layers {\n type: 'RELUS' }", SpecError, ["line 2", "'RELUS'"]),
        ("layers { type: RE-LU }", SpecError, ["line 1"]),
        ("layers { type: 77 }", SpecError, ["line 1", "77"]),
        ("layers { layer { name: 'p' type: 'convolve' } }", SpecError, ["here", "'p'", "'convolve'"]),
        ("layers { layer { name: 'r' type: 'relu' num_output: 3 } }", SpecError, ["'r'", "'relu'", "'num_output'"]),
        (f"#{'x' * MAX_TEXT_BYTES}", FileError, ["here", "at most"]),
    ],
)
def test_bad_text(text: str, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        parse_net(text, "here")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert len(str(caught.value)) < 400


def test_bad_solver_text() -> None:
    with pytest.raises(SpecError, match=r"here, line 1: .*'momentun'; did you mean 'momentum'"):
        parse_solver("momentun: 0.9", "here")
    with pytest.raises(SpecError, match="here: base_lr is inf"):
        parse_solver("base_lr: inf", "here")


@pytest.mark.parametrize("read", [read_net, read_solver])
def test_files_that_cannot_be_read(read: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        read(tmp_path / "absent.prototxt")
    with pytest.raises(FileError, match="cannot be read"):
        read(tmp_path)
    binary = tmp_path / "weights.caffemodel"
    binary.write_bytes(b"\x0a\x05\xff\xfe\xfd")
    with pytest.raises(FileError, match="not a prototxt"):
        read(binary)
    large = tmp_path / "large.prototxt"
    with large.open("wb") as stream:
        stream.truncate(MAX_TEXT_BYTES + 1)
    with pytest.raises(FileError, match="at most"):
        read(large)


def test_nets_are_written_as_they_were_read() -> None:
    spec = parse_net(CONVOLUTION)
    text = write_net(spec)
    assert "std: 0.01\n" in text
    assert parse_net(text) == spec


def test_one_value_serves_a_repeated_option() -> None:
    layer = LayerSpec("conv", "Convolution", options={"num_output": 2, "kernel_size": 3, "pad": (1, 2)})
    options = parse_net(write_net(NetSpec(layers=(layer,)))).layers[0].options
    assert options == {"num_output": 2, "kernel_size": [3], "pad": [1, 2]}


@pytest.mark.parametrize(
    ("type_", "options", "words"),
    [
        ("ReLU", {"negative_slop": 1.0}, "unknown option 'negative_slop'; did you mean 'negative_slope'"),
        ("ReLU", {"negative_slope": "steep"}, "negative_slope: 'steep' is not usable"),
        ("ReLU", {"negative_slope": float("nan")}, "negative_slope: nan is not usable"),
        ("ReLU", {"negative_slope": 1e39}, "negative_slope: .*not a finite float32"),
        ("Pooling", {"pool": "MEAN"}, "pool: 'MEAN' is not usable"),
        ("Pooling", {"pool": ["MAX"]}, "pool: .* is not usable"),
        ("Convolution", {"num_output": -1}, "num_output: -1 is not usable"),
        ("Convolution", {"weight_filler": "xavier"}, "weight_filler: 'xavier' is not usable"),
        (
            "Convolution",
            {"weight_filler": {"tpe": "x"}},
            "FillerParameter has no field 'tpe'; did you mean 'type'",
        ),
        ("BatchNorm", {"scale_bias": True}, "unknown option 'scale_bias'"),
        ("Mystery", {"axis": 1}, "cannot tell which parameter message of type 'Mystery' has axis"),
    ],
)
def test_options_that_caffe_cannot_say(type_: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=f"layer 'l': {words}"):
        write_net(NetSpec(layers=(LayerSpec("l", type_, options=options),)))


def test_unregistered_types_are_written() -> None:
    for type_, options in [
        ("Python", {"module": "m", "layer": "L", "param_str": "{'a': 1}"}),
        ("Data", {"source": "x", "batch_size": 2, "force_color": True}),
        ("Mystery", {"dropout_ratio": 0.25}),
    ]:
        spec = NetSpec(layers=(LayerSpec("l", type_, options=options),))
        assert parse_net(write_net(spec)) == spec


INTEGERS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1), "uint32": (0, 2**32 - 1)}


def values_of(field: Field) -> st.SearchStrategy[Any]:
    """Plain values that the field can hold, in the form in which they are read."""
    if field.is_message:
        one: st.SearchStrategy[Any] = mappings_of(field.type)
    elif enum_values(field.type):
        one = st.sampled_from(sorted(enum_values(field.type)))
    elif field.type in INTEGERS:
        one = st.integers(*INTEGERS[field.type])
    elif field.type == "float":
        finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
        one = finite.map(lambda value: float(str(np.float32(value))))
    elif field.type == "bool":
        one = st.booleans()
    else:
        one = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    return st.lists(one, min_size=1, max_size=3) if field.repeated else one


def mappings_of(message: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: values_of(each) for name, each in fields(message).items()})


def layers() -> st.SearchStrategy[LayerSpec]:
    types = sorted(name for name, layer in registered().items() if layer.messages)
    others = {  # the reader turns these into a layer, or gives them Caffe's names
        "BatchNorm": nvidia_batch_norm.OPTIONS,
        "Convolution": ("hole", "hole_h", "hole_w"),
        "Deconvolution": ("hole", "hole_h", "hole_w"),
        "Pooling": ("ceil_mode", "pad_l", "pad_r", "pad_t", "pad_b"),
        "Unpooling": ("output_h", "output_w", "scale"),
    }
    return st.sampled_from(types).flatmap(
        lambda type_: st.tuples(
            *(mappings_of(fields("LayerParameter")[name].type) for name in registered()[type_].messages)
        ).map(
            lambda parts: LayerSpec(
                "l",
                type_,
                options={key: part[key] for part in parts for key in part if key not in others.get(type_, ())},
            )
        )
    )


@given(layers())
@example(LayerSpec("l", "BatchNorm", options={"eps": 3.4028235e38}))
@settings(max_examples=150, deadline=None)
def test_any_options_survive_writing_and_reading(layer: LayerSpec) -> None:
    spec = NetSpec(layers=(layer,))
    top = ("l",) if registered()[layer.type].is_loss else ()  # a loss without a top gets one
    assert parse_net(write_net(spec)) == NetSpec(layers=(replace(layer, top=top),))


V1_OF_A_FORK = """
layers { name: "data" type: IMAGE_SEG_DATA top: "data" top: "label"
         transform_param { mean_value: 104 mean_value: 116.5 mean_value: 122 }
         image_data_param { label_type: PIXEL }
         include { phase: TRAIN } }
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1"
         convolution_param { num_output: 8 kernel_size: 3 } }
layers { name: "net" type  :  # of another fork
         GROUP_NORM bottom: "conv1" top: "bn" gn_param { slope: 2 } }
"""


def test_v1_types_of_forks_are_read_as_those_of_v2() -> None:
    v2 = V1_OF_A_FORK.replace("layers", "layer").replace("IMAGE_SEG_DATA", '"ImageSegData"')
    v2 = v2.replace("GROUP_NORM", '"GroupNorm"').replace("CONVOLUTION", '"Convolution"')
    spec = parse_net(V1_OF_A_FORK)
    assert spec == parse_net(v2)
    assert [layer.type for layer in spec] == ["ImageSegData", "Convolution", "GroupNorm"]
    assert spec.layers[0].options == {"mean_value": [104.0, 116.5, 122.0], "label_type": "PIXEL"}
    assert spec.layers[0].where == "<text>, line 2" and spec.layers[2].options == {"slope": 2}


def test_v1_types_of_forks_in_a_net(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(V1_OF_A_FORK)
    with pytest.warns(UserWarning, match=r"net\.prototxt, line \d.*'net'.*unknown type 'GroupNorm'"):
        net = fcnlite.load(path, phase="TRAIN")
    assert net.info.preprocessing.mean == (104, 116.5, 122)
    x = np.ones((1, 3, 5, 5), np.float32)
    assert net.forward(data=x, outputs=["conv1"])["conv1"].shape == (1, 8, 3, 3)
    with pytest.raises(SpecError, match="unknown type 'GroupNorm'"):
        net.forward(data=x)


def test_reference_and_real_nets_and_solvers(shared: Path) -> None:
    counts = {"net": 0, "solver": 0}
    for path in sorted([*(shared / "reference").rglob("*.prototxt"), *(shared / "real").rglob("*.prototxt")]):
        if path.name == "solver.prototxt" or (path.parent.name == "solvers" and "_net" not in path.name):
            assert read_solver(path)["base_lr"] > 0
            counts["solver"] += 1
        else:
            spec = read_net(path)
            assert spec.layers and parse_net(write_net(spec)) == spec, path
            counts["net"] += 1
    assert min(counts.values()) > 5
