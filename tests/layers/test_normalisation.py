"""LRN, MVN and BatchNorm, against NumPy and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import ndimage

from fcnlite.arrays import Array
from fcnlite.errors import ShapeError, SpecError
from fcnlite.net import Net
from tests.layers.examples import EXAMPLES, Example
from tests.layers.single import compute, gradients, normal, one

# LRN


@settings(max_examples=30)
@given(example=EXAMPLES["LRN"])
def test_lrn_divides_by_the_mean_square_of_the_neighbours(example: Example) -> None:
    """The mean is over the whole region; values beyond the edge count as zero."""
    x, o = example.inputs()["x0"], example.options
    size, across = o.get("local_size", 5), o.get("norm_region", "ACROSS_CHANNELS") == "ACROSS_CHANNELS"
    mean = x * x
    for axis in [1] if across else range(2, x.ndim):
        mean = ndimage.uniform_filter1d(mean, size, axis, mode="constant")
    s = (o.get("k", 1.0) if across else 1.0) + o.get("alpha", 1.0) * mean
    np.testing.assert_allclose(compute("LRN", [x], o)[0], x / s ** o.get("beta", 0.75), rtol=1e-12, atol=1e-14)


def test_lrn_across_channels_by_hand() -> None:
    """Krizhevsky et al. write alpha · Σ x²; Caffe's alpha is divided by local_size."""
    x = np.array([1.0, 2, 3, 4]).reshape(1, 4, 1, 1)
    (top,) = compute("LRN", [x], {"local_size": 3, "alpha": 6.0, "beta": 1.0, "k": 2.0})
    s = 2 + 2 * np.array([1 + 4, 1 + 4 + 9, 4 + 9 + 16, 9 + 16])
    np.testing.assert_allclose(top.ravel(), x.ravel() / s, rtol=1e-14)


def test_lrn_within_a_channel_by_hand() -> None:
    """A single pixel is divided by its square over the whole window of 3×3; k is not read."""
    (top,) = compute(
        "LRN",
        [np.full((1, 1, 1, 1), 3.0)],
        {"norm_region": "WITHIN_CHANNEL", "local_size": 3, "alpha": 2.0, "beta": 0.5, "k": 7.0},
    )
    assert float(top.item()) == pytest.approx(3 / np.sqrt(1 + 2 * 9 / 9), rel=1e-14)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"local_size": 4}, "local_size is 4; expected an odd number"),
        ({"local_size": 0}, "local_size is 0"),
        ({"local_size": -3}, "local_size is -3"),
        ({"norm_region": "WITHIN"}, "norm_region: 'WITHIN'"),
    ],
)
def test_lrn_names_wrong_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=f"'layer' .LRN.: .*{words}"):
        one("LRN", [(1, 3, 4, 4)], options)


def test_lrn_needs_channels() -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*two axes.*x0 5"):
        one("LRN", [(5,)])


# MVN


@pytest.mark.parametrize("shape", [(3, 7), (2, 3, 4), (2, 3, 4, 5), (2, 1, 3, 4, 2)])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("variance", [False, True])
def test_mvn_makes_the_mean_of_each_channel_or_picture_zero(
    shape: tuple[int, ...], across: bool, variance: bool
) -> None:
    x = 5 + 3 * normal(*shape)
    options = {"across_channels": across, "normalize_variance": variance, "eps": 0.25}
    (top,) = compute("MVN", [x], options)
    for index in np.ndindex(*shape[: 1 if across else 2]):
        part = x[index]
        expected = part - np.mean(part)
        if variance:
            expected = expected / (np.std(part) + 0.25)  # eps is added to the deviation, not to the variance
        np.testing.assert_allclose(top[index], expected, rtol=1e-12, atol=1e-14)


def test_mvn_normalises_the_variance_of_each_channel_by_default() -> None:
    (top,) = compute("MVN", [100 + 20 * normal(2, 3, 8, 8)])
    np.testing.assert_allclose(top.mean((2, 3)), np.zeros((2, 3)), atol=1e-12)
    np.testing.assert_allclose(top.std((2, 3)), np.ones((2, 3)), rtol=1e-9)


