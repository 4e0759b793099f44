"""Batch normalization in the blocked layout: the kernels against NumPy on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.convolution.problems import EACH_ISA, blocked, guarded, machine_with, unblocked
from tests.compiler.path_comparison import Array, normal

Shape = tuple[int, int, int, int]
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 35), st.integers(1, 7), st.integers(1, 40))


def per_channel(values: Array) -> Array:
    return np.asarray(values.reshape(1, -1, 1, 1))


def padded(values: Array) -> Array:
    """One value for each channel, as the kernels read them."""
    return blocked(per_channel(values).astype(np.float32)).reshape(-1, 16)


def of_channels(values: Array, channels: int) -> Array:
    """The inverse, for sums of rows: the totals over the rows, in float64."""
    return np.asarray(values.sum(axis=1, dtype=np.float64).reshape(-1)[:channels])


@EACH_ISA
@settings(max_examples=60)
@given(shape=SHAPES, mean=st.sampled_from([0.0, 3.0, 1e4]), threads=st.sampled_from([1, 3]))
def test_the_moments_of_rows(instructions: str, shape: Shape, mean: float, threads: int) -> None:
    """The squares do not lose digits if the mean is far from 0."""
    kernels, (n, channels, height, width) = machine_with(instructions).kernels, shape
    x = normal(0, *shape) + np.float32(mean)
    with guarded(-(-channels // 16), n * height, 2, 16) as moments:
        kernels.row_moments(blocked(x), moments, threads)
    rows = x.astype(np.float64).transpose(1, 0, 2, 3).reshape(channels, n * height, width)
    found = moments.transpose(0, 3, 1, 2).reshape(-1, n * height, 2)[:channels]
    np.testing.assert_allclose(found[..., 0], rows.mean(axis=2), rtol=1e-6, atol=1e-6)
    of_means = width * (found[..., 0] - rows.mean(axis=2)) ** 2
    squares = np.square(rows - rows.mean(axis=2, keepdims=True)).sum(axis=2)
    np.testing.assert_allclose(found[..., 1], squares + of_means, rtol=1e-5, atol=1e-5)


@EACH_ISA
@settings(max_examples=60)
@given(shape=SHAPES, relu=st.booleans(), threads=st.sampled_from([1, 3]))
def test_the_kernels(instructions: str, shape: Shape, relu: bool, threads: int) -> None:
    kernels, (n, channels, height, _) = machine_with(instructions).kernels, shape
    x, dy = normal(0, *shape), normal(1, *shape)
    mean, factor, shift, mean_dy, slope = normal(2, 5, channels)
    affine = padded(mean), padded(factor), padded(shift)
    expected = (x.astype(np.float64) - per_channel(mean)) * per_channel(factor) + per_channel(shift)
    sure = np.abs(expected) > 1e-5  # rounding cannot change their sign
    expected = np.maximum(expected, 0) if relu else expected
    with guarded(*blocked(x).shape) as y:
        kernels.batch_norm(blocked(x), *affine, relu, y, threads)
    np.testing.assert_allclose(unblocked(y, channels), expected, atol=1e-5)
    assert not unblocked(y, 16 * y.shape[1])[:, channels:].any()

    dy *= sure
    g = np.where(expected > 0, dy, 0) if relu else dy
    with guarded(y.shape[1], n * height, 2, 16) as sums:
        kernels.batch_norm_sums(blocked(dy), blocked(x), *affine, relu, sums, threads)
    np.testing.assert_allclose(of_channels(sums[:, :, 0], channels), g.sum(axis=(0, 2, 3)), atol=1e-4)
    about_mean = g * (x.astype(np.float64) - per_channel(mean))
    np.testing.assert_allclose(of_channels(sums[:, :, 1], channels), about_mean.sum(axis=(0, 2, 3)), atol=1e-3)

    with guarded(*y.shape) as dx:
        kernels.batch_norm_backward(blocked(dy), blocked(x), *affine, relu, padded(mean_dy), padded(slope), dx, threads)
    inner = g - per_channel(mean_dy) - per_channel(slope) * (x.astype(np.float64) - per_channel(mean))
    np.testing.assert_allclose(unblocked(dx, channels), per_channel(factor) * inner, atol=1e-4)


@EACH_ISA
def test_arrays_that_do_not_fit_are_refused(instructions: str) -> None:
    kernels, one = machine_with(instructions).kernels, padded(normal(0, 20))
    x, other = blocked(normal(0, 1, 20, 4, 4)), blocked(normal(0, 1, 20, 4, 5))
    calls = [
        (kernels.row_moments, (x, np.empty((2, 3, 2, 16), np.float32), 1)),
        (kernels.batch_norm, (x, one, one, one[:1].copy(), True, x.copy(), 1)),
        (kernels.batch_norm, (x, one, one, one, True, other, 1)),
        (kernels.batch_norm_sums, (other, x, one, one, one, True, np.empty((2, 4, 2, 16), np.float32), 1)),
        (kernels.batch_norm_sums, (x, x, one, one, one, True, np.empty((1, 4, 2, 16), np.float32), 1)),
        (kernels.batch_norm_backward, (x, x, one, one, one, True, one, one, other, 1)),
        (kernels.batch_norm_backward, (x, x, one, one, one, True, one, one[:1].copy(), x.copy(), 1)),
    ]
    for call, arguments in calls:
        with pytest.raises(ValueError, match="does not fit"):
            call(*arguments)
