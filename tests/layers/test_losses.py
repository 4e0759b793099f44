"""Softmax and the losses: SoftmaxWithLoss, InfogainLoss, SigmoidCrossEntropyLoss and EuclideanLoss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, log_softmax, xlogy
from scipy.special import softmax as scipy_softmax

from fcnlite.arrays import Array
from fcnlite.errors import ShapeError, SpecError
from tests.layers.single import LABELS, SCORES, compute, gradients, normal, one


def test_softmax_of_large_scores_is_finite() -> None:
    (p,) = compute("Softmax", [[[1e4, 1e4, -1e4]]])
    np.testing.assert_allclose(p, [[0.5, 0.5, 0]])


@pytest.mark.parametrize("shape", [(6,), (3, 4), (2, 3, 4), (2, 3, 4, 5), (2, 1, 3, 4, 2)])
def test_softmax_is_scipys_on_any_axis(shape: tuple[int, ...]) -> None:
    x = normal(*shape)
    for axis in range(-len(shape), len(shape)):
        (p,) = compute("Softmax", [x], {"axis": axis})
        np.testing.assert_allclose(p, scipy_softmax(x, axis), rtol=1e-12)
    with pytest.raises(ShapeError, match=rf"'layer'.*axis {len(shape)}.*x0"):
        one("Softmax", [shape], {"axis": len(shape)})


# SoftmaxWithLoss


@pytest.mark.parametrize(
    ("options", "normalizer"),
    [
        ({}, "valid"),
        ({"normalization": "VALID"}, "valid"),
        ({"normalization": "FULL"}, "full"),
        ({"normalization": "BATCH_SIZE"}, "batch"),
        ({"normalization": "NONE"}, "none"),
        ({"normalize": True}, "valid"),
        ({"normalize": False}, "batch"),
        ({"normalize": False, "normalization": "FULL"}, "full"),
        ({"normalize": True, "normalization": "NONE"}, "none"),
    ],
)
def test_softmax_loss_normalizations(options: dict[str, Any], normalizer: str) -> None:
    labels = LABELS.copy()
    labels[0, :2] = 255
    counted = labels != 255
    expected_sum = -sum(log_softmax(SCORES, 1)[n, labels[n, y, x], y, x] for n, y, x in np.argwhere(counted))
    divisor = {"valid": counted.sum(), "full": labels.size, "batch": 2, "none": 1}[normalizer]
    for fed in (labels, labels[:, None], labels.astype(np.float64)):
        loss, p = compute("SoftmaxWithLoss", [SCORES, fed], {"ignore_label": 255, **options}, tops=2)
        assert loss.shape == ()
        assert float(loss) == pytest.approx(expected_sum / divisor, rel=1e-12)
        np.testing.assert_allclose(p, np.exp(log_softmax(SCORES, 1)), rtol=1e-12)


def test_softmax_loss_of_ignored_labels_only_is_zero() -> None:
    net = one("SoftmaxWithLoss", [SCORES.shape, LABELS.shape], {"ignore_label": 9})
    assert net.forward(x0=SCORES, x1=np.full(LABELS.shape, 9), keep=True)["y0"] == 0
    net.backward(wrt=["x0"])
    np.testing.assert_array_equal(net.grads["x0"], np.zeros(SCORES.shape))


def test_softmax_loss_gradient_is_that_of_the_formula() -> None:
    labels = LABELS.copy()
    labels[1, 0] = 255
    net = one("SoftmaxWithLoss", [SCORES.shape, labels.shape], {"ignore_label": 255, "normalization": "BATCH_SIZE"})
    (dx, dlabel) = gradients(net, [SCORES, labels])
    expected = (scipy_softmax(SCORES, 1) - np.moveaxis(np.eye(256)[labels][..., :4], -1, 1)) / 2
    np.testing.assert_allclose(dx, np.where(labels[:, None] == 255, 0, expected), rtol=1e-12, atol=1e-14)
    assert not dlabel.any()


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 7), (2, 3, 2, 3, 2)])
def test_softmax_loss_of_blobs_of_any_axes(shape: tuple[int, ...]) -> None:
    x, labels = normal(*shape), np.random.default_rng(1).integers(0, 3, (shape[0], *shape[2:]))
    (loss,) = compute("SoftmaxWithLoss", [x, labels])
    chosen = np.take_along_axis(log_softmax(x, 1), labels[:, None], 1)
    assert loss == pytest.approx(-chosen.mean(), rel=1e-12)


@pytest.mark.parametrize("type_", ["SoftmaxWithLoss", "SigmoidCrossEntropyLoss"])
def test_losses_name_wrong_options(type_: str) -> None:
    shapes = [(2, 3, 4), (2, 1, 4)] if type_ == "SoftmaxWithLoss" else [(2, 3), (2, 3)]
    for options, words in (
        ({"normalization": "SOME"}, "normalization: 'SOME'.*FULL, VALID, BATCH_SIZE, NONE"),
        ({"normalize": 1}, "normalize: 1"),
        ({"ignore_label": 0.5}, "ignore_label: 0.5"),
    ):
        with pytest.raises(SpecError, match=f"'layer' .{type_}.: .*{words}"):
            one(type_, shapes, options)


# SigmoidCrossEntropyLoss

TARGETS = np.random.default_rng(7).random(SCORES.shape)


def cross_entropy(x: Array, t: Array) -> Array:
    return np.asarray(-xlogy(t, expit(x)) - xlogy(1 - t, expit(-x)))


@pytest.mark.parametrize(
    ("options", "divisor"),
    [
        ({}, 2),
        ({"normalization": "BATCH_SIZE"}, 2),
        ({"normalization": "FULL"}, 120),
        ({"normalization": "VALID"}, 120),
        ({"normalization": "NONE"}, 1),
        ({"normalize": True}, 120),
        ({"normalize": False}, 2),
        ({"normalize": True, "normalization": "NONE"}, 1),
    ],
)
def test_sigmoid_loss_normalizations(options: dict[str, Any], divisor: int) -> None:
    """By default the sum is divided by the number of pictures, not by the positions that count (SoftmaxWithLoss)."""
    (loss,) = compute("SigmoidCrossEntropyLoss", [SCORES, TARGETS], options)
    assert loss == pytest.approx(cross_entropy(SCORES, TARGETS).sum() / divisor, rel=1e-12)
    dx, dt = gradients(one("SigmoidCrossEntropyLoss", [SCORES.shape] * 2, options), [SCORES, TARGETS])
    np.testing.assert_allclose(dx, (expit(SCORES) - TARGETS) / divisor, rtol=1e-12, atol=1e-15)
    assert not dt.any()


@pytest.mark.parametrize(("normalization", "divisor"), [("VALID", None), ("FULL", 120), ("BATCH_SIZE", 2), ("NONE", 1)])
@pytest.mark.parametrize("ignored", [-1, 1, 255])
def test_sigmoid_loss_ignores_exactly_the_ignored_target(ignored: int, normalization: str, divisor: int | None) -> None:
    targets = np.random.default_rng(8).choice([0.0, 1.0, ignored], SCORES.shape)
    counted = targets != ignored
    options = {"ignore_label": ignored, "normalization": normalization}
    (loss,) = compute("SigmoidCrossEntropyLoss", [SCORES, targets], options)
    total = cross_entropy(SCORES, np.where(counted, targets, 0))[counted].sum()
    assert loss == pytest.approx(total / (divisor or counted.sum()), rel=1e-12)
    dx, _ = gradients(one("SigmoidCrossEntropyLoss", [SCORES.shape] * 2, options), [SCORES, targets])
    assert not dx[~counted].any() and dx[counted].all()


def test_sigmoid_loss_of_ignored_targets_only_is_zero() -> None:
    options = {"ignore_label": 2, "normalization": "VALID"}
    targets = np.full(SCORES.shape, 2)
    assert compute("SigmoidCrossEntropyLoss", [SCORES, targets], options)[0] == 0
    dx, _ = gradients(one("SigmoidCrossEntropyLoss", [SCORES.shape] * 2, options), [SCORES, targets])
    assert not dx.any()


@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_sigmoid_loss_of_very_large_scores_is_finite(target: float) -> None:
    """log(1 + exp(x)) − t · x, which is linear for large |x|."""
    x = np.array([-1e30, -1e4, -800.0, 800.0, 1e4, 1e30])
    for score in x:
        (loss,) = compute("SigmoidCrossEntropyLoss", [[score], [target]])
        assert loss == pytest.approx(-target * score if score < 0 else (1 - target) * score, rel=1e-12)
    dx, _ = gradients(one("SigmoidCrossEntropyLoss", [(6,), (6,)]), [x, np.full(6, target)])
    np.testing.assert_allclose(6 * dx, np.where(x < 0, 0, 1) - target, atol=1e-15)


def test_sigmoid_loss_needs_a_target_for_each_score() -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*target for each score.*x0 2×3×4, x1 2×1×4"):
        one("SigmoidCrossEntropyLoss", [(2, 3, 4), (2, 1, 4)])


# EuclideanLoss


@pytest.mark.parametrize("shape", [(6,), (3, 4), (2, 3, 4), (2, 3, 4, 5), (2, 1, 3, 4, 2)])
def test_euclidean_loss_is_half_the_squared_distance_a_picture(shape: tuple[int, ...]) -> None:
    a, b = normal(*shape), normal(*shape, seed=1)
    (loss,) = compute("EuclideanLoss", [a, b])
    assert loss.shape == ()
    assert loss == pytest.approx(np.linalg.norm((a - b).ravel()) ** 2 / 2 / shape[0], rel=1e-12)
    da, db = gradients(one("EuclideanLoss", [shape, shape]), [a, b])
    np.testing.assert_allclose(da, (a - b) / shape[0], rtol=1e-12)
    np.testing.assert_array_equal(db, -da)


def test_euclidean_loss_names_shapes_that_differ() -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*one shape.*x0 2×3, x1 3×2"):
        one("EuclideanLoss", [(2, 3), (3, 2)])