def test_mvn_of_a_constant_picture_is_zero() -> None:
    net = one("MVN", [(1, 2, 3, 3)])
    x = np.full((1, 2, 3, 3), 7.0)
    assert not net.forward(x0=x)["y0"].any()
    (dx,) = gradients(net, [x], {"y0": normal(1, 2, 3, 3)})
    assert np.isfinite(dx).all()


@pytest.mark.parametrize("option", ["eps", "across_channels", "normalize_variance"])
def test_mvn_names_wrong_options(option: str) -> None:
    with pytest.raises(SpecError, match=rf"'layer' .MVN.: .*{option}: 'yes'"):
        one("MVN", [(1, 3, 4, 4)], {option: "yes"})


# BatchNorm


def batch_norm(phase: str, **options: Any) -> Net:
    return one("BatchNorm", [(2, 3, 4, 5)], {"eps": 0.01, **options}, phase=phase)


def test_batch_norm_normalises_each_channel() -> None:
    x = np.random.default_rng(0).normal(3, 2, (2, 3, 4, 5))
    y = batch_norm("TRAIN").forward(x0=x)["y0"]
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    wide = (slice(None), None, None)
    np.testing.assert_allclose(y, (x - mean[wide]) / np.sqrt(variance[wide] + 0.01), atol=1e-12)


def test_batch_norm_collects_sums_and_uses_their_mean() -> None:
    """Two passes of training: s ← f·s + new, the variance unbiased; a test divides by the third sum."""
    rng = np.random.default_rng(0)
    batches = [rng.normal(i, 1 + i, (2, 3, 4, 5)) for i in range(2)]
    train = batch_norm("TRAIN", moving_average_fraction=0.75)
    for x in batches:
        train.forward(x0=x, keep=True)
    first, second = (moments(x) for x in batches)
    sums = [0.75 * a + b for a, b in zip(first, second, strict=True)]
    for parameter, expected in zip(train.params["layer"], sums, strict=True):
        np.testing.assert_allclose(parameter.array, expected, atol=1e-12)

    test = train.share(phase="TEST")
    before = [parameter.array.copy() for parameter in test.params["layer"]]
    wide = (slice(None), None, None)
    mean, variance = sums[0] / sums[2], sums[1] / sums[2]
    expected = (batches[0] - mean[wide]) / np.sqrt(variance[wide] + 0.01)
    np.testing.assert_allclose(test.forward(x0=batches[0])["y0"], expected, atol=1e-12)
    for parameter, array in zip(test.params["layer"], before, strict=True):
        np.testing.assert_array_equal(parameter.array, array)


def moments(x: Array) -> tuple[Array, Array, Array]:
    return x.mean((0, 2, 3)), x.var((0, 2, 3), ddof=1), np.ones(1)


def test_batch_norm_written_choice_beats_the_phase() -> None:
    x = np.random.default_rng(0).normal(3, 2, (2, 3, 4, 5))
    np.testing.assert_array_equal(
        batch_norm("TEST", use_global_stats=False).forward(x0=x)["y0"],
        batch_norm("TRAIN").forward(x0=x)["y0"],
    )
    frozen = batch_norm("TRAIN", use_global_stats=True)
    for parameter, value in zip(frozen.params["layer"], (1.0, 4.0, 2.0), strict=True):
        parameter.data[...] = value
    expected = (x - 0.5) / np.sqrt(2.01)
    np.testing.assert_allclose(frozen.forward(x0=x)["y0"], expected, atol=1e-12)
    assert frozen.params["layer"][2].array == 2


def test_batch_norm_without_statistics_is_finite() -> None:
    x = np.ones((2, 3, 4, 5))
    assert np.isfinite(batch_norm("TEST").forward(x0=x)["y0"]).all()


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 2)])
def test_batch_norm_of_blobs_of_any_axes(shape: tuple[int, ...]) -> None:
    x = 4 + 2 * normal(*shape)
    (top,) = compute("BatchNorm", [x], {"eps": 0.01}, phase="TRAIN")
    for channel in range(3):
        part = x[:, channel]
        expected = (part - np.mean(part)) / np.sqrt(np.var(part) + 0.01)
        np.testing.assert_allclose(top[:, channel], expected, rtol=1e-12, atol=1e-12)
