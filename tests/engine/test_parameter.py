"""One parameter: its values, its views and its gradient."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.engine.parameter import Parameter
from fcnlite.errors import ShapeError
from tests.net.nets import small


def test_parameters_are_contiguous_for_arrays_of_any_strides() -> None:
    """Layers and solvers write to parameters through flattened views."""
    parameter = Parameter(np.arange(6.0).reshape(2, 3).T)
    parameter.data.reshape(-1)[0] = 7
    parameter.grad.reshape(-1)[0] = 8
    assert parameter.array.tolist() == [[7, 3], [1, 4], [2, 5]] and parameter.grad[0, 0] == 8


def test_array_is_a_read_only_view_of_the_present_values() -> None:
    net = small()
    parameter = net.params["conv1"][0]
    view = parameter.array
    with pytest.raises(ValueError, match="read-only"):
        view[...] = 0
    with pytest.raises(ValueError, match="read-only"):
        parameter.array += 1  # type: ignore[misc]
    assert np.shares_memory(view, parameter.data) and parameter.data.flags.writeable
    parameter.data[...] = 3
    assert (view == 3).all()


def test_setting_data_takes_a_copy_and_checks_the_shape() -> None:
    net = small()
    values = np.ones(net.params["conv1"][0].shape)
    net.params["conv1"][0].data = values
    values[...] = 7
    assert (net.params["conv1"][0].array == 1).all() and net.params["conv1"][0].array.dtype == np.float32
    with pytest.raises(ShapeError, match=r"4×2×3×3.*1×2"):
        net.params["conv1"][0].data = np.ones((1, 2))
    net.params["conv1"][0].data += 1
    assert (net.params["conv1"][0].array == 2).all()
