"""Files are written whole or not at all, and every failure is a sentence."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fcnlite import caffe
from fcnlite.data.bands import read_bands
from fcnlite.errors import FileError
from fcnlite.files import atomic_write, read_bytes, read_text, remove_leftovers
from fcnlite.formats import storage
from fcnlite.formats.interop import safetensors


def test_the_new_content_replaces_the_old(tmp_path: Path) -> None:
    target = tmp_path / "log.csv"
    target.write_text("old")
    with atomic_write(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
        assert temporary.parent == target.parent
        assert temporary.suffix == ".csv"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_changes_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "x"
    target.write_text("old")
    with pytest.raises(failure), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_only_the_leftovers_of_killed_writes_are_removed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from fcnlite.files import atomic_write\n"
        "writes = [atomic_write(os.path.join(sys.argv[1], name)) for name in ('last.h5', 'log.csv', 'plain')]\n"
        "for write in writes: write.__enter__()\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    left = {each.name for each in tmp_path.iterdir()}
    assert len(left) == 3
    kept = {"last.h5", ".last.h5", ".last.h5.h5", ".last.h5.backup.h5", "xlast.h5.12345678.h5", ".last.h5.12345678.h5x"}
    for name in kept:
        (tmp_path / name).touch()
    (tmp_path / ".last.h5.folder__.h5").mkdir()
    for name in ("last.h5", "log.csv", "plain"):
        remove_leftovers(tmp_path / name)
    assert {each.name for each in tmp_path.iterdir()} == kept | {".last.h5.folder__.h5"}


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("old")
    with pytest.raises(FileError) as caught, atomic_write(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(caught.value) == (
        f"{target}: cannot be written (No space left on device); free some space on its disk; the file that was there "
        "before, if any, is unchanged."
    )
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").touch()
    for target in (tmp_path / "missing" / "x", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(FileError, match="cannot be written"), atomic_write(target) as temporary:
            temporary.write_text("new")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_permissions_are_those_of_an_ordinary_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    with atomic_write(tmp_path / "ours"):
        pass
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "ours")}
    assert len(modes) == 1


def test_reading(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes("ä\n".encode())
    assert read_bytes(tmp_path / "x") == b"\xc3\xa4\n"
    assert read_text(tmp_path / "x") == "ä\n"


def test_the_error_for_an_unreadable_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"abc\xff")
    for name, message in {
        "missing": "missing: no such file; check the path",
        ".": "cannot be read",
        "binary": r"binary: is not a text file \(byte 3 is not UTF-8\)",
    }.items():
        with pytest.raises(FileError, match=message):
            read_text(tmp_path / name)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="cannot be the name of a file"):
        read_bytes(tmp_path / name)
    with pytest.raises(FileError, match="cannot be the name of a file"), atomic_write(tmp_path / name):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name, read in {
        "x.txt": read_text,
        "x.h5": storage.load,
        "x.safetensors": safetensors.read,
        "x.png": read_bands,
        "x.caffemodel": caffe.read_weights,
    }.items():
        os.mkfifo(tmp_path / name)
        with pytest.raises(FileError, match=f"{name}: is a pipe or a device; expected a file"):
            read(tmp_path / name)
