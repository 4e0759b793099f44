"""Nets as ONNX files: the TEST phase, for any batch and picture size that the net itself takes.

`_trace` finds the layers that compute the outputs and which sizes stay open; `_Graph` collects ONNX nodes; below, one
function a layer type says which nodes compute it. Where ONNX has no such layer (Caffe's poolings round up and divide by
clipped windows, its Crop takes a size from another blob), several nodes together do exactly what the layer does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcnlite._version import __version__
from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Window
from fcnlite.description.spec import NetSpec
from fcnlite.errors import FcnliteError, FileError, ShapeError, SpecError
from fcnlite.files import atomic_write
from fcnlite.graph.exportable import (
    Exportable,
    Step,
    asked_outputs,
    check_complete,
    described_shapes,
    float32_params,
    needed_steps,
    prediction_outputs,
    steps_of,
)
from fcnlite.layers.base import Layer, canonical_axis, named
from fcnlite.layers.batch_norm import averages
from fcnlite.layers.broadcast import Broadcast
from fcnlite.layers.elementwise import LinearOptions

OPSET = 18
IR_VERSION = 8
"""What goes with that opset; newer ones would shut out older runtimes."""
MAX_BYTES = 2**31 - 1
"""Protobuf's limit for one message."""


def save_onnx(net: Exportable, path: str | os.PathLike[str], *, outputs: Sequence[str] | None = None) -> None:
    """Write `net`, as it is in phase TEST, to an ONNX file that computes the same `outputs`.

    `outputs`: blobs by name; by default those that no layer reads but losses and Accuracy, which are left out as their
    labels are. Inputs and outputs carry the blobs' names; batch, height and width are open where the net allows it.
    Raises `SpecError`, naming layer and type, for what ONNX cannot compute as Caffe does, and `FileError` where the
    file cannot be written.
    """
    try:
        import onnx
    except ImportError as error:
        raise FcnliteError("save_onnx needs the package onnx; install it with `pip install onnx`.") from error

    trace = _trace(net.spec, outputs)
    check_complete(net, path, {step.layer.spec.name for step in trace.steps})
    graph = _Graph(trace, float32_params(net, path))
    for step in trace.steps:
        graph.convert(step)
    model = onnx.helper.make_model(
        graph.finish(net.spec.name or "net"),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fcnlite",
        producer_version=__version__,
    )
    if (size := model.ByteSize()) > MAX_BYTES:
        raise FileError(f"{path}: {size:,} bytes do not fit; an ONNX file ends at 2 GiB.")
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


# What is known of every value.


@dataclass(frozen=True)
class _Trace:
    """The steps that compute the outputs, and the values that they read and make, by their versions."""

    steps: list[Step]
    inputs: dict[str, int]
    outputs: dict[str, int]
    names: dict[int, str]
    """Of the versions that are the last of their blob, inputs aside."""
    shapes: dict[int, Shape]
    """With the inputs as described."""
    sizes: dict[int, tuple[int | None, ...]]
    """The same, None where other inputs give other sizes."""


def _trace(spec: NetSpec, wanted: Sequence[str] | None) -> _Trace:
    steps, last = steps_of(spec)
    outputs = prediction_outputs(steps, last) if wanted is None else asked_outputs(wanted, last)
    steps = needed_steps(steps, outputs.values())
    used = set(outputs.values()).union(*(step.bottom for step in steps))
    inputs: dict[str, int] = {}
    described: dict[int, Shape] = {}
    for step in steps:
        if not step.bottom:
            described.update(described_shapes(step))
            tops = zip(step.layer.spec.top, step.top, strict=True)
            inputs.update({name: version for name, version in tops if version in used})
    steps = [step for step in steps if step.bottom]
    shapes, sizes = _sizes(steps, {version: described[version] for version in inputs.values()})
    names = {version: name for name, version in last.items() if name not in inputs}
    return _Trace(steps, inputs, outputs, names, shapes, sizes)


def _sizes(
    steps: Sequence[Step], inputs: Mapping[int, Shape]
) -> tuple[dict[int, Shape], dict[int, tuple[int | None, ...]]]:
    """The shape of every version, and the same with None where a larger batch or picture changes it.

    A net whose parameters would change with the size (an InnerProduct's) is of one size.
    """
    shapes, params = _infer(steps, inputs)
    sizes: dict[int, tuple[int | None, ...]] = dict(shapes)
    for axes in ((0,), (2, 3)):
        try:
            others, other_params = _infer(steps, {version: _doubled(shape, axes) for version, shape in inputs.items()})
        except ShapeError:
            continue
        if params == other_params:
            sizes = {
                version: tuple(a if a == b else None for a, b in zip(known, others[version], strict=True))
                for version, known in sizes.items()
            }
    return shapes, sizes


