"""The source archive is a function of its files' contents."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("tomllib", reason="Python 3.10 may lack tomli, which reads pyproject.toml")

from release.dist import repack

FILES = {"x-1/a.py": b"a = 1\n", "x-1/b.h5": bytes(1000), "x-1/c/d.txt": b"d"}


def archive(path: Path, names: list[str], mtime: float, owner: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uname = len(FILES[name]), mtime, owner
            member.uid = len(owner)
            tar.addfile(member, io.BytesIO(FILES[name]))
    return path


def test_two_archives_of_the_same_files_become_equal(tmp_path: Path) -> None:
    one = archive(tmp_path / "one.tar.gz", list(FILES), 1.5, "root")
    other = archive(tmp_path / "other.tar.gz", list(reversed(FILES)), 9e8, "me")
    assert one.read_bytes() != other.read_bytes()
    for each in (one, other):
        repack(each, 1_700_000_000)
    assert one.read_bytes() == other.read_bytes()
    with tarfile.open(one) as tar:
        assert {each.name: tar.extractfile(each).read() for each in tar} == FILES  # type: ignore[union-attr]
        assert {each.mtime for each in tar} == {1_700_000_000}


def test_contents_and_time_matter(tmp_path: Path) -> None:
    made = []
    for name, names, time in (("a", list(FILES), 1), ("b", list(FILES), 2), ("c", list(FILES)[:2], 1)):
        made.append(archive(tmp_path / f"{name}.tar.gz", names, 0, "root"))
        repack(made[-1], time)
    assert len({each.read_bytes() for each in made}) == 3
