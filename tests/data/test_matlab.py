"""MATLAB files: read, and refused before a hostile one takes memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from fcnlite.data import matlab
from fcnlite.data.matlab import label_map, read_mat
from fcnlite.errors import DataError, FileError
from tests.data import layouts


def saved(**variables) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables)
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_structs_and_sparse_matrices(tmp_path: Path, compressed: bool) -> None:
    cells = np.empty((2, 1), object)
    cells[:, 0] = [scipy.sparse.csc_matrix((4000, 4000)), scipy.sparse.csc_matrix(np.eye(3))]
    variables = {"S": np.arange(6.0).reshape(2, 3), "T": {"a": np.eye(2), "cells": cells}, "i": np.int8([[1]])}
    scipy.io.savemat(tmp_path / "x.mat", variables, do_compression=compressed)
    assert read_mat(tmp_path / "x.mat", "S").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read_mat(tmp_path / "x.mat", "T")["a"][0, 0].tolist() == [[1, 0], [0, 1]]
    assert read_mat(tmp_path / "x.mat", "i").tolist() == [[1]]


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    with pytest.raises(FileError, match=r"x.mat: no such file"):
        read_mat(path, "S")
    for content, words in (
        (b"", "0 bytes"),
        (b"MATLAB 7.3 MAT-file" + bytes(600), "format is 7.3.*save it with -v7"),
        (b"\x89PNG" + bytes(600), "not a MATLAB 5 file"),
    ):
        path.write_bytes(content)
        with pytest.raises(FileError, match=f"x.mat: is not a MATLAB 5 file.*{words}|{words}"):
            read_mat(path, "S")
    path.write_bytes(saved(labels=1))
    with pytest.raises(FileError, match=r"x.mat: has no variable 'label'; did you mean 'labels'"):
        read_mat(path, "label")


def test_a_small_file_that_inflates_to_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab, "MAX_BYTES", 1 << 20)
    packed = zlib.compress(bytes(1 << 24), 9)
    content = saved()[:128] + struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "bomb.mat").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match=r"bomb.mat: is damaged \(it inflates to more than 1048576 bytes\)"):
            read_mat(tmp_path / "bomb.mat", "S")
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", [np.zeros((2, 3)), np.array([["a", "b", "c"]], object)])
def test_extents_beyond_the_bytes_are_refused(tmp_path: Path, value: np.ndarray) -> None:
    content = saved(S=value)
    extents = struct.pack("<2i", *value.shape)
    assert content.count(extents) == 1
    (tmp_path / "x.mat").write_bytes(content.replace(extents, struct.pack("<2i", 50000, 50000)))
    with pytest.raises(FileError, match=r"x.mat: is damaged \(an array claims 2500000000 entries"):
        read_mat(tmp_path / "x.mat", "S")


def test_any_bytes_end_in_our_errors(tmp_path: Path) -> None:
    root = layouts.sbd(tmp_path, layouts.bands(0, 1), train=["a"])
    packed = (root / "cls" / "a.mat").read_bytes()
    sources = [packed, saved(GTcls={"Segmentation": layouts.bands(0, 1), "names": np.array(["x", "y"], object)})]
    rng, refused = np.random.default_rng(0), 0
    for _ in range(300):
        content = bytearray(sources[rng.integers(2)])
        for _ in range(rng.integers(1, 5)):
            content[rng.integers(len(content))] = rng.integers(256)
        (tmp_path / "x.mat").write_bytes(content)
        try:
            read_mat(tmp_path / "x.mat", "GTcls")
        except FileError as error:
            assert "x.mat: " in str(error)
            refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((2, 2, 2)), "is 2×2×2 of type float64"),
        (np.zeros((0, 2)), "is 0×2"),
        (np.array([["a"]]), "expected H×W class numbers"),
        (np.array([[1.5]]), "not whole"),
        (np.array([[np.nan]]), "not whole"),
        (scipy.sparse.csc_matrix((2, 2)), "expected H×W class numbers"),
    ],
)
def test_variables_that_are_not_label_maps_are_refused(value: object, words: str) -> None:
    with pytest.raises(DataError, match=f"x.mat: S .*{words}"):
        label_map("x.mat", value, "S")
