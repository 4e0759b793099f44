"""Interp on both paths, in both layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.compiler.operations.resizing import Resizing
from tests.compiler.path_comparison import (
    assert_same_gradients,
    assert_same_outputs,
    conv,
    does,
    filled,
    layer,
    normal,
    spec_of,
)
from tests.random_nets import Draw


@st.composite
def sizes(draw: Draw) -> dict[str, Any]:
    way = draw(st.sampled_from(["zoom", "shrink", "both", "size"]))
    side = st.integers(1, 17)
    found: dict[str, Any] = {"height": draw(side), "width": draw(side)} if way == "size" else {}
    if way in ("zoom", "both"):
        found["zoom_factor"] = draw(st.integers(1, 4))
    if way in ("shrink", "both"):
        found["shrink_factor"] = draw(st.integers(1, 4))
    return {**found, "pad_beg": draw(st.integers(-2, 0)), "pad_end": draw(st.integers(-2, 0))}


@settings(max_examples=40)
@given(options=sizes(), blocked=st.booleans(), height=st.integers(5, 12), width=st.integers(5, 12))
def test_any_size(options: dict[str, Any], blocked: bool, height: int, width: int) -> None:
    first = conv("a", "data", 18, 1) if blocked else layer("a", "TanH", "data")
    last = conv("c", "b", 4, 1) if blocked else layer("c", "TanH", "b")
    shape = (2, 5, height, width)
    net = filled(spec_of(shape, first, layer("b", "Interp", "a", **options), last))
    assert type(does(assert_same_outputs(net, {"data": normal(0, *shape)}), "b")) is Resizing


def test_not_a_number_stays_where_it_is() -> None:
    net = filled(spec_of((1, 2, 3, 3), layer("b", "Interp", "data", zoom_factor=2)))
    data = normal(0, 1, 2, 3, 3)
    data[0, 0, 1, 1] = np.nan
    found = np.isnan(net.forward(data=data)["b"])
    assert not found[0, 1].any() and found[0, 0].sum() == 9  # rows and columns 1 to 3 of 5


@pytest.mark.parametrize("how", [{"zoom_factor": 3}, {"height": 4, "width": 7}])
def test_in_training_the_layer_computes(how: dict[str, int]) -> None:
    assert_same_gradients(
        filled(spec_of((1, 2, 3, 5), layer("b", "Interp", "data", **how))), {"data": normal(0, 1, 2, 3, 5)}
    )
