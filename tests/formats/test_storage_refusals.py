"""Damaged, altered and foreign files: `storage.load` refuses each of them with a message."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fcnlite import storage
from fcnlite.errors import FcnliteError, FileError
from fcnlite.formats.storage import is_weight_file, load


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("layer { }")
    with h5py.File(tmp_path / "caffe", "w") as file:
        file.create_group("data/conv1")["0"] = np.zeros(3)
    with h5py.File(tmp_path / "solver", "w") as file:
        file["iter"] = 3
        file.create_group("history")
    with h5py.File(tmp_path / "other", "w") as file:
        file.attrs["format"] = "fcnlite weights"
    for name, message in {
        "missing": "missing: no such file",
        ".": "cannot be read",
        "empty": "is not an HDF5 file",
        "text": "is not an HDF5 file",
        "caffe": r"looks like Caffe's \(\.caffemodel\.h5\)",
        "solver": r"is Caffe's solver state",
        "other": "is an HDF5 file, but not a weight file of fcnlite",
    }.items():
        with pytest.raises(FileError, match=message):
            load(tmp_path / name)


def test_caffes_files_are_recognised(shared: Path) -> None:
    folder = shared / "real" / "cifar10_v2_hdf5"
    with pytest.raises(FileError, match=r"looks like Caffe's \(\.caffemodel\.h5\)"):
        load(folder / "cifar10_quick_iter_5000.caffemodel.h5")
    with pytest.raises(FileError, match="solver state"):
        load(folder / "cifar10_quick_iter_5000.solverstate.h5")


def test_a_newer_version_asks_for_an_update(weight_file: Path) -> None:
    with h5py.File(weight_file, "r+") as file:
        file.attrs["format_version"] = np.int64(3)
    with pytest.raises(FileError, match="format version 3, and this fcnlite reads up to version 2; update"):
        load(weight_file)
    assert is_weight_file(weight_file)


def replace_with(name: str, **options: Any) -> Callable[[h5py.File], None]:
    """Put another data set in the place of `name`."""

    def alter(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **options)

    return alter


def chunked(file: h5py.File) -> None:
    replace_with("params/00000 conv1 0", data=np.zeros((4, 3, 3, 3), "f4"), chunks=(1, 3, 3, 3))(file)


def compressed(file: h5py.File) -> None:
    replace_with("params/00000 conv1 0", data=np.zeros((4, 3, 3, 3), "f4"), compression="gzip")(file)


def external(file: h5py.File) -> None:
    replace_with("params/00001 conv1 1", shape=(4,), dtype="f4", external=[("/etc/passwd", 0, 16)])(file)


def virtual(file: h5py.File) -> None:
    del file["params/00001 conv1 1"]
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (4,))
    file.create_virtual_dataset("params/00001 conv1 1", layout)


def compact(file: h5py.File) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    del file["params/00001 conv1 1"]
    space = h5py.h5s.create_simple((4,))
    h5py.h5d.create(file["params"].id, b"00001 conv1 1", h5py.h5t.IEEE_F32LE, space, plan)


def soft_link(file: h5py.File) -> None:
    del file["params/00001 conv1 1"]
    file["params/00001 conv1 1"] = h5py.SoftLink("/params/00000 conv1 0")


def external_link(file: h5py.File) -> None:
    del file["state"]
    file["state"] = h5py.ExternalLink("elsewhere.h5", "/")


def never_written(file: h5py.File) -> None:
    replace_with("params/00000 conv1 0", shape=(1 << 40, 1 << 20), dtype="f4")(file)


def null(file: h5py.File) -> None:
    replace_with("params/00000 conv1 0", data=h5py.Empty("f4"))(file)


def group_as_data_set(file: h5py.File) -> None:
    del file["params/00000 conv1 0"]
    file.create_group("params/00000 conv1 0")


def data_set_as_group(file: h5py.File) -> None:
    del file["state"]
    file["state"] = np.zeros(3)


def one_more(file: h5py.File) -> None:
    file["params/00003 conv2 1"] = np.zeros(3, "f4")


def text(name: str, value: str) -> Callable[[h5py.File], None]:
    return replace_with(name, data=np.bytes_(value))


ALTERATIONS: list[tuple[Callable[[h5py.File], None], str]] = [
    (chunked, "not stored in one piece"),
    (compressed, "not stored in one piece"),
    (external, "not stored in one piece"),
    (virtual, "not stored in one piece"),
    (compact, "not stored in one piece"),
    (soft_link, "is a link to another place"),
    (external_link, "'state' is a link to another place"),
    (never_written, "beyond the end"),
    (null, "not a data set"),
    (group_as_data_set, "not a data set"),
    (data_set_as_group, "'state' is not a group"),
    (replace_with("params/00000 conv1 0", data=np.zeros(3, "f2")), "is float16, expected float32"),
    (replace_with("params/00000 conv1 0", data=np.zeros(3, ">f4")), "expected float32"),
    (replace_with("state/00001 steps", data=np.zeros(3, "u1")), "expected float32, float64, int64"),
    (one_more, "its index lists 3 arrays in 'params', which holds 4"),
    (replace_with("spec", data="{}"), "'spec' is not a text"),
    (replace_with("spec", data=np.zeros(3)), "'spec' is not a text"),
    (text("spec", "{"), "network description is not JSON"),
    (text("spec", '{"nam": "x"}'), "unknown field 'nam'"),
    (text("spec", "{}"), "parameters for layer 'conv1', which the net does not have"),
    (text("info", '{"colors": [[1, 2, 300]]}'), "from 0 to 255"),
    (text("progress", "[1]"), "'progress' is not a JSON mapping"),
    (text("progress", "[" * 100_000), "'progress' is not JSON"),
    (text("index", "{}"), "index is malformed"),
    (text("index", '{"params": [["conv1", -1]], "state": []}'), "unusable entry"),
    (text("index", '{"params": [["conv1", 1e3]], "state": []}'), "unusable entry"),
    (text("index", '{"params": [["conv1", 1], ["conv1", 2]], "state": []}'), "unusable entry"),
    (text("index", '{"params": [["conv1", 1], ["conv2", 2]], "state": [1, 2]}'), "unusable names"),
    (text("index", '{"params": [["conv1", 1], ["conv2", 2]], "state": ["a", "a"]}'), "unusable names"),
    (text("index", '{"params": [["conv2", 1], ["conv1", 2]], "state": []}'), "'00000 conv2 0' is missing"),
]


@pytest.mark.parametrize(("alter", "message"), ALTERATIONS)
def test_altered_files_are_refused(weight_file: Path, alter: Callable[[h5py.File], None], message: str) -> None:
    with h5py.File(weight_file, "r+") as file:
        alter(file)
    with pytest.raises(FileError, match=message) as caught:
        load(weight_file)
    assert str(caught.value).startswith(f"{weight_file}: is cut short, damaged or was altered (")
    assert "\n" not in str(caught.value)


def test_a_foreign_mark_of_great_size_is_not_read(weight_file: Path) -> None:
    with h5py.File(weight_file, "r+") as file:
        file.attrs["format"] = np.bytes_(b"x" * 1000)
    assert not is_weight_file(weight_file)


def test_texts_beyond_the_limit_are_refused(weight_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_MAX_TEXT", 10)
    with pytest.raises(FileError, match="more than 10"):
        load(weight_file)


def test_damaged_files_load_or_are_refused(weight_file: Path) -> None:
    """Some hundred cuts and flipped bytes: no crash, no other exception."""
    whole = weight_file.read_bytes()
    meaningful = [position for position, byte in enumerate(whole) if byte]
    rng = random.Random(5)
    refused = 0
    for _ in range(400):
        content = bytearray(whole)
        if rng.random() < 0.2:
            del content[rng.randrange(len(content)) :]
        for _ in range(rng.choice([1, 1, 3, 10])):
            position = rng.choice(meaningful) + rng.choice([0, 0, 1])
            if position < len(content):
                content[position] = rng.choice([content[position] ^ 1 << rng.randrange(8), 0, 255])
        weight_file.write_bytes(content)
        is_weight_file(weight_file)
        try:
            loaded = load(weight_file)
        except FcnliteError as error:
            assert str(error).startswith(f"{weight_file}: ")
            refused += 1
        else:
            assert sum(array.nbytes for arrays in loaded.params.values() for array in arrays) <= len(whole)
    assert refused > 100
