"""A weight file that changes while a net has it mapped."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fcnlite
from fcnlite.errors import FileError
from fcnlite.net import Net
from tests.compiler.path_comparison import conv, spec_of

DATA = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)


def saved(path: Path, seed: int) -> Path:
    Net(spec_of((1, 3, 8, 8), conv("conv", "data", 4, weight_filler={"type": "xavier"})), seed=seed).save(path)
    return path


def cut(path: Path) -> None:
    path.write_bytes(b"")


def overwrite(path: Path) -> None:
    content = saved(path.with_name("other.h5"), seed=1).read_bytes()
    with path.open("r+b") as stream:
        stream.write(content)
    os.utime(path, ns=(0, 0))  # a clock may be too coarse to show a write


def replace(path: Path) -> None:
    saved(path.with_name("other.h5"), seed=1).replace(path)


@pytest.mark.parametrize("how", ["fast", "plain"])
@pytest.mark.parametrize("change", [cut, overwrite])
def test_a_file_that_was_written_to_is_an_error(tmp_path: Path, how: str, change: Callable[[Path], None]) -> None:
    path = saved(tmp_path / "x.h5", seed=0)
    net = fcnlite.load(path, path=how)
    change(path)
    with pytest.raises(FileError, match=r"x\.h5: was written to while a net uses it"):
        net.forward(data=DATA)
    with pytest.raises(FileError, match="was written to"):
        _ = net.params["conv"][0].data


@pytest.mark.parametrize("how", ["fast", "plain"])
@pytest.mark.parametrize("change", [replace, Path.unlink])
def test_a_file_that_was_replaced_or_deleted_does_no_harm(
    tmp_path: Path, how: str, change: Callable[[Path], None]
) -> None:
    path = saved(tmp_path / "x.h5", seed=0)
    expected = fcnlite.load(path, path=how).forward(data=DATA)["conv"]
    net = fcnlite.load(path, path=how)
    change(path)
    np.testing.assert_array_equal(net.forward(data=DATA)["conv"], expected)


def test_weights_that_were_copied_need_the_file_no_more(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.h5", seed=0)
    net = fcnlite.load(path)
    for parameter in net.params["conv"]:
        _ = parameter.data
    cut(path)
    np.testing.assert_array_equal(net.forward(data=DATA)["conv"], copy.deepcopy(net).forward(data=DATA)["conv"])
