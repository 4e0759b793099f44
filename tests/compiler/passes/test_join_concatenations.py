"""Concatenations whose inputs are computed in place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.compiler.ir import Operation
from fcnlite.compiler.operations.concatenation import Concatenation
from fcnlite.description.spec import LayerSpec
from tests.compiler.path_comparison import (
    assert_same_outputs,
    conv,
    does,
    filled,
    layer,
    normal,
    pool,
    spec_of,
)

ONE = {"data": normal(0, 1, 3, 13, 18)}


def check(*layers: LayerSpec, feeds: dict[str, Any] = ONE, outputs: list[str] | None = None) -> Any:
    """Check that the paths agree. Returns the plan."""
    return assert_same_outputs(filled(spec_of(feeds["data"].shape, *layers)), feeds, outputs)


def concat(*bottoms: str) -> LayerSpec:
    return layer("both", "Concat", bottoms)


FIRST = conv("a", "data", 32), conv("b", "a", 32, pad=[1]), conv("c", "a", 16, 1)


def joined(operation: Operation) -> list[str]:
    assert isinstance(operation, Concatenation)
    return [
        each.name
        for each, (start, _) in zip(operation.inputs, operation.parts(), strict=True)
        if each.part_of == operation.place(start)
    ]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ((concat("b", "c"),), ["b", "c"]),
        ((concat("c", "b"), conv("e", "b", 5)), ["c", "b"]),
        ((pool("p", "c", 3, 1, pad=1), concat("b", "p")), ["b", "p"]),
        ((conv("d", "a", 20, 1), concat("b", "d", "c")), ["b"]),
        ((conv("d", "a", 7, 1), concat("d", "c")), []),
        ((concat("b", "b"),), ["b"]),
        ((conv("d", "b", 16, 1), concat("b", "d")), ["b", "d"]),
    ],
)
def test_inputs_of_whole_blocks_are_computed_in_place(layers: tuple[LayerSpec, ...], expected: list[str]) -> None:
    plan = check(*FIRST, *layers, conv("end", "both", 4))
    assert joined(does(plan, "both")) == expected


def test_a_later_reader_finds_zeros_beyond_the_channels() -> None:
    """LRN sums over neighbouring channels of the vectors, also over those that only fill a block."""
    ends = conv("end", "both", 4), layer("norm", "LRN", "d", local_size=5, alpha=1.0), conv("last", "norm", 4)
    check(*FIRST, conv("d", "a", 20, 1), concat("d", "c"), *ends)


def test_all_in_place_is_said() -> None:
    plan = check(*FIRST, concat("b", "c"), conv("end", "both", 4))
    assert does(plan, "both").describe() == "concatenation in place"
    assert plan.notes["join_concatenations"] == ["both: 2 of 2 inputs"]


def test_only_one_of_two_concatenations_takes_an_input() -> None:
    second = layer("again", "Concat", ("b", "both"))
    plan = check(*FIRST, concat("b", "c"), second, conv("end", "again", 4))
    assert joined(does(plan, "both")) == ["b", "c"]
    assert not joined(does(plan, "again"))


def test_other_axes_are_copied() -> None:
    one = conv("c", "a", 32, pad=[1])
    plan = check(*FIRST[:2], one, layer("both", "Concat", ("b", "c"), axis=2), conv("end", "both", 4))
    assert does(plan, "both").describe() == "concatenation"


def test_several_samples_are_copied() -> None:
    plan = check(*FIRST, concat("b", "c"), conv("end", "both", 4), feeds={"data": normal(0, 2, 3, 13, 18)})
    assert not joined(does(plan, "both"))


@settings(max_examples=60)
@given(st.data())
def test_random_nets(data: st.DataObject) -> None:
    """Layers that read any earlier blobs, some of them in place, and callers who ask for some blobs."""
    channels = st.sampled_from([5, 16, 17, 32, 48])
    blobs = ["data"]
    layers = []
    for i in range(data.draw(st.integers(3, 9))):
        bottom = st.sampled_from(blobs)
        kind = data.draw(
            st.sampled_from(["conv", "conv", "one", "pool", "relu", "sigmoid", "concat", "concat", "sum", "lrn"])
        )
        name = f"t{i}"
        if kind in ("conv", "one"):
            r = 3 if kind == "conv" else 1
            layers.append(conv(name, data.draw(bottom), data.draw(channels), r, pad=[r // 2]))
        elif kind == "pool":
            layers.append(pool(name, data.draw(bottom), 3, 1, pad=1))
        elif kind == "concat":
            layers.append(layer(name, "Concat", tuple(data.draw(st.lists(bottom, min_size=2, max_size=4)))))
        elif kind == "lrn":
            layers.append(layer(name, "LRN", data.draw(bottom), local_size=5, alpha=1.0))
        elif kind == "sum":
            one = data.draw(bottom)
            layers.append(layer(name, "Eltwise", (one, one)))
        elif (blob := data.draw(bottom)) != "data":
            layers.append(layer(name, "ReLU" if kind == "relu" else "Sigmoid", blob, blob))
            continue
        else:
            continue
        blobs.append(name)
    layers.append(conv("end", blobs[-1], 3, 1))
    outputs = data.draw(st.lists(st.sampled_from(blobs[1:] or ["end"]), unique=True, max_size=2))
    check(*layers, outputs=[*outputs, "end"] if outputs != ["end"] else outputs)
