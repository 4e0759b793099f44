"""What Net.save writes: the model info, and weights in float16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import fcnlite
from fcnlite import models
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.errors import FileError, SpecError
from fcnlite.net import Net
from tests.net.nets import SMALL, picture

OWN = ModelInfo(Preprocessing(mean=(1.0, 2.0, 3.0)), classes=("sky", "road", "tree"))
OTHER = ModelInfo(Preprocessing(mean=(4.0, 5.0, 6.0)), classes=("a", "b", "c"), record={"command": "none"})


def test_the_nets_own_info_is_written(tmp_path: Path) -> None:
    Net(SMALL, info=OWN).save(tmp_path / "net.h5")
    assert fcnlite.load(tmp_path / "net.h5").info == OWN


def test_a_given_info_is_written_and_the_nets_own_stays(tmp_path: Path) -> None:
    net = Net(SMALL, info=OWN)
    net.save(tmp_path / "net.h5", info=OTHER)
    assert net.info is OWN
    loaded = fcnlite.load(tmp_path / "net.h5")
    assert loaded.info == OTHER
    np.testing.assert_array_equal(loaded.forward(picture())["score"], net.forward(picture())["score"])
    net.save(tmp_path / "net.h5")
    assert fcnlite.load(tmp_path / "net.h5").info == OWN


# float16


def halved(net: Net, path: Path) -> Net:
    net.save(path, dtype="float16")
    return fcnlite.load(path)


def test_float16_rounds_by_at_most_half_a_unit_of_its_last_place(tmp_path: Path) -> None:
    net = Net(SMALL, seed=1)
    weight = next(iter(net.params.values()))[0]
    rng = np.random.default_rng(0)
    values = (rng.choice([-1, 1], weight.shape) * 2.0 ** rng.uniform(-26, 15.99, weight.shape)).astype(np.float32)
    values.flat[:6] = [0, 65504, -65504, 2.0**-14, 2.0**-24, 65519]
    weight.data = values
    found = next(iter(halved(net, tmp_path / "half.h5").params.values()))[0].array
    assert found.dtype == np.float32
    error = abs(found.astype(np.float64) - values)
    normal = abs(values) >= 2.0**-14
    assert (error[normal] <= abs(values[normal].astype(np.float64)) * 2.0**-11).all()
    assert (error[~normal] <= 2.0**-25).all()
    assert error.max() > 0
    np.testing.assert_array_equal(found.flat[:5], values.flat[:5])


def test_float16_takes_half_the_space_and_computes_in_float32(tmp_path: Path) -> None:
    net = models.build("lite-fcn8s", classes=5, width=0.1, seed=2)
    net.save(tmp_path / "whole.h5")
    small = halved(net, tmp_path / "half.h5")
    sizes = [(tmp_path / name).stat().st_size for name in ("half.h5", "whole.h5")]
    assert sizes[0] < 0.75 * sizes[1]  # each array fills whole pages of 4096 bytes
    x = np.random.default_rng(0).normal(0, 50, (1, 3, 40, 50)).astype(np.float32)
    scores = small.forward(data=x)["score"]
    assert scores.dtype == small.dtype == np.float32
    for name, parameters in net.params.items():
        for mine, theirs in zip(small.params[name], parameters, strict=True):
            np.testing.assert_array_equal(mine.array, theirs.array.astype(np.float16).astype(np.float32))
    small.params["conv1_1"][0].data *= 2  # loaded arrays are read-only until they are written to


def test_float16_files_can_be_saved_again_without_a_loss(tmp_path: Path) -> None:
    net = models.build("lite-fcn8s", classes=5, width=0.02, seed=2)
    once = halved(net, tmp_path / "first.h5")
    again = halved(once, tmp_path / "second.h5")
    for name, parameters in once.params.items():
        for first, second in zip(parameters, again.params[name], strict=True):
            np.testing.assert_array_equal(second.array, first.array)


def test_statistics_keep_their_range_and_digits(tmp_path: Path) -> None:
    net = models.build("lite-fcn8s", classes=5, width=0.02)
    for each, value in zip(net.params["bn1_1"], (1e6 / 3, 1e9 / 3, 20 / 3), strict=True):
        each.data[...] = value
    small = halved(net, tmp_path / "half.h5")
    for mine, theirs in zip(small.params["bn1_1"], net.params["bn1_1"], strict=True):
        np.testing.assert_array_equal(mine.array, theirs.array)


@pytest.mark.parametrize("value", [65520, -1e6])
def test_values_beyond_float16_are_named_and_nothing_is_written(tmp_path: Path, value: float) -> None:
    net = models.build("lite-fcn8s", classes=5, width=0.02)
    net.params["conv2_1"][0].data.flat[3] = value
    with pytest.raises(SpecError, match=r"layer 'conv2_1': has a value of .* up to 65504; save in float32") as caught:
        net.save(tmp_path / "half.h5", dtype="float16")
    assert f"of {value:g}, and" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_values_that_are_not_finite_stay_so(tmp_path: Path) -> None:
    net = Net(SMALL)
    weight = next(iter(net.params.values()))[0]
    weight.data.flat[:3] = [np.inf, -np.inf, np.nan]
    found = next(iter(halved(net, tmp_path / "half.h5").params.values()))[0].array
    np.testing.assert_array_equal(found.flat[:3], [np.inf, -np.inf, np.nan])


def test_only_files_with_float16_need_a_newer_version(tmp_path: Path) -> None:
    net = Net(SMALL)
    versions = []
    for dtype in (None, "float16"):
        net.save(tmp_path / "net.h5", dtype=dtype)
        with h5py.File(tmp_path / "net.h5") as file:
            versions.append(int(file.attrs["format_version"]))
    assert versions == [1, 2]
    with h5py.File(tmp_path / "net.h5", "r+") as file:
        file.attrs["format_version"] = np.int64(1)
    with pytest.raises(FileError, match=r"is float16, expected float32, float64"):
        fcnlite.load(tmp_path / "net.h5")


def test_a_float64_net_may_be_stored_in_float16(tmp_path: Path) -> None:
    net = Net(SMALL, path="plain", dtype="float64", seed=1)
    net.save(tmp_path / "half.h5", dtype="float16")
    loaded = fcnlite.load(tmp_path / "half.h5", path="plain", dtype="float64")
    for name, parameters in net.params.items():
        for mine, theirs in zip(loaded.params[name], parameters, strict=True):
            np.testing.assert_array_equal(mine.array, theirs.array.astype(np.float16))


@pytest.mark.parametrize("dtype", ["half", "float32", "float64", np.float16])
def test_other_types_are_refused(tmp_path: Path, dtype: Any) -> None:
    with pytest.raises(SpecError, match=r"dtype is .*; expected 'float16', or None"):
        Net(SMALL).save(tmp_path / "net.h5", dtype=dtype)
