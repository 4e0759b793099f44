"""The nodes and constants of an ONNX graph, collected layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.errors import SpecError
from fcnlite.formats.interop.onnx.sizes import Sizes
from fcnlite.graph.schedule import Schedule, Step
from fcnlite.layers.base import Layer, named


@dataclass(frozen=True)
class OnnxValue:
    """A value of the graph, with its shape for inputs as described."""

    name: str
    shape: Shape


class OnnxGraph:
    """Collects the nodes and constants that compute a schedule."""

    def __init__(self, schedule: Schedule, sizes: Sizes, params: Mapping[str, Sequence[Array]]) -> None:
        self._schedule = schedule
        self._sizes = sizes
        self._params = params
        self._blob_names = {
            version: name for name, version in schedule.last.items() if name not in schedule.inputs
        }  # an earlier version of a blob gets a separate name
        self._values: dict[int, str] = {version: name for name, version in schedule.inputs.items()}
        self._nodes: list[Any] = []
        self._made_by: dict[str, tuple[Any, int]] = {}
        self._constants: dict[str, Any] = {}
        self._param_names: dict[int, str] = {}
        self._taken = {*schedule.inputs, *self._blob_names.values()}
        self._prefix = ""

    def convert(self, step: Step, convert: Converter) -> None:
        """Add the nodes of one layer, which `convert` writes."""
        layer = step.layer
        self._prefix = layer.spec.name
        self._made_by.clear()
        bottom = [OnnxValue(self._values[version], self._sizes.described[version]) for version in step.bottom]
        tops = named(layer, lambda: convert(self, layer, bottom))
        for version, value in zip(step.top, tops, strict=True):
            self._values[version] = self._renamed(value, self._blob_names.get(version))

    def _renamed(self, value: str, name: str | None) -> str:
        """Give the blob's name to a value that the current layer has made; return the value's name."""
        if name is None or value not in self._made_by:
            return value
        node, index = self._made_by.pop(value)
        node.output[index] = name
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        return self.add_many(op, *inputs, outputs=1, **attributes)[0]

    def add_many(self, op: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Add a node and return the names of its outputs."""
        import onnx

        names = [self._unique(f"{self._prefix}/{op}") for _ in range(outputs)]
        node = onnx.helper.make_node(op, inputs, names, name=names[0], **attributes)
        self._nodes.append(node)
        self._made_by.update({name: (node, i) for i, name in enumerate(names)})
        return names

    def constant(self, values: Any, dtype: Any = np.float32, name: str = "") -> str:
        """Add a constant array, by default float32, and return its name."""
        import onnx

        name = self._unique(name or f"{self._prefix}/constant")
        self._constants[name] = onnx.numpy_helper.from_array(np.asarray(values, dtype), name)
        return name

    def integers(self, *values: int) -> str:
        """Add a constant list of integers and return its name."""
        return self.constant(values, np.int64)

    def params(self, layer: Layer) -> list[Array]:
        """The parameters of a layer. Raises `SpecError` if it has none yet."""
        if layer.spec.name not in self._params:
            raise SpecError("the net has no parameters for it; run forward once, or load weights.")
        return list(self._params[layer.spec.name])

    def param(self, layer: Layer, index: int) -> str:
        """The name of a parameter's constant; layers that share the parameter share the constant."""
        array = self.params(layer)[index]
        if id(array) not in self._param_names:
            self._param_names[id(array)] = self.constant(array, name=f"{layer.spec.name}[{index}]")
        return self._param_names[id(array)]

    def scaled(self, value: str, scale: float = 1.0, shift: float = 0.0) -> str:
        """Add the nodes of value · scale + shift and return the result's name."""
        if scale != 1:
            value = self.add("Mul", value, self.constant(scale))
        return self.add("Add", value, self.constant(shift)) if shift else value

    def reshaped(self, value: str, pieces: Iterable[int | str]) -> str:
        """Add the nodes that reshape `value` and return the result's name.

        The pieces of the shape are sizes (0 keeps a size, one may be −1) and names of arrays of sizes.
        """
        parts: list[str] = []
        sizes: list[int] = []
        for piece in [*pieces, ""]:
            if isinstance(piece, int):
                sizes.append(piece)
                continue
            if sizes:
                parts.append(self.integers(*sizes))
                sizes = []
            if piece:
                parts.append(piece)
        shape = self.add("Concat", *parts, axis=0) if len(parts) > 1 else parts[0] if parts else self.integers()
        return self.add("Reshape", value, shape)

    def finish(self, name: str) -> Any:
        """The finished ONNX graph with its inputs and outputs."""
        import onnx

        outputs = {}
        for blob, version in self._schedule.outputs.items():
            output = blob if blob not in self._schedule.inputs else self._unique(blob)
            if self._values[version] != output:  # layers that change nothing, such as Dropout, add no node
                self._prefix = blob
                self._renamed(self.add("Identity", self._values[version]), output)
            outputs[output] = version
        return onnx.helper.make_graph(
            self._nodes,
            name,
            [self._described(name, version) for name, version in self._schedule.inputs.items()],
            [self._described(name, version) for name, version in outputs.items()],
            list(self._constants.values()),
        )

    def _described(self, name: str, version: int) -> Any:
        """The name, type and shape of an input or output; variable sizes of inputs have names."""
        import onnx

        sizes: list[int | str | None] = list(self._sizes.variable[version])
        if name in self._schedule.inputs:
            axes = ("batch", "channels", "height", "width")
            sizes = [f"{name}_{axes[axis]}" if size is None else size for axis, size in enumerate(sizes)]
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sizes)

    def _unique(self, name: str) -> str:
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name


Converter = Callable[[OnnxGraph, Any, list[OnnxValue]], list[str]]
"""Adds the nodes of one layer, given its bottoms, and returns the names of its tops."""
