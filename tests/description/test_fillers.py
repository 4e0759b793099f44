"""How parameters start: Caffe's rules, seeded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcnlite.description.fillers import Filler, bilinear_kernel, fill
from fcnlite.errors import SpecError


def filled(type_: str, shape: tuple[int, ...] = (200, 30, 3, 3), dtype: str = "float32", **options: Any) -> Any:
    return fill(Filler(type_, **options), shape, dtype, np.random.default_rng(0))


@pytest.mark.parametrize(
    "type_", ["constant", "uniform", "gaussian", "xavier", "msra", "positive_unitball", "bilinear"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_filler_gives_shape_and_dtype_and_repeats(type_: str, dtype: str) -> None:
    first, again = (filled(type_, (4, 3, 5, 5), dtype) for _ in range(2))
    assert first.shape == (4, 3, 5, 5) and first.dtype == dtype and first.flags.c_contiguous
    np.testing.assert_array_equal(first, again)


def test_constant() -> None:
    assert (filled("constant") == 0).all() and (filled("constant", value=-1.5) == -1.5).all()


def test_uniform_fills_its_range_evenly() -> None:
    values = filled("uniform", min=-2.0, max=3.0)
    assert -2 <= values.min() < -1.99 and 2.99 < values.max() <= 3
    assert values.mean() == pytest.approx(0.5, abs=0.05)
    assert filled("uniform").min() >= 0 and filled("uniform").max() <= 1


def test_gaussian() -> None:
    values = filled("gaussian", mean=1.0, std=0.5)
    assert values.mean() == pytest.approx(1, abs=0.01) and values.std() == pytest.approx(0.5, abs=0.01)
    assert ((np.abs(values - 1) > 0.5).mean()) == pytest.approx(0.317, abs=0.01)


def test_sparse_gaussian_keeps_about_that_many_inputs() -> None:
    """Caffe keeps each weight with probability sparse / (outputs); the rest are zero."""
    values = filled("gaussian", (50, 2000), sparse=10)
    assert (values != 0).mean() == pytest.approx(10 / 50, abs=0.01)


@pytest.mark.parametrize(("norm", "fan"), [("FAN_IN", 270), ("FAN_OUT", 1800), ("AVERAGE", 1035)])
def test_xavier_and_msra_scale_with_the_fan(norm: str, fan: int) -> None:
    """xavier: uniform within ±√(3/fan); msra: normal with σ = √(2/fan); fans as Caffe counts them."""
    uniform, normal = filled("xavier", variance_norm=norm), filled("msra", variance_norm=norm)
    bound = np.sqrt(3 / fan)
    assert np.abs(uniform).max() == pytest.approx(bound, rel=1e-3) and np.abs(uniform).max() <= bound * 1.0001
    assert uniform.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)
    assert normal.std() == pytest.approx(np.sqrt(2 / fan), rel=0.02) and abs(normal.mean()) < 0.01


def test_positive_unitball_rows_sum_to_one() -> None:
    values = filled("positive_unitball", (6, 3, 4, 4), "float64")
    assert (values >= 0).all()
    np.testing.assert_allclose(values.reshape(6, -1).sum(1), 1)


@given(size=st.integers(1, 20))
def test_bilinear_is_the_references_on_every_pair_of_channels(size: int) -> None:
    """The FCN reference's upsample_filt, and Caffe's: c = (k − 1)/(2f), (1 − |x/f − c|)(1 − |y/f − c|)."""
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 == 1 else factor - 0.5
    og = np.ogrid[:size, :size]
    expected = (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)
    np.testing.assert_allclose(bilinear_kernel(size), expected, atol=1e-12)
    c = (size - 1) / (2 * np.ceil(size / 2))
    caffe = np.outer(*[1 - np.abs(np.arange(size) / np.ceil(size / 2) - c)] * 2)
    values = filled("bilinear", (3, 2, size, size), "float64")
    np.testing.assert_allclose(values, np.broadcast_to(caffe, values.shape), atol=1e-12)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
def test_bilinear_of_caffes_size_sums_to_the_gain(factor: int) -> None:
    """With kernel_size 2f − f mod 2 and stride f, every pixel's weights sum to 1: a constant stays constant."""
    kernel = bilinear_kernel(2 * factor - factor % 2)
    for i in range(factor):
        for j in range(factor):
            assert kernel[i::factor, j::factor].sum() == pytest.approx(1)


def test_bilinear_needs_square_kernels() -> None:
    for shape in ((3, 2, 4, 5), (3, 2), (3,)):
        with pytest.raises(SpecError, match="bilinear"):
            filled("bilinear", shape)


@pytest.mark.parametrize(
    ("filler", "words"),
    [
        (Filler("gausian"), "'gausian'.*'gaussian'"),
        (Filler("xavier", variance_norm="FAN"), "variance_norm|FAN"),
        (Filler("constant", sparse=3), "sparse.*constant"),
        (Filler("gaussian", sparse=-2), "sparse -2"),
        (Filler("gaussian", std=-0.5), "std is -0.5"),
        (Filler("uniform", min=2.0, max=1.0), "min is 2.0; expected at most max, 1.0"),
    ],
)
def test_fillers_that_make_no_sense_are_named(filler: Filler, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        fill(filler, (3, 3, 2, 2), "float32", np.random.default_rng(0))
