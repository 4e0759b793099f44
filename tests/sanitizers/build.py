"""A copy of the sources whose kernels are compiled with a sanitizer."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from release.commands import ROOT, run
from release.project import pyproject

ISAS = tuple(sorted(each.stem.removeprefix("fast_") for each in (ROOT / "fcnlite" / "_kernels").glob("fast_*.pyx")))
_TOOLS = [each for each in pyproject()["build-system"]["requires"] if each.startswith(("setuptools", "cython"))]
"""What building needs besides the packages that fcnlite needs."""


def build(sanitizer: str, isa: str, **variables: str) -> Path:
    """The folder build/SANITIZER-ISA, a new copy of the sources with the kernels of one instruction set alone.

    `variables`: the environment of the compiler, such as CFLAGS. -O1 replaces -O3, because it compiles faster.
    """
    folder = ROOT / "build" / f"{sanitizer}-{isa}"
    shutil.rmtree(folder, ignore_errors=True)
    left_out = ("*.so", "*.c", "__pycache__", *(f"fast_{each}.pyx" for each in ISAS if each != isa))
    for name in ("fcnlite", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*left_out))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "setup.py").write_text((ROOT / "setup.py").read_text().replace('"-O3"', '"-O1"'))
    run(sys.executable, "-m", "pip", "install", "--quiet", "--target", folder / "tools", *_TOOLS)
    run(sys.executable, "setup.py", "-q", "build_ext", "--inplace", cwd=folder, PYTHONPATH="tools", **variables)
    return folder


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser that takes the instruction set."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("isa", choices=ISAS, help="the instruction set of the kernels")
    return made
