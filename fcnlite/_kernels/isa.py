"""The instruction set of the kernels: the best that this machine supports, or the one that FCNLITE_ISA names.

An empty FCNLITE_ISA is ignored.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from types import ModuleType

from fcnlite.errors import FcnliteError

_NEEDS = {"v4": ("AVX512_SKX", "FMA3", "BMI2"), "v3": ("AVX2", "FMA3", "BMI2"), "any": ()}
"""The instruction sets, best first, and the processor features that each needs: x86-64-v4, x86-64-v3, any machine."""

_asked = os.environ.get("FCNLITE_ISA")
"""The value of FCNLITE_ISA when the kernels are imported. Later changes of the environment have no effect."""


@functools.cache
def name() -> str:
    """The instruction set in use. Raises `FcnliteError` if FCNLITE_ISA names an unsupported one."""
    here = available()
    if not here:
        raise ModuleNotFoundError("No module named 'fcnlite._kernels.fast_any'", name="fcnlite._kernels.fast_any")
    if _asked and _asked not in here:
        raise FcnliteError(
            f"FCNLITE_ISA is {_asked!r}; this machine has {', '.join(here)}: set it to one of these, or unset it for "
            "the best."
        )
    return _asked or here[0]


def available() -> list[str]:
    """The instruction sets that this machine supports and that were built, best first."""
    return [each for each in _NEEDS if _runs(each)]


@functools.cache
def kernels(family: str) -> ModuleType:
    """The module of a family, such as `fast`, that is compiled for the instruction set in use."""
    return importlib.import_module(f"fcnlite._kernels.{family}_{name()}")


def _runs(isa: str) -> bool:
    # NumPy queries the processor at startup; the result has no public name.
    features = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    built = importlib.util.find_spec(f"fcnlite._kernels.fast_{isa}") is not None
    return built and all(features.get(feature, False) for feature in _NEEDS[isa])
