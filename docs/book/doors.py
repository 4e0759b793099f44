"""The public names of fcnlite, which the API reference shows and which have docstrings.

Public are the names of `fcnlite.__all__` and the errors. Where a name is a module, the names of its `__all__` are
public too, or, if it has none, those that it defines without a leading underscore; and of a public class its methods
and properties. The layers' files are public by the types that they register, which nets name.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import fcnlite.interop

import fcnlite
import fcnlite.errors
from fcnlite import layers

RETURNED = ("fcnlite.engine.parameter.Parameter", "fcnlite.engine.parameter.Parameters", "fcnlite.compiler.plan.Plan")
"""Classes that users get from public names and do not import."""


def modules() -> dict[str, ModuleType]:
    """The public modules by the names that users import."""
    found = {"fcnlite": fcnlite, "fcnlite.errors": fcnlite.errors}
    for name in sorted(fcnlite.__all__):
        if isinstance(value := getattr(fcnlite, name), ModuleType):
            found[f"fcnlite.{name}"] = value
    found["fcnlite.interop.keras"] = fcnlite.interop.keras
    found["fcnlite.interop.torchvision"] = fcnlite.interop.torchvision
    return found


def exported(name: str) -> list[str]:
    """The public classes, functions and constants of a public module, in the order of the source without `__all__`."""
    module = modules()[name]
    listed = getattr(module, "__all__", None)
    if name == "fcnlite.errors":
        listed = [each for each, value in vars(module).items() if str(value).startswith("<class 'fcnlite.errors.")]
    if listed is None:
        listed = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and (inspect.isclass(value) or inspect.isroutine(value))
            and value.__module__ == module.__name__
        ]
    return [name for name in listed if name != "__version__" and not isinstance(getattr(module, name), ModuleType)]


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class, without those of Python's own classes."""
    for name in dir(cls):
        owner = next((each for each in cls.__mro__ if name in vars(each)), object)
        if name.startswith("_") or not owner.__module__.startswith("fcnlite"):
            continue
        value = inspect.getattr_static(cls, name)
        if isinstance(value, (property, classmethod, staticmethod)) or inspect.isroutine(value):
            yield name, value


def undocumented() -> list[str]:
    """The public names without a docstring. A method may have that of the method which it overrides."""
    paths = [f"{path}.{name}" for path in modules() for name in exported(path)] + list(RETURNED)
    missing = [path for path, module in modules().items() if not module.__doc__]
    for path in paths:
        value = public(path)
        if not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        # A dataclass without a docstring gets its signature.
        if not value.__doc__ or value.__doc__.startswith(f"{getattr(value, '__name__', '')}("):
            missing.append(path)
        if inspect.isclass(value):
            missing += [f"{path}.{name}" for name, _ in members(value) if not inspect.getdoc(getattr(value, name))]
    for type_, cls in layers.registered().items():
        if not importlib.import_module(cls.__module__).__doc__:
            missing.append(f"layer {type_}")
    return missing


def _takes_arrays(function: Callable[..., Any]) -> bool:
    return re.search(r"\b(?:Array|ndarray)\b", str(inspect.signature(function))) is not None


def without_shapes() -> list[str]:
    """The public functions that take or return arrays, and whose docstring says nothing about a shape."""
    found = []
    for module in modules():
        for name in exported(module):
            value = public(f"{module}.{name}")
            functions = [(name, value)] if inspect.isfunction(value) else []
            if inspect.isclass(value):
                functions = [(f"{name}.{each}", vars(value).get(each)) for each, _ in members(value)]
            for path, function in functions:
                if not inspect.isfunction(function) or not _takes_arrays(function):
                    continue
                if not re.search(r"×|shape|flattened", inspect.getdoc(function) or ""):
                    found.append(f"{module}.{path}")
    return found


def public(path: str) -> Any:
    """The object of a dotted public name."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