def _doubled(shape: Shape, axes: Sequence[int]) -> Shape:
    """A larger batch, or a larger picture of a blob that is one."""
    if max(axes) > 1 and len(shape) != 4:
        return shape
    return tuple(2 * size if axis in axes else size for axis, size in enumerate(shape))


def _infer(steps: Sequence[Step], inputs: Mapping[int, Shape]) -> tuple[dict[int, Shape], list[Shape]]:
    """The shape of every version and of every parameter."""
    shapes, params = dict(inputs), []
    for step in steps:
        bottom = [shapes[version] for version in step.bottom]
        params += [each.shape for each in named(step.layer, lambda: step.layer.params(*bottom))]  # noqa: B023
        shapes.update(zip(step.top, named(step.layer, lambda: step.layer.top_shapes(*bottom)), strict=True))  # noqa: B023
    return shapes, params


# From steps to nodes.


@dataclass(frozen=True)
class _Blob:
    """A value of the graph, with its shape where the inputs are as described."""

    name: str
    shape: Shape


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self, trace: _Trace, params: Mapping[str, Sequence[Array]]) -> None:
        self._trace = trace
        self._params = params
        self._values: dict[int, str] = {version: name for name, version in trace.inputs.items()}
        self._nodes: list[Any] = []
        self._made_by: dict[str, tuple[Any, int]] = {}
        self._constants: dict[str, Any] = {}
        self._param_names: dict[int, str] = {}
        self._taken = {*trace.inputs, *trace.names.values()}
        self._prefix = ""

    def convert(self, step: Step) -> None:
        """Add the nodes of one layer."""
        layer = step.layer
        self._prefix = layer.spec.name
        self._made_by.clear()
        convert = _CONVERTERS.get(layer.type)
        if convert is None:
            raise SpecError(
                f"layer {layer.spec.name!r}: type {layer.spec.type} cannot be written as ONNX; leave it out."
            )
        bottom = [_Blob(self._values[version], self._trace.shapes[version]) for version in step.bottom]
        tops = named(layer, lambda: convert(self, layer, bottom))
        for version, value in zip(step.top, tops, strict=True):
            self._values[version] = self._called(value, self._trace.names.get(version))

    def _called(self, value: str, name: str | None) -> str:
        """Give the blob's name to a value, if this layer has made it."""
        if name is None or value not in self._made_by:
            return value
        node, index = self._made_by.pop(value)
        node.output[index] = name
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node of one output; its name."""
        return self.add_many(op, *inputs, outputs=1, **attributes)[0]

    def add_many(self, op: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """A node; the names of its outputs."""
        import onnx

        names = [self._unique(f"{self._prefix}/{op}") for _ in range(outputs)]
        node = onnx.helper.make_node(op, inputs, names, name=names[0], **attributes)
        self._nodes.append(node)
        self._made_by.update({name: (node, i) for i, name in enumerate(names)})
        return names

    def constant(self, values: Any, dtype: Any = np.float32, name: str = "") -> str:
        """A constant array, float32 unless said otherwise."""
        import onnx

        name = self._unique(name or f"{self._prefix}/constant")
        self._constants[name] = onnx.numpy_helper.from_array(np.asarray(values, dtype), name)
        return name

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def params(self, layer: Layer) -> list[Array]:
        """The parameters of a layer."""
        if layer.spec.name not in self._params:
            raise SpecError("the net has no parameters for it; run forward once, or load weights.")
        return list(self._params[layer.spec.name])

    def param(self, layer: Layer, index: int) -> str:
        """One parameter as a constant; layers that share it share the constant."""
        array = self.params(layer)[index]
        if id(array) not in self._param_names:
            self._param_names[id(array)] = self.constant(array, name=f"{layer.spec.name}[{index}]")
        return self._param_names[id(array)]

    def scaled(self, value: str, scale: float = 1.0, shift: float = 0.0) -> str:
        """value · scale + shift."""
        if scale != 1:
            value = self.add("Mul", value, self.constant(scale))
        return self.add("Add", value, self.constant(shift)) if shift else value

    def reshaped(self, value: str, pieces: Iterable[int | str]) -> str:
        """`value` in the shape that the pieces say: sizes, 0 to keep one, one −1, and names of arrays of sizes."""
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
        """The graph with its inputs and outputs."""
        import onnx

        outputs = {}
        for blob, version in self._trace.outputs.items():
            output = blob if blob not in self._trace.inputs else self._unique(blob)
            if self._values[version] != output:  # a layer that changes nothing, such as Dropout, has no node
                self._prefix = blob
                self._called(self.add("Identity", self._values[version]), output)
            outputs[output] = version
        return onnx.helper.make_graph(
            self._nodes,
            name,
            [self._described(name, version) for name, version in self._trace.inputs.items()],
            [self._described(name, version) for name, version in outputs.items()],
            list(self._constants.values()),
        )

    def _described(self, name: str, version: int) -> Any:
        """Name, type and shape of an input or output; open sizes of inputs have names."""
        import onnx

        sizes: list[int | str | None] = list(self._trace.sizes[version])
        if name in self._trace.inputs:
            axes = ("batch", "channels", "height", "width")
            sizes = [f"{name}_{axes[axis]}" if size is None else size for axis, size in enumerate(sizes)]
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sizes)

    def _unique(self, name: str) -> str:
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name


_Converter = Callable[[_Graph, Any, list[_Blob]], list[str]]
_CONVERTERS: dict[str, _Converter] = {}


def _converts(*types: str) -> Callable[[_Converter], _Converter]:
    """Decorator: the function writes layers of these types."""

    def add(function: _Converter) -> _Converter:
        _CONVERTERS.update(dict.fromkeys(types, function))
        return function

    return add


# One function a layer type.


@_converts("Convolution", "Deconvolution")
def _convolution(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    rows, columns = layer.geometry.rows, layer.geometry.columns
    params = [graph.param(layer, i) for i in range(len(graph.params(layer)))]
    return [
        graph.add(
            "Conv" if layer.type == "Convolution" else "ConvTranspose",
            bottom[0].name,
            *params,
            kernel_shape=[rows.kernel, columns.kernel],
            strides=[rows.stride, columns.stride],
            pads=[rows.pad, columns.pad] * 2,
            dilations=[rows.dilation, columns.dilation],
            group=layer.geometry.group,
        )
    ]


@_converts("Pooling")
def _pooling(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    if len(layer.spec.top) > 1:
        raise SpecError("its second top, the places of the maxima, cannot be written as ONNX; leave it out.")
    (x,), average = bottom, layer.options.pool == "AVE"
    if layer.options.global_pooling:
        return [graph.add("GlobalAveragePool" if average else "GlobalMaxPool", x.name)]
    windows = layer.windows
    ends = [_far_pad(window, layer) for window in windows]
    pads = [window.pad for window in windows]
    kernel, stride = ([getattr(window, name) for window in windows] for name in ("kernel", "stride"))
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": stride}
    if not average:
        return [graph.add("MaxPool", x.name, pads=[*pads, *ends], **how)]
    # Caffe counts its own padding into the window's size but not what rounding up adds: the one as zeros, the other as
    # ONNX's padding, which is not counted.
    value = x.name
    if any(pads):
        value = graph.add("Pad", value, graph.integers(0, 0, *pads, 0, 0, *pads))
    beyond = [end - pad for end, pad in zip(ends, pads, strict=True)]
    return [graph.add("AveragePool", value, pads=[0, 0, *beyond], count_include_pad=0, **how)]


def _far_pad(window: Window, layer: Any) -> int:
    """The padding behind the picture that gives as many windows, rounded down, as Caffe has, rounding up.

    Rounding up adds up to stride − 1. Caffe then drops a window that starts behind the picture, for which padding must
    end before a whole kernel fits there.
    """
    if layer.options.round_mode == "FLOOR":
        return window.pad
    if window.stride > window.kernel and not any(each.pad for each in layer.windows):
        raise SpecError(
            f"a stride of {window.stride} beyond the kernel of {window.kernel} gives windows with nothing in them, "
            "which cannot be written as ONNX; use round_mode FLOOR."
        )
    return min(window.pad + window.stride - 1, window.kernel - 1)


@_converts("ReLU")
def _relu(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    slope = layer.options.negative_slope
    return [graph.add("LeakyRelu", bottom[0].name, alpha=slope) if slope else graph.add("Relu", bottom[0].name)]


@_converts("PReLU")
def _prelu(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    (x,) = bottom
    slope = graph.params(layer)[0].reshape(-1, *[1] * (len(x.shape) - 2))
    return [graph.add("PRelu", x.name, graph.constant(slope))]


@_converts("ELU")
def _elu(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    return [graph.add("Elu", bottom[0].name, alpha=layer.options.alpha)]


@_converts("AbsVal", "Sigmoid", "TanH")
def _same_by_another_name(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    return [graph.add({"AbsVal": "Abs", "Sigmoid": "Sigmoid", "TanH": "Tanh"}[layer.type], bottom[0].name)]


@_converts("Power")
def _power(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    o = layer.options
    value = graph.scaled(bottom[0].name, o.scale, o.shift)
    return [value if o.power == 1 else graph.add("Pow", value, graph.constant(o.power))]


@_converts("Exp")
def _exp(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    o: LinearOptions = layer.options
    return [graph.add("Exp", graph.scaled(bottom[0].name, layer.ln_base * o.scale, layer.ln_base * o.shift))]


@_converts("Log")
def _log(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    o: LinearOptions = layer.options
    return [graph.scaled(graph.add("Log", graph.scaled(bottom[0].name, o.scale, o.shift)), 1 / layer.ln_base)]


@_converts("Dropout")
def _dropout(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    if layer.phase == "TRAIN":
        raise SpecError("its own phase is TRAIN, so that it drops values; drop `phase: TRAIN`.")
    return [bottom[0].name]


@_converts("Split")
def _split(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    return [bottom[0].name] * len(layer.spec.top)


@_converts("LRN")
def _lrn(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    (x,), o = bottom, layer.options
    if layer.across:
        return [graph.add("LRN", x.name, size=o.local_size, alpha=o.alpha, beta=o.beta, bias=o.k)]
    if len(x.shape) != 4:
        raise SpecError(f"its region within channels of a blob of {len(x.shape)} axes cannot be written as ONNX.")
    square = graph.add("Mul", x.name, x.name)
    side: dict[str, Any] = {"kernel_shape": [o.local_size] * 2, "strides": [1, 1], "pads": [o.local_size // 2] * 4}
    mean = graph.add("AveragePool", square, count_include_pad=1, **side)
    norm = graph.add("Pow", graph.scaled(mean, o.alpha, 1.0), graph.constant(-o.beta))
    return [graph.add("Mul", x.name, norm)]


@_converts("BatchNorm")
def _batch_norm(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    (x,), (mean, variance, weight) = bottom, graph.params(layer)
    if not layer.use_global_stats:
        raise SpecError("use_global_stats is false; only running statistics can be written as ONNX.")
    ones = np.ones_like(mean)
    if len(x.shape) == 1:
        raise SpecError("a blob of one axis cannot be normalised by ONNX.")
    statistics = [graph.constant(each) for each in (ones, 0 * ones, *averages(mean, variance, weight))]
    return [graph.add("BatchNormalization", x.name, *statistics, epsilon=layer.options.eps)]


@_converts("Scale", "Bias")
def _scale(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    x, o = bottom[0], layer.options
    params = graph.params(layer) if layer.params(*(each.shape for each in bottom)) else []
    if len(bottom) == 2:
        each = Broadcast.of_bottom(x.shape, o.axis, bottom[1].shape)
        behind = range(len(each.shape), each.axes - each.axis)
        operands = [graph.add("Unsqueeze", bottom[1].name, graph.integers(*behind)) if behind else bottom[1].name]
    else:
        each = Broadcast.between(x.shape, o.axis, o.num_axes)
        operands = []
    operands += [graph.constant(each.expand(array)) for array in params]
    value = x.name
    for op, operand in zip(["Mul", "Add"] if layer.type == "Scale" else ["Add"], operands, strict=False):
        value = graph.add(op, value, operand)
    return [value]


@_converts("Eltwise")
def _eltwise(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    o, values = layer.options, [each.name for each in bottom]
    if o.operation == "PROD":
        product = values[0]
        for value in values[1:]:
            product = graph.add("Mul", product, value)
        return [product]
    if o.coeff:
        values = [graph.scaled(value, coeff) for value, coeff in zip(values, o.coeff, strict=True)]
    return [graph.add("Max" if o.operation == "MAX" else "Sum", *values)]


@_converts("Concat")
def _concat(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    return [graph.add("Concat", *(each.name for each in bottom), axis=layer.axis)]


@_converts("Slice")
def _slice(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    (x,), points, tops = bottom, layer.options.slice_point, len(layer.spec.top)
    if not points:
        return graph.add_many("Split", x.name, outputs=tops, axis=layer.axis, num_outputs=tops)
    starts, ends = (0, *points), (*points, np.iinfo(np.int64).max)
    return [
        graph.add("Slice", x.name, *(graph.integers(each) for each in (start, end, layer.axis)))
        for start, end in zip(starts, ends, strict=True)
    ]


@_converts("Crop")
def _crop(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    x, reference = bottom
    first = canonical_axis(layer.options.axis, len(x.shape))
    axes = range(first, len(x.shape))
    offsets = layer.options.offset or (0,)
    starts = graph.integers(*(offsets * len(axes) if len(offsets) == 1 else offsets))
    ends = graph.add("Add", graph.add("Shape", reference.name, start=first), starts)
    return [graph.add("Slice", x.name, starts, ends, graph.integers(*axes))]


@_converts("Softmax")
def _softmax(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    return [graph.add("Softmax", bottom[0].name, axis=layer.options.axis)]


@_converts("InnerProduct")
def _inner_product(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    (x,), o = bottom, layer.options
    kept = canonical_axis(o.axis, len(x.shape))
    flat = graph.reshaped(x.name, [*[0] * kept, -1])
    weight = graph.param(layer, 0)
    if kept == 1:
        bias = [graph.param(layer, 1)] if o.bias_term else []
        return [graph.add("Gemm", flat, weight, *bias, transB=0 if o.transpose else 1)]
    y = graph.add("MatMul", flat, weight if o.transpose else graph.add("Transpose", weight, perm=[1, 0]))
    return [graph.add("Add", y, graph.param(layer, 1)) if o.bias_term else y]


@_converts("Flatten")
def _flatten(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    (x,), o = bottom, layer.options
    first, last = (canonical_axis(axis, len(x.shape)) for axis in (o.axis, o.end_axis))
    return [graph.reshaped(x.name, [*[0] * first, -1, *_sizes_from(graph, x, last + 1)])]


@_converts("Reshape")
def _reshape(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    (x,), o = bottom, layer.options
    first = o.axis if o.axis >= 0 else len(x.shape) + 1 + o.axis
    end = len(x.shape) if o.num_axes == -1 else first + o.num_axes
    return [graph.reshaped(x.name, [*[0] * first, *o.shape.dim, *_sizes_from(graph, x, end)])]


def _sizes_from(graph: _Graph, x: _Blob, axis: int) -> list[str]:
    """The sizes of x's axes from `axis` on, as a piece for `reshaped`."""
    return [graph.add("Shape", x.name, start=axis)] if axis < len(x.shape) else []


