"""Prints a pip constraints file: each requirement of pyproject.toml at the oldest version that it allows.

    python -m release.oldest > constraints.txt

A requirement without a lower bound is left out. The extras `peers`, `bench` and `fuzz` are tools with versions of
their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from release.project import pyproject

_EXTRAS = ("onnx", "mpi", "tiff", "digits", "test")
_LOWEST = re.compile(r"(?P<name>[\w.-]+)\s*(?:>=|~=|==)\s*(?P<version>[\w.]+)[^;]*(?P<marker>;.*)?")


def constraints(requirements: Iterable[str]) -> list[str]:
    """`name==version` for each requirement with a lower bound, with its marker, sorted."""
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


if __name__ == "__main__":
    print(*constraints(requirements(pyproject())), sep="\n")
