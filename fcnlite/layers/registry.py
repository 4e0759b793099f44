"""The layer types by name, and the creation of layers from descriptions."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping

from fcnlite.arrays import Shape
from fcnlite.description.shapes import Links
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import SpecError
from fcnlite.layers import outside
from fcnlite.layers.base import Layer, NoOptions
from fcnlite.layers.options import PythonOptions

PYTHON = "Python"
"""The type of the layers that pycaffe runs."""
_SHOWN = 4
"""The number of blobs that a message names."""

LayerType = type[Layer]
_registry: dict[str, LayerType] = {}
_python: dict[tuple[str, str], LayerType] = {}
"""The classes of Python layers, by the module and the layer of python_param; the module may be empty, for any."""


def register(cls: LayerType) -> LayerType:
    """Class decorator: register a layer under its `type`.

    A class of type Python is registered for the module and the layer of `python_param` that its attribute `python`
    names. A type that only a fork of Caffe has (fcnlite.layers.forks) can be registered again, since another fork may
    compute something else under its name; then the new class counts. Raises `SpecError` for a type that is taken.
    """
    if cls.type == PYTHON and PYTHON in _registry:
        return _register_python(cls)
    taken = _registry.get(cls.type)
    if taken is not None and (not is_of_fork(taken) or is_of_fork(cls)):
        raise SpecError(f"layer type {cls.type!r} is registered already, by {taken.__module__}.")
    _registry[cls.type] = cls
    return cls


def _register_python(cls: LayerType) -> LayerType:
    named = cls.python or ("", cls.__name__)
    if named in _python:
        raise SpecError(f"Python layer {'.'.join(filter(None, named))!r} is registered already, as {_python[named]}.")
    if cls.Options is NoOptions:
        cls.Options = PythonOptions
    cls.messages = ("python_param",)
    _python[named] = cls
    return cls


def is_of_fork(cls: LayerType) -> bool:
    """Whether the class computes a layer that only forks of Caffe have."""
    return cls.__module__.startswith(f"{__package__}.forks.")


def class_of(spec: LayerSpec) -> LayerType | None:
    """The class that computes a layer, or None if its type is unknown."""
    if spec.type == PYTHON and spec.bottom:
        module, layer = spec.options.get("module", ""), spec.options.get("layer", "")
        return _python.get((module, layer)) or _python.get(("", layer))
    return _registry.get(spec.type)


def registered() -> Mapping[str, LayerType]:
    """All registered layers by type name."""
    return types.MappingProxyType(_registry)


_SIMILAR = {
    "syncbn": ("BatchNorm", "Scale"),
    "resize": ("Interp", "Deconvolution"),
    "conv2d": ("Convolution",),
    "dense": ("InnerProduct", "Convolution"),
    "linear": ("InnerProduct", "Convolution"),
    "add": ("Eltwise",),
}
"""Types here that do something similar, by the name that other engines use."""


def _likely(type_: str) -> str:
    """A hint at the registered types that an unknown name may mean."""
    names = {each.lower(): each for each in _registry}
    close = difflib.get_close_matches(type_.lower(), names, n=3, cutoff=0.6)
    likely = _SIMILAR.get(type_.lower()) or [names[each] for each in close]
    if likely:
        return "did you mean " + " or ".join(map(repr, likely)) + "?"
    return f"none of the {len(names)} types in fcnlite.layers.registered() has a name like it."


class UnknownLayer(Layer):
    """Represents a layer of an unregistered type. It cannot run; if it has no bottoms, its tops can be fed."""

    type = "unknown"
    bottoms = (0, None)
    tops = (0, None)

    def __init__(self, spec: LayerSpec, phase: str) -> None:
        self.spec = spec
        self.phase = phase

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        return []

    def placement(self) -> None:
        return None

    def _shown_options(self) -> str:
        return ", ".join(("unknown type", *(f"{name}={str(value)[:80]}" for name, value in self.spec.options.items())))

    def error(self) -> SpecError:
        """The error to raise if the layer is needed."""
        where = f"{self.spec.where}: " if self.spec.where else ""
        return SpecError(f"{where}layer {self.spec.name!r}: {self._problem()}")

    def _problem(self) -> str:
        if self.spec.type == PYTHON:
            module, layer = self.spec.options.get("module", ""), self.spec.options.get("layer", "")
            return (
                f"no class is registered for the Python layer {layer!r} of module {module!r}; write one with "
                f"type = 'Python' and python = ({module!r}, {layer!r}), and import its module before loading "
                "(--import MODULE; docs/extending.md)."
            )
        if reason := outside.reason(self.spec.type):
            upto = ", ".join(map(repr, self.spec.bottom[:_SHOWN]))
            return f"type {self.spec.type!r} {reason} The net runs up to what the layer reads: outputs=[{upto}]."
        return (
            f"unknown type {self.spec.type!r}; {_likely(self.spec.type)} "
            "Import the module that registers a type of your own before loading (--import MODULE; docs/extending.md)."
        )


def create(spec: LayerSpec, phase: str) -> Layer:
    """Create the layer that `spec` describes, as an `UnknownLayer` if its type is unknown.

    Raises `SpecError`, naming the layer, for options or numbers of blobs that do not fit the type.
    """
    cls = class_of(spec)
    if cls is None:
        return UnknownLayer(spec, phase)
    try:
        return cls(spec, phase)
    except SpecError as error:
        raise SpecError(f"layer {spec.name!r} ({spec.type}): {error}") from error


def links(specs: Iterable[LayerSpec], axis: int, phase: str = "TEST") -> Links:
    """The input of `shapes.placements`: each layer's bottoms, tops and placement along rows (0) or columns (1).

    Bottoms that only give a size, such as Crop's reference, are left out.
    """
    found = []
    for spec in specs:
        layer = create(spec, phase)
        placement = layer.placement()
        bottoms = [name for i, name in enumerate(spec.bottom) if i not in layer.no_gradient or len(spec.bottom) == 1]
        found.append((bottoms, spec.top, placement and placement[axis]))
    return found
