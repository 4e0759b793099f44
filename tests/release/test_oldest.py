"""The constraints of `make test-oldest`."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("tomllib", reason="Python 3.10 may lack tomli, which reads pyproject.toml")

from release.oldest import constraints, requirements
from release.project import pyproject


def test_each_lower_bound_becomes_a_version() -> None:
    given = ["a>=2.0", "b>=1.2,<3", "c~=0.17.6", "d==2.13.0", "e-f>=4.3; sys_platform == 'linux'", "g", "h<5", "a>=2.0"]
    assert constraints(given) == [
        "a==2.0",
        "b==1.2",
        "c==0.17.6",
        "d==2.13.0",
        "e-f==4.3; sys_platform == 'linux'",
    ]


def test_every_requirement_of_the_package_has_a_lower_bound_and_one_version() -> None:
    found = constraints(requirements(pyproject()))
    names = [re.split("[=;]", each)[0] for each in found]
    assert len(set(names)) == len(names), "two lower bounds of one package"
    needed = [*pyproject()["project"]["dependencies"], *pyproject()["build-system"]["requires"]]
    assert {re.split("[<>=~;]", each)[0] for each in needed} <= set(names)
