"""Tests fcnlite with the oldest version of each requirement that pyproject.toml allows.

    python -m release.oldest PYTHON

The tests of files, commands, data and short trainings run in a copy of the sources in build/oldest, with a venv of its
own. PYTHON, a command or a path, must be 3.10, 3.11 or 3.12, for which there are wheels of these versions.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable
from typing import Any

from release.commands import ROOT, output, run
from release.project import pyproject

FOLDER = ROOT / "build" / "oldest"
TESTS = (
    "tests/test_init.py",
    *(f"tests/{each}" for each in ("formats", "fuzz", "cli", "data", "solver", "segmentation")),
)
_EXTRAS = ("onnx", "mpi", "tiff", "digits", "labels", "toml", "video", "test")
"""The others, `peers`, `bench`, `fuzz` and `release`, are tools with versions of their own."""
_LOWEST = re.compile(r"(?P<name>[\w.-]+)\s*(?:>=|~=|==)\s*(?P<version>[\w.]+)[^;]*(?P<marker>;.*)?")


def constraints(requirements: Iterable[str]) -> list[str]:
    """`name==version` for each requirement with a lower bound, with its marker, sorted, as pip takes constraints.

    A requirement without a lower bound is left out.
    """
    found = (_LOWEST.fullmatch(each) for each in requirements)
    return sorted({f"{each['name']}=={each['version']}{each['marker'] or ''}" for each in found if each})


def requirements(pyproject: dict[str, Any]) -> list[str]:
    """The requirements for building, running and testing."""
    project = pyproject["project"]
    extras = project["optional-dependencies"]
    return [
        *pyproject["build-system"]["requires"],
        *project["dependencies"],
        *(each for extra in _EXTRAS for each in extras[extra]),
    ]


def main() -> None:
    """Copy the sources that git knows, install the oldest versions beside them, and run the tests there."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in output("git", "ls-files").splitlines():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, FOLDER / name)
    (FOLDER / "constraints.txt").write_text("\n".join(constraints(requirements(pyproject()))), encoding="utf-8")
    run(sys.argv[1], "-m", "venv", ".venv", cwd=FOLDER)
    python = FOLDER / ".venv" / "bin" / "python"

    def install(*words: str) -> None:
        run(python, "-m", "pip", "install", "--quiet", *words, cwd=FOLDER, PIP_CONSTRAINT="constraints.txt")

    install("setuptools", "wheel", "cython", "numpy", "scipy")
    install("--no-build-isolation", "--editable", ".[test]", "--config-settings", "editable_mode=compat")
    run(python, "-m", "pip", "list", cwd=FOLDER)
    # Old libraries warn about their successors.
    options = ("-n", "auto", "--dist", "worksteal", "-W", "ignore::DeprecationWarning")
    run(python, "-m", "pytest", *options, *TESTS, cwd=FOLDER)


if __name__ == "__main__":
    main()
