"""Links in HDF5 files: none is followed, at any door, and the time is linear in the number of objects."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from fcnlite import caffe
from fcnlite.errors import FileError
from fcnlite.formats import storage
from fcnlite.formats.interop import keras
from tests.fuzz import examples

DOORS: dict[str, tuple[Callable[[Path], object], Callable[[], list[bytes]], str]] = {
    "weight file": (storage.load, examples.weights, "params"),
    "caffemodel": (caffe.read_weights, examples.caffemodels_hdf5, "data/conv"),
    "solver state": (caffe.read_solver_state, examples.solver_states_hdf5, "history"),
    "Keras": (keras.read_weights, examples.keras_files, "block1_conv1"),
}
"""What reads the file, an example, and a group that holds data sets."""


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Callable[[Path], object], Path, str]:
    """What reads, a file that it reads, and the group."""
    read, made, group = DOORS[request.param]
    path = tmp_path / "x.h5"
    path.write_bytes(made()[0])
    read(path)
    return read, path, group


@pytest.mark.parametrize("kind", ["soft", "external", "dangling"])
@pytest.mark.parametrize("member", [False, True])
def test_links_are_refused(
    door: tuple[Callable[[Path], object], Path, str], kind: str, member: bool, tmp_path: Path
) -> None:
    """A link in the place of a group or of a data set leads to the original, in the same file or in another one."""
    read, path, group = door
    other = tmp_path / "other.h5"
    other.write_bytes(path.read_bytes())
    with h5py.File(path, "r+") as file:
        name = f"{group}/{sorted(file[group])[0]}" if member else group
        file.move(name, "kept")
        links = {
            "soft": h5py.SoftLink("/kept"),
            "external": h5py.ExternalLink(str(other), f"/{name}"),
            "dangling": h5py.SoftLink("/missing"),
        }
        file[name] = links[kind]
    with pytest.raises(FileError, match="link to another place"):
        read(path)


@pytest.mark.parametrize("cycle", [False, True])
def test_groups_that_several_paths_lead_to_are_refused(tmp_path: Path, cycle: bool) -> None:
    """Fifteen groups that are linked twice each make 2¹⁴ paths; a cycle makes an endless one."""
    path = tmp_path / "dag.caffemodel.h5"
    with h5py.File(path, "w") as file:
        groups = [file.create_group(f"x{i}") for i in range(3 if cycle else 15)]
        for above, below in itertools.pairwise(groups):
            above["l"] = below
            if not cycle:
                above["r"] = below
        if cycle:
            groups[-1]["l"] = groups[0]
        else:
            groups[-1]["0"] = np.zeros(3, "f4")
        file.create_group("data")["fan"] = groups[0]
    with pytest.raises(FileError, match="several paths lead to the group"):
        caffe.read_weights(path)


def test_a_data_set_may_be_shared(tmp_path: Path) -> None:
    """Layers that share a weight; it is stored once and read once."""
    path = tmp_path / "shared.caffemodel.h5"
    with h5py.File(path, "w") as file:
        file["data/one/0"] = np.arange(3, dtype="f4")
        file["data/two/0"] = file["data/one/0"]
    weights = caffe.read_weights(path)
    assert weights["one"][0].tolist() == weights["two"][0].tolist() == [0, 1, 2]
    assert np.shares_memory(weights["one"][0], weights["two"][0])
