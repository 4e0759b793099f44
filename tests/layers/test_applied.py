"""`layers.apply`: one layer without a net."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import layers
from fcnlite.errors import ShapeError, SpecError


def test_pooling_by_hand() -> None:
    pool = layers.apply("Pooling", np.arange(16).reshape(1, 1, 4, 4), kernel_size=2, stride=2)
    np.testing.assert_array_equal(pool.top, [[[[5, 7], [13, 15]]]])
    (dx,) = pool.backward([[[[1, 2], [3, 4]]]])
    np.testing.assert_array_equal(dx, [[[[0, 0, 0, 0], [0, 1, 0, 2], [0, 0, 0, 0], [0, 3, 0, 4]]]])


def test_the_gradients_of_given_parameters() -> None:
    x = np.array([[1, 2], [3, 4]])
    inner = layers.apply("InnerProduct", x, params=[[[1, -1]], [10]], num_output=1)
    np.testing.assert_array_equal(inner.top, [[9], [9]])
    (dx,) = inner.backward()
    np.testing.assert_array_equal(dx, [[1, -1], [1, -1]])
    np.testing.assert_array_equal(inner.dparams[0], [[4, 6]])
    np.testing.assert_array_equal(inner.dparams[1], [2])


def test_a_loss_starts_with_one_and_ignores_its_probabilities() -> None:
    loss = layers.apply("SoftmaxWithLoss", np.zeros((1, 2, 1, 1)), np.zeros((1, 1, 1)), tops=2)
    dx, dlabel = loss.backward()
    np.testing.assert_allclose(np.ravel(dx), [-0.5, 0.5])
    assert dlabel is None


def test_statistics_are_updated_and_have_no_gradient() -> None:
    x = np.array([1.0, 3.0]).reshape(2, 1, 1, 1)
    norm = layers.apply("BatchNorm", x, eps=0)
    np.testing.assert_array_equal([float(each[0]) for each in norm.params], [2, 2, 1])
    norm.backward(np.ones_like(x))
    assert not np.any(np.concatenate(norm.dparams))


def test_a_layer_without_tops_gives_no_gradient() -> None:
    silent = layers.apply("Silence", [[1.0]], [[2.0]], tops=0)
    assert silent.tops == []
    assert silent.backward() == [None, None]


def test_what_does_not_fit_is_said() -> None:
    x = np.zeros((1, 2, 3, 3))
    with pytest.raises(SpecError, match="unknown type 'Konvolution'"):
        layers.apply("Konvolution", x)
    with pytest.raises(ShapeError, match=r"params have the shapes \[\(3,\)\]; expected \[\(1, 2, 3, 3\), \(1,\)\]"):
        layers.apply("Convolution", x, params=[np.zeros(3)], num_output=1, kernel_size=3)
    with pytest.raises(
        ShapeError, match=r"the gradients have the shapes \[\(1, 1\)\]; the tops have \[\(1, 2, 3, 3\)\]"
    ):
        layers.apply("ReLU", x).backward([[1]])
    with pytest.raises(SpecError, match="tops is -1"):
        layers.apply("ReLU", x, tops=-1)
