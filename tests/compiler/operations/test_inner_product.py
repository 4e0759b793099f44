"""InnerProduct of a small batch: the kernel against NumPy on every instruction set, and the layers that use it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.compiler.operations.inner_product import SmallBatchInnerProduct
from tests.compiler.convolution.problems import EACH_ISA, guarded, machine_with
from tests.compiler.path_comparison import (
    assert_near,
    assert_same_gradients,
    assert_same_outputs,
    conv,
    does,
    filled,
    in_place,
    layer,
    normal,
    spec_of,
)


@EACH_ISA
@settings(max_examples=60)
@given(
    rows=st.integers(1, 16),
    size=st.one_of(st.integers(1, 70), st.sampled_from([255, 256, 257, 300, 512, 1000])),
    outputs=st.integers(1, 40),
    biased=st.booleans(),
    threads=st.sampled_from([1, 3]),
)
def test_the_kernel(instructions: str, rows: int, size: int, outputs: int, biased: bool, threads: int) -> None:
    x, w, bias = normal(0, rows, size), normal(1, outputs, size), normal(2, outputs if biased else 0)
    with guarded(rows, outputs) as y:
        machine_with(instructions).kernels.inner_product(x, w, bias, y, threads)
    expected = x.astype(np.float64) @ w.T + (bias if biased else 0)
    np.testing.assert_allclose(y, expected, atol=1e-5 * np.sqrt(size) * np.abs(x).max() * np.abs(w).max())


@EACH_ISA
def test_arrays_that_do_not_fit_are_refused(instructions: str) -> None:
    kernel = machine_with(instructions).kernels.inner_product
    x, w, bias, y = normal(0, 3, 8), normal(1, 5, 8), normal(2, 5), normal(3, 3, 5)
    kernel(x, w, bias, y, 1)
    for arrays in ((x[:, :7].copy(), w, bias, y), (x, w, bias[:4], y), (x, w, bias, normal(3, 3, 6))):
        with pytest.raises(ValueError, match="does not fit"):
            kernel(*arrays, 1)


@pytest.mark.parametrize(
    ("batch", "options", "few"),
    [
        (1, {}, True),
        (4, {"bias_term": False}, True),
        (16, {}, True),
        (17, {}, False),
        (2, {"axis": 2}, False),  # 2 · 10 rows
        (1, {"axis": 2}, True),
        (1, {"transpose": True}, False),
    ],
)
def test_the_layers_that_it_suits(batch: int, options: dict[str, Any], few: bool) -> None:
    feeds = {"data": normal(0, batch, 3, 7, 6)}
    spec = spec_of(
        feeds["data"].shape,
        conv("a", "data", 10),
        in_place("ReLU", "a"),
        layer("b", "InnerProduct", "a", num_output=19, **options),
        in_place("ReLU", "b"),
        layer("c", "InnerProduct", "b", num_output=5),
    )
    plan = assert_same_outputs(filled(spec), feeds)
    assert isinstance(does(plan, "b"), SmallBatchInnerProduct) == few
    assert_same_gradients(filled(spec), feeds)


def test_a_batch_of_another_size() -> None:
    feeds = {"data": normal(0, 1, 5, 4, 4)}
    net = filled(spec_of(feeds["data"].shape, layer("a", "InnerProduct", "data", num_output=9)))
    many = normal(1, 40, 5, 4, 4)
    whole = net.forward(data=many)["a"]
    for i in (0, 17, 39):
        assert_near(net.forward(data=many[i : i + 1])["a"], whole[i : i + 1], 1e-5)