@_converts("ArgMax")
def _argmax(graph: _Graph, layer: Any, bottom: list[_Blob]) -> list[str]:
    """Of equal values Caffe puts the later place first."""
    (x,), o = bottom, layer.options
    value = graph.reshaped(x.name, [0, -1]) if o.axis is None else x.name
    axis = 1 if o.axis is None else canonical_axis(o.axis, len(x.shape))
    if o.top_k == 1 and not o.out_max_val:
        parts = [_float(graph, graph.add("ArgMax", value, axis=axis, select_last_index=1))]
    else:
        # TopK puts the earlier place first, so it reads the axis from its end.
        last = graph.add("Sub", graph.add("Shape", value, start=axis, end=axis + 1), graph.integers(1))
        start = graph.integers(np.iinfo(np.int64).min)
        turned = graph.add("Slice", value, last, start, graph.integers(axis), graph.integers(-1))
        values, places = graph.add_many("TopK", turned, graph.integers(o.top_k), outputs=2, axis=axis)
        parts = [_float(graph, graph.add("Sub", last, places)), values]
    if o.axis is not None:
        return parts[-1:] if o.out_max_val else parts[:1]
    stacked = [graph.add("Unsqueeze", part, graph.integers(1)) for part in parts[: 2 if o.out_max_val else 1]]
    return [graph.reshaped(graph.add("Concat", *stacked, axis=1), [0, 0, 0, *[1] * (len(x.shape) - 3)])]


def _float(graph: _Graph, value: str) -> str:
    import onnx

    return graph.add("Cast", value, to=onnx.TensorProto.FLOAT)
