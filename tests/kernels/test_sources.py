"""The sources of the kernels: outputs are marked in signatures, groups are listed, no file is left out of the build."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fcnlite import _kernels

FOLDER = Path(_kernels.__file__).resolve().parent
SOURCES = sorted(path for ending in ("pyx", "pxi") for path in FOLDER.rglob(f"*.{ending}"))
ARRAY = re.compile(r"\b(const )?(?:unsigned |long )?\w+\[[:, 1]+\] (\w+)")


def _signatures(source: str) -> list[str]:
    """The lines of each function that Python can call, up to its docstring."""
    return re.findall(r"^def \w+\(.*?\):$", source, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_arrays_that_are_written_are_marked(path: Path) -> None:
    for signature in _signatures(path.read_text()):
        for line in signature.splitlines():
            written = [name for const, name in ARRAY.findall(line) if not const and name != "scratch"]
            marked = line.endswith(("  # out", "  # in, out"))
            assert len(written) == marked, f"{signature}\n{line.strip()}"


def test_signatures_are_found() -> None:
    assert sum(len(_signatures(path.read_text())) for path in SOURCES) > 50


def test_groups_are_listed() -> None:
    modules = {path.stem for path in FOLDER.glob("*.pyx") if not path.stem.startswith("fast_")}
    folders = {path.parent.name for path in SOURCES} - {FOLDER.name}
    assert set(re.findall(r"^    (\w+) {3,}", str(_kernels.__doc__), re.MULTILINE)) == modules | folders


def test_every_part_is_included() -> None:
    included = [(path, name) for path in SOURCES for name in re.findall(r'^include "(.+)"', path.read_text(), re.M)]
    assert {(path.parent / name).resolve() for path, name in included} == {
        path for path in SOURCES if path.suffix == ".pxi"
    }
