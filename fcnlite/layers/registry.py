"""The layer types by name, and the creation of layers from descriptions."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping

from fcnlite.arrays import Shape
from fcnlite.description.shapes import Links
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import SpecError
from fcnlite.layers.base import Layer

LayerType = type[Layer]
_registry: dict[str, LayerType] = {}


def register(cls: LayerType) -> LayerType:
    """Class decorator: register a layer under its `type`. Raises `SpecError` for a type that is taken."""
    if cls.type in _registry:
        raise SpecError(f"layer type {cls.type!r} is registered already, by {_registry[cls.type].__module__}.")
    _registry[cls.type] = cls
    return cls


def registered() -> Mapping[str, LayerType]:
    """All registered layers by type name."""
    return types.MappingProxyType(_registry)


_SIMILAR = {
    "bn": ("BatchNorm", "Scale"),
    "syncbn": ("BatchNorm", "Scale"),
    "upsample": ("Deconvolution",),
    "interp": ("Deconvolution",),
    "resize": ("Deconvolution",),
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
        return SpecError(
            f"{where}layer {self.spec.name!r}: unknown type {self.spec.type!r}; {_likely(self.spec.type)} "
            "Import the module that registers a type of your own before loading (--import MODULE; docs/extending.md)."
        )


def create(spec: LayerSpec, phase: str) -> Layer:
    """Create the layer that `spec` describes, as an `UnknownLayer` if its type is unknown.

    Raises `SpecError`, naming the layer, for options or numbers of blobs that do not fit the type.
    """
    cls = _registry.get(spec.type)
    if cls is None or (spec.type == "Python" and spec.bottom):
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
