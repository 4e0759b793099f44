"""The shipped weights are found in the repository and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite.analysis.paper.tools import nets
from fcnlite.errors import FileError


def test_the_repository_has_them() -> None:
    assert nets.shipped("shapes-classifier").samefile(Path(__file__).parents[4] / "weights" / "shapes-classifier.h5")


def test_an_installed_package_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "fcnlite" / "weights"
    inside.mkdir(parents=True)
    monkeypatch.setattr(nets, "_WEIGHTS", (inside, tmp_path / "weights"))
    with pytest.raises(FileError, match=r"shapes-fcn8s\.h5: is missing, .* install fcnlite again\.$"):
        nets.shipped("shapes-fcn8s")
    (inside / "shapes-fcn8s.h5").touch()
    assert nets.shipped("shapes-fcn8s") == inside / "shapes-fcn8s.h5"
