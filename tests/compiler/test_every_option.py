"""Every option of every layer, with values in and out of range: both paths compute the same, or refuse the same."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import FcnliteError
from fcnlite.formats.caffe.schema import Field, enum_values, fields
from fcnlite.layers import registered
from tests.compiler.path_comparison import filled

SHAPE = (2, 4, 6, 5)
PARAMETERS = {field.name: field.type for field in fields("LayerParameter").values() if field.name.endswith("_param")}
INTEGERS = ("int32", "uint32", "int64", "uint64")
NUMBERS: dict[str, tuple[Any, ...]] = {
    "bool": (False, True),
    "float": (0.0, 0.5, 1.0, -1.0, 2.0),
    **dict.fromkeys(INTEGERS, (0, 1, 2, 3, 4, -1, -2)),
}
NEEDED: dict[str, dict[str, Any]] = {
    "Convolution": {"num_output": 4, "kernel_size": [3]},
    "Deconvolution": {"num_output": 4, "kernel_size": [4], "stride": [2]},
    "Pooling": {"kernel_size": 2, "stride": 2},
    "InnerProduct": {"num_output": 3},
    "Reshape": {"shape": {"dim": [0, -1]}},
    "Tile": {"tiles": 2},
    "Crop": {"offset": [1]},
    "InfogainLoss": {"matrix": np.eye(4).ravel().tolist()},
}
"""Options without which a layer is refused."""
PRODUCERS: dict[str, tuple[LayerSpec, ...]] = {
    "data": (),
    "filters": (
        LayerSpec("conv", "Convolution", ("data",), ("made",), {"num_output": 4, "kernel_size": [3], "pad": [1]}),
        LayerSpec("relu", "ReLU", ("made",), ("made",)),
    ),
    "upsampling": (
        LayerSpec(
            "up",
            "Deconvolution",
            ("data",),
            ("made",),
            {
                "num_output": 4,
                "group": 4,
                "kernel_size": [4],
                "stride": [2],
                "bias_term": False,
                "weight_filler": {"type": "bilinear"},
            },
        ),
    ),
}
"""What the layer's bottom comes from, since the compiler joins it with what follows."""
TYPES = sorted(name for name, layer in registered().items() if layer.bottoms[0])


def options_of(type_: str) -> dict[str, Field]:
    """The options of a layer that are numbers or words, by name."""
    messages = (fields(PARAMETERS[each]) for each in registered()[type_].messages if each in PARAMETERS)
    found = {name: field for message in messages for name, field in message.items()}
    return {name: field for name, field in found.items() if field.type in NUMBERS or enum_values(field.type)}


@st.composite
def nets(draw: st.DrawFn) -> NetSpec:
    """A net of a producer, a layer of any type with some options, and a layer after it."""
    type_ = draw(st.sampled_from(TYPES))
    known = options_of(type_)
    options = dict(NEEDED.get(type_, {}))
    for name in draw(st.lists(st.sampled_from(sorted(known)), max_size=3, unique=True)) if known else ():
        field = known[name]
        value = draw(st.sampled_from(NUMBERS.get(field.type) or sorted(enum_values(field.type))))
        options[name] = [value] * draw(st.integers(1, 2)) if field.repeated else value
    producer = PRODUCERS[draw(st.sampled_from(sorted(PRODUCERS)))]
    first = "made" if producer else "data"
    least, most = registered()[type_].bottoms
    others = ("label",) if "Loss" in type_ or type_ == "Accuracy" else ("other",)
    bottom = (first, *others * (max(least, min(2, most or 2)) - 1))
    bottom = bottom[: draw(st.integers(least, len(bottom)))]
    tops = tuple(f"top{i}" for i in range(max(1, registered()[type_].tops[0])))
    inputs = [
        LayerSpec(name, "Input", top=(name,), options={"shape": [{"dim": list(shape)}]})
        for name, shape in (("data", SHAPE), ("other", SHAPE), ("label", (2, 1, *SHAPE[2:])))
    ]
    after = LayerSpec("after", "ReLU", tops[:1], ("end",)) if tops and draw(st.booleans()) else None
    layer = LayerSpec("layer", type_, bottom, tops, options)
    return NetSpec("made", (*inputs, *producer, layer, *([after] if after else [])))


def outcome(spec: NetSpec, path: str) -> dict[str, np.ndarray] | str:
    """The outputs, or the error."""
    rng = np.random.default_rng(0)
    feeds: dict[str, np.ndarray] = {name: rng.normal(size=SHAPE).astype(np.float32) for name in ("data", "other")}
    read = {name for layer in spec for name in layer.bottom}
    feeds["label"] = rng.integers(0, 4, (2, 1, *SHAPE[2:])).astype(np.float32)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return filled(spec, path=path).forward({name: each for name, each in feeds.items() if name in read})
    except FcnliteError as error:
        return str(error)


def assert_both_paths_agree(spec: NetSpec) -> None:
    fast, plain = outcome(spec, "fast"), outcome(spec, "plain")
    if isinstance(plain, str) or isinstance(fast, str):
        assert fast == plain
        return
    assert fast.keys() == plain.keys()
    for name, expected in plain.items():
        np.testing.assert_array_equal(np.isnan(fast[name]), np.isnan(expected), name)
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=1)
        np.testing.assert_allclose(fast[name], expected, rtol=1e-3, atol=1e-4 * scale, err_msg=name)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(nets())
def test_some_options(spec: NetSpec) -> None:
    assert_both_paths_agree(spec)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(nets())
def test_many_options(spec: NetSpec) -> None:
    assert_both_paths_agree(spec)


@pytest.mark.parametrize("axis", [2, 3, -1])
def test_a_crop_of_columns_after_upsampling(axis: int) -> None:
    options: dict[str, Any] = {"axis": axis, "offset": [1]}
    like = LayerSpec("like", "Input", top=("like",), options={"shape": [{"dim": [2, 4, 12, 8]}]})
    data = LayerSpec("data", "Input", top=("data",), options={"shape": [{"dim": list(SHAPE)}]})
    crop = LayerSpec("crop", "Crop", ("made", "like"), ("crop",), options)
    spec = NetSpec("made", (data, like, *PRODUCERS["upsampling"], crop))
    feeds = {"data": np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), "like": np.zeros((2, 4, 12, 8))}
    fast, plain = (filled(spec, path=path).forward(feeds)["crop"] for path in ("fast", "plain"))
    np.testing.assert_allclose(fast, plain, atol=1e-5)
